package reader

import (
	"context"
	"errors"
	"time"
)

// maxRounds bounds what is tried to get a transaction: a neighbour that resets
// the card again and again must not keep us here for ever.
const maxRounds = 50

// ready brings the Conn from whatever state it is in to a transaction begun.
// Each round does the one thing that the last one's error calls for.
func (c *Conn) ready(ctx context.Context, turn *turn) error {
	var (
		err                  error
		restarted, repowered bool
		waited               time.Duration
	)
	for range maxRounds {
		if c.isClosed() {
			c.release()
			return ErrClosed
		}
		err = c.step(ctx, turn)
		switch {
		case err == nil:
			return nil
		case turn.over, errors.Is(err, ErrBusy), errors.Is(err, ErrService):
			return err
		case c.h != nil && isCode(err, ResetCard):
			if err := turn.call(ctx, c.reconnect, c.clean); turn.over {
				return err
			} else if err != nil {
				c.drop()
			}
		case isCode(err, SharingViolation):
			if waited >= c.sys.patience.exclusive {
				return c.busy(true, waited)
			}
			if err := sleep(ctx, c.sys.patience.poll); err != nil {
				return err
			}
			waited += c.sys.patience.poll
		case lost(err) && !restarted:
			restarted = true
			c.release()
		case isCode(err, UnpoweredCard) && !repowered:
			repowered = true
			c.drop()
		case c.h != nil && gone(err):
			// What the handle was for has gone; another card may be there.
			c.drop()
		default:
			return c.failed(err)
		}
	}
	return c.failed(err)
}

// step does what is left to do for a transaction.
func (c *Conn) step(ctx context.Context, turn *turn) error {
	if c.ses == nil {
		err := turn.call(ctx, func() (err error) {
			c.ses, err = c.sys.pcsc.Establish()
			return err
		}, c.clean)
		if err != nil && !turn.over && ctx.Err() == nil {
			return &ServiceError{Err: err}
		}
		if err != nil {
			return err
		}
	}
	if c.h == nil {
		// pcscd waits here, without bound, while somebody else is in a
		// transaction.
		if err := c.patiently(ctx, turn, c.connect); err != nil {
			return err
		}
	}
	if err := c.patiently(ctx, turn, c.beginPCSC); err != nil {
		return err
	}
	if c.ATR() == nil {
		if err := turn.call(ctx, c.learn, c.clean); err != nil {
			if !turn.over {
				c.clean()
			}
			return err
		}
	}
	return nil
}

// patiently is turn.call with a bound on the wait for other programs.
func (c *Conn) patiently(ctx context.Context, turn *turn, f func() error) error {
	bounded, cancel := context.WithTimeout(ctx, c.sys.patience.transaction)
	defer cancel()
	err := turn.call(bounded, f, func() {
		c.clean()
		c.queued.Add(-1)
	})
	if turn.over {
		c.queued.Add(1)
		if ctx.Err() == nil {
			return c.busy(false, c.sys.patience.transaction)
		}
	}
	return err
}

func (c *Conn) connect() (err error) {
	h, err := c.ses.Connect(c.name, shareShared, protocolAny)
	if err != nil {
		return err
	}
	c.h = h
	c.setCard(nil, false)
	c.epoch = epochs.Add(1)
	return nil
}

func (c *Conn) reconnect() error {
	if err := c.h.Reconnect(); err != nil {
		return err
	}
	c.epoch = epochs.Add(1)
	return nil
}

func (c *Conn) beginPCSC() error {
	if err := c.h.Begin(); err != nil {
		return err
	}
	c.begun = true
	return nil
}

// learn reads the ATR, and what the reader promises where that matters.
func (c *Conn) learn() error {
	b, err := c.h.Status()
	if err != nil {
		return err
	}
	atr, err := ParseATR(b)
	extended := err == nil && atr.ExtendedLength() && c.h.Protocol() == protocolT1
	if extended {
		extended = readerFeatures(c.h).carriesExtended(c.h)
	}
	if b == nil {
		b = []byte{}
	}
	c.setCard(b, extended)
	return nil
}

func (c *Conn) setCard(atr []byte, extended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atr, c.extended = atr, extended
}

const (
	connectReader = "connect the reader"
	insertCard    = "insert a card"
	insertAgain   = "take the card out and put it in again: chip first, chip up; if that does not help, the card or its contacts are bad"
)

// connectAdvice is what to do about what keeps a Conn from its card.
var connectAdvice = map[Code]string{
	UnknownReader:     connectReader,
	ReaderUnavailable: connectReader,
	NoReaders:         connectReader,
	InvalidValue:      connectReader,
	NoSmartcard:       insertCard,
	RemovedCard:       insertCard,
	UnresponsiveCard:  insertAgain,
	UnpoweredCard:     insertAgain,
	UnsupportedCard:   insertAgain,
	ResetCard:         "another program keeps resetting the card",
}

// failed makes an error that people can read of what PC/SC said.
func (c *Conn) failed(err error) error {
	var code Code
	if !errors.As(err, &code) {
		return err
	}
	e := &Error{Doing: "connect to the card", Reader: c.name, Err: err, Wire: wire(err), Advice: connectAdvice[code]}
	if code == SecurityViolation {
		e.Advice = serviceAdvice(err)
	}
	return e
}

// busy says who keeps the card to itself.
func (c *Conn) busy(exclusive bool, waited time.Duration) error {
	return &BusyError{Reader: c.name, Waited: waited, Exclusive: exclusive, Holders: Holders()}
}
