package model

import "strings"

// Bounds say which worlds are looked at.
type Bounds struct {
	Sessions int      // open at once, of everybody together
	Objects  int      // alive at once
	Creates  []string // "kind" or "kind how"
	Ops      []string // kinds of operations; none: operations are left alone
	Wrong    bool     // also wrong PINs, and slots whose token is swapped in one go
}

// Moves are all commands that can be given in this world without leaving the bounds: those that are refused, too.
func (w *World) Moves(b Bounds) []Command {
	var moves []Command
	add := func(c Command) { moves = append(moves, c) }
	for slot, t := range w.Tokens {
		if t.Present {
			add(Command{Verb: "remove", Slot: slot})
		}
		if !t.Present || b.Wrong {
			add(Command{Verb: "insert", Slot: slot})
		}
	}
	for app := range w.Apps {
		add(Command{App: app, Verb: "final"})
		for slot := range w.Tokens {
			add(Command{App: app, Verb: "closeall", Slot: slot})
			if len(w.Sessions) < b.Sessions {
				add(Command{App: app, Verb: "open", Slot: slot, Kind: "ro"})
				add(Command{App: app, Verb: "open", Slot: slot, Kind: "rw"})
			}
		}
	}
	for _, s := range w.Sessions {
		w.sessionMoves(s, b, add)
	}
	return moves
}

func (w *World) sessionMoves(s Session, b Bounds, add func(Command)) {
	plain := func(verb string) Command { return Command{App: s.App, Verb: verb, Session: s.ID} }
	add(plain("close"))
	add(plain("logout"))
	for _, user := range []string{"so", "user"} {
		c := plain("login")
		c.Kind, c.How = user, "good"
		add(c)
		if b.Wrong {
			c.How = "bad"
			add(c)
		}
	}
	if len(w.Objects) < b.Objects {
		for _, kind := range b.Creates {
			c := plain("create")
			c.Kind, c.How, _ = strings.Cut(kind, " ")
			add(c)
		}
	}
	if b.Objects > 0 {
		add(plain("search"))
	}
	for _, h := range w.Handles {
		if h.App != s.App {
			continue
		}
		for _, verb := range []string{"modify", "destroy"} {
			c := plain(verb)
			c.Handle = h.ID
			add(c)
		}
	}
	w.opMoves(s, b, plain, add)
}

func (w *World) opMoves(s Session, b Bounds, plain func(string) Command, add func(Command)) {
	if len(b.Ops) == 0 {
		return
	}
	add(plain("cancelall"))
	for _, how := range []string{"good", "bad"} {
		c := plain("context")
		c.How = how
		add(c)
	}
	for _, kind := range b.Ops {
		begin := plain("begin")
		begin.Kind = kind
		add(begin)
		if kind == "find" {
			add(plain("find"))
		} else {
			for _, h := range w.Handles {
				if h.App == s.App {
					begin.Handle = h.ID
					add(begin)
				}
			}
		}
		c := plain("cancel")
		c.Kind = kind
		add(c)
		for _, verb := range []string{"query", "update", "finish"} {
			for _, how := range []string{"works", "small", "fails"} {
				if kind == "find" && (verb != "finish" || how != "works") {
					continue
				}
				c := plain(verb)
				c.Kind, c.How = kind, how
				add(c)
			}
		}
	}
}
