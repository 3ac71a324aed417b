package softcard

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A reader is vpcd's side of the wire.
type reader struct {
	t    *testing.T
	conn net.Conn
}

func (r *reader) say(message ...byte) {
	r.t.Helper()
	if _, err := r.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) ask(message ...byte) []byte {
	r.t.Helper()
	r.say(message...)
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	var length [2]byte
	if _, err := io.ReadFull(r.conn, length[:]); err != nil {
		r.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(r.conn, b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// runInReader starts Run; insertions come out of accept, Run's end out of ended.
func runInReader(t *testing.T, c *Card) (accept func() *reader, stop context.CancelFunc, ended chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ended = make(chan error, 1)
	go func() { ended <- c.Run(ctx, l.Addr().String()) }()
	return func() *reader {
		t.Helper()
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &reader{t, conn}
	}, cancel, ended
}

func (r *reader) wantGone() {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := r.conn.Read(make([]byte, 1)); err == nil {
		r.t.Fatalf("%d bytes, and the card should have left", n)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		r.t.Fatal("the card is still there")
	}
}

func TestRun(t *testing.T) {
	h := newHost(t, "nist")
	accept, stop, ended := runInReader(t, h.card)
	r := accept()
	if got := r.ask(vpcdATR); !bytes.Equal(got, h.card.ATR()) {
		t.Errorf("ATR %X", got)
	}
	r.say(vpcdOn)
	if got := r.ask(unhex(selectPIV)...); !bytes.HasSuffix(got, []byte{0x90, 0}) {
		t.Errorf("SELECT %X", got)
	}
	if got := r.ask(unhex(verifyGood)...); !bytes.Equal(got, []byte{0x90, 0}) {
		t.Errorf("VERIFY %X", got)
	}
	r.say(vpcdReset)
	if got := r.ask(unhex(pinStatus)...); !bytes.Equal(got, []byte{0x6D, 0}) {
		t.Errorf("after a reset %X", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.wantGone()
}

func TestRunRemoval(t *testing.T) {
	h := newHost(t, "nist")
	accept, _, ended := runInReader(t, h.card)
	r := accept()
	r.say(vpcdOn)
	r.ask(unhex(selectPIV)...)
	h.card.Remove()
	r.wantGone()
	h.card.Insert()
	r = accept()
	r.say(vpcdOn)
	r.ask(unhex(selectPIV)...)

	h.card.SetFaults(Plan{1: {Reset: true}})
	r.say(unhex(pinStatus)...)
	r.wantGone()
	r = accept()
	r.say(vpcdOn)
	r.ask(unhex(selectPIV)...)

	h.card.SetFaults(Plan{1: {Remove: true, Back: 20 * time.Millisecond}})
	r.say(unhex(pinStatus)...)
	r.wantGone()
	r = accept()
	r.say(vpcdOn)
	r.ask(unhex(selectPIV)...)

	_ = r.conn.Close() // pcscd ended
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "pcscd") {
		t.Error(err)
	}
}

func TestRunNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	h := newHost(t, "nist")
	if err := h.card.Run(context.Background(), addr); err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "vpcd") {
		t.Error(err)
	}
}

// Run ends at once, even while the card waits for a touch.
func TestRunEndsWhileWaiting(t *testing.T) {
	asked, woken := make(chan struct{}), make(chan error, 1)
	h := newHost(t, "yubikey-5.7", WithTouch(func(ctx context.Context) bool {
		close(asked)
		<-ctx.Done()
		woken <- ctx.Err()
		return false
	}))
	h.admin()
	h.want("0047009A0B AC09800111 AA0101 AB0102", 0x9000)
	accept, stop, ended := runInReader(t, h.card)
	r := accept()
	r.say(vpcdOn)
	r.ask(unhex(selectPIV)...)
	r.say(unhex("0087119A26 7C24 8200 8120" + zeros(32))...)
	<-asked
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-woken; err != context.Canceled {
		t.Errorf("the wait ended with %v: it was not ended, but had its time", err)
	}
}

func TestRunEndsWhenClosed(t *testing.T) {
	h := newHost(t, "nist")
	accept, _, ended := runInReader(t, h.card)
	accept().say(vpcdOn)
	_ = h.card.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(patience):
		t.Fatal("it runs on")
	}
}
