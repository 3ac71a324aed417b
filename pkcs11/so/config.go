package main

// #define _GNU_SOURCE
// #include <stdlib.h>
// #include <sys/auxv.h>
import "C"

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unsafe"

	"cardbridge/card"
	"cardbridge/pkcs11"
)

// A config is what a user may set; docs/pkcs11.md lists it.
type config struct {
	pkcs11.Config
	readers string
	trace   string
}

// systemConfig holds the administrator's choices, and userConfig below the
// user's configuration directory the user's, which win.
const (
	systemConfig = "/etc/cardbridge/pkcs11.conf"
	userConfig   = "cardbridge/pkcs11.conf"
)

// settings is the table of what a configuration file may say. The environment
// may say the same where a variable is named.
var settings = [...]struct {
	key, env string
	set      func(*config, string) error
}{
	{"readers", "CARDBRIDGE_READERS", text(func(c *config) *string { return &c.readers })},
	{"trace", "CARDBRIDGE_TRACE", text(func(c *config) *string { return &c.trace })},
	{"label", "", text(func(c *config) *string { return &c.Label })},
	{"show-attestation", "", truth(func(c *config) *bool { return &c.ShowHidden })},
	{"hide-keys", "", slots(func(c *config) *[]card.KeyRef { return &c.HideKeys })},
	{"hide-data", "", truth(func(c *config) *bool { return &c.HideData })},
	{"spend-last-try", "", truth(func(c *config) *bool { return &c.SpendLastTry })},
	{"allow-reset", "", truth(func(c *config) *bool { return &c.AllowReset })},
}

func text(field func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error {
		*field(c) = v
		return nil
	}
}

var truths = map[string]bool{"true": true, "yes": true, "on": true, "1": true, "false": false, "no": false, "off": false, "0": false}

func truth(field func(*config) *bool) func(*config, string) error {
	return func(c *config, v string) error {
		b, ok := truths[strings.ToLower(v)]
		if !ok {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		*field(c) = b
		return nil
	}
}

// slots reads a list of key slots: "9e, 82-95".
func slots(field func(*config) *[]card.KeyRef) func(*config, string) error {
	return func(c *config, v string) error {
		*field(c) = nil
		for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			from, to, isRange := strings.Cut(word, "-")
			if !isRange {
				to = from
			}
			first, err1 := strconv.ParseUint(from, 16, 8)
			last, err2 := strconv.ParseUint(to, 16, 8)
			if err1 != nil || err2 != nil || first > last {
				return fmt.Errorf("%q is no key slot and no range of them, like 9e or 82-95", word)
			}
			for n := first; n <= last; n++ {
				*field(c) = append(*field(c), card.KeyRef(fmt.Sprintf("%02x", n)))
			}
		}
		return nil
	}
}

// secure tells whether the process has more rights than its caller, who may not
// choose for it then: neither by the environment nor by files below it.
func secure() bool { return C.getauxval(C.AT_SECURE) != 0 }

// getenv asks C, as the program may have changed the environment since Go's
// runtime looked at it.
func getenv(name string) string {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	v := C.getenv(n)
	if v == nil {
		return ""
	}
	return C.GoString(v)
}

// load reads files and environment.
func load() (*config, error) {
	c := &config{}
	if err := c.file(systemConfig); err != nil {
		return nil, err
	}
	if secure() {
		return c, nil
	}
	if path := userPath(); path != "" {
		if err := c.file(path); err != nil {
			return nil, err
		}
	}
	for _, s := range settings {
		if s.env == "" {
			continue
		}
		if v := getenv(s.env); v != "" {
			if err := s.set(c, v); err != nil {
				return nil, fmt.Errorf("%s: %w", s.env, err)
			}
		}
	}
	return c, nil
}

// userPath is where the user's file is; empty for a process without a home.
func userPath() string {
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, userConfig)
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", userConfig)
	}
	return ""
}

// file reads "key = value" lines; # opens a comment. A file that is not there is
// fine, one that makes no sense is not.
func (c *config) file(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text()+" ", "# ") // and not the # in a label
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%s:%d: %q is not KEY = VALUE", path, n, line)
		}
		if err := c.set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return lines.Err()
}

func (c *config) set(key, value string) error {
	for _, s := range settings {
		if s.key == key {
			if err := s.set(c, value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		}
	}
	return fmt.Errorf("no setting is called %q", key)
}
