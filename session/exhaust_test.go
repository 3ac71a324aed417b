package session_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"cardbridge/session/internal/model"
)

// A walk goes through every abstract state that can be reached within its bounds, and out of each by every command that
// can be given there, the refused ones too. It is one walk: from a state whose commands are all done it goes, by known
// ways, to the nearest one with something left. Both worlds are compared after each step.
var walks = []struct {
	name   string
	apps   int
	tokens []model.Token
	bounds model.Bounds
	race   bool // small enough for the race detector, which makes it ten times slower and learns little from one goroutine
}{
	{"sessions, logins, tokens", 2, []model.Token{{}, {MaxSessions: 2, MaxRW: 1}}, model.Bounds{Sessions: 3, Wrong: true}, true},
	{"and an object", 2, []model.Token{{}, {}}, model.Bounds{
		Sessions: 3, Objects: 1,
		Creates: []string{"public-session", "private-session", "public-token", "private-token"},
	}, false},
	{"objects", 2, []model.Token{{}}, model.Bounds{
		Sessions: 2, Objects: 2, Wrong: true,
		Creates: []string{"public-session", "private-session", "public-token", "private-token", "public-session frozen"},
	}, false},
	{"operations", 1, []model.Token{{}}, model.Bounds{
		Sessions: 2, Objects: 1, Creates: []string{"public-session", "private-session", "private-token always"},
		Ops: []string{"find", "sign", "encrypt"},
	}, false},
	{"all operations", 1, []model.Token{{}}, model.Bounds{Sessions: 1, Ops: opNames()}, true},
}

func opNames() []string {
	var names []string
	for name := range ops {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestModelExhaustive(t *testing.T) {
	var states, transitions atomic.Int64
	t.Cleanup(func() { t.Logf("%d states, %d transitions in all", states.Load(), transitions.Load()) })
	for _, walk := range walks {
		t.Run(walk.name, func(t *testing.T) {
			t.Parallel()
			if (raceEnabled || testing.Short()) && !walk.race {
				t.Skip("one goroutine only: run without -race or -short")
			}
			e := newExplorer(walk.apps, walk.tokens, walk.bounds)
			if err := e.run(); err != nil {
				t.Fatal(e.report(err))
			}
			t.Logf("%d states, %d transitions, all covered, in %d steps", len(e.nodes), e.transitions, e.steps)
			states.Add(int64(len(e.nodes)))
			transitions.Add(int64(e.transitions))
		})
	}
}

type explorer struct {
	apps   int
	tokens []model.Token
	bounds model.Bounds

	x                  *pair
	names              map[string]int
	nodes              []node
	left               int // transitions known of and not yet gone
	transitions, steps int
	at, move           int   // the command under way
	seen               []int // by node: the last search that saw it
	from               []edge
}

type node struct {
	next []int32 // by command; -1 where not yet gone
	todo int
}

type edge struct{ node, move int }

func newExplorer(apps int, tokens []model.Token, b model.Bounds) *explorer {
	e := &explorer{apps: apps, tokens: tokens, bounds: b, names: make(map[string]int)}
	e.x = newPair(apps, slices.Clone(tokens)...)
	e.x.long = true
	return e
}

// here is the node of the present state, made if it is new.
func (e *explorer) here() (int, []model.Command) {
	name := e.x.w.Order()
	moves := e.x.w.Moves(e.bounds)
	n, ok := e.names[name]
	if !ok {
		n = len(e.nodes)
		e.names[name] = n
		next := make([]int32, len(moves))
		for i := range next {
			next[i] = -1
		}
		e.nodes = append(e.nodes, node{next: next, todo: len(moves)})
		e.seen = append(e.seen, 0)
		e.from = append(e.from, edge{})
		e.left += len(moves)
	}
	return n, moves
}

func (e *explorer) run() error {
	at, moves := e.here()
	var way []int
	for searches := 1; e.left > 0; searches++ {
		if e.nodes[at].todo > 0 {
			way = append(way, slices.Index(e.nodes[at].next, -1))
		} else {
			way = e.nearest(at, searches)
		}
		for _, move := range way {
			if len(moves) != len(e.nodes[at].next) {
				return fmt.Errorf("a state with two faces: %v", e.x.w)
			}
			e.steps++
			e.at, e.move = at, move
			if err := e.x.do(moves[move]); err != nil {
				return err
			}
			if err := e.x.agree(); err != nil {
				return err
			}
			to, then := e.here()
			n := &e.nodes[at]
			if n.next[move] < 0 {
				n.todo--
				e.left--
				e.transitions++
				n.next[move] = int32(to)
			} else if int(n.next[move]) != to {
				return fmt.Errorf("one command with two ends: %v", moves[move])
			}
			at, moves = to, then
		}
		way = way[:0]
	}
	return nil
}

// nearest is the shortest known way to a state with something left to do.
func (e *explorer) nearest(at, search int) []int {
	e.seen[at] = search
	queue := []int{at}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if e.nodes[n].todo > 0 {
			return e.way(at, n)
		}
		for move, to := range e.nodes[n].next {
			if to < 0 || e.seen[to] == search {
				continue
			}
			e.seen[to] = search
			e.from[to] = edge{n, move}
			queue = append(queue, int(to))
		}
	}
	panic("a state without return")
}

func (e *explorer) way(from, to int) []int {
	var way []int
	for n := to; n != from; n = e.from[n].node {
		way = append(way, e.from[n].move)
	}
	slices.Reverse(way)
	return way
}

// report tells what went wrong by a short script, if the shortest known way to the same state and the same command show
// it too; else by the last steps of the walk.
func (e *explorer) report(err error) string {
	e.nodes[e.at].todo++ // so that the search stops there
	for i := range e.nodes {
		if i != e.at {
			e.nodes[i].todo = 0
		}
	}
	x := newPair(e.apps, slices.Clone(e.tokens)...)
	for _, move := range append(e.nearest(0, -1), e.move) {
		x.w.Order()
		if x.do(x.w.Moves(e.bounds)[move]) != nil || x.agree() != nil {
			return fmt.Sprintf("%v\nput this into testdata to replay it:\n%s", err, x.script())
		}
	}
	return fmt.Sprintf("%v\nthe last steps were:\n%s", err, e.x.script())
}
