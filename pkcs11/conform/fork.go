//go:build linux && cgo

package conform

import (
	"bytes"
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// Fork is a parent that is initialised and logged in, and children and children of children that each initialise, log in
// and sign (csrc/fork.c); every signature is verified here.
func Fork(t *testing.T, tg *Target, children int) {
	if how := tg.Departs["Fork"]; how != "" {
		t.Skipf("%s: %s", tg.Name, how)
	}
	a := tg.Start(t)
	a.must("C_Initialize", a.Initialize())
	pub, err := a.PublicKey(a.MustOpen(a.Slot(), RO), ECKey)
	if err != nil {
		t.Fatal(err)
	}
	a.must("C_Finalize", a.Finalize())

	cmd := exec.Command(compile(t, "fork"), tg.Module, strconv.Itoa(children))
	cmd.Env = append(tg.environ(), "PIN="+tg.PIN)
	if tg.Label != "" {
		cmd.Env = append(cmd.Env, "LABEL="+tg.Label)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	signers := map[string]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "sig" {
			if line != "done\n" {
				t.Error(strings.TrimSpace(line))
			}
			continue
		}
		sig, err := hex.DecodeString(f[2])
		if err != nil || !verify(pub, make([]byte, 32), sig) {
			t.Errorf("%s: a wrong signature %s", f[1], f[2])
		}
		signers[f[1]]++
	}
	// One in five children only asks; the rest sign, and the parent does before, between and after them.
	if len(signers) < 1+children*4/5 || signers["parent"] != children+2 {
		t.Errorf("%d processes signed, the parent %d times of %d", len(signers), signers["parent"], children+2)
	}
}

// Again finalises and initialises many times, with work in between; the process must not grow.
func Again(t *testing.T, tg *Target, times int) {
	a := tg.Start(t)
	round := func() {
		a.must("C_Initialize", a.Initialize())
		want(t, "C_Initialize again", a.Initialize(), p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
		s := a.MustOpen(a.Slot(), RW)
		a.must("C_Login", a.Login(s, User, tg.PIN))
		if a.Key(s, p11.CKO_PRIVATE_KEY, ECKey) == 0 {
			t.Fatal("no key")
		}
		a.must("C_Finalize", a.Finalize())
		want(t, "C_Finalize again", a.Finalize(), p11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	for range times / 4 {
		round()
	}
	before := a.usage(t)
	for range times {
		round()
	}
	after := a.usage(t)
	if after.rss > before.rss+16<<20 || after.threads > before.threads+8 || after.files > before.files+4 {
		t.Errorf("after %d times: %+v, before %+v", times, after, before)
	}
}
