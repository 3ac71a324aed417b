//go:build linux && cgo

package conform

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// FuzzOptions bound a run of Fuzz.
type FuzzOptions struct {
	Seed    uint64
	Calls   int
	Threads int  // more than one: calls of all at the same time, and what is found cannot be replayed
	Absurd  bool // lengths no memory has, with pointers to little; many modules believe them
}

// Fuzz makes random calls with random arguments. The process must neither end, nor leave a call unanswered, nor grow. What
// ends it is written to a file of the test's artifacts, in the form that Replay takes.
func Fuzz(t *testing.T, tg *Target, o FuzzOptions) {
	a := tg.Start(t)
	if o.Threads == 0 {
		o.Threads = 1
	}
	var mu sync.Mutex
	shared := &fuzzState{pin: tg.PIN, soPIN: tg.SOPIN, minor: a.Minor, reached: map[string]bool{}}
	shared.initialise(a)
	var wg sync.WaitGroup
	var before usage
	for th := range o.Threads {
		work := func() {
			f := &fuzzer{r: rand.New(rand.NewPCG(o.Seed, uint64(th))), o: o, st: shared, mu: &mu}
			for i := range o.Calls / o.Threads {
				if th == 0 && i == o.Calls/o.Threads/4 {
					before = a.usage(t)
				}
				if !f.call(t, a, a.Thread(th)) {
					return
				}
			}
		}
		if o.Threads == 1 {
			work()
		} else {
			wg.Go(work)
		}
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var never []string
	for _, name := range fuzzFunctions {
		if !shared.reached[name] {
			never = append(never, name)
		}
	}
	t.Logf("never succeeded: %v", never)
	after := a.usage(t)
	if after.rss > before.rss+64<<20 || after.threads > before.threads+16 || after.files > before.files+16 {
		t.Errorf("the process grows: %+v, after a quarter of the calls %+v", after, before)
	}
	if o.Threads == 1 {
		a.Finalize()
		tg.stillWorks(t, a)
	}
}

// stillWorks signs once more after all that.
func (tg *Target) stillWorks(t *testing.T, a *App) {
	t.Helper()
	want(t, "C_Initialize", a.Initialize(), p11.CKR_OK)
	s := a.MustOpen(a.Slot(), RW)
	want(t, "C_Login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	_, rv := a.Sign(s, Mech(p11.CKM_ECDSA), a.Key(s, p11.CKO_PRIVATE_KEY, ECKey), make([]byte, 32))
	want(t, "C_Sign", rv, p11.CKR_OK)
	want(t, "C_Finalize", a.Finalize(), p11.CKR_OK)
}

// fuzzState is what the calls have made so far.
type fuzzState struct {
	pin, soPIN string
	slot       uint
	minor      int
	sessions   []uint
	objects    []uint
	named      map[string]uint
	history    []string
	reached    map[string]bool // functions that succeeded
}

func (st *fuzzState) initialise(a *App) {
	a.Initialize()
	if s, err := a.slot(); err == nil {
		st.slot = s
	}
	st.sessions, st.objects, st.named = nil, nil, map[string]uint{}
}

// fill replaces what stands for a handle: $s0 is the newest session, $o1 the newest object but one, $p the slot, $aes what was
// named #aes when it was made.
func (st *fuzzState) fill(line string) []Arg {
	line, _, _ = strings.Cut(line, "#")
	f := strings.Fields(line)
	for i, w := range f {
		if len(w) < 2 || w[0] != '$' {
			continue
		}
		if h, ok := st.named[w[1:]]; ok {
			f[i] = fmt.Sprint(h)
			continue
		}
		n := 0
		fmt.Sscanf(w[2:], "%d", &n)
		h := uint(0xfffff0)
		switch list := map[byte][]uint{'s': st.sessions, 'o': st.objects}[w[1]]; {
		case w[1] == 'p':
			h = st.slot
		case len(list) > 0:
			h = list[len(list)-1-n%len(list)]
		}
		f[i] = fmt.Sprint(h)
	}
	args := make([]Arg, len(f))
	for i := range f {
		args[i] = Arg(f[i])
	}
	return args
}

// learn keeps the handles a call gave.
func (st *fuzzState) learn(function, line string, r Result) {
	if r.RV != p11.CKR_OK {
		return
	}
	if st.reached != nil {
		st.reached[function] = true
	}
	keep := func(list []uint, h uint) []uint {
		if list = append(list, h); len(list) > 24 {
			list = list[len(list)-24:]
		}
		return list
	}
	sig := signatures[function]
	for _, o := range r.Outs {
		if len(o.Words) == 1 && strings.ContainsRune(sig, 'S') {
			st.sessions = keep(st.sessions, o.Words[0])
		}
		if len(o.Words) == 1 && strings.ContainsRune(sig, 'U') {
			st.objects = keep(st.objects, o.Words[0])
		}
	}
	if function == "C_FindObjects" && len(r.Outs) == 2 {
		for i := 0; i < int(r.Outs[1].Words[0]) && 8*i+8 <= len(r.Outs[0].Bytes); i++ {
			h, _ := fromUlong(r.Outs[0].Bytes[8*i : 8*i+8])
			st.objects = keep(st.objects, h)
		}
	}
	if _, name, ok := strings.Cut(line, "#"); ok && len(st.objects) > 0 {
		st.named[name] = st.objects[len(st.objects)-1]
	}
}

type fuzzer struct {
	r  *rand.Rand
	o  FuzzOptions
	st *fuzzState
	mu *sync.Mutex
}

// call makes one call; false ends the run.
func (f *fuzzer) call(t *testing.T, a *App, c Caller) bool {
	f.mu.Lock()
	function, line := f.next()
	args := f.st.fill(line)
	f.st.history = append(f.st.history, function+" "+line)
	f.mu.Unlock()
	r, err := c.Try(function, args...)
	if err != nil {
		var end *EndError
		if errors.As(err, &end) && t != nil {
			t.Errorf("%v\nafter these calls: %s", err, f.keep(t))
		}
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st.learn(function, line, r)
	if function == "C_Finalize" && r.RV == p11.CKR_OK && f.o.Threads == 1 {
		f.st.initialise(a)
		f.st.history = append(f.st.history, "C_Initialize [ - - - - 2 - ]")
	}
	return true
}

func (f *fuzzer) keep(t *testing.T) string {
	path := filepath.Join(t.ArtifactDir(), "fuzz.txt")
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.WriteFile(path, []byte(strings.Join(f.st.history, "\n")+"\n"), 0o600); err != nil {
		t.Error(err)
	}
	last := f.st.history[max(0, len(f.st.history)-12):]
	return path + ", the last of them\n" + strings.Join(last, "\n")
}

// Replay makes the calls of a file that Fuzz wrote: cases once found stay in testdata/fuzz.
func Replay(t *testing.T, tg *Target, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a := tg.Start(t)
	st := &fuzzState{pin: tg.PIN, soPIN: tg.SOPIN}
	st.initialise(a)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		function, line, _ := strings.Cut(lines.Text(), " ")
		if function == "" || function[0] == '#' { // a remark
			continue
		}
		r, err := a.Try(function, st.fill(line)...)
		if err != nil {
			t.Fatal(err)
		}
		st.learn(function, line, r)
		if function == "C_Initialize" && r.RV == p11.CKR_OK {
			st.sessions, st.objects, st.named = nil, nil, map[string]uint{}
		}
	}
	a.Finalize()
	tg.stillWorks(t, a)
}
