package apdu_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// script is a card that expects commands and gives answers, both in hex.
type script struct {
	t     *testing.T
	steps [][2]string
}

func newScript(t *testing.T, steps ...[2]string) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		if len(s.steps) > 0 {
			t.Errorf("command %s did not come", s.steps[0][0])
		}
	})
	return s
}

func (s *script) Transmit(command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("unexpected command %X", command)
	}
	want, answer := unhex(s.steps[0][0]), unhex(s.steps[0][1])
	if !bytes.Equal(command, want) {
		s.t.Errorf("command\n%X, want\n%X", command, want)
	}
	s.steps = s.steps[1:]
	return answer, nil
}

// unhex reads hex with blanks; "(AB*300)" is a byte many times.
func unhex(s string) []byte {
	var b []byte
	for _, f := range strings.Fields(s) {
		var v byte
		var n int
		if _, err := fmt.Sscanf(f, "(%02X*%d)", &v, &n); err == nil {
			b = append(b, bytes.Repeat([]byte{v}, n)...)
			continue
		}
		p, err := hex.DecodeString(f)
		if err != nil {
			panic(err)
		}
		b = append(b, p...)
	}
	return b
}
