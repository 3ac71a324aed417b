package reader

import (
	"strings"
	"testing"
	"testing/synctest"
)

// What is said of readers, with the service and the machine left out.
func TestDiagnoseReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.addReader("Empty", nil)
		f.addReader("Full", newFakeCard())
		f.addReader("Mute", newFakeCard()).mute = true
		f.addReader("Taken", newFakeCard()).exclusive = true
		s := newSystem(f)
		states, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d := &diagnosis{}
		for _, st := range states {
			d.reader(s, st)
		}
		for i, want := range []struct {
			verdict Verdict
			words   string
		}{{OK, "no card"}, {OK, "T=1"}, {Problem, "reset"}, {Problem, "for itself"}} {
			got := d.findings[i]
			if got.Verdict != want.verdict || !strings.Contains(got.Detail, want.words) || (got.Fix != "") != (want.verdict == Problem) {
				t.Errorf("%+v", got)
			}
		}
		f.idle(0, 0)
	})
}
