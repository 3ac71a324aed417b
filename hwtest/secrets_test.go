package hwtest

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/card/softcard"
)

func TestFindSecrets(t *testing.T) {
	secret := []byte("\x01\x02\x03\xFEsecret\x99\x98\x97")
	upper := strings.ToUpper(hex.EncodeToString(secret))
	spaced := strings.Join(strings.SplitAfter(upper, ""), " ")
	for name, tt := range map[string]struct {
		content string
		want    bool
	}{
		"raw":                    {"x" + string(secret) + "y", true},
		"hex":                    {"key=" + hex.EncodeToString(secret), true},
		"upper-case hex":         {upper, true},
		"spaced hex":             {spaced, true},
		"colons":                 {strings.ReplaceAll(spaced, " ", ":"), true},
		"lines":                  {upper[:10] + "\n  " + upper[10:], true},
		"base64":                 {base64.StdEncoding.EncodeToString(secret), true},
		"base64, shifted by one": {base64.StdEncoding.EncodeToString(append([]byte{7}, secret...)), true},
		"base64, shifted by two": {base64.StdEncoding.EncodeToString(append([]byte{7, 7}, secret...)), true},
		"a part of it":           {upper[:10], false},
		"nothing":                {"", false},
	} {
		if got := holds([]byte(tt.content), secret); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Six digits turn up in long numbers by chance; a PIN that is told stands alone.
func TestFindPINs(t *testing.T) {
	for content, want := range map[string]bool{
		"PIN 918273 is wrong": true,
		"918273":              true,
		"code 0918273":        true,
		hex.EncodeToString([]byte("918273\xFF\xFF")): true,
		"fingerprint 0a1b2c3d4e918273aabbccddeeff":   false,
		"0a1b2c3d4e918273aabbccddeeff, PIN 918273":   true,
	} {
		if got := holds([]byte(content), []byte("918273")); got != want {
			t.Errorf("%s: %v", content, got)
		}
	}
}

// The keys and PINs of a card are looked for in whatever was kept.
func TestCardSecretsAreLookedFor(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "card.json")
	if err := softcard.Create(state, "yubikey-5.7"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	const pin = "918273"
	changed := strings.Replace(string(content), hex.EncodeToString([]byte("123456\xFF\xFF")), hex.EncodeToString([]byte(pin+"\xFF\xFF")), 1)
	if changed == string(content) {
		t.Fatal("the state file looks otherwise than thought")
	}
	if err := os.WriteFile(state, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	secretsLock.Lock()
	saved := secrets
	secrets = map[string][]byte{}
	secretsLock.Unlock()
	defer func() { secrets = saved }()
	noteCardSecrets(state)
	kept := t.TempDir()
	if err := os.WriteFile(filepath.Join(kept, "output"), []byte("your PIN is "+pin), 0o600); err != nil {
		t.Fatal(err)
	}
	if leaks := findSecrets(kept); len(leaks) != 1 || strings.Contains(leaks[0], pin) {
		t.Errorf("found %q", leaks)
	}
	if err := os.WriteFile(filepath.Join(kept, "output"), []byte("PIN verified"), 0o600); err != nil {
		t.Fatal(err)
	}
	if leaks := findSecrets(kept); len(leaks) != 0 {
		t.Errorf("found %q", leaks)
	}
	// The attestation key was on the card from the start.
	if len(secrets) < 2 {
		t.Errorf("looking for %d secrets only", len(secrets))
	}
}
