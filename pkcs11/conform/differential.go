//go:build linux && cgo

package conform

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// Differential takes the same random walks at both modules and compares what each call gives. A difference that no row of
// accepted covers is reduced to the fewest steps that show it, and reported.
func Differential(t *testing.T, ours, reference *Target, accepted []Difference, seed uint64, walks, length int) {
	d := &differential{t: t, ours: ours, reference: reference, accepted: accepted, used: map[int]int{}}
	found := map[string]bool{}
	compared := 0
	for i := range walks {
		steps := randomSteps(rand.New(rand.NewPCG(seed, uint64(i))), length)
		at, a, b := d.run(steps)
		compared += min(at+1, len(steps))
		if at == len(steps) {
			continue
		}
		kind := fmt.Sprint(d.call(steps[at], a, b), a.rv, b.rv)
		if found[kind] {
			continue // told already
		}
		found[kind] = true
		d.report(i, d.reduce(steps[:at+1]))
		if len(found) == 60 {
			t.Log("sixty differences are enough for one run")
			break
		}
	}
	t.Logf("%d steps compared", compared)
	for i, row := range accepted {
		if d.used[i] == 0 {
			t.Logf("accepted but not seen: %s: %s", row.Call, row.Why)
		}
	}
}

type differential struct {
	t               *testing.T
	ours, reference *Target
	accepted        []Difference
	used            map[int]int
	apps            [2]*App
}

// pair brings two fresh applications, in processes that are used again and again.
func (d *differential) pair() (a, b *walker) {
	d.t.Helper()
	ws := [2]*walker{}
	for i, tg := range []*Target{d.ours, d.reference} {
		if d.apps[i] == nil {
			d.apps[i] = tg.Start(d.t)
		} else {
			d.apps[i].Finalize()
		}
		w, err := newWalker(tg, d.apps[i])
		if err != nil {
			d.t.Fatal(err)
		}
		// A walk may have left one wrong PIN behind.
		s, rv := w.c.Open(w.slot, RW)
		if rv != p11.CKR_OK || w.c.Login(s, User, tg.PIN) != p11.CKR_OK || w.c.CloseSession(s) != p11.CKR_OK {
			d.t.Fatalf("%s: no login before a walk", tg.Name)
		}
		ws[i] = w
	}
	return ws[0], ws[1]
}

// run takes the steps at both until an unaccepted difference, and tells where that is; len(steps) if there is none. An
// accepted difference of which one side succeeded ends the walk: the two are in different states from there.
func (d *differential) run(steps []step) (at int, a, b outcome) {
	wa, wb := d.pair()
	for i, s := range steps {
		a, b = wa.take(s), wb.take(s)
		if a == b {
			continue
		}
		if !d.accepts(steps[:i+1], a, b) {
			return i, a, b
		}
		if a.rv == p11.CKR_OK || b.rv == p11.CKR_OK || sideEffects(a.rv) != sideEffects(b.rv) {
			break
		}
	}
	return len(steps), outcome{}, outcome{}
}

// sideEffects tells whether a code leaves an active operation alone: only a short buffer does.
func sideEffects(rv RV) bool { return rv == p11.CKR_BUFFER_TOO_SMALL }

func (d *differential) call(s step, a, _ outcome) string {
	if f, _, _ := strings.Cut(a.detail, " "); strings.HasPrefix(f, "C_") {
		return s.call + " " + f
	}
	return s.call
}

func (d *differential) accepts(steps []step, a, b outcome) bool {
	s := steps[len(steps)-1]
	function, _, _ := strings.Cut(a.detail, " ")
	for i, row := range d.accepted {
		if (row.Call == s.call || row.Call == function) && slices.Contains(row.Ours, uint(a.rv)) && slices.Contains(row.Reference, uint(b.rv)) && row.fits(steps) {
			d.used[i]++
			return true
		}
	}
	return false
}

// fits tells whether one of the steps the row wants has been taken.
func (row *Difference) fits(steps []step) bool {
	return row.After == nil || slices.ContainsFunc(steps, func(s step) bool { return slices.Contains(row.After, s.call) })
}

// reduce leaves out steps as long as the last one still shows a difference.
func (d *differential) reduce(steps []step) []step {
	for chunk := len(steps) / 2; chunk > 0; chunk /= 2 {
		for i := 0; i+chunk < len(steps); {
			shorter := append(append([]step{}, steps[:i]...), steps[i+chunk:]...)
			if at, _, _ := d.run(shorter); at == len(shorter)-1 {
				steps = shorter
			} else {
				i += chunk
			}
		}
	}
	return steps
}

func (d *differential) report(walk int, steps []step) {
	var b strings.Builder
	fmt.Fprintf(&b, "walk %d:\n", walk)
	wa, wb := d.pair()
	for _, s := range steps {
		x, y := wa.take(s), wb.take(s)
		fmt.Fprintf(&b, "  %-30v %v", s, x)
		if x != y {
			fmt.Fprintf(&b, "   %s: %v", d.reference.Name, y)
		}
		b.WriteByte('\n')
	}
	d.t.Error(b.String())
}
