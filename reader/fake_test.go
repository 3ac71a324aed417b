package reader

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fakePCSC is a PC/SC service in memory that does what pcsc-lite's sources
// show pcscd and its library to do. Tests run it in a synctest bubble: there
// time passes only when everybody waits, and no goroutine may outlive a test.
type fakePCSC struct {
	t *testing.T

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever anything changes
	running  bool
	readers  []*fakeReader
	pnp      bool // knows the plug-and-play reader
	pnpCount uint16
	counting bool // tells pnpCount, as pcsc-lite does since 2.3
	calls    map[string]int
	sessions int // established and not released
	handles  int // connected and not disconnected
	// before is called, without the lock, before each call of that name.
	before map[string]func()
	// fail makes a call fail; it is asked with the lock.
	fail func(name string) error
}

// injected is the error that a test wants of a call.
func (f *fakePCSC) injected(name string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(name)
}

type fakeReader struct {
	name      string
	card      *fakeCard
	counter   uint16
	holder    *fakeHandle // in a transaction
	exclusive bool
	mute      bool
	control   func(code uint32, in []byte) ([]byte, error)
	removed   bool
}

type fakeCard struct {
	atr      []byte
	protocol protocol
	resets   int
	transmit func(command []byte) ([]byte, error)
}

func newFake(t *testing.T) *fakePCSC {
	return &fakePCSC{
		t: t, changed: make(chan struct{}), running: true, pnp: true,
		calls: map[string]int{}, before: map[string]func(){},
	}
}

var yubikeyATR = unhex("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40")

func newFakeCard() *fakeCard {
	return &fakeCard{
		atr: yubikeyATR, protocol: protocolT1,
		transmit: func([]byte) ([]byte, error) { return []byte{0x90, 0x00}, nil },
	}
}

// do changes something, and wakes whoever waits for changes.
func (f *fakePCSC) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakePCSC) addReader(name string, c *fakeCard) *fakeReader {
	r := &fakeReader{name: name, card: c}
	f.do(func() { f.readers = append(f.readers, r); f.pnpCount++ })
	return r
}

func (f *fakePCSC) removeReader(r *fakeReader) {
	f.do(func() {
		r.removed = true
		r.card = nil
		f.readers = slices.DeleteFunc(f.readers, func(x *fakeReader) bool { return x == r })
		f.pnpCount++
	})
}

func (f *fakePCSC) insert(r *fakeReader, c *fakeCard) {
	f.do(func() { r.card = c; r.counter++ })
}

func (f *fakePCSC) remove(r *fakeReader) { f.do(func() { r.card = nil; r.counter++; r.holder = nil }) }

func (f *fakePCSC) reset(r *fakeReader) { f.do(func() { r.card.resets++ }) }

func (f *fakePCSC) stop() {
	f.do(func() {
		f.running = false
		for _, r := range f.readers {
			r.holder = nil
		}
	})
}

func (f *fakePCSC) start() { f.do(func() { f.running = true }) }

// called counts the calls of that name, or of all.
func (f *fakePCSC) called(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != "" {
		return f.calls[name]
	}
	n := 0
	for _, c := range f.calls {
		n += c
	}
	return n
}

func (f *fakePCSC) enter(name string) {
	f.mu.Lock()
	f.calls[name]++
	before := f.before[name]
	f.mu.Unlock()
	if before != nil {
		before()
	}
}

// wait blocks until something changes, done is closed or d is over; the lock
// is held before and after.
func (f *fakePCSC) wait(done <-chan struct{}, d time.Duration) error {
	changed := f.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	var timeout <-chan time.Time
	if d >= 0 {
		timeout = time.After(d)
	}
	select {
	case <-changed:
		return nil
	case <-done:
		return Cancelled
	case <-timeout:
		return Timeout
	}
}

func (f *fakePCSC) Establish() (session, error) {
	f.enter("Establish")
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.injected("Establish"); err != nil {
		return nil, err
	}
	if !f.running {
		return nil, NoService
	}
	f.sessions++
	return &fakeSession{f: f}, nil
}

func (f *fakePCSC) Await(ctx context.Context) {
	f.enter("Await")
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.running && ctx.Err() == nil {
		_ = f.wait(ctx.Done(), -1)
	}
}

type fakeSession struct {
	f        *fakePCSC
	busy     bool          // a call is under way: pcsc-lite's mutex
	cancel   chan struct{} // not nil while GetStatusChange waits
	released bool
}

// enter starts a call on the session; a second one at the same time is the
// mistake that would stop the whole process.
func (s *fakeSession) enter(name string) func() {
	s.f.enter(name)
	s.f.mu.Lock()
	if s.busy || s.released {
		s.f.t.Errorf("%s on a session that is busy (%v) or released (%v)", name, s.busy, s.released)
	}
	s.busy = true
	return func() {
		s.busy = false
		s.f.mu.Unlock()
	}
}

