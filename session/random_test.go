package session_test

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"cardbridge/session/internal/model"

	"pgregory.net/rapid"
)

var events = flag.Int("session.events", 1_000_000, "events in random walks beside the model")

// TestModelRandom goes further than the exhaustive walks: three applications, three tokens, ten sessions, a dozen objects
// and all operations at once. A failure is shrunk to the fewest events that show it, and printed as a script.
func TestModelRandom(t *testing.T) {
	const length = 1000
	n := *events
	if raceEnabled || testing.Short() {
		n = min(n, 30_000)
	}
	checks := n/length + 1
	if testing.Short() {
		checks *= 5 // rapid will divide it again
	}
	setFlag(t, "rapid.checks", strconv.Itoa(checks))
	if flag.Lookup("rapid.seed").Value.String() == "0" {
		setFlag(t, "rapid.seed", "1") // the same walks in each run; scripts/campaign goes others
	}
	setFlag(t, "rapid.shrinktime", "0s") // shrink knows better what an event is
	done := 0
	var failed []uint64
	defer func() {
		if failed != nil {
			x, err := shrink(failed)
			t.Errorf("%v\nput this into testdata to replay it:\n%s", err, x.script())
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Uint64(), length, length).Draw(t, "events")
		x, err := randomWalk(numbers, 4)
		done += x.done
		if err != nil {
			failed = numbers
			t.Fatal(err)
		}
	})
	if done < n {
		t.Errorf("only %d events", done)
	}
	t.Logf("%d events, no disagreement", done)
}

// shrink leaves out events, many at a time and then fewer, as long as the rest still fails.
func shrink(numbers []uint64) (*pair, error) {
	best, err := randomWalk(numbers, 1)
	if err == nil {
		return randomWalk(numbers, 4)
	}
	numbers = numbers[:best.done]
	for size := len(numbers); size > 0; size /= 2 {
		for from := 0; from+size <= len(numbers); {
			shorter := slices.Delete(slices.Clone(numbers), from, from+size)
			if x, failure := randomWalk(shorter, 1); failure != nil {
				numbers, best, err = shorter[:x.done], x, failure
			} else {
				from += size
			}
		}
	}
	return best, err
}

// randomWalk makes an event of each number, and looks at everything after so many of them.
func randomWalk(numbers []uint64, look int) (*pair, error) {
	x := newPair(3, model.Token{}, model.Token{MaxSessions: 3, MaxRW: 2}, model.Token{})
	bounds := model.Bounds{Sessions: 10, Objects: 12, Ops: opNames()}
	for _, n := range numbers {
		x.done++
		if err := x.do(x.w.Pick(spread(n), bounds)); err != nil {
			return x, err
		}
		if x.done%look == 0 {
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
