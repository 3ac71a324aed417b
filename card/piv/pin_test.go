package piv

import (
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
)

func isWrong(t *testing.T, err error, name card.SecretName, tries int) {
	t.Helper()
	var wrong *card.WrongPIN
	if !errors.As(err, &wrong) || wrong.Name != name || wrong.Tries != tries {
		t.Fatalf("got %v, want wrong %s with %d tries left", err, name, tries)
	}
}

func TestWrongPIN(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := bare(t, conn)
		full, _ := conn.soft.Tries()
		left := func(want int) {
			t.Helper()
			if name == "global-pin" {
				s, err := c.PINState(ctx, card.PIN)
				ok(t, err)
				if s.Tries != want {
					t.Fatalf("%d tries left, want %d", s.Tries, want)
				}
			} else if got, _ := conn.soft.Tries(); got != want {
				t.Fatalf("%d tries left, want %d", got, want)
			}
		}
		isWrong(t, c.Login(ctx, sec("111111"), LoginOptions{}), card.PIN, full-1)
		// The same one again, and again by another way: not sent.
		if err := c.Login(ctx, sec("111111"), LoginOptions{}); !errors.Is(err, card.ErrRefusedBefore) {
			t.Fatal(err)
		}
		if err := c.ChangePIN(ctx, card.PIN, sec("111111"), sec("222222"), LoginOptions{}); !errors.Is(err, card.ErrRefusedBefore) {
			t.Fatal(err)
		}
		// What cannot be a PIN is not sent.
		for _, bad := range []string{"", "12345", "123456789", "1234\xff\xff"} {
			if err := c.Login(ctx, sec(bad), LoginOptions{}); !errors.Is(err, card.ErrWrongSecretFormat) {
				t.Fatalf("%q: %v", bad, err)
			}
		}
		left(full - 1)
		for i, pin := 2, 100002; i < full; i, pin = i+1, pin+1 {
			isWrong(t, c.Login(ctx, sec(itoa(pin)), LoginOptions{}), card.PIN, full-i)
		}
		// The last try is not spent, not even on the right one.
		if err := c.Login(ctx, sec(factoryPIN), LoginOptions{}); !errors.Is(err, card.ErrLastTry) {
			t.Fatal(err)
		}
		left(1)
		err := c.Login(ctx, sec("999999"), LoginOptions{SpendLastTry: true})
		var blocked *card.Blocked
		if !errors.As(err, &blocked) || blocked.Name != card.PIN {
			t.Fatal(err)
		}
		conn.sent()
		if err := c.Login(ctx, sec(factoryPIN), LoginOptions{SpendLastTry: true}); !errors.As(err, &blocked) {
			t.Fatal(err)
		}
		if pinsSent(conn) != 0 {
			t.Error("a PIN was sent to a card that blocks it")
		}
		s, err := c.PINState(ctx, card.PIN)
		ok(t, err)
		if !s.Blocked() {
			t.Fatalf("%+v", s)
		}
		if name == "global-pin" {
			return // the PUK is not for the card's PIN
		}
		ok(t, c.UnblockPIN(ctx, sec(factoryPUK), sec("111111"), LoginOptions{}))
		ok(t, c.Login(ctx, sec("111111"), LoginOptions{})) // refused before, and now right
		left(full)
	})
}

func itoa(n int) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// A status word tells of fifteen tries at the most. A PIN that was refused is not
// sent again for that the card's own count is higher.
func TestRefusedWithManyTries(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, c.SetRetries(ctx, 30, 30))
	for _, again := range []bool{false, true} {
		err := c.Login(ctx, sec("111111"), LoginOptions{})
		if again != errors.Is(err, card.ErrRefusedBefore) {
			t.Errorf("again %v: %v", again, err)
		}
		if err = c.UnblockPIN(ctx, sec("11111111"), sec("654321"), LoginOptions{}); again != errors.Is(err, card.ErrRefusedBefore) {
			t.Errorf("PUK, again %v: %v", again, err)
		}
	}
	if pin, puk := conn.soft.Tries(); pin != 29 || puk != 29 {
		t.Errorf("%d tries of the PIN left, %d of the PUK", pin, puk)
	}
	// Somebody who had the right one in the meantime may have set that one.
	other := bare(t, conn)
	ok(t, other.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("111111"), LoginOptions{}))
	ok(t, c.Login(ctx, sec("111111"), LoginOptions{}))
}

