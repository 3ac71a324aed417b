//go:build linux && cgo

package pkcs11_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardbridge/hwtest"
)

// needsPrograms is how a script ends that misses one.
const needsPrograms = 77

// TestClients runs the scripts that are also the examples of docs/pkcs11.md.
func TestClients(t *testing.T) {
	scripts, err := filepath.Glob("../scripts/pkcs11/*.sh")
	if err != nil || len(scripts) < 10 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	r := hwtest.Start(t, hwtest.Config{})
	tg := target(t, r)
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".sh")
		if name == "common" {
			continue
		}
		t.Run(name, func(t *testing.T) { client(t, r, tg.Module, script) })
	}
}

func client(t *testing.T, r *hwtest.Rig, module, script string) {
	t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	result := r.Try(t, hwtest.Command{
		Args: []string{"/bin/sh", "-eu", path}, Dir: dir,
		Env: []string{"MODULE=" + module, "PIN=" + factoryPIN, "SO_PIN=" + factoryKey, "PUK=" + factoryPUK},
	})
	switch result.Code {
	case 0:
	case needsPrograms:
		hwtest.Skip(t, strings.TrimSpace(result.Err))
	default:
		t.Fatalf("ended with %d\n%s%s", result.Code, result.Out, result.Err)
	}
	wantTries(t, r)
}
