package reader

import (
	"context"
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

// A service that is there and answers nothing does not keep who asks for longer
// than they want to wait.
func TestDiagnoseCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		stuck := make(chan struct{})
		f.before["Establish"] = func() { <-stuck }
		ctx, cancel := context.WithCancel(t.Context())
		d, done := &diagnosis{}, make(chan struct{})
		go func() {
			d.system(ctx, newSystem(f))
			close(done)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it waits on")
		}
		close(stuck)
		<-done
		if len(d.findings) == 0 || d.findings[0].Verdict != Problem {
			t.Errorf("%+v", d.findings)
		}
		synctest.Wait()
		f.idle(0, 0)
	})
}