func TestPUK(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := bare(t, conn)
		_, full := conn.soft.Tries()
		isWrong(t, c.UnblockPIN(ctx, sec("11111111"), sec("654321"), LoginOptions{}), card.PUK, full-1)
		if err := c.UnblockPIN(ctx, sec("11111111"), sec("654321"), LoginOptions{}); !errors.Is(err, card.ErrRefusedBefore) {
			t.Fatal(err)
		}
		ok(t, c.ChangePIN(ctx, card.PUK, sec(factoryPUK), sec("87654321"), LoginOptions{}))
		isWrong(t, c.ChangePIN(ctx, card.PUK, sec(factoryPUK), sec("87654321"), LoginOptions{}), card.PUK, full-1)
		ok(t, c.UnblockPIN(ctx, sec("87654321"), sec("654321"), LoginOptions{}))
		if _, puk := conn.soft.Tries(); puk != full {
			t.Fatalf("%d tries of the PUK left", puk)
		}
	})
}

func TestPINState(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := bare(t, conn)
		full, pukFull := conn.soft.Tries()
		s, err := c.PINState(ctx, card.PIN)
		ok(t, err)
		if s.Tries != full || s.Verified || s.Blocked() {
			t.Errorf("%+v, %d tries", s, full)
		}
		metadata := strings.HasPrefix(name, "yubikey-5") || name == "odd-policy"
		if !metadata { // an object that proves which applet is selected
			w := admin(t, conn)
			ok(t, w.WriteObject(ctx, TagCHUID, newChuid))
		}
		if metadata != s.Default || metadata != (s.Max == full) {
			t.Errorf("%+v", s)
		}
		s, err = c.PINState(ctx, card.PUK)
		ok(t, err)
		if metadata && s.Tries != pukFull || !metadata && s.Tries != -1 {
			t.Errorf("%+v", s)
		}
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		s, err = c.PINState(ctx, card.PIN)
		ok(t, err)
		if !s.Verified || s.Blocked() {
			t.Errorf("%+v", s)
		}
		ok(t, c.Logout(ctx))
		s, err = c.PINState(ctx, card.PIN)
		ok(t, err)
		if s.Verified {
			t.Errorf("%+v after logout", s)
		}
	})
}

