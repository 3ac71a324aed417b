package piv_test

import (
	"encoding/json"
	"testing"

	"cardbridge/hwtest"
)

// A cardtool runs our own program in a rig. Secrets go by environment.
type cardtool struct {
	r    *hwtest.Rig
	path string
	env  []string
}

func newCardtool(t testing.TB, r *hwtest.Rig) *cardtool {
	t.Helper()
	c := &cardtool{r: r, path: hwtest.Cardtool(t)}
	c.secret("PIN", factoryPIN)
	c.secret("PUK", factoryPUK)
	c.secret("ADMIN_KEY", factoryKey)
	return c
}

// secret sets what --pin-env PIN and its kin will find.
func (c *cardtool) secret(name, value string) { c.env = append(c.env, name+"="+value) }

// Flags that say where secrets are.
var (
	withPIN = []string{"--pin-env", "PIN"}
	withKey = []string{"--admin-key-env", "ADMIN_KEY"}
)

func (c *cardtool) try(t testing.TB, args ...string) hwtest.Result {
	t.Helper()
	return c.r.Try(t, hwtest.Command{Args: append([]string{c.path, "--reader", c.r.Reader(0)}, args...), Env: c.env})
}

func (c *cardtool) run(t testing.TB, args ...string) string {
	t.Helper()
	return c.r.Do(t, hwtest.Command{Args: append([]string{c.path, "--reader", c.r.Reader(0)}, args...), Env: c.env}).Out
}

// ask runs a command with --json and reads what it prints.
func (c *cardtool) ask(t testing.TB, into any, args ...string) {
	t.Helper()
	out := c.run(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func flags(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
