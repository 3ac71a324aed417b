// Package pkcs11test lets the programs that use PKCS #11 modules use ours,
// through a real pcscd, on a software card. Each program's script is also the
// example in docs/pkcs11.md.
package pkcs11test

import (
	"path/filepath"
	"testing"

	"cardbridge/hwtest"
)

func TestMain(m *testing.M) { hwtest.Main(m) }

// clients are the scripts and the programs they need, with their packages.
var clients = []struct {
	script   string
	programs [][2]string
}{
	{"pkcs11-tool", [][2]string{{"pkcs11-tool", "opensc"}, {"p11tool", "gnutls-bin"}}},
	{"p11tool", [][2]string{{"pkcs11-tool", "opensc"}, {"p11tool", "gnutls-bin"}}},
	{"openssh", [][2]string{{"/usr/sbin/sshd", "openssh-server"}, {"ssh-agent", "openssh-client"}}},
	{"openssl-engine", [][2]string{{"openssl", "openssl"}}},
	{"nss", [][2]string{{"modutil", "libnss3-tools"}, {"tstclnt", "libnss3-tools"}}},
	{"java", [][2]string{{"keytool", "openjdk-17-jdk-headless"}, {"javac", "openjdk-17-jdk-headless"}}},
	{"pykcs11", [][2]string{{"/usr/bin/python3", "python3-pykcs11"}}},
	{"p11-kit", [][2]string{{"p11-kit", "p11-kit"}}},
	{"nginx", [][2]string{{"nginx", "nginx-core"}, {"curl", "curl"}}},
}

// environment is what the scripts are told; the secrets are a fresh card's.
func environment(t *testing.T) []string {
	scripts, err := filepath.Abs("../scripts")
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"SCRIPTS=" + scripts, "MODULE=" + hwtest.Module(t), "CARDTOOL=" + hwtest.Cardtool(t),
		"PIN=123456", "OTHER_PIN=654321", "PUK=12345678", "SO_PIN=010203040506070801020304050607080102030405060708",
		"SSH_PORT=2222", "TLS_PORT=4433",
	}
}

func TestClients(t *testing.T) {
	for _, c := range clients {
		t.Run(c.script, func(t *testing.T) {
			for _, p := range c.programs {
				hwtest.Program(t, p[0], p[1])
			}
			env := environment(t)
			rig := hwtest.Start(t, hwtest.Config{Personalities: []string{"yubikey-5.7"}})
			rig.Script(t, "../scripts/"+c.script+".sh", env...)
		})
	}
}
