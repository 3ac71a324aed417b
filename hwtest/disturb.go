package hwtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebfe/scard"
)

// A Disturbance is what a second PC/SC program does to a card again and again.
type Disturbance string

// The disturbances.
const (
	// Select selects another applet, the card manager, and leaves it selected.
	Select Disturbance = "select"
	// Reset resets the card.
	Reset Disturbance = "reset"
)

// disturb in the environment makes a test binary that second program.
const disturb = "HWTEST_DISTURB"

// aidCardManager is on every card, and is not PIV (GlobalPlatform 2.3.1,
// appendix H.2).
const aidCardManager = "\xA0\x00\x00\x01\x51\x00\x00\x00"

// Disturb starts a second program that disturbs the i-th card, with a pause
// after each time. The function returned ends it and gives how often it was
// done; ends it anyway with the test.
func (r *Rig) Disturb(t testing.TB, i int, how Disturbance, pause time.Duration) (stop func() int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", disturb, how, pause.Microseconds(), r.Reader(i)))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	if _, err := out.ReadString('\n'); err != nil { // it has disturbed once
		t.Fatalf("the disturber: %v", err)
	}
	ended := false
	stop = func() int {
		if ended {
			return 0
		}
		ended = true
		stdin.Close() //nolint:errcheck // this ends it
		text, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the disturber: %v", err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Errorf("the disturber: %v", err)
		}
		return n
	}
	t.Cleanup(func() { stop() })
	return stop
}

// disturbForever is the second program: until its standard input ends.
func disturbForever(order string) error {
	how, rest, _ := strings.Cut(order, " ")
	pause, reader, _ := strings.Cut(rest, " ")
	microseconds, err := strconv.Atoi(pause)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // its end is all we want
		close(ended)
	}()
	pcsc, err := scard.EstablishContext()
	if err != nil {
		return err
	}
	defer pcsc.Release() //nolint:errcheck // the process ends
	for n := 1; ; n++ {
		if err := disturbOnce(pcsc, reader, Disturbance(how)); err != nil {
			return err
		}
		if n == 1 {
			fmt.Println("begun")
		}
		select {
		case <-ended:
			fmt.Println(n)
			return nil
		case <-time.After(time.Duration(microseconds) * time.Microsecond):
		}
	}
}

func disturbOnce(pcsc *scard.Context, reader string, how Disturbance) error {
	connection, err := pcsc.Connect(reader, scard.ShareShared, scard.ProtocolAny)
	if err != nil {
		return err
	}
	if how == Reset {
		return connection.Disconnect(scard.ResetCard)
	}
	defer connection.Disconnect(scard.LeaveCard) //nolint:errcheck // the card is left alone
	for {
		err := connection.BeginTransaction()
		if errors.Is(err, scard.ErrResetCard) {
			err = connection.Reconnect(scard.ShareShared, scard.ProtocolAny, scard.LeaveCard)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		break
	}
	answer, err := connection.Transmit(append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aidCardManager))}, aidCardManager...))
	if err == nil && (len(answer) < 2 || answer[len(answer)-2] != 0x90 && answer[len(answer)-2] != 0x61) {
		err = fmt.Errorf("selecting the card manager: %X", answer)
	}
	return errors.Join(err, connection.EndTransaction(scard.LeaveCard))
}
