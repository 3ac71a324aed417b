package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"cardbridge/card/softcard"
)

// outputsEnv names a folder where every run of cardtool in these tests leaves
// a copy of what it printed.
const outputsEnv = "CARDTOOL_TEST_OUTPUTS"

// raceEnv keeps the race detector from sleeping a second at the end of each run.
var raceEnv = [2]string{"GORACE", "atexit_sleep_ms=0"}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cardtool": func() { os.Exit(recordedMain()) }})
}

// recordedMain is main with its output kept for TestNoSecretInAnyOutput.
func recordedMain() int {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	if dir := os.Getenv(outputsEnv); dir != "" {
		f, err := os.CreateTemp(dir, "output")
		if err != nil {
			panic(err)
		}
		defer f.Close()
		a.stdout, a.stderr = io.MultiWriter(os.Stdout, f), io.MultiWriter(os.Stderr, f)
	}
	return a.main(os.Args[1:])
}

// The secrets of the scripts are such that they appear nowhere by chance.
// Factory secrets, which are public, are told in help texts.
var testSecrets = []string{
	"739158", "264817", // PINs
	"48213957", "91574823", // PUKs
	"9e1c5a7b3d2f4861", "c0ffee5eed15deadbeefcafe", // parts of management keys
	"correct horse",    // passphrase
	"551199", "332288", // wrong PINs
	"meet me at noon", // plaintext; see decrypt.txtar, which sends it to a file
}

func TestScripts(t *testing.T) { runScripts(t, "script", "", 50) }

// TestSweep runs what every card must do on every kind of card.
func TestSweep(t *testing.T) {
	for _, p := range softcard.Personalities() {
		t.Run(p.Name, func(t *testing.T) { runScripts(t, "sweep", p.Name, 30) })
	}
}

// runScripts runs a folder of scripts; they record at least that many outputs.
func runScripts(t *testing.T, folder, personality string, outputCount int) {
	outputs := t.TempDir()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		Setup:               func(e *testscript.Env) error { return setup(e, personality, outputs) },
		Cmds:                scriptCommands,
		Condition:           func(cond string) (bool, error) { return cond == personality, nil },
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
	// The scripts are parallel subtests: they are over when Cleanup runs.
	t.Cleanup(func() { checkOutputs(t, outputs, outputCount) })
}

// setup gives each script a fresh software card and the factory secrets in files.
func setup(e *testscript.Env, personality, outputs string) error {
	if personality == "" {
		personality = personalityOf(e)
	}
	e.Setenv(outputsEnv, outputs)
	e.Setenv(raceEnv[0], raceEnv[1])
	e.Setenv("CARDBRIDGE_READERS", "softcard:card.json")
	e.Setenv("HOME", e.WorkDir)
	for name, text := range map[string]string{
		"pin": "123456\n", "puk": "12345678\n", "admin": strings.Repeat("0102030405060708", 3) + "\n",
		"wrongpin": "551199\n", "newpin": "739158\n", "newpuk": "48213957\n",
		"yes": "y\n", "no": "n\n", "file": "a file to be signed\n",
	} {
		if err := os.WriteFile(filepath.Join(e.WorkDir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command("cardtool", "softcard", "create", "card.json", "--personality", personality)
	cmd.Dir, cmd.Env = e.WorkDir, e.Vars
	cmd.Path = lookPath(e, "cardtool")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("softcard create: %w: %s", err, out)
	}
	return nil
}

// personalityOf is what a script's file personality says.
func personalityOf(e *testscript.Env) string {
	if b, err := os.ReadFile(filepath.Join(e.WorkDir, "personality")); err == nil {
		return strings.TrimSpace(string(b))
	}
	return "yubikey-5.7"
}

func lookPath(e *testscript.Env, name string) string {
	for _, dir := range filepath.SplitList(e.Getenv("PATH")) {
		if p := filepath.Join(dir, name); exec.Command(p).Err == nil {
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
	}
	return name
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// exits CODE COMMAND ... is exec for a command that ends with that code.
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		got := 0
		var exit *exec.ExitError
		if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else if err != nil {
			ts.Fatalf("%v", err)
		}
		if got != want {
			ts.Fatalf("exit code %d, not %d; stderr:\n%s", got, want, ts.ReadFile("stderr"))
		}
	},
	// oneline wants the last command's standard error to be one line.
	"oneline": func(ts *testscript.TestScript, neg bool, _ []string) {
		if got := strings.Count(ts.ReadFile("stderr"), "\n"); (got == 1) == neg {
			ts.Fatalf("%d lines on standard error:\n%s", got, ts.ReadFile("stderr"))
		}
	},
	// resize FILE BYTES makes a file of that many bytes.
	"resize": func(ts *testscript.TestScript, _ bool, args []string) {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), n), 0o600))
	},
	// append FILE TEXT adds a line.
	"append": func(ts *testscript.TestScript, _ bool, args []string) {
		f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		ts.Check(err)
		_, err = fmt.Fprintln(f, strings.Join(args[1:], " "))
		ts.Check(err)
		ts.Check(f.Close())
	},
	// apdus N FILE wants a trace in FILE to have N commands.
	"apdus": func(ts *testscript.TestScript, _ bool, args []string) {
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		trace := ts.ReadFile(args[1])
		if got := strings.Count("\n"+trace, "\n> "); got != want {
			ts.Fatalf("%d APDUs, not %d:\n%s", got, want, trace)
		}
	},
	// tries PIN PUK wants the card to have that many tries left.
	"tries": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(ts.Exec("cardtool", "pin", "status"))
		out := ts.ReadFile("stdout")
		for i, name := range []string{"PIN", "PUK"} {
			if i < len(args) && !strings.Contains(out, name+":  "+args[i]) {
				ts.Fatalf("not %s tries of the %s:\n%s", args[i], name, out)
			}
		}
	},
}

// checkOutputs greps all that cardtool printed in the scripts.
func checkOutputs(t *testing.T, dir string, atLeast int) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < atLeast {
		t.Fatalf("only %d outputs were recorded: %v", len(entries), err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range testSecrets {
			for _, form := range []string{s, fmt.Sprintf("%x", s), fmt.Sprintf("%X", s)} {
				if bytes.Contains(bytes.ToLower(b), []byte(strings.ToLower(form))) {
					t.Errorf("the secret %q is in an output:\n%s", s, b)
				}
			}
		}
	}
}

// walk visits all commands but those that only hold others.
func walk(cmd *cobra.Command, visit func(path, short, example string, runnable bool)) {
	visit(cmd.CommandPath(), cmd.Short, cmd.Example, !cmd.HasSubCommands())
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}
