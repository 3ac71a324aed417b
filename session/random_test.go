package session_test

import (
	"flag"
	"strconv"
	"testing"

	"cardbridge/session/internal/model"

	"pgregory.net/rapid"
)

var events = flag.Int("session.events", 1_000_000, "events in random walks beside the model")

// TestModelRandom goes further than the exhaustive walks: three applications, three tokens, ten sessions, a dozen objects
// and all operations at once. A failure is shrunk by rapid to few events that show it, and printed as a script.
func TestModelRandom(t *testing.T) {
	const length = 1000
	n := *events
	if raceEnabled || testing.Short() {
		n = min(n, 30_000)
	}
	// An event that is zero does not happen. Some of those drawn are, so a walk is a little shorter than its length.
	setFlag(t, "rapid.checks", strconv.Itoa(n/(length*9/10)+1))
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		x, err := randomWalk(rapid.SliceOfN(rapid.Uint64(), length, length).Draw(t, "events"))
		done += x.done
		if err != nil {
			t.Fatalf("%v\nput this into testdata to replay it:\n%s", err, x.script())
		}
	})
	if done < n {
		t.Errorf("only %d events", done)
	}
	t.Logf("%d events, no disagreement", done)
}

func randomWalk(numbers []uint64) (*pair, error) {
	x := newPair(3, model.Token{}, model.Token{MaxSessions: 3, MaxRW: 2}, model.Token{})
	bounds := model.Bounds{Sessions: 10, Objects: 12, Ops: opNames()}
	for _, n := range numbers {
		if n == 0 {
			continue
		}
		if err := x.do(x.w.Pick(spread(n), bounds)); err != nil {
			return x, err
		}
		x.done++
		if x.done%4 == 0 {
			if err := x.agree(); err != nil {
				return x, err
			}
		}
	}
	return x, x.agree()
}

// spread makes a number of any size of the small ones that rapid likes to draw.
func spread(n uint64) uint64 {
	n *= 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	old := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(old) })
}
