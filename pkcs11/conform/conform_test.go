//go:build linux && cgo

package conform

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	for _, dir := range removeAtEnd {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func TestSessionsSoftHSM(t *testing.T) { Sessions(t, SoftHSM(t)) }

func TestHostsSoftHSM(t *testing.T)   { Hosts(t, SoftHSM(t)) }
func TestThreadsSoftHSM(t *testing.T) { Threads(t, SoftHSM(t), 1000) }
func TestAgainSoftHSM(t *testing.T)   { Again(t, SoftHSM(t), 40) }

func TestDifferentialSoftHSM(t *testing.T) {
	Differential(t, SoftHSM(t), SoftHSM(t), nil, 1, 100, 80)
}

func TestOperationsSoftHSM(t *testing.T) { Operations(t, SoftHSM(t)) }
