package apdu

// A Decorator sees every command on its way to a Transmitter and every answer
// on its way back: [Trace], [Count], [Faults]. It holds what it knows itself,
// so that one decorator can follow a card over many transactions.
type Decorator interface {
	// Around passes command on to next, or does not. It may not keep or change
	// command. secret says that its data is a PIN or key whatever the
	// instruction: see Command.Secret.
	Around(next Transmitter, command []byte, secret bool) (response []byte, err error)
}

// A SecretTransmitter is told which commands carry secrets that their
// instruction does not give away. Only what shows or stores commands needs to
// implement it; [Decorate] passes it on.
type SecretTransmitter interface {
	Transmitter
	TransmitSecret(command []byte) (response []byte, err error)
}

// Decorate puts decorators around t, the first one outermost.
func Decorate(t Transmitter, decorators ...Decorator) Transmitter {
	for i := len(decorators) - 1; i >= 0; i-- {
		t = decorated{t, decorators[i]}
	}
	return t
}

// DecorateTransaction is Decorate for a transaction: its epoch stays visible, and
// its PIN pad goes past the decorators, as there is nothing in a [PINEntry] but
// padding.
func DecorateTransaction(tx Transaction, decorators ...Decorator) Transaction {
	if len(decorators) == 0 {
		return tx
	}
	return decoratedTransaction{Decorate(tx, decorators...).(decorated), tx}
}

type decorated struct {
	next Transmitter
	d    Decorator
}

func (w decorated) Transmit(command []byte) ([]byte, error) {
	return w.d.Around(w.next, command, false)
}

func (w decorated) TransmitSecret(command []byte) ([]byte, error) {
	return w.d.Around(secretly{w.next}, command, true)
}

type decoratedTransaction struct {
	decorated
	tx Transaction
}

func (w decoratedTransaction) Epoch() uint64 { return w.tx.Epoch() }

func (w decoratedTransaction) TransmitPIN(e PINEntry) ([]byte, error) {
	if p, ok := w.tx.(PINTransmitter); ok {
		return p.TransmitPIN(e)
	}
	return nil, ErrNoPINPad
}

// secretly marks all that passes as secret.
type secretly struct{ next Transmitter }

func (s secretly) Transmit(command []byte) ([]byte, error) {
	return transmit(s.next, command, true)
}

func transmit(t Transmitter, command []byte, secret bool) ([]byte, error) {
	if st, ok := t.(SecretTransmitter); ok && secret {
		return st.TransmitSecret(command)
	}
	return t.Transmit(command)
}
