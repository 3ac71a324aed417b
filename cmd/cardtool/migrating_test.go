package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// migratingFiles makes what the commands of docs/migrating.md take, by names
// that say what it is: the key of slot 9a is key.pem's.
const migratingFiles = `
set -e
exec 2>&1
cardtool softcard create card.json
echo 123456 > PIN; echo 12345678 > PUK; echo 739158 > NEWPIN; echo 48213957 > NEWPUK; echo 'correct horse' > PASSPHRASE
echo c0ffee5eed15deadbeefcafec0ffee5eed15deadbeefcafe | tee new.txt > NEW24
echo c0ffee5eed15deadbeefcafec0ffee5eed15deadbeefcafe9e1c5a7b3d2f4861 > NEW32
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
openssl req -x509 -new -key key.pem -subj /CN=Alice -out cert.pem
openssl pkcs12 -export -inkey key.pem -in cert.pem -passout file:PASSPHRASE -out bundle.p12
cardtool key import 9a bundle.p12 --with-certificate --passphrase-file PASSPHRASE --factory-admin-key
cardtool key generate 9c --factory-admin-key
cardtool key generate 9d --algorithm rsa-2048 --factory-admin-key -o rsa.pem
cardtool key generate 82 --factory-admin-key
cardtool object write chuid --generate --factory-admin-key
cardtool object read chuid -o chuid.bin
echo a file | tee file data.bin > message
openssl dgst -sha256 -binary -out digest file
openssl pkeyutl -encrypt -pubin -inkey rsa.pem -in message -out secret.enc
`

// TestMigrating runs each row's commands of docs/migrating.md as they are
// written, on a card of its own, with what a person would answer given by flags.
func TestMigrating(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	bin, from := linkSelf(t), t.TempDir()
	run := func(dir, command string) (string, error) {
		cmd := exec.Command("bash", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "CARDBRIDGE_READERS=softcard:card.json", raceEnv[0]+"="+raceEnv[1])
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(from, migratingFiles); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n := 0
	for line := range strings.Lines(readDoc(t, "../../docs/migrating.md")) {
		dir := ""
		for _, m := range regexp.MustCompile("`(cardtool [^`]+)`").FindAllStringSubmatch(line, -1) {
			if dir == "" {
				dir = t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
					t.Fatal(err)
				}
			}
			n++
			command := answered(t, m[1])
			if strings.Contains(command, "key attest") { // of a key that was made on the card, which has no maker
				command = "cardtool key generate 9a --factory-admin-key --yes && " + strings.Replace(command, " -o", " --any-root -o", 1)
			}
			if out, err := run(dir, command); err != nil {
				t.Errorf("%s\n%v: %s", command, err, out)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d of our commands in docs/migrating.md", n)
	}
}

// answered adds the flags that stand for what cardtool would ask.
func answered(t *testing.T, command string) string {
	words := strings.Fields(command)
	cmd, _, err := (&app{}).root().Find(words[1:])
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	newKey := "NEW24"
	if strings.Contains(command, "aes-256") {
		newKey = "NEW32"
	}
	for _, a := range []struct{ flag, answer string }{
		{"factory-admin-key", ""},
		{"pin-file", "PIN"},
		{"puk-file", "PUK"},
		{"new-pin-file", "NEWPIN"},
		{"new-puk-file", "NEWPUK"},
		{"new-admin-key-file", newKey},
		{"passphrase-file", "PASSPHRASE"},
		{"yes", ""},
		{"force", ""},
	} {
		given := strings.Contains(command, "--"+a.flag) || a.flag == "new-admin-key-file" && strings.Contains(command, "--generate")
		if cmd.Flags().Lookup(a.flag) != nil && !given {
			command += " --" + a.flag + " " + a.answer
		}
	}
	return command
}
