package softcard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// DefaultPort is where vsmartcard's vpcd driver listens for its first reader.
const DefaultPort = 35963

// Control messages of vpcd: a message of one byte. Everything longer is a command APDU.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// reinsertAfter is how long the reader stays empty when the card went away on its own: long enough for pcscd, which looks
// every 400 ms, to see it.
const reinsertAfter = 600 * time.Millisecond

// Run is the card behind pcscd: it speaks to vsmartcard's vpcd at addr until ctx ends, which is no error. A card that a fault
// plan or Remove took away leaves the reader and comes back with Insert; one that was reset or silent under a command leaves
// it for a moment, since vpcd has no other way to say so.
func (c *Card) Run(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		if !c.awaitInserted(ctx) {
			break
		}
		err := c.session(ctx, addr)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, ErrRemoved) && c.isRemoved():
		case errors.Is(err, ErrRemoved), errors.Is(err, ErrReset), errors.Is(err, ErrSilent):
			sleep(ctx, reinsertAfter)
		default:
			return err
		}
	}
	return nil
}

// session is one insertion.
func (c *Card) session(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("softcard: nobody listens at %s: pcscd must run with the vpcd driver (Debian: vsmartcard-vpcd), "+
				"and opens its port when it has loaded that: %w", addr, err)
		}
		return fmt.Errorf("softcard: connecting to vpcd: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Whatever ends the insertion closes the connection, and that ends a read that waits.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close() // reading has failed or the card is gone
	gone := c.leaving(cancel)
	defer gone()
	err = c.serve(conn)
	if c.isRemoved() {
		return ErrRemoved
	}
	return err
}

// serve answers vpcd's messages until one cannot be read, or the card is gone.
func (c *Card) serve(conn net.Conn) error {
	c.PowerOff()
	for {
		message, err := readMessage(conn)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return errors.New("softcard: vpcd closed the connection; pcscd ended, or another card took this reader")
			}
			return fmt.Errorf("softcard: reading from vpcd: %w", err)
		}
		var reply []byte
		switch {
		case len(message) == 0:
			continue
		case len(message) > 1:
			if reply, err = c.Transmit(message); err != nil {
				return err
			}
		case message[0] == vpcdATR:
			reply = c.ATR()
		case message[0] == vpcdOff:
			c.PowerOff()
		case message[0] == vpcdOn:
			c.PowerOn()
		case message[0] == vpcdReset:
			c.Reset()
		}
		if reply == nil {
			continue
		}
		if err := writeMessage(conn, reply); err != nil {
			return fmt.Errorf("softcard: writing to vpcd: %w", err)
		}
	}
}

// readMessage reads a length of two bytes and as many bytes. vpcd sends the two in segments of their own and waits for the
// acknowledgement of the first; unless it is asked for at once, the kernel takes 40 ms over it.
func readMessage(conn net.Conn) ([]byte, error) {
	var length [2]byte
	acknowledgeAtOnce(conn)
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	acknowledgeAtOnce(conn)
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, message)
	return message, err
}

func writeMessage(conn net.Conn, message []byte) error {
	if len(message) > 0xFFFF {
		return fmt.Errorf("an answer of %d bytes does not fit", len(message))
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message)))
	_, err := conn.Write(append(b, message...)) // one segment; Go sets TCP_NODELAY
	return err
}

// awaitInserted waits for the card to be in its reader; false when ctx ended first.
func (c *Card) awaitInserted(ctx context.Context) bool {
	for {
		c.mu.Lock()
		here, change := !c.removed, c.change
		c.mu.Unlock()
		if here {
			return ctx.Err() == nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

// leaving calls f when the card is removed; the function it returns ends the watch.
func (c *Card) leaving(f func()) func() {
	done := make(chan struct{})
	go func() {
		for {
			c.mu.Lock()
			here, change := !c.removed && !c.closed, c.change
			c.mu.Unlock()
			if !here {
				f()
				return
			}
			select {
			case <-change:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

func (c *Card) isRemoved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.removed
}
