package session_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cardbridge/session"
	"cardbridge/session/internal/model"
)

var script = flag.String("session.script", "", "one more script to play")

// TestScripts plays every script in testdata: the worked example of section 6.6.7, some stories of our own, and each
// disagreement with the model that was ever found. A script begins with the number of applications and the slots (with
// limits of sessions and R/W sessions, if any); then each line is a command, an arrow, and what the caller must get.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	if *script != "" {
		files = append(files, *script)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := runScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d steps", steps)
		})
	}
}

type scriptPlayer struct {
	*player
	apps   int
	limits []session.Limits
	object int
}

func runScript(text string) (steps int, err error) {
	s := scriptPlayer{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") || s.header(line) {
			continue
		}
		if s.player == nil {
			s.player = newPlayer(session.Options{}, s.apps, s.limits...)
		}
		if err := s.step(line); err != nil {
			return steps, fmt.Errorf("line %d: %s: %w", number, line, err)
		}
		steps++
	}
	return steps, lines.Err()
}

func (s *scriptPlayer) header(line string) bool {
	if n, _ := fmt.Sscanf(line, "apps %d", &s.apps); n == 1 {
		return true
	}
	var slot int
	var l session.Limits
	if n, _ := fmt.Sscanf(line, "slot%d %d %d", &slot, &l.Sessions, &l.RWSessions); n > 0 {
		s.limits = append(s.limits, l)
		return true
	}
	return false
}

func (s *scriptPlayer) step(line string) error {
	c, want, err := model.ParseLine(line)
	if err != nil {
		return err
	}
	s.object++
	switch c.Verb {
	case "init":
		s.initialize(c.App)
		return nil
	case "finalize":
		return s.player.apps[c.App].Close()
	}
	got := s.play(c, s.object)
	if got.code() != want.Code {
		return fmt.Errorf("got %v", got.err)
	}
	if got.session != 0 {
		if !s.fresh(c.App, "session", uint64(got.session)) {
			return fmt.Errorf("session handle %d again", got.session)
		}
		s.sessions[c.App][c.Session] = got.session
	}
	if got.handle != 0 {
		if !s.fresh(c.App, "object", uint64(got.handle)) {
			return fmt.Errorf("object handle %d again", got.handle)
		}
		s.handles[c.App][c.Handle] = got.handle
	}
	return s.found(c, want, got)
}

// found compares what a search found. Names that are new in the line go to the handles that are new, in the order in which
// their objects were made.
func (s *scriptPlayer) found(c model.Command, want model.Result, got outcome) error {
	if len(got.hits) != len(want.Found) {
		return fmt.Errorf("found %v", got.hits)
	}
	names := s.handles[c.App]
	left := slices.Clone(got.hits)
	var fresh []int
	for _, h := range want.Found {
		known, ok := names[h.ID]
		i := slices.IndexFunc(left, func(hit hit) bool { return hit.handle == known })
		switch {
		case !ok:
			fresh = append(fresh, h.ID)
		case i < 0:
			return fmt.Errorf("h%d was not found, but %v", h.ID, got.hits)
		default:
			left = slices.Delete(left, i, i+1)
		}
	}
	for i, id := range fresh {
		for name, h := range names {
			if h == left[i].handle {
				return fmt.Errorf("h%d is h%d", id, name)
			}
		}
		if !s.fresh(c.App, "object", uint64(left[i].handle)) {
			return fmt.Errorf("object handle %d again", left[i].handle)
		}
		names[id] = left[i].handle
	}
	return nil
}
