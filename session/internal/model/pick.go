package model

// verbs is what a random walk chooses from; what stands there twice is chosen twice as often.
var verbs = []string{
	"open", "open", "open", "open", "open", "close", "close", "closeall",
	"login", "login", "login", "login", "logout", "logout",
	"create", "create", "create", "create", "search", "search", "modify", "destroy", "destroy",
	"begin", "begin", "begin", "begin", "query", "update", "update", "finish", "finish", "find", "find",
	"cancel", "cancelall", "context", "context", "insert", "insert", "remove", "final",
}

var (
	objectKinds  = []string{"public-session", "private-session", "public-token", "private-token"}
	objectTraits = []string{"", "", "", "always", "always", "frozen"}
	opResults    = []string{"works", "works", "small", "fails"}
)

// Pick makes a command of a number: any number gives one, within the bounds, and small changes of the world change little
// in what it gives. That is what shrinking needs.
func (w *World) Pick(n uint64, b Bounds) Command {
	below := func(k int) int {
		i := n % uint64(k)
		n /= uint64(k)
		return int(i)
	}
	from := func(list []string) string { return list[below(len(list))] }
	c := Command{Verb: from(verbs), App: below(w.Apps), Slot: below(len(w.Tokens))}
	switch c.Verb {
	case "insert":
		c.App = 0
		return c
	case "remove", "final":
		if below(8) > 0 { // rare: they undo what the walk has built up
			c.Verb = "open"
		} else if c.Verb == "remove" {
			c.App = 0
			return c
		} else {
			return Command{App: c.App, Verb: "final"}
		}
	case "closeall":
		if below(4) > 0 {
			c.Verb = "open"
		}
	}
	if c.Verb == "closeall" {
		return c
	}
	if c.Verb == "open" || len(w.Sessions) == 0 {
		if len(w.Sessions) < b.Sessions {
			c.Verb = "open"
			c.Kind = from([]string{"ro", "rw", "rw"})
			if below(40) == 0 {
				c.How = "parallel"
			}
			return c
		}
		c.Verb = "close"
	}
	s := w.Sessions[below(len(w.Sessions))]
	c = Command{App: s.App, Verb: c.Verb, Session: s.ID}
	var own []int
	for _, h := range w.Handles {
		if h.App == s.App {
			own = append(own, h.ID)
		}
	}
	if c.Verb == "create" && len(w.Objects) >= b.Objects {
		c.Verb = "destroy"
	}
	switch c.Verb {
	case "login":
		c.Kind, c.How = from([]string{"user", "user", "so"}), from([]string{"good", "good", "good", "bad"})
	case "context":
		c.How = from([]string{"good", "good", "bad"})
	case "create":
		c.Kind, c.How = from(objectKinds), from(objectTraits)
		if c.How == "frozen" && (c.Kind == "public-token" || c.Kind == "private-token") {
			c.How = "" // it would stay for good
		}
	case "modify", "destroy":
		if len(own) == 0 {
			return Command{App: s.App, Verb: "search", Session: s.ID}
		}
		c.Handle = own[below(len(own))]
	case "begin":
		c.Kind = from(b.Ops)
		if i := below(len(own) + 2); i < len(own) && c.Kind != "find" {
			c.Handle = own[i]
		}
	case "query", "update", "finish", "cancel":
		c.Kind = from(b.Ops)
		if len(s.Ops) > 0 && below(4) > 0 {
			c.Kind = s.Ops[below(len(s.Ops))].Kind
		}
		switch {
		case c.Verb == "cancel":
		case c.Kind != "find":
			c.How = from(opResults)
		case c.Verb == "finish":
			c.How = "works"
		default:
			c = Command{App: s.App, Verb: "find", Session: s.ID}
		}
	}
	return c
}