// TestNeighbours: another program selects another applet, or resets the card,
// before each of our transactions. The PIN is asked for once and no try is lost.
func TestNeighbours(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		ref := card.KeyRef("9a")
		if name == "odd-policy" {
			ref = "9c"
		}
		generate(t, c, "9a", card.P256)
		generate(t, c, ref, card.P256)
		k, err := c.Key(ctx, ref)
		ok(t, err)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		pins, puks := conn.soft.Tries()
		random := rand.New(rand.NewPCG(1, 1))
		for what, n := range map[string]func(){
			"other applet": conn.selectOther,
			"reset":        conn.reset,
			"either": func() {
				switch random.IntN(3) {
				case 0:
					conn.reset()
				case 1:
					conn.selectOther()
				}
			},
		} {
			conn.neighbour = n
			for range 100 {
				if _, err := c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			conn.sent()
			_, err := c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
			ok(t, err)
			t.Logf("%s: repaired with %s", what, conn.sent())
			// Administration too, with the key of LoginAdmin.
			_, err = c.Generate(ctx, "82", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
			_, err = c.Certificate(ctx, "9a")
			ok(t, err)
			if _, err := c.Certificate(ctx, "95"); !errors.Is(err, card.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
			_, err = c.PINState(ctx, card.PIN)
			ok(t, err)
			conn.neighbour = nil
		}
		if p, u := conn.soft.Tries(); p != pins || u != puks {
			t.Errorf("tries lost: %d of %d, %d of %d", p, pins, u, puks)
		}
	})
}

// TestUntoldReset: pcscd lets another program's reset into a transaction where
// that began to wait before it, and tells of it a moment later: at each command
// of a signature, by cards of every kind, with nothing told at all.
func TestUntoldReset(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		ref := card.KeyRef("9a")
		if name == "odd-policy" {
			ref = "9c"
		}
		generate(t, c, ref, card.P256)
		pins, puks := conn.soft.Tries()
		sign := func() error {
			_, err := c.PrivateKey(ctx, card.KeyInfo{Ref: ref}, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
			return err
		}
		for position := 1; ; position++ {
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			conn.reset() // the signature begins with SELECT, and logs in
			n := 0
			conn.between = func(command []byte) {
				// The rest of an answer that a card knows nothing of is refused like
				// one that it keeps to itself, and that is believed.
				if n++; n == position && command[1] != 0xC0 {
					conn.soft.Reset()
				}
			}
			conn.log = nil
			err := sign()
			conn.between = nil
			if n < position {
				break
			}
			if err != nil {
				t.Errorf("before command %d of %s: %v", position, conn.sent(), err)
			}
		}
		if p, u := conn.soft.Tries(); p != pins || u != puks {
			t.Errorf("tries lost: %d of %d, %d of %d", p, pins, u, puks)
		}
	})
}

// TestChangedElsewhere: a PIN that was changed by another program is tried once
// at repair, and never again.
func TestChangedElsewhere(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	generate(t, c, "9a", card.P256)
	k, err := c.Key(ctx, "9a")
	ok(t, err)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	other := bare(t, conn)
	ok(t, other.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{}))
	conn.reset()
	for i := range 5 {
		_, err := c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		if !errors.Is(err, card.ErrLoginRequired) {
			t.Fatalf("%d: %v", i, err)
		}
		if n, _ := conn.soft.Tries(); n != 2 {
			t.Fatalf("%d: %d tries left", i, n)
		}
	}
	ok(t, c.Login(ctx, sec("654321"), LoginOptions{}))
	_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
	ok(t, err)
}

// TestAnotherCard: the PIN of one card is not given to another that is put in
// its place.
func TestAnotherCard(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "nist"} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			generate(t, c, "9a", card.P256)
			k, err := c.Key(ctx, "9a")
			ok(t, err)
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			second := newSoft(t, name)
			conn.soft = second.soft
			conn.epoch++
			conn.sent()
			_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
			if !errors.Is(err, apdu.ErrRemoved) {
				t.Fatal(err)
			}
			// Nor does it get what was typed, or done, for the first one.
			conn.soft = newSoft(t, name).soft
			conn.epoch++
			if _, err := c.Identity(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256}); !errors.Is(err, card.ErrAdminRequired) {
				t.Fatal(err)
			}
			conn.soft = newSoft(t, name).soft
			conn.epoch++
			if _, err := c.PrivateKey(ctx, k, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, helloDigest[:], crypto.SHA256); !errors.Is(err, apdu.ErrRemoved) {
				t.Fatal(err)
			}
			if pinsSent(conn) != 0 {
				t.Fatal("the PIN went to another card")
			}
		})
	}
}

