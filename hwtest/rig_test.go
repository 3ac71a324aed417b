package hwtest_test

import (
	"testing"

	"cardbridge/hwtest"
)

func TestMain(m *testing.M) { hwtest.Main(m) }

func TestRig(t *testing.T) {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{"yubikey-5.7", "nist", ""}})
	out := r.Run(t, "opensc-tool", "-l")
	t.Log(out.Out)
	r.Remove(0)
	t.Log(r.Run(t, "opensc-tool", "-l").Out)
	r.Insert(0)
	t.Log(r.Run(t, "yubico-piv-tool", "-r", r.Reader(0), "-a", "status").Out)
	r.RestartPCSCD()
	t.Log(r.Run(t, "yubico-piv-tool", "-r", r.Reader(0), "-a", "status").Out)
}
