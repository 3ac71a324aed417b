package session_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cardbridge/session"
	"cardbridge/session/internal/model"
)

// pair is the model and the real manager, side by side.
type pair struct {
	w     *model.World
	p     *player
	lines []string // the script so far
	stale []staleHandle
	long  bool // a walk without end: only the last lines are kept
	done  int
}

// staleHandle was valid once and must never be again.
type staleHandle struct {
	app, id int
	session session.SessionHandle
	object  session.ObjectHandle
}

func newPair(apps int, tokens ...model.Token) *pair {
	var limits []session.Limits
	for _, t := range tokens {
		limits = append(limits, session.Limits{Sessions: t.MaxSessions, RWSessions: t.MaxRW})
	}
	return &pair{w: model.New(apps, tokens...), p: newPlayer(session.Options{}, apps, limits...)}
}

// do gives a command to both and compares the answers.
func (x *pair) do(c model.Command) error {
	before := x.alive()
	want := x.w.Do(c)
	slices.SortFunc(want.Found, func(a, b model.Handle) int { return cmp.Compare(a.Object, b.Object) })
	x.note(c.Line(want))
	got := x.p.play(c, want.Object)
	if got.code() != want.Code {
		return fmt.Errorf("%s: got %v", c.Line(want), got.err)
	}
	if want.Session != 0 {
		if !x.p.fresh(c.App, "session", uint64(got.session)) {
			return fmt.Errorf("%s: session handle %d again", c.Line(want), got.session)
		}
		x.p.sessions[c.App][want.Session] = got.session
	}
	if want.Handle != 0 {
		if err := x.bind(c.App, want.Handle, got.handle); err != nil {
			return err
		}
	}
	if len(got.hits) != len(want.Found) {
		return fmt.Errorf("%s: found %v", c.Line(want), got.hits)
	}
	for i, h := range want.Found {
		if got.hits[i].object != h.Object {
			return fmt.Errorf("%s: found %v", c.Line(want), got.hits)
		}
		if err := x.bind(c.App, h.ID, got.hits[i].handle); err != nil {
			return err
		}
	}
	x.bury(before)
	return nil
}

func (x *pair) note(line string) {
	if x.long && len(x.lines) > 200 {
		x.lines = append(x.lines[:0], x.lines[100:]...)
	}
	x.lines = append(x.lines, line)
}

// bind checks that a number always stands for one handle (S24), and a handle for one number (S23).
func (x *pair) bind(app, id int, h session.ObjectHandle) error {
	if old, ok := x.p.handles[app][id]; ok {
		if old != h {
			return fmt.Errorf("object h%d had handle %d, and now %d", id, old, h)
		}
		return nil
	}
	if !x.p.fresh(app, "object", uint64(h)) {
		return fmt.Errorf("object handle %d again", h)
	}
	x.p.handles[app][id] = h
	return nil
}

// alive is what the model holds valid now.
func (x *pair) alive() []model.Handle {
	list := slices.Clone(x.w.Handles)
	for _, s := range x.w.Sessions {
		list = append(list, model.Handle{ID: -s.ID, App: s.App})
	}
	return list
}

// bury remembers the handles that have become invalid.
func (x *pair) bury(before []model.Handle) {
	after := x.alive()
	for _, h := range before {
		if slices.ContainsFunc(after, func(now model.Handle) bool { return now.ID == h.ID }) {
			continue
		}
		s := staleHandle{app: h.App, id: max(h.ID, -h.ID)}
		if h.ID < 0 {
			s.session = x.p.sessions[h.App][-h.ID]
			delete(x.p.sessions[h.App], -h.ID)
		} else {
			s.object = x.p.handles[h.App][h.ID]
			delete(x.p.handles[h.App], h.ID)
		}
		if s.session != 0 || s.object != 0 {
			x.stale = append(x.stale, s)
		}
	}
	if len(x.stale) > 12 {
		x.stale = append(x.stale[:0], x.stale[len(x.stale)-12:]...)
	}
}

// agree compares all that can be seen from outside, and none of it changes anything.
func (x *pair) agree() error {
	for i := range x.w.Sessions {
		if err := x.agreeSession(&x.w.Sessions[i]); err != nil {
			return err
		}
	}
	if err := x.agreeStale(); err != nil {
		return err
	}
	return x.agreeCards()
}