// TestRefusedByAnother: what one card refused may be the PIN of another.
func TestRefusedByAnother(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "nist"} {
		conn, second := newSoft(t, name), newSoft(t, name)
		other := bare(t, second)
		ok(t, other.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{}))
		isWrong(t, other.Login(ctx, sec("111111"), LoginOptions{}), card.PIN, 2) // as many tries as the first

		c := bare(t, conn)
		isWrong(t, c.Login(ctx, sec("654321"), LoginOptions{}), card.PIN, 2)
		if err := c.Login(ctx, sec("654321"), LoginOptions{}); !errors.Is(err, card.ErrRefusedBefore) {
			t.Fatalf("%s: %v", name, err)
		}
		conn.soft = second.soft
		conn.epoch++
		_, err := c.Identity(ctx)
		ok(t, err)
		if err := c.Login(ctx, sec("654321"), LoginOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoLogin(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		generate(t, c, "9c", card.P256)
		ok(t, c.LogoutAdmin(ctx))
		if _, err := c.PrivateKey(ctx, card.KeyInfo{Ref: "9c"}, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256); !errors.Is(err, card.ErrLoginRequired) {
			t.Errorf("sign: %v", err)
		}
		if _, err := c.Generate(ctx, "9c", GenerateOptions{Algorithm: card.P256}); !errors.Is(err, card.ErrAdminRequired) {
			t.Errorf("generate: %v", err)
		}
		var wrong *card.WrongPIN
		bad := strings.Repeat("\x02", len(factoryAdmin))
		if err := c.LoginAdmin(ctx, sec(bad)); !errors.As(err, &wrong) || wrong.Name != card.ManagementKey {
			t.Errorf("wrong management key: %v", err)
		}
		if err := c.LoginAdmin(ctx, sec("short")); !errors.Is(err, card.ErrWrongSecretFormat) {
			t.Errorf("short management key: %v", err)
		}
		ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
	})
}

// TestAlways: the kept PIN is not used for keys that want it each time.
func TestAlways(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	generate(t, c, "9c", card.P256)
	k, err := c.Key(ctx, "9c")
	ok(t, err)
	if k.PINPolicy != card.PINAlways {
		t.Fatalf("%+v", k)
	}
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	sign := func(o UseOptions) error {
		_, err := c.PrivateKey(ctx, k, o).Sign(nil, helloDigest[:], crypto.SHA256)
		return err
	}
	ok(t, sign(UseOptions{})) // the VERIFY of Login was right before
	if err := sign(UseOptions{}); !errors.Is(err, card.ErrLoginRequired) {
		t.Fatal(err)
	}
	for range 3 {
		ok(t, sign(UseOptions{PIN: sec(factoryPIN)}))
	}
	if n, _ := conn.soft.Tries(); n != 3 {
		t.Errorf("%d tries left", n)
	}
}

func TestTouch(t *testing.T) {
	var nobody atomic.Bool
	touch := func(ctx context.Context) bool { return !nobody.Load() }
	conn := newSoft(t, softcard.DefaultPersonality, softcard.WithTouch(touch))
	said := make(chan card.KeyInfo, 100)
	c := admin(t, conn, WithTouch(func(k card.KeyInfo) { said <- k }))
	generate(t, c, "9a", card.P256, GenerateOptions{TouchPolicy: card.TouchAlways})
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	k, err := c.Key(ctx, "9a")
	ok(t, err)
	sign := func() error {
		_, err := c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		return err
	}
	ok(t, sign())
	if got := <-said; got.Ref != "9a" {
		t.Errorf("%+v", got)
	}
	nobody.Store(true)
	if err := sign(); !errors.Is(err, card.ErrTouchTimeout) {
		t.Fatal(err)
	}
	// A late refusal is a missing touch at once, not a lost login.
	conn.neighbour = nil
	clock := time.Now()
	c.now = func() time.Time { clock = clock.Add(15 * time.Second); return clock }
	conn.sent()
	if err := sign(); !errors.Is(err, card.ErrTouchTimeout) {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(conn.sent()); got != "87" {
		t.Errorf("sent %s", got)
	}
	nobody.Store(false)
	ok(t, sign())
	if n, _ := conn.soft.Tries(); n != 3 {
		t.Errorf("%d tries left", n)
	}
}

// TestWrongResults: a card, or somebody on the wire, that gives another result
// is found out.
func TestWrongResults(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	generate(t, c, "9a", card.P256)
	generate(t, c, "9d", card.RSA2048)
	generate(t, c, "82", card.Ed25519)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	twisted := twistedConn{conn}
	c2 := bare2(t, twisted)
	ok(t, c2.Login(ctx, sec(factoryPIN), LoginOptions{}))
	for _, ref := range []card.KeyRef{"9a", "9d", "82"} {
		k, err := c2.Key(ctx, ref)
		ok(t, err)
		opts := crypto.SignerOpts(crypto.SHA256)
		if k.Algorithm == card.Ed25519 {
			opts = crypto.Hash(0)
		}
		if _, err := c2.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], opts); !errors.Is(err, card.ErrInvalidAnswer) {
			t.Errorf("%s: %v", k.Algorithm, err)
		}
		if k.Algorithm == card.RSA2048 {
			block := make([]byte, 256)
			block[1] = 7
			if _, err := c2.PrivateKey(ctx, k, UseOptions{}).RSA(block); !errors.Is(err, card.ErrInvalidAnswer) {
				t.Errorf("RSA: %v", err)
			}
		}
	}
}

