package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
	"cardbridge/internal/secret"
)

// lazyConn gives an exchange up when the context ends, while the card goes on
// with it; the next transaction waits for that, as PC/SC makes it do.
type lazyConn struct {
	*softConn
	lane chan struct{} // held in a transaction, and by an exchange given up
	gate chan struct{} // an exchange waits for it
	in   chan struct{} // and says so
}

func (c *lazyConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	select {
	case c.lane <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	tx := &lazyTx{c: c, ctx: ctx}
	defer func() {
		if !tx.over {
			<-c.lane
		}
	}()
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error {
		tx.Transaction = t
		return f(tx)
	})
}

type lazyTx struct {
	apdu.Transaction
	c    *lazyConn
	ctx  context.Context
	over bool
}

func (t *lazyTx) Transmit(b []byte) ([]byte, error) {
	if t.over {
		return nil, t.ctx.Err()
	}
	type answer struct {
		b   []byte
		err error
	}
	b = bytes.Clone(b)
	done := make(chan answer, 1)
	go func() {
		if b[1] == insAuthenticate && b[3] != refAdminKey && t.c.gate != nil {
			t.c.in <- struct{}{}
			<-t.c.gate
		}
		r, err := t.Transaction.Transmit(b)
		done <- answer{r, err}
	}()
	select {
	case a := <-done:
		return a.b, a.err
	case <-t.ctx.Done():
		t.over = true
		go func() {
			<-done
			<-t.c.lane
		}()
		return nil, t.ctx.Err()
	}
}

// TestCancelled: an operation ends with its context, though the card is still
// at work; the next one waits until it is done, and no longer than its own
// context.
func TestCancelled(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	generate(t, admin(t, conn), "9e", card.P256)
	lazy := &lazyConn{softConn: conn, lane: make(chan struct{}, 1)}
	c := Open(lazy)
	k, err := c.Key(ctx, "9e")
	ok(t, err)
	lazy.gate, lazy.in = make(chan struct{}), make(chan struct{}, 1)
	limited, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, err := c.PrivateKey(limited, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		result <- err
	}()
	<-lazy.in
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	short, cancel2 := context.WithTimeout(ctx, time.Millisecond)
	defer cancel2()
	if _, err := c.Identity(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the card is at work, and was asked: %v", err)
	}
	close(lazy.gate)
	lazy.in = make(chan struct{}, 10)
	_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
	ok(t, err)
	ok(t, c.Close())
	if _, err := c.Identity(ctx); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// TestPanic: what panics in a transaction hands the card on.
func TestPanic(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := bare(t, conn)
	func() {
		defer func() { _ = recover() }()
		conn.between = func([]byte) { panic("boom") }
		_, _ = c.Identity(ctx)
	}()
	conn.between = nil
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := c.Identity(limited); err != nil {
		t.Error(err)
	}
}

// TestManyGoroutines: a Card and a PrivateKey may be used from many.
func TestManyGoroutines(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	generate(t, c, "9a", card.P256)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	key := c.PrivateKey(ctx, card.KeyInfo{Ref: "9a"}, UseOptions{})
	conn.neighbour = conn.selectOther
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := key.Sign(nil, helloDigest[:], crypto.SHA256); err != nil {
					t.Error(err)
				}
				if _, err := c.Keys(ctx); err != nil {
					t.Error(err)
				}
				_ = key.Public()
			}
		})
	}
	wg.Wait()
	if n, _ := conn.soft.Tries(); n != 3 {
		t.Errorf("%d tries left", n)
	}
}

// TestTogether: one transaction, one SELECT, and nobody in between.
func TestTogether(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	transactions := 0
	conn.neighbour = func() { transactions++; conn.selectOther() }
	c := bare(t, conn)
	ok(t, c.Together(ctx, func(ctx context.Context) error {
		ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
		k, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
		ok(t, err)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		ok(t, c.PutCertificate(ctx, "9a", certificateFor(t, k.Public), PutCertificateOptions{}))
		_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		return err
	}))
	if transactions != 1 {
		t.Errorf("%d transactions", transactions)
	}
	// A reset leaves the card that it was, and not one that nothing is known of.
	ok(t, c.Together(ctx, func(ctx context.Context) error {
		ok(t, c.Reset(ctx))
		s, err := c.PINState(ctx, card.PUK)
		if s.Tries != 3 || !s.Default {
			t.Errorf("after a reset: %+v", s)
		}
		return err
	}))
	k, err := admin(t, conn).Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
	ok(t, err)
	ok(t, admin(t, conn).PutCertificate(ctx, "9a", certificateFor(t, k.Public), PutCertificateOptions{}))
	want := errors.New("mine")
	if err := c.Together(ctx, func(context.Context) error { return want }); err != want {
		t.Errorf("%v", err)
	}
	// What breaks in the middle is known to what comes after.
	conn.soft.SetFaults(softcard.Plan{2: {Reset: true}})
	ok(t, c.Together(ctx, func(ctx context.Context) error {
		_, err := c.Certificate(ctx, "9c")
		if err == nil {
			t.Error("a certificate out of nothing")
		}
		_, err = c.Certificate(ctx, "9d")
		_, err2 := c.Certificate(ctx, "9a")
		if !errors.Is(err, card.ErrNotFound) && !errors.Is(err, apdu.ErrReset) || err2 != nil {
			t.Errorf("%v, %v", err, err2)
		}
		return nil
	}))
}