func (s *fakeSession) up() error {
	if !s.f.running {
		return NoService
	}
	return nil
}

func (s *fakeSession) Release() error {
	defer s.enter("Release")()
	s.released = true
	s.f.sessions--
	return s.up()
}

func (s *fakeSession) Cancel() error {
	s.f.enter("Cancel")
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.released {
		s.f.t.Error("Cancel on a released session")
	}
	if s.cancel != nil {
		close(s.cancel)
		s.cancel = nil
	}
	return nil
}

func (s *fakeSession) ListReaders() ([]string, error) {
	defer s.enter("ListReaders")()
	if err := s.f.injected("ListReaders"); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range s.f.readers {
		names = append(names, r.name)
	}
	return names, s.up()
}

func (f *fakePCSC) reader(name string) *fakeReader {
	for _, r := range f.readers {
		if r.name == name {
			return r
		}
	}
	return nil
}

func (s *fakeSession) GetStatusChange(states []readerState, timeout time.Duration) error {
	defer s.enter("GetStatusChange")()
	if err := s.f.injected("GetStatusChange"); err != nil {
		return err
	}
	f := s.f
	if len(states) > 16 { // PCSCLITE_MAX_READERS_CONTEXTS
		return InvalidParameter
	}
	for _, st := range states {
		if st.Reader == pnpReader && f.pnp {
			continue
		}
		if f.reader(st.Reader) == nil && s.up() == nil {
			return UnknownReader
		}
	}
	count := len(f.readers)
	cancel := make(chan struct{})
	s.cancel = cancel
	defer func() { s.cancel = nil }()
	for {
		if err := s.up(); err != nil {
			return err
		}
		woken := false
		for i := range states {
			if s.compare(&states[i], count) {
				states[i].Event |= stateChanged
				woken = true
			}
		}
		if woken || timeout == 0 {
			return nil
		}
		if err := f.wait(cancel, timeout); err != nil {
			return err
		}
	}
}

// compare fills in st's event state and tells whether it wakes the caller.
func (s *fakeSession) compare(st *readerState, count int) bool {
	f := s.f
	if st.Reader == pnpReader {
		st.Event = 0
		if f.counting {
			st.Event = stateFlag(f.pnpCount) << 16
			if was := st.Current.counter(); was != 0 && was != f.pnpCount {
				return true
			}
		}
		return len(f.readers) != count
	}
	r := f.reader(st.Reader)
	if r == nil {
		st.Event = stateUnknown | stateUnavailable
		return st.Current&stateUnknown == 0
	}
	st.ATR = nil
	st.Event = stateFlag(r.counter) << 16
	wakes := st.Current == 0
	if was := st.Current.counter(); was != 0 && was != r.counter {
		wakes = true
	}
	if r.card == nil {
		st.Event |= stateEmpty
		return wakes || st.Current&statePresent != 0
	}
	st.ATR = r.card.atr
	st.Event |= statePresent
	if r.mute {
		st.Event |= stateMute
	}
	if r.exclusive {
		st.Event |= stateExclusive
	} else if f.handles > 0 {
		st.Event |= stateInUse
	} else if st.Current&stateInUse != 0 {
		wakes = true
	}
	return wakes || st.Current&stateEmpty != 0
}

func (s *fakeSession) Connect(name string, mode shareMode, protocols protocol) (handle, error) {
	defer s.enter("Connect")()
	if err := s.f.injected("Connect"); err != nil {
		return nil, err
	}
	if mode != shareShared && mode != shareDirect {
		s.f.t.Errorf("connected in mode %d", mode)
	}
	if err := s.up(); err != nil {
		return nil, err
	}
	r := s.f.reader(name)
	if r == nil {
		return nil, UnknownReader
	}
	if r.exclusive {
		return nil, SharingViolation
	}
	for r.holder != nil { // without bound, as in pcscd
		_ = s.f.wait(nil, -1)
	}
	if err := s.up(); err != nil {
		return nil, err
	}
	h := &fakeHandle{s: s, r: r, direct: mode == shareDirect}
	if mode == shareDirect {
		s.f.handles++
		return h, nil
	}
	switch {
	case r.card == nil:
		return nil, NoSmartcard
	case r.mute:
		return nil, UnresponsiveCard
	case protocols&r.card.protocol == 0:
		return nil, ProtoMismatch
	}
	h.card, h.resets = r.card, r.card.resets
	s.f.handles++
	return h, nil
}

