//go:build linux && cgo

package conform

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

func TestSessionsSoftHSM(t *testing.T) { Sessions(t, SoftHSM(t)) }
