//go:build linux && cgo

package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	p11 "github.com/miekg/pkcs11"

	"cardbridge/hwtest"
	"cardbridge/pkcs11/conform"
)

// modules are those of others that know PIV cards.
var modules = []struct{ name, path, pkg string }{
	{"OpenSC", "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "opensc-pkcs11"},
	{"ykcs11", "/usr/lib/x86_64-linux-gnu/libykcs11.so.2", "ykcs11"},
}

// A moduleRow is what one task cost each module.
type moduleRow struct {
	task   string
	budget int
	signs  bool // both others must need more
	counts []int
}

// TestPKCS11 is `make bench` for modules: one card with four keys and their
// certificates, every task with each module.
func TestPKCS11(t *testing.T) {
	hwtest.Program(t, "pkcs11-tool", "opensc")
	t.Cleanup(conform.Cleanup)
	for _, m := range modules {
		if _, err := os.Stat(m.path); err != nil {
			hwtest.Skip(t, fmt.Sprintf("%s is missing: apt-get install %s", m.path, m.pkg))
		}
	}
	for _, c := range []struct {
		personality string
		objects     int // -O at most
		rsa, ec     int // a whole signature at most
		further     int // each further RSA signature
	}{
		// SELECT of each applet, version, serial number, the PIN's state, the
		// key's type, VERIFY and the operation; 24 slots and what is in them.
		{"yubikey-5.7", 34, 9, 9, 1},
		{"yubikey-5.7-short", 38, 11, 9, 3},
		// Short APDUs: an RSA signature takes three, and an RSA certificate,
		// which is what tells the key's type where there is no metadata, four.
		{"nist-short", 40, 14, 10, 3},
		// ... and a slot without a certificate is asked for an attestation.
		{"yubikey-4", 52, 14, 10, 3},
	} {
		t.Run(c.personality, func(t *testing.T) {
			b := newModuleBench(t, c.personality)
			rows := []moduleRow{
				b.tool("list slots (-L)", 6, false, "-L"),
				b.tool("list objects (-O)", c.objects, false, "-O"),
				b.tool("load, log in, sign with RSA-2048, exit", c.rsa, true, "--login", "--pin", "env:PIN", "--sign", "--id", "01", "--mechanism", "RSA-PKCS", "--input-file", "digest", "--output-file", "sig"),
				b.tool("load, log in, sign with P-256, exit", c.ec, true, "--login", "--pin", "env:PIN", "--sign", "--id", "03", "--mechanism", "ECDSA", "--input-file", "digest", "--output-file", "sig"),
				b.each("each further RSA-2048 signature", c.further, conform.RSAKey, p11.CKM_RSA_PKCS),
				b.each("each further P-256 signature", 1, conform.ECKey, p11.CKM_ECDSA),
				b.sessions("1,000 sessions opened and closed", 1000),
				b.information("slot, mechanism and session information"),
			}
			b.show(rows)
		})
	}
}

type moduleBench struct {
	t       *testing.T
	rig     *hwtest.Rig
	targets []*conform.Target
}

func newModuleBench(t *testing.T, personality string) *moduleBench {
	r := hwtest.Start(t, hwtest.Config{Personalities: []string{personality}})
	b := &moduleBench{t: t, rig: r}
	add := func(name, path string) {
		b.targets = append(b.targets, &conform.Target{Name: name, Module: path, Env: r.Environment(), PIN: factoryPIN, SOPIN: factoryKey})
	}
	add("ours", hwtest.Module(t))
	for _, m := range modules {
		add(m.name, m.path)
	}
	b.targets[0].Seed(t) // 9A, 9C and 9D
	r.File("pin", []byte(factoryPIN+"\n"))
	r.File("key", []byte(factoryKey+"\n"))
	r.File("digest", make([]byte, 32))
	cardtool := hwtest.Cardtool(t)
	r.Run(t, cardtool, "--quiet", "key", "generate", "9e", "-a", "p-256", "--admin-key-file", "key", "--yes", "--force", "-o", "public.pem")
	r.Run(t, cardtool, "--quiet", "cert", "self-sign", "9e", "--subject", "CN=bench", "--admin-key-file", "key", "--pin-file", "pin", "--public-key", "public.pem", "--yes", "--force", "-o", "cert.pem")
	return b
}

// row measures a task with each module; notThere where a module cannot do it.
func (b *moduleBench) row(task string, budget int, signs bool, do func(*conform.Target) (int, bool)) moduleRow {
	b.t.Helper()
	r := moduleRow{task: task, budget: budget, signs: signs}
	for _, tg := range b.targets {
		n, ok := do(tg)
		if !ok {
			if tg == b.targets[0] {
				b.t.Errorf("%s: ours cannot", task)
			}
			n = notThere
		}
		r.counts = append(r.counts, n)
	}
	return r
}

func (b *moduleBench) tool(task string, budget int, signs bool, args ...string) moduleRow {
	b.t.Helper()
	slow, tries := 0, 0
	var again func(tg *conform.Target) (int, bool)
	again = func(tg *conform.Target) (int, bool) {
		before := b.rig.Card(0).Count()
		result := b.rig.Try(b.t, hwtest.Command{Args: append([]string{"pkcs11-tool", "--module", tg.Module}, args...), Env: []string{"PIN=" + factoryPIN, "CARDBRIDGE_TRACE=" + b.rig.Path("trace")}})
		n := b.rig.Card(0).Count() - before
		if result.Code != 0 {
			b.t.Logf("%s: %s: %s%s", task, tg.Name, result.Out, result.Err)
		}
		if tg == b.targets[0] {
			slow = int(result.Took / time.Second)
			trace := b.rig.Read("trace")
			b.rig.File("trace", nil)
			// Closing the last session logs out, by a SELECT of its own that the
			// C_Finalize right behind it calls off - mostly before it is sent, and
			// one time in some tens not.
			if tries++; n > budget+slow && tries < 3 {
				b.t.Logf("%s: %d APDUs, at most %d were wanted; once more\n%s", task, n, budget+slow, trace)
				return again(tg)
			}
		}
		return n, result.Code == 0
	}
	r := b.row(task, budget, signs, again)
	// The state of the PIN is asked again when it was asked more than a second
	// ago: where the tool takes seconds to do nothing, that is no fault of ours.
	r.budget += slow
	return r
}

// begun initialises the module; false if it then knows no token.
func begun(a *conform.App) bool {
	if rv := a.Initialize(); rv != p11.CKR_OK {
		return false
	}
	slots, rv := a.Slots(true)
	return rv == p11.CKR_OK && len(slots) > 0
}

// logged is a session of a process of its own, logged in.
func (b *moduleBench) logged(tg *conform.Target) (*conform.App, uint, bool) {
	a := tg.Start(b.t)
	if !begun(a) {
		return nil, 0, false
	}
	s, rv := a.Open(a.Slot(), conform.RO)
	if rv != p11.CKR_OK || a.Login(s, conform.User, tg.PIN) != p11.CKR_OK {
		return nil, 0, false
	}
	return a, s, true
}

// each is one more signature. The floor is the operation itself, and another
// may be there too.
func (b *moduleBench) each(task string, budget int, id byte, mechanism uint) moduleRow {
	b.t.Helper()
	return b.row(task, budget, false, func(tg *conform.Target) (int, bool) {
		a, s, ok := b.logged(tg)
		if !ok {
			return 0, false
		}
		defer a.Finalize()
		key := a.Key(s, p11.CKO_PRIVATE_KEY, id)
		sign := func() bool {
			_, rv := a.Sign(s, conform.Mech(mechanism), key, make([]byte, 32))
			return rv == p11.CKR_OK
		}
		if !sign() {
			return 0, false
		}
		before := b.rig.Card(0).Count()
		for range warm {
			if !sign() {
				return 0, false
			}
		}
		return (b.rig.Card(0).Count() - before + warm - 1) / warm, true
	})
}

func (b *moduleBench) sessions(task string, n int) moduleRow {
	b.t.Helper()
	return b.row(task, 0, false, func(tg *conform.Target) (int, bool) {
		a := tg.Start(b.t)
		if !begun(a) {
			return 0, false
		}
		defer a.Finalize()
		slot := a.Slot()
		before := b.rig.Card(0).Count()
		for range n {
			if _, rv := a.Open(slot, conform.RO); rv != p11.CKR_OK {
				return 0, false
			}
		}
		a.CloseAll(slot)
		return b.rig.Card(0).Count() - before, true
	})
}

// information is what no module need ask a card for, once it knows the card.
func (b *moduleBench) information(task string) moduleRow {
	b.t.Helper()
	return b.row(task, 0, false, func(tg *conform.Target) (int, bool) {
		a, s, ok := b.logged(tg)
		if !ok {
			return 0, false
		}
		defer a.Finalize()
		slot := a.Slot()
		before := b.rig.Card(0).Count()
		for range 10 {
			if _, rv := a.Slots(true); rv != p11.CKR_OK {
				return 0, false
			}
			a.Call("C_GetSlotInfo", conform.N(slot), conform.Out(112))
			a.Call("C_GetMechanismInfo", conform.N(slot), conform.N(p11.CKM_RSA_PKCS), conform.Out(24))
			a.SessionInfo(s)
		}
		return b.rig.Card(0).Count() - before, true
	})
}

// show prints the rows, and fails the test where ours is over its budget, or
// not below both others in a row that signs.
func (b *moduleBench) show(rows []moduleRow) {
	b.t.Helper()
	var sb strings.Builder
	w := tabwriter.NewWriter(&sb, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "task\tat most\t")
	for _, tg := range b.targets {
		fmt.Fprintf(w, "%s\t", tg.Name)
	}
	fmt.Fprintln(w)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t", r.task, r.budget)
		for _, n := range r.counts {
			text := "-"
			if n != notThere {
				text = fmt.Sprint(n)
			}
			fmt.Fprintf(w, "%s\t", text)
		}
		fmt.Fprintln(w)
	}
	w.Flush() //nolint:errcheck // into memory
	fmt.Printf("\nAPDUs of PKCS #11 modules, %s, four keys and certificates\n%s\n", b.rig.Card(0).Personality().Name, sb.String())
	for _, r := range rows {
		if r.counts[0] > r.budget {
			b.t.Errorf("%s: %d APDUs, at most %d were wanted", r.task, r.counts[0], r.budget)
		}
		for i, n := range r.counts[1:] {
			if r.signs && n != notThere && n <= r.counts[0] {
				b.t.Errorf("%s: %d APDUs, and %s needs %d", r.task, r.counts[0], b.targets[i+1].Name, n)
			}
		}
	}
}