// singleConn is a card that does not know mutual authentication.
type singleConn struct{ *softConn }

func (c singleConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(singleTx{t}) })
}

type singleTx struct{ apdu.Transaction }

func (t singleTx) Transmit(b []byte) ([]byte, error) {
	if b[1] == insAuthenticate && b[3] == refAdminKey && bytes.Contains(b, []byte{0x7C, 0x02, 0x80, 0x00}) {
		return []byte{0x6A, 0x80}, nil
	}
	return t.Transaction.Transmit(b)
}

func TestSingleAuthentication(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		c := bare2(t, singleConn{newSoft(t, name)})
		ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
		_, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
		ok(t, err)
		var wrong *card.WrongPIN
		if err := c.LoginAdmin(ctx, sec(newAdminKey)); !errors.As(err, &wrong) {
			t.Error(err)
		}
	})
}

// keptConn holds on to the answers that pass.
type keptConn struct {
	*softConn
	answers *[][]byte
}

func (c keptConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(keptTx{t, c.answers}) })
}

type keptTx struct {
	apdu.Transaction
	answers *[][]byte
}

func (t keptTx) Transmit(b []byte) ([]byte, error) {
	r, err := t.Transaction.Transmit(b)
	*t.answers = append(*t.answers, r)
	return r, err
}

// TestNoSecretLeftInAnswers: what was deciphered or agreed upon is in the result
// alone, in long answers and in those that come in parts.
func TestNoSecretLeftInAnswers(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "yubikey-5.7-short"} {
		conn := newSoft(t, name)
		conn.extended = name == softcard.DefaultPersonality
		c := admin(t, conn)
		made := generate(t, c, "9d", card.RSA2048)
		agreed := generate(t, c, "82", card.P256)
		var answers [][]byte
		c = bare2(t, keptConn{conn, &answers})
		message := bytes.Repeat([]byte("a secret "), 20)
		sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, made.Public.(*rsa.PublicKey), message, nil)
		ok(t, err)
		key := c.PrivateKey(ctx, made, UseOptions{PIN: sec(factoryPIN)})
		got, err := key.Decrypt(nil, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil || !bytes.Equal(got, message) {
			t.Fatalf("%q, %v", got, err)
		}
		block, err := key.RSA(sealed)
		ok(t, err)
		peer, err := ecdh.P256().GenerateKey(rand.Reader)
		ok(t, err)
		shared, err := c.PrivateKey(ctx, agreed, UseOptions{PIN: sec(factoryPIN)}).ECDH(peer.PublicKey())
		ok(t, err)
		for _, a := range answers {
			if bytes.Contains(a, block[100:116]) || bytes.Contains(a, shared[:8]) {
				t.Errorf("%s: left in an answer", name)
			}
		}
	}
}

// TestNoSecretInErrors: whatever goes wrong, no error speaks of a secret.
func TestNoSecretInErrors(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := bare(t, conn)
	const pin, puk = "135792", "86420975"
	key := secret.New([]byte(newAdminKey))
	for _, err := range []error{
		c.Login(ctx, sec(pin), LoginOptions{}), c.Login(ctx, sec(pin), LoginOptions{}), c.Login(ctx, sec(pin+"999"), LoginOptions{}),
		c.UnblockPIN(ctx, sec(puk), sec(pin), LoginOptions{}), c.LoginAdmin(ctx, key), c.LoginAdmin(ctx, sec(pin)),
	} {
		if err == nil {
			t.Fatal("no error")
		}
		for _, leak := range []string{pin, puk, newAdminKey, "313335373932", "11121314"} {
			if bytes.Contains([]byte(err.Error()), []byte(leak)) {
				t.Errorf("%v", err)
			}
		}
	}
}