type fakeHandle struct {
	s      *fakeSession
	r      *fakeReader
	card   *fakeCard
	resets int // acknowledged
	direct bool
	closed bool
}

// event is what pcscd tells a handle before anything else.
func (h *fakeHandle) event() error {
	switch {
	case h.s.up() != nil:
		return NoService
	case h.closed:
		return InvalidHandle
	case h.r.removed:
		return ReaderUnavailable
	case h.r.card != h.card:
		return RemovedCard
	case h.resets != h.card.resets:
		return ResetCard
	}
	return nil
}

func (h *fakeHandle) Protocol() protocol { return h.card.protocol }

func (h *fakeHandle) Reconnect() error {
	defer h.s.enter("Reconnect")()
	if err := h.s.f.injected("Reconnect"); err != nil {
		return err
	}
	if err := h.event(); err != nil && err != ResetCard {
		return err
	}
	h.resets = h.card.resets
	return nil
}

func (h *fakeHandle) Reset() error {
	defer h.s.enter("Reset")()
	if err := h.s.f.injected("Reset"); err != nil {
		return err
	}
	if err := h.event(); err != nil && err != ResetCard {
		return err
	}
	h.card.resets++
	h.resets = h.card.resets
	return nil
}

func (h *fakeHandle) Begin() error {
	defer h.s.enter("Begin")()
	if err := h.s.f.injected("Begin"); err != nil {
		return err
	}
	for {
		if err := h.event(); err != nil {
			return err
		}
		if h.r.holder == nil {
			h.r.holder = h
			return nil
		}
		_ = h.s.f.wait(nil, -1)
	}
}

func (h *fakeHandle) End() error {
	defer h.s.enter("End")()
	if err := h.s.f.injected("End"); err != nil {
		return err
	}
	if err := h.event(); err != nil {
		return err // and the transaction goes on, as in pcscd
	}
	if h.r.holder != h {
		h.s.f.t.Error("End of somebody else's transaction")
	}
	h.unlock()
	return nil
}

// unlock ends the transaction; with the lock.
func (h *fakeHandle) unlock() {
	if h.r.holder == h {
		h.r.holder = nil
		close(h.s.f.changed)
		h.s.f.changed = make(chan struct{})
	}
}

func (h *fakeHandle) Disconnect() error {
	defer h.s.enter("Disconnect")()
	h.unlock()
	if !h.closed {
		h.closed = true
		h.s.f.handles--
		close(h.s.f.changed) // the reader is no longer in use
		h.s.f.changed = make(chan struct{})
	}
	return h.s.up()
}

func (h *fakeHandle) Status() ([]byte, error) {
	defer h.s.enter("Status")()
	if err := h.s.f.injected("Status"); err != nil {
		return nil, err
	}
	if err := h.event(); err != nil {
		return nil, err
	}
	return h.card.atr, nil
}

func (h *fakeHandle) Transmit(command []byte) ([]byte, error) {
	h.s.f.enter("Transmit")
	h.s.f.mu.Lock()
	err, transmit := h.event(), h.card.transmit
	if e := h.s.f.injected("Transmit"); e != nil {
		err = e
	}
	if h.r.holder != h && err == nil {
		h.s.f.t.Error("Transmit outside a transaction")
	}
	if h.s.busy {
		h.s.f.t.Error("Transmit on a busy session")
	}
	h.s.busy = true
	h.s.f.mu.Unlock()
	defer func() {
		h.s.f.mu.Lock()
		h.s.busy = false
		h.s.f.mu.Unlock()
	}()
	if err != nil {
		return nil, err
	}
	return transmit(command)
}

func (h *fakeHandle) Control(code uint32, in []byte) ([]byte, error) {
	defer h.s.enter("Control")()
	if err := h.s.f.injected("Control"); err != nil {
		return nil, err
	}
	if h.r.control == nil {
		return nil, Unsupported
	}
	return h.r.control(code, in)
}

func (h *fakeHandle) Attribute(uint32) ([]byte, error) {
	defer h.s.enter("Attribute")()
	return nil, Unsupported
}

// idle fails the test when something is still held.
func (f *fakePCSC) idle(sessions, handles int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions != sessions || f.handles != handles {
		f.t.Errorf("%d sessions and %d handles are held, not %d and %d", f.sessions, f.handles, sessions, handles)
	}
	for _, r := range f.readers {
		if r.holder != nil {
			f.t.Errorf("a transaction with the card in %q is left over", r.name)
		}
	}
}

func unhex(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	b := make([]byte, len(s)/2)
	for i := range b {
		for _, c := range []byte(s[2*i : 2*i+2]) {
			b[i] = b[i]<<4 | byte(strings.IndexByte("0123456789ABCDEF", c))
		}
	}
	return b
}