func bare2(t *testing.T, conn card.Conn) *Card {
	c := Open(conn)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// twistedConn changes a bit of each result of GENERAL AUTHENTICATE.
type twistedConn struct{ *softConn }

func (c twistedConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(twistedTx{t}) })
}

type twistedTx struct{ apdu.Transaction }

func (t twistedTx) Transmit(b []byte) ([]byte, error) {
	r, err := t.Transaction.Transmit(b)
	if b[1] == insAuthenticate && len(r) > 10 {
		r = append([]byte(nil), r...)
		r[len(r)-3] ^= 1
	}
	return r, err
}

// TestLetters: where nothing is known of a card but the standard, a PIN that
// the standard has not is sent only to the one who insists.
func TestLetters(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		plain := !strings.HasPrefix(name, "yubikey") && name != "odd-policy"
		letters := "abc123"
		for _, f := range []func(*Card) error{
			func(c *Card) error { return c.Login(ctx, sec(letters), LoginOptions{}) },
			func(c *Card) error {
				return c.ChangePIN(ctx, card.PIN, sec(letters), sec("654321"), LoginOptions{})
			},
			func(c *Card) error {
				return c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec(letters), LoginOptions{})
			},
			func(c *Card) error { return c.UnblockPIN(ctx, sec(factoryPUK), sec(letters), LoginOptions{}) },
		} {
			conn.sent()
			err := f(bare(t, conn))
			n := pinsSent(conn)
			if errors.Is(err, ErrDigitsOnly) != plain || plain && (n != 0 || !errors.Is(err, card.ErrWrongSecretFormat)) {
				t.Errorf("%v, %d sent", err, n)
			}
		}
		conn.sent()
		err := bare(t, conn, WithAnyPIN()).Login(ctx, sec(letters), LoginOptions{})
		var wrong *card.WrongPIN
		if n := pinsSent(conn); errors.As(err, &wrong) != plain || n != 1 { // the others have it by now
			t.Errorf("insisted: %v, %d sent", err, n)
		}
	})
}

// TestGlobalPIN: the card's global PIN is told as such, when it is blocked too,
// and unblocking the application's leaves it as it is.
func TestGlobalPIN(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		c := bare(t, newSoft(t, name))
		global := name == "global-pin"
		s, err := c.PINState(ctx, card.PIN)
		ok(t, err)
		if s.Global != global {
			t.Fatalf("%+v", s)
		}
		var blocked *card.Blocked
		for i := 0; !errors.As(err, &blocked); i++ {
			err = c.Login(ctx, sec(itoa(100000+i)), LoginOptions{SpendLastTry: true})
		}
		if blocked.Global != global || strings.Contains(blocked.Error(), "global") != global {
			t.Errorf("%+v", blocked)
		}
		ok(t, c.UnblockPIN(ctx, sec(factoryPUK), sec(factoryPIN), LoginOptions{}))
		s, err = c.PINState(ctx, card.PIN)
		ok(t, err)
		if s.Blocked() != global {
			t.Errorf("after unblocking: %+v", s)
		}
	})
}
