package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"cardbridge/internal/cli/tui"
	"cardbridge/internal/secret"
)

// A secretKind is a secret that commands take: by prompt, file, descriptor or
// environment variable, never as an argument.
type secretKind struct {
	flag   string // of --FLAG-file and its kin
	name   string
	hex    bool // a key, written in hex
	choose bool // new: asked for twice
}

var (
	pinSecret   = secretKind{flag: "pin", name: "PIN"}
	newPIN      = secretKind{flag: "new-pin", name: "new PIN", choose: true}
	pukSecret   = secretKind{flag: "puk", name: "PUK"}
	newPUK      = secretKind{flag: "new-puk", name: "new PUK", choose: true}
	adminKey    = secretKind{flag: "admin-key", name: "management key", hex: true}
	newAdminKey = secretKind{flag: "new-admin-key", name: "new management key", hex: true, choose: true}
	passphrase  = secretKind{flag: "passphrase", name: "passphrase"}
)

// maxSecret bounds what is read of a file that is said to hold a secret.
const maxSecret = 4096

// A secretSource is where one secret comes from.
type secretSource struct {
	kind      secretKind
	file, env string
	fd        int            // noFD where it is not given
	value     *secret.Secret // once it was read or typed
}

// secretFlags are the sources of a command's secrets by flag name.
type secretFlags map[string]*secretSource

// takes adds the flags of secrets to a command.
func (a *app) takes(cmd *cobra.Command, kinds ...secretKind) {
	if a.secrets == nil {
		a.secrets = secretFlags{}
	}
	for _, k := range kinds {
		// One source a kind, whichever command runs: only one does.
		s := a.secrets[k.flag]
		if s == nil {
			s = &secretSource{kind: k, fd: noFD}
			a.secrets[k.flag] = s
			a.secretOrder = append(a.secretOrder, s)
		}
		what := k.name
		if k.hex {
			what += ", in hex,"
		}
		f := cmd.Flags()
		f.StringVar(&s.file, k.flag+"-file", "", fmt.Sprintf("read the %s from the first line of `file` (- for standard input)", what))
		f.IntVar(&s.fd, k.flag+"-fd", noFD, fmt.Sprintf("read a line with the %s from file descriptor `n`", what))
		f.Lookup(k.flag + "-fd").DefValue = "0" // so that help shows no default that is none
		f.StringVar(&s.env, k.flag+"-env", "", fmt.Sprintf("take the %s from environment `variable`", what))
		cmd.MarkFlagsMutuallyExclusive(k.flag+"-file", k.flag+"-fd", k.flag+"-env")
	}
}

// anyPINFlag is for commands that send a PIN themselves; a module does as it likes.
func (a *app) anyPINFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.global.anyPIN, "any-pin", false, "take a PIN of other characters than digits, whatever card it is for")
}

// source is where a kind of secret comes from in this run.
func (a *app) source(k secretKind) *secretSource {
	if s := a.secrets[k.flag]; s != nil {
		return s
	}
	panic("a command uses the " + k.name + " without flags for it")
}

// noFD is no file descriptor.
const noFD = -1

// given tells whether the command line says where the secret is.
func (s *secretSource) given() bool { return s.file != "" || s.env != "" || s.fd != noFD }

