package session_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are seeded mistakes, one line each: the model check has to catch every one of them, or it proves nothing.
var mutants = []struct{ rule, file, old, new string }{
	{"S3", "object.go", `	return matrix[o.kind][opening[login][r.mode].Next]`, `	return rw + Access(0*login)`},
	{"S4", "object.go", `owner: uint64(r.h), payload`, `owner: uint64(r.h) * 0, payload`},
	{"S5", "session.go", `over(b.open[readWrite], b.p.limits.RWSessions)`, `over(b.open[readOnly], b.p.limits.RWSessions)`},
	{"S7", "state.go", `refuse(CKR_SESSION_READ_ONLY_EXISTS), // S7`, `to(CKS_RW_SO_FUNCTIONS), // S7`},
	{"S9", "state.go", `readWrite: to(CKS_RW_USER_FUNCTIONS)}`, `readWrite: to(CKS_RW_PUBLIC_SESSION)}`},
	{"S11", "state.go", `SO:     {readOnly: refuse(CKR_SESSION_READ_WRITE_SO_EXISTS)`, `SO:     {readOnly: to(CKS_RO_PUBLIC_SESSION)`},
	{"S12", "login.go", `	CKU_USER: LogInUser,`, `	CKU_USER: LogInSO,`},
	{"S12", "login.go", `		if n == 0 {`, `		if n >= 0 {`},
	{"S13", "session.go", `	if b.first == 0 {`, `	if b.first == 1<<31 {`},
	{"S14", "operation.go", `sort != query && o.always`, `sort == finish && o.always`},
	{"S14", "operation.go", `	op.authorized = true`, `	_ = op`},
	{"S15", "access.go", `PublicTokenObject:    {CKS_RO_PUBLIC_SESSION: ro`, `PublicTokenObject:    {CKS_RO_PUBLIC_SESSION: rw`},
	{"S15", "access.go", `CKS_RO_USER_FUNCTIONS: ro, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: none},`, `CKS_RO_USER_FUNCTIONS: ro, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: ro},`},
	{"S16", "access.go", `		return CKR_USER_NOT_LOGGED_IN`, `		return CKR_SESSION_READ_ONLY`},
	{"S16", "object.go", `ok && !allows(g)`, `ok && !allows(g) && false`},
	{"S17", "object.go", `o.handle != uint64(h) || o.b != r.b`, `o.handle != uint64(h)`},
	{"S19", "login.go", `		if !k.Private() {`, `		if k.Private() {`},
	{"S19", "operation.go", `	return now != o.key || have == none`, `	return now == nil && have == rw`},
	{"S20", "slot.go", `	m.replace(id, newPresence(t, l))`, `	if _, err := m.presence(id); err != nil { m.replace(id, newPresence(t, l)) }`},
	{"S21", "session.go", `	for b.first != 0 {`, `	if b.first != 0 {`},
	{"S21", "application.go", `		a.leave(b)`, `		_ = b`},
	{"S19", "login.go", `	b.login.Store((logouts+1)<<2 | uint64(Public))`, `	b.login.Store((logouts+1)<<2 | uint64(was))`},
	{"S13", "login.go", `	b.p.users[was]--`, `	_ = b.p.users`},
	{"S23", "slab.go", `		c.last += 1 << s.bits`, `		c.last += 0`},
	{"S24", "object.go", `	if o := r.b.ids[id]; o != nil {`, `	if o := r.b.ids[id]; o != nil && o.kind.Private() {`},
	{"S24", "object.go", `			if o := b.ids[id]; o != nil {`, `			if o := b.ids[id]; o != nil && o.kind.Private() {`},
	{"S25", "find.go", `op.r, next); have != none`, `op.r, next); have <= rw`},
	{"S26", "opkind.go", `	{OpSign, OpEncrypt},`, `	{OpSign, OpDecrypt},`},
	{"S27", "opkind.go", `	finish: {succeeded: true, tooSmall: false`, `	finish: {succeeded: true, tooSmall: true`},
	{"S27", "opkind.go", `	query:  {succeeded: false`, `	query:  {succeeded: true`},
}

// TestMutants builds the package with each mistake in turn and runs the random walks against it: it must fail. What it
// prints must then be a script that fails with the mistake and passes without it.
func TestMutants(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("builds the package once for each mistake: run without -race or -short")
	}
	for _, m := range mutants {
		t.Run(m.rule+" "+m.file, func(t *testing.T) {
			t.Parallel()
			binary := mutate(t, m.file, m.old, m.new)
			out, err := exec.Command(binary, "-session.events=100000", "-test.run=TestModelRandom", "-rapid.nofailfile", "-rapid.seed=1").CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("not caught: %v\n%s", err, out)
			}
			script := scriptIn(string(out))
			if script == "" {
				t.Fatalf("caught, but without a script:\n%.2000s", out)
			}
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Logf("caught by\n%s", script)
			if out, err := exec.Command(binary, "-test.run=TestScripts/script", "-session.script="+file).CombinedOutput(); err == nil {
				t.Errorf("the script passes with the mistake, too:\n%s", out)
			}
			if _, err := runScript(script); err != nil {
				t.Errorf("the script fails without the mistake, too: %v", err)
			}
		})
	}
	t.Logf("%d mistakes", len(mutants))
}

// mutate builds this test with one line of one file replaced.
func mutate(t *testing.T, file, before, after string) (binary string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), before); n != 1 {
		t.Fatalf("%s has the line %d times: %s", file, n, before)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, file)
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "mutant.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", list, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the mistake does not compile: %v\n%s", err, out)
	}
	return binary
}

// scriptIn is the last script in a test's output.
func scriptIn(out string) string {
	const mark = "put this into testdata to replay it:\n"
	i := strings.LastIndex(out, mark)
	if i < 0 {
		return ""
	}
	var script strings.Builder
	for line := range strings.Lines(out[i+len(mark):]) {
		line = strings.TrimSpace(line)
		if !strings.Contains(line, " -> ") && !strings.HasPrefix(line, "apps ") && !strings.HasPrefix(line, "slot") {
			break
		}
		script.WriteString(line + "\n")
	}
	return script.String()
}