func (x *pair) agreeSession(s *model.Session) error {
	a, h := x.p.apps[s.App], x.p.sessions[s.App][s.ID]
	info, err := a.SessionInfo(h)
	if err != nil {
		return x.differ(model.Command{App: s.App, Verb: "info", Session: s.ID}, "CKR_OK", err)
	}
	if info.State.String() != x.w.State(s) || int(info.Slot) != s.Slot || info.State.ReadWrite() != s.RW {
		return x.differ(model.Command{App: s.App, Verb: "info", Session: s.ID, Kind: infoWord(x.w.State(s))}, "CKR_OK", info)
	}
	for _, handle := range x.w.Handles {
		if handle.App != s.App {
			continue
		}
		want := x.w.Do(model.Command{App: s.App, Verb: "read", Session: s.ID, Handle: handle.ID})
		if _, err := a.Object(h, x.p.handles[s.App][handle.ID]); session.Code(err).Name() != want.Code {
			return x.differ(model.Command{App: s.App, Verb: "read", Session: s.ID, Handle: handle.ID}, want.Code, err)
		}
	}
	active, err := a.Active(h)
	var names, want []string
	for _, k := range active {
		names = append(names, k.String())
	}
	for _, op := range s.Ops {
		want = append(want, op.Kind)
	}
	slices.Sort(names)
	slices.Sort(want)
	if err != nil || !slices.Equal(names, want) {
		return x.differ(activeProbe(s, names, want), probeCode(names, want), names)
	}
	// No other application can use the number, unless it has a session of its own by it (S22).
	for app := range x.p.apps {
		if app == s.App || x.owns(app, h) {
			continue
		}
		if _, err := x.p.apps[app].SessionInfo(h); session.Code(err) != session.CKR_SESSION_HANDLE_INVALID {
			return fmt.Errorf("s%d from outside: %v", s.ID, err)
		}
	}
	return nil
}

func (x *pair) owns(app int, h session.SessionHandle) bool {
	for _, own := range x.p.sessions[app] {
		if own == h {
			return true
		}
	}
	return false
}

func (x *pair) agreeStale() error {
	for _, s := range x.stale {
		a := x.p.apps[s.app]
		if s.session != 0 && !x.owns(s.app, s.session) {
			if _, err := a.SessionInfo(s.session); session.Code(err) != session.CKR_SESSION_HANDLE_INVALID {
				return x.differ(model.Command{App: s.app, Verb: "info", Session: s.id}, "CKR_SESSION_HANDLE_INVALID", err)
			}
		}
		if s.object == 0 || x.ownsObject(s.app, s.object) {
			continue
		}
		for _, open := range x.w.Sessions {
			if open.App != s.app {
				continue
			}
			if _, err := a.Object(x.p.sessions[s.app][open.ID], s.object); session.Code(err) != session.CKR_OBJECT_HANDLE_INVALID {
				return x.differ(model.Command{App: s.app, Verb: "read", Session: open.ID, Handle: s.id}, "CKR_OBJECT_HANDLE_INVALID", err)
			}
			break
		}
	}
	return nil
}

// ownsObject is for an application that finalized and began to count anew.
func (x *pair) ownsObject(app int, h session.ObjectHandle) bool {
	for _, own := range x.p.handles[app] {
		if own == h {
			return true
		}
	}
	return false
}

// agreeCards: a token is logged in as long as one application is, and no longer.
func (x *pair) agreeCards() error {
	x.p.m.Wait()
	for slot, t := range x.w.Tokens {
		if !t.Present {
			continue
		}
		var user, so bool
		for app := range x.w.Apps {
			user = user || x.w.User(app, slot)
			so = so || x.w.SO(app, slot)
		}
		for name, in := range map[string]bool{"user": user, "so": so} {
			if x.p.cards[slot].loggedIn(users[name]) != in {
				return x.differ(model.Command{Verb: "card", Slot: slot, Kind: name, How: inOut[in]}, "CKR_OK", !in)
			}
		}
	}
	return nil
}

var inOut = map[bool]string{true: "in", false: "out"}

func infoWord(state string) string {
	for word, name := range infoNames {
		if name == state {
			return word
		}
	}
	return ""
}

// activeProbe is a command that shows which operations are active: a length query changes nothing.
func activeProbe(s *model.Session, got, want []string) model.Command {
	for _, kind := range append(got, want...) {
		if slices.Contains(got, kind) != slices.Contains(want, kind) {
			return model.Command{App: s.App, Verb: "query", Session: s.ID, Kind: kind, How: "works"}
		}
	}
	return model.Command{App: s.App, Verb: "info", Session: s.ID}
}

func probeCode(got, want []string) string {
	if len(got) > len(want) {
		return "CKR_OPERATION_NOT_INITIALIZED"
	}
	return "CKR_OK"
}

// differ is a disagreement that only looking shows. The look becomes the script's last line, so that a replay looks too.
func (x *pair) differ(look model.Command, code string, got any) error {
	line := look.Line(model.Result{Code: code})
	x.note(line)
	return fmt.Errorf("%s: got %v", line, got)
}

// script is what was done, to be put into testdata.
func (x *pair) script() string {
	head := fmt.Sprintf("apps %d\n", x.w.Apps)
	for slot, t := range x.w.Tokens {
		head += fmt.Sprintf("slot%d %d %d\n", slot, t.MaxSessions, t.MaxRW)
	}
	return head + strings.Join(x.lines, "\n") + "\n"
}
