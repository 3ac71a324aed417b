package hwtest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// secrets are the PINs and keys of this run, by name.
var (
	secretsLock sync.Mutex
	secrets     = map[string][]byte{}
)

// NoteSecret has the search at the end look for a PIN or key: as it is, in hex
// and in base64.
func NoteSecret(name string, value []byte) {
	secretsLock.Lock()
	defer secretsLock.Unlock()
	secrets[name] = bytes.Clone(value)
}

// noteCardSecrets notes what a software card's state file holds. The factory
// secrets are not looked for: they are in every manual.
func noteCardSecrets(stateFile string) {
	content, err := os.ReadFile(stateFile)
	if err != nil {
		return
	}
	var state struct {
		PIN, PUK      struct{ Value string }
		ManagementKey struct{ Key string }
		Keys          map[string]struct{ PKCS8 string }
	}
	if json.Unmarshal(content, &state) != nil {
		return
	}
	note := func(name, text string) {
		value, err := hex.DecodeString(text)
		value = bytes.TrimRight(value, "\xFF")
		if err == nil && len(value) >= 6 && !factory[string(value)] {
			NoteSecret(stateFile+": "+name, value)
		}
	}
	note("PIN", state.PIN.Value)
	note("PUK", state.PUK.Value)
	note("management key", state.ManagementKey.Key)
	for slot, key := range state.Keys {
		der, err := hex.DecodeString(key.PKCS8)
		if err != nil {
			continue
		}
		for i, part := range PrivateParts(der) {
			NoteSecret(fmt.Sprintf("%s: key %s, part %d", stateFile, slot, i), part)
		}
	}
}

var factory = map[string]bool{
	"123456":   true,
	"12345678": true,
	"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08": true,
}

// findSecrets searches every file below dir.
func findSecrets(dir string) []string {
	secretsLock.Lock()
	defer secretsLock.Unlock()
	var leaks []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for name, secret := range secrets {
			if holds(content, secret) {
				leaks = append(leaks, fmt.Sprintf("%s shows the %s", path, name))
			}
		}
		return nil
	})
	if err != nil {
		leaks = append(leaks, err.Error())
	}
	return leaks
}

// byChance tells whether the digits of a PIN are in the middle of a long number in
// hex - a fingerprint, a key's modulus - of which the tests print so many that six
// digits in a row turn up now and then. (A PIN's own hex is looked for by itself.)
func byChance(content []byte, at int, secret []byte) bool {
	hexDigit := func(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
	for _, c := range secret {
		if c < '0' || c > '9' {
			return false
		}
	}
	from, to := at, at+len(secret)
	for from > 0 && (hexDigit(content[from-1]) || content[from-1] == ':' && from > 1 && hexDigit(content[from-2])) {
		from--
	}
	for to < len(content) && hexDigit(content[to]) {
		to++
	}
	return to-from >= len(secret)+10
}

// holds tells whether content has the secret in it, in any form that programs
// print bytes in: as they are, in hex with or without separators, in base64.
func holds(content, secret []byte) bool {
	for from := 0; ; {
		at := bytes.Index(content[from:], secret)
		if at < 0 {
			break
		}
		if from += at; !byChance(content, from, secret) {
			return true
		}
		from++
	}
	packed := bytes.ToLower(bytes.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n:", r) {
			return -1
		}
		return r
	}, content))
	if bytes.Contains(packed, []byte(hex.EncodeToString(secret))) {
		return true
	}
	// Base64 of the middle, for each way the start may fall; its letters have
	// a case, so the packed form will not do.
	joined := bytes.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, content)
	for skip := range 3 {
		if len(secret) < skip+6 {
			break
		}
		middle := secret[skip : skip+(len(secret)-skip)/3*3]
		if bytes.Contains(joined, []byte(base64.StdEncoding.EncodeToString(middle))) {
			return true
		}
	}
	return false
}
