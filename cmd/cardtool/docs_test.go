package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cardbridge/card/softcard"
)

const manual = "../../docs/cardtool.md"

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks returns the fenced blocks of a kind in a Markdown text.
func blocks(text, kind string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+kind+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// An example is a command and what it prints.
type example struct{ command, output string }

func examples(block string) []example {
	var out []example
	for line := range strings.Lines(block) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			out = append(out, example{command: strings.TrimSuffix(c, "\n")})
		} else if len(out) > 0 {
			out[len(out)-1].output += line
		}
	}
	return out
}

// matchesOutput compares with what the documentation shows: "…" is anything in
// a line, and alone on a line any lines.
func matchesOutput(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(.*\n)*`)
	pattern = strings.ReplaceAll(pattern, "…", `.*`)
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}

// TestManualExamples runs the manual from top to bottom in one folder.
func TestManualExamples(t *testing.T) {
	for _, program := range []string{"bash", "openssl", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the examples use %s, which is not here", program)
		}
	}
	runExamples(t, manual)
}

// TestReadmeExamples does the same with the README.
func TestReadmeExamples(t *testing.T) { runExamples(t, "../../README.md") }

func runExamples(t *testing.T, doc string) {
	dir := t.TempDir()
	bin := linkSelf(t)
	env := append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "CARDBRIDGE_READERS=softcard:card.json", raceEnv[0]+"="+raceEnv[1])
	n := 0
	for _, block := range blocks(readDoc(t, doc), "console") {
		for _, e := range examples(block) {
			if strings.HasPrefix(e.command, "export ") || strings.HasPrefix(e.command, "make ") {
				continue
			}
			n++
			cmd := exec.Command("bash", "-c", e.command)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("$ %s\n%v: %s", e.command, err, out)
			}
			if !matchesOutput(e.output, string(out)) {
				t.Errorf("$ %s\nprinted\n%s\nnot\n%s", e.command, out, e.output)
			}
		}
	}
	if n < 3 {
		t.Errorf("only %d examples in %s", n, doc)
	}
}

// linkSelf makes the test binary reachable as cardtool.
func linkSelf(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "cardtool")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	return dir
}

// section replaces, or compares, what the manual has between a marker and the
// next heading.
func checkSection(t *testing.T, marker, want string) {
	t.Helper()
	text := readDoc(t, manual)
	i := strings.Index(text, "<!-- "+marker)
	if i < 0 {
		t.Fatalf("the manual has no section %q", marker)
	}
	start := i + strings.Index(text[i:], "-->\n") + len("-->\n")
	end := len(text)
	if j := strings.Index(text[start:], "\n## "); j >= 0 {
		end = start + j
	}
	want = "\n" + want
	if text[start:end] == want {
		return
	}
	if os.Getenv("UPDATE_SCRIPTS") == "" {
		t.Fatalf("the manual's section %q is not what the code has (UPDATE_SCRIPTS=1 go test writes it):\n%s\nnot\n%s", marker, text[start:end], want)
	}
	if err := os.WriteFile(manual, []byte(text[:start]+want+text[end:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestManualExitCodes(t *testing.T) {
	rows := slices.Clone(exitCodes)
	slices.SortFunc(rows, func(a, b exitCode) int { return a.code - b.code })
	var b strings.Builder
	b.WriteString("| code | name | meaning |\n|---|---|---|\n")
	seen := map[int]bool{}
	names := map[string]bool{}
	for _, r := range rows {
		if seen[r.code] || names[r.name] || r.meaning == "" {
			t.Errorf("row %d %q of the exit codes is not unique and complete", r.code, r.name)
		}
		seen[r.code], names[r.name] = true, true
		fmt.Fprintf(&b, "| %d | %s | %s |\n", r.code, r.name, r.meaning)
	}
	checkSection(t, "exit codes", b.String())
}

// reports are what --json prints, by command.
var reports = []struct{ command, name string }{
	{"readers", "readersReport"},
	{"watch (a line each)", "eventReport"},
	{"info", "infoReport"},
	{"keys", "keysReport"},
	{"key generate, key import, key export", "keyReport"},
	{"key attest", "attestationReport"},
	{"cert show", "certsReport"},
	{"cert export, cert self-sign", "certReport"},
	{"cert request", "requestReport"},
	{"sign", "signReport"},
	{"decrypt, agree, random", "bytesReport"},
	{"verify", "verifyReport"},
	{"pin status", "pinsReport"},
	{"object list", "objectsReport"},
	{"object read", "objectReport"},
	{"apdu", "exchangesReport"},
	{"pkcs11 install", "installReport"},
	{"pkcs11 info", "moduleReport"},
	{"pkcs11 slots", "slotsReport"},
	{"pkcs11 objects", "tokenObjectsReport"},
	{"pkcs11 mechanisms", "mechanismsReport"},
	{"pkcs11 test", "checksReport"},
	{"softcard list", "personalitiesReport"},
	{"doctor", "doctorReport"},
	{"errors, on standard error", "errorReport"},
}

// A field is one JSON field as the source has it: the comment is the documentation.
type field struct{ name, kind, comment string }

func TestManualJSON(t *testing.T) {
	structs := reportStructs(t)
	var b strings.Builder
	done := map[string]bool{}
	used := map[string]bool{}
	var write func(title, name string)
	write = func(title, name string) {
		fields, ok := structs[name]
		if !ok {
			t.Fatalf("no struct %s", name)
		}
		used[name] = true
		fmt.Fprintf(&b, "### %s\n\n| field | type | meaning |\n|---|---|---|\n", title)
		var more []string
		for _, f := range fields {
			kind := f.kind
			base := strings.TrimLeft(kind, "[]*")
			if _, ok := structs[base]; ok {
				short := strings.TrimSuffix(base, "Report")
				kind = strings.Replace(kind, base, "["+short+"](#"+strings.ToLower(short)+")", 1)
				if !done[base] {
					done[base] = true
					more = append(more, base)
				}
			}
			kind = strings.NewReplacer("[]", "list of ", "*", "").Replace(kind)
			kind = strings.Replace(kind, "list of [", "list of [", 1)
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.name, kind, f.comment)
		}
		b.WriteString("\n")
		for _, m := range more {
			if !inReports(m) {
				write(strings.TrimSuffix(m, "Report"), m)
			}
		}
	}
	for _, r := range reports {
		write(r.command, r.name)
	}
	for name := range structs {
		if !used[name] {
			t.Errorf("%s is in no command's JSON: this test's table lacks it", name)
		}
	}
	checkSection(t, "json", strings.TrimSuffix(b.String(), "\n"))
}

func inReports(name string) bool {
	for _, r := range reports {
		if r.name == name {
			return true
		}
	}
	return false
}

// reportStructs reads the structs named …Report of this package's source.
func reportStructs(t *testing.T) map[string][]field {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]field{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !strings.HasSuffix(spec.Name.Name, "Report") {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, fl := range st.Fields.List {
				if fl.Tag == nil {
					continue
				}
				tag := regexp.MustCompile(`json:"([^,"]+)`).FindStringSubmatch(fl.Tag.Value)
				out[spec.Name.Name] = append(out[spec.Name.Name], field{tag[1], kindText(fl.Type), strings.TrimSpace(fl.Comment.Text())})
			}
			return true
		})
	}
	return out
}

func kindText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		switch e.Name {
		case "bool":
			return "boolean"
		case "int", "uint", "uint64":
			return "number"
		case "any":
			return "object"
		}
		return e.Name
	case *ast.StarExpr:
		return "*" + kindText(e.X)
	case *ast.ArrayType:
		return "[]" + kindText(e.Elt)
	default:
		return fmt.Sprintf("%T", e)
	}
}

// TestHelpIsComplete: every command says what it does, and shows how.
func TestHelpIsComplete(t *testing.T) {
	a := &app{}
	walk(a.root(), func(path string, short, example string, runnable bool) {
		if short == "" || strings.HasSuffix(short, ".") {
			t.Errorf("%s: short help %q", path, short)
		}
		if runnable && example == "" && !strings.HasPrefix(path, "cardtool completion") && path != "cardtool help" {
			t.Errorf("%s has no example", path)
		}
	})
}

// TestPersonalities keeps the completion of --personality and the list one.
func TestPersonalities(t *testing.T) {
	names := personalityNames()
	if len(names) < 6 || names[0] != softcard.DefaultPersonality {
		t.Errorf("%v", names)
	}
}