// read gets a secret that is given. The caller wipes it.
func (a *app) read(s *secretSource) (read *secret.Secret, err error) {
	err = interruptible(a.ctx, func() (err error) {
		read, err = a.readNow(s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return read, nil
}

func (a *app) readNow(s *secretSource) (*secret.Secret, error) {
	var b []byte
	var err error
	switch {
	case s.env != "":
		v, ok := os.LookupEnv(s.env)
		if !ok {
			return nil, inputf("the environment has no variable %s for the %s", s.env, s.kind.name)
		}
		b = []byte(v)
	case s.fd == 0:
		b, err = readLine(a.stdin)
	case s.fd != noFD:
		f := a.descriptor(s.fd)
		if f == nil { // negative
			return nil, inputf("there is no file descriptor %d for the %s", s.fd, s.kind.name)
		}
		// Byte by byte, so that the next secret on the same descriptor is left
		// in it; not closed, for the same reason.
		b, err = readLine(f)
	case s.file == "-":
		b, err = readLine(a.stdin)
	default:
		var f *os.File
		if f, err = os.Open(s.file); err == nil {
			b, err = readLine(f)
			f.Close()
		}
	}
	if err != nil {
		return nil, inputError{fmt.Errorf("read the %s: %w", s.kind.name, err)}
	}
	return s.kind.parse(b)
}

// secretsFromStdin reads those secrets that are to come from standard input
// and were not read yet, in the order of the command's flags.
func (a *app) secretsFromStdin() error {
	for _, src := range a.secretOrder {
		if src.value == nil && (src.file == "-" || src.fd == 0) {
			if _, err := a.secret(a.ctx, src.kind, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// readLine reads to the end of a line, not further. The line may end with the
// file.
func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxSecret)
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		if n == 1 {
			if one[0] == '\n' {
				break
			}
			if len(line) == maxSecret {
				clear(line)
				return nil, errors.New("longer than 4096 bytes")
			}
			line = append(line, one[0])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			clear(line)
			return nil, err
		}
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// parse takes b over.
func (k secretKind) parse(b []byte) (*secret.Secret, error) {
	if len(b) == 0 {
		return nil, secretError{fmt.Errorf("the %s is empty; not sent", k.name)}
	}
	if !k.hex {
		return secret.New(b), nil
	}
	defer clear(b)
	key := make([]byte, hex.DecodedLen(len(b)))
	if _, err := hex.Decode(key, b); err != nil {
		clear(key)
		return nil, secretError{fmt.Errorf("the %s is not in hex; not sent", k.name)}
	}
	return secret.New(key), nil
}

// ask prompts for a secret; note says more, such as the tries left.
func (a *app) ask(ctx context.Context, k secretKind, note string) (*secret.Secret, error) {
	prompt := upperFirst(k.name)
	if k.hex {
		prompt += " (hex)"
	}
	if note != "" {
		prompt += " (" + note + ")"
	}
	b, err := tui.ReadSecret(ctx, prompt)
	if errors.Is(err, tui.ErrNoTerminal) {
		return nil, hinted{fmt.Errorf("%s required, and there is %w", k.name, err), fmt.Sprintf("give it with --%[1]s-file, --%[1]s-fd or --%[1]s-env", k.flag)}
	}
	if err != nil {
		return nil, err
	}
	if k.choose {
		again, err := tui.ReadSecret(ctx, upperFirst(k.name)+" again")
		same := bytes.Equal(b, again)
		clear(again)
		if err != nil || !same {
			clear(b)
			if err == nil {
				err = secretError{fmt.Errorf("the two %ss differ; nothing was changed", k.name)}
			}
			return nil, err
		}
	}
	return k.parse(b)
}

// secret gets a secret from where the command line says, else by asking, once
// a run however often it is needed. It is wiped at the end of the run.
func (a *app) secret(ctx context.Context, k secretKind, note string) (*secret.Secret, error) {
	src := a.source(k)
	if src.value != nil {
		return src.value, nil
	}
	var s *secret.Secret
	var err error
	if src.given() {
		s, err = a.read(src)
	} else {
		s, err = a.ask(ctx, k, note)
	}
	if err != nil {
		return nil, err
	}
	a.atEnd(s.Wipe)
	src.value = s
	return s, nil
}

func upperFirst(s string) string { return string(bytes.ToUpper([]byte(s[:1]))) + s[1:] }

// descriptor keeps the file of a descriptor: collected, it would close it
// under the next secret that is read from it.
func (a *app) descriptor(fd int) *os.File {
	if a.fds == nil {
		a.fds = map[int]*os.File{}
	}
	if a.fds[fd] == nil {
		a.fds[fd] = os.NewFile(uintptr(fd), fmt.Sprintf("file descriptor %d", fd))
	}
	return a.fds[fd]
}
