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

// Run is the card behind pcscd: it speaks to vsmartcard's vpcd at addr until ctx ends, which is no error, or the card is closed
// (ErrRemoved), pcscd goes away or the state file cannot be used. A card that a fault
// plan or Remove took away leaves the reader and comes back with Insert; one that was reset or silent under a command leaves
// it for a moment, since vpcd has no other way to say so.
func (c *Card) Run(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		insertion, ok := c.awaitInserted(ctx)
		if !ok {
			break
		}
		err := c.session(ctx, addr, insertion)
		switch {
		case ctx.Err() != nil:
		case c.isClosed():
			return ErrRemoved
		case errors.Is(err, ErrRemoved), errors.Is(err, ErrReset), errors.Is(err, ErrSilent):
			sleep(ctx, reinsertAfter)
		default:
			return err
		}
	}
	return nil
}

// session is one insertion.
func (c *Card) session(ctx context.Context, addr string, insertion int) error {
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
	// Whatever ends the insertion closes the connection, and that ends a read that waits; so does a wait for a touch.
	stop := context.AfterFunc(ctx, func() {
		_ = conn.Close()
		c.interrupt()
	})
	defer stop()
	defer conn.Close() // reading has failed or the card is gone
	unwatch := c.onRemoval(insertion, cancel)
	defer unwatch()
	err = c.serve(conn)
	if _, now := c.inserted(); now != insertion {
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
			if len(reply) == 0 {
				return ErrSilent // vpcd hangs on an answer of no bytes
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
		if len(reply) == 0 {
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

// awaitInserted waits for the card to be in its reader, and says which insertion it is; not ok when ctx ended first.
func (c *Card) awaitInserted(ctx context.Context) (insertion int, ok bool) {
	for {
		change := c.nextChange()
		here, insertion := c.inserted()
		if here {
			return insertion, ctx.Err() == nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return 0, false
		}
	}
}

// onRemoval calls f when an insertion is over, even if the next has begun; what it returns ends the watch.
func (c *Card) onRemoval(insertion int, f func()) (unwatch func()) {
	done := make(chan struct{})
	go func() {
		for {
			change := c.nextChange()
			if _, now := c.inserted(); now != insertion || c.isClosed() {
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

// inserted tells whether the card is in its reader, and the number of the insertion.
func (c *Card) inserted() (here bool, insertion int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.removed, c.removals
}

// nextChange is closed when the card next comes, goes or is closed. Ask for it before looking at what may change.
func (c *Card) nextChange() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change
}

func (c *Card) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
