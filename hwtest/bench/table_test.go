package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
)

// A row is what one task cost each program; notThere where a program has no
// such command.
type row struct {
	task  string
	floor int // what it takes on paper; see the task's comment
	ours  int
	peers map[string]int
}

const notThere = -1

// show prints the rows for people, under a heading.
func show(t *testing.T, heading string, peers []string, rows []row) {
	t.Helper()
	var sb strings.Builder
	fmt.Fprintf(&sb, "\nAPDUs, %s\n", heading)
	w := tabwriter.NewWriter(&sb, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "task\ton paper\tcardtool\t%s\t\n", strings.Join(peers, "\t"))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t", r.task, r.floor, r.ours)
		for _, p := range peers {
			n, there := r.peers[p]
			text := strconv.Itoa(n)
			if !there || n == notThere {
				text = "-"
			}
			fmt.Fprintf(w, "%s\t", text)
		}
		fmt.Fprintln(w)
	}
	w.Flush() //nolint:errcheck // into memory
	fmt.Fprintln(os.Stdout, sb.String())
}

// judge fails the test where a program that somebody else wrote gets by with
// fewer, or ours does not need just what it takes on paper.
func judge(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		if r.ours != r.floor {
			t.Errorf("%s: %d APDUs, on paper it takes %d", r.task, r.ours, r.floor)
		}
		for peer, n := range r.peers {
			if n != notThere && n < r.ours {
				t.Errorf("%s: %d APDUs, %s needs %d", r.task, r.ours, peer, n)
			}
		}
	}
}
