package model

import (
	"cmp"
	"slices"
	"strings"
)

// Order puts sessions, objects and handles into an order that depends on what they are and not on when they came, so that
// worlds that differ in numbers alone look alike. It returns the world's name: the abstract state.
func (w *World) Order() string {
	// Sessions by what they are and own, then objects by what they are and whose, then handles by both.
	content := make(map[int]string, len(w.Sessions))
	for i := range w.Sessions {
		s := &w.Sessions[i]
		var own []string
		for _, o := range w.Objects {
			if !o.Token && o.Owner == s.ID {
				own = append(own, w.look(&o))
			}
		}
		slices.Sort(own)
		content[s.ID] = digits(s.App, s.Slot) + flags(s.RW) + strings.Join(own, ",") + w.ops(s)
	}
	if len(w.Sessions) > 1 {
		slices.SortStableFunc(w.Sessions, func(a, b Session) int { return strings.Compare(content[a.ID], content[b.ID]) })
	}
	place := make(map[int]int, len(w.Sessions)+len(w.Objects))
	for i, s := range w.Sessions {
		place[s.ID] = i + 1
	}
	look := func(o *Object) string { return digits(place[o.Owner]) + w.look(o) }
	if len(w.Objects) > 1 {
		slices.SortStableFunc(w.Objects, func(a, b Object) int { return strings.Compare(look(&a), look(&b)) })
	}
	for i, o := range w.Objects {
		place[o.ID] = i
	}
	slices.SortFunc(w.Handles, func(a, b Handle) int {
		return cmp.Or(cmp.Compare(place[a.Object], place[b.Object]), cmp.Compare(a.App, b.App))
	})
	slices.SortFunc(w.Logins, func(a, b Login) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Slot, b.Slot)) })
	var name strings.Builder
	for _, t := range w.Tokens {
		name.WriteString(flags(t.Present))
	}
	for _, l := range w.Logins {
		name.WriteString(" " + digits(l.App, l.Slot) + flags(l.SO))
	}
	for _, s := range w.Sessions {
		name.WriteString(";" + content[s.ID])
	}
	for i := range w.Objects {
		name.WriteString("/" + look(&w.Objects[i]))
	}
	return name.String()
}

// look is what an object is, and which applications have a handle of it.
func (w *World) look(o *Object) string {
	s := digits(o.Slot, o.App) + flags(o.Token, o.Private, o.Always, o.Frozen)
	for app := range w.Apps {
		s += flags(slices.ContainsFunc(w.Handles, func(h Handle) bool { return h.App == app && h.Object == o.ID }))
	}
	return s
}

func (w *World) ops(s *Session) string {
	if len(s.Ops) == 0 {
		return ""
	}
	var list []string
	for _, op := range s.Ops {
		key := ""
		if op.Key != 0 {
			key = w.look(w.named(s, op.Key))
		}
		list = append(list, op.Kind+key+flags(op.Authorized)+digits(len(op.Found)))
	}
	return strings.Join(list, "+")
}

func digits(list ...int) string {
	var b [8]byte
	for i, n := range list {
		b[i] = byte('0' + n)
	}
	return string(b[:len(list)])
}

func flags(list ...bool) string {
	var b [8]byte
	for i, set := range list {
		b[i] = '-'
		if set {
			b[i] = '+'
		}
	}
	return string(b[:len(list)])
}
