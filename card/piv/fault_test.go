//lint:file-ignore SA1019 the padding that cards are still used with is tested

package piv

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
)

// A faultyOperation is done again and again, with something going wrong at each
// of its APDUs.
type faultyOperation struct {
	name string
	// before is done without faults, by the same Card.
	before func(t *testing.T, c *Card)
	do     func(ctx context.Context, t *testing.T, c *Card) error
	// holds checks what the error promised of the card, by a second Card.
	holds func(t *testing.T, err error, c *Card)
	// pins are those that may be right afterwards, the factory's if nil.
	pins, puks []string
	// resets says that nothing may be left as it was.
	resets bool
	only   func(name string) bool
}

var (
	yubicoOnly   = func(n string) bool { return n == "yubikey-5.7" || n == "odd-policy" || n == "yubikey-4" }
	fiveSeven    = func(n string) bool { return n == "yubikey-5.7" }
	importedKey  = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
	helloDigest  = sha256.Sum256([]byte("hello"))
	newChuid     = NewCHUID(time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)).Encode()
	secondCert   = sync.OnceValue(func() []byte { return certificateFor(&testing.T{}, importedKey().Public()) })
	newAdminKey  = "\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24\x25\x26\x27\x28\x31\x32\x33\x34\x35\x36\x37\x38"
	loginBefore  = func(t *testing.T, c *Card) { ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{})) }
	adminBefore  = func(t *testing.T, c *Card) { ok(t, c.LoginAdmin(ctx, sec(factoryAdmin))) }
	bothBefore   = func(t *testing.T, c *Card) { loginBefore(t, c); adminBefore(t, c) }
	nothing      = func(*testing.T, *Card) {}
	promisesNone = func(*testing.T, error, *Card) {}
)

// wroteOrNot checks what a write promised: no error, all is there; an error that
// does not speak of an interruption, nothing is changed.
func wroteOrNot(t *testing.T, err error, now func() ([]byte, error), was, is []byte) {
	t.Helper()
	got, rerr := now()
	if rerr != nil && !errors.Is(rerr, card.ErrNotFound) {
		t.Fatalf("reading back: %v", rerr)
	}
	switch {
	case err == nil && string(got) != string(is):
		t.Errorf("no error, and not written: %d bytes", len(got))
	case err != nil && !errors.Is(err, card.ErrInterruptedWrite) && string(got) != string(was):
		t.Errorf("%v, and the card changed", err)
	}
}

func faultyOperations(oldCert []byte) []faultyOperation {
	sign := func(ctx context.Context, c *Card, ref card.KeyRef, o UseOptions) error {
		k := c.PrivateKey(ctx, card.KeyInfo{Ref: ref}, o)
		sig, err := k.Sign(nil, helloDigest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		switch pub := k.Public().(type) {
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(pub, helloDigest[:], sig) {
				return errors.New("TOLD A WRONG SIGNATURE")
			}
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(pub, crypto.SHA256, helloDigest[:], sig) != nil {
				return errors.New("TOLD A WRONG SIGNATURE")
			}
		}
		return nil
	}
	return []faultyOperation{
		{name: "identity", do: func(ctx context.Context, _ *testing.T, c *Card) error { _, err := c.Identity(ctx); return err }},
		{name: "key", do: func(ctx context.Context, _ *testing.T, c *Card) error { _, err := c.Key(ctx, "9a"); return err }},
		{name: "keys", do: func(ctx context.Context, _ *testing.T, c *Card) error { _, err := c.Keys(ctx); return err }},
		{name: "certificate", do: func(ctx context.Context, t *testing.T, c *Card) error {
			der, err := c.Certificate(ctx, "9a")
			if err == nil && string(der) != string(oldCert) {
				t.Error("told a wrong certificate")
			}
			return err
		}},
		{name: "pin state", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			_, err := c.PINState(ctx, card.PIN)
			return err
		}},
		{name: "login", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.Login(ctx, sec(factoryPIN), LoginOptions{})
		}},
		{name: "logout", before: loginBefore, do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.Logout(ctx) }},
		{name: "sign, cold", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return sign(ctx, c, "9a", UseOptions{PIN: sec(factoryPIN)})
		}},
		{name: "sign, logged in", before: loginBefore, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return sign(ctx, c, "9d", UseOptions{})
		}},
		{name: "sign, always", before: loginBefore, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return sign(ctx, c, "9c", UseOptions{PIN: sec(factoryPIN)})
		}},
		{name: "decrypt", before: loginBefore, do: func(ctx context.Context, t *testing.T, c *Card) error {
			k, err := c.Key(ctx, "9d")
			if err != nil {
				return err
			}
			if k.Algorithm == "" {
				return card.ErrInvalidAnswer // garbage as a certificate
			}
			pub := k.Public.(*rsa.PublicKey)
			ct, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("secret"))
			ok(t, err)
			pt, err := c.PrivateKey(ctx, k, UseOptions{}).Decrypt(nil, ct, nil)
			if err == nil && string(pt) != "secret" {
				t.Errorf("told a wrong plaintext %q", pt)
			}
			return err
		}},
		{name: "admin login", do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.LoginAdmin(ctx, sec(factoryAdmin)) }},
		{
			name: "put certificate", before: adminBefore,
			do: func(ctx context.Context, _ *testing.T, c *Card) error {
				return c.PutCertificate(ctx, "9a", secondCert(), PutCertificateOptions{})
			},
			holds: func(t *testing.T, err error, c *Card) {
				wroteOrNot(t, err, func() ([]byte, error) { return c.Certificate(ctx, "9a") }, oldCert, secondCert())
			},
		},
		{
			name: "delete certificate", before: adminBefore,
			do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.DeleteCertificate(ctx, "9a") },
			holds: func(t *testing.T, err error, c *Card) {
				wroteOrNot(t, err, func() ([]byte, error) { return c.Certificate(ctx, "9a") }, oldCert, nil)
			},
		},
		{name: "write object", before: bothBefore, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.WriteObject(ctx, TagPrinted, Printed{Name: "Erika"}.Encode())
		}},
		{name: "generate", before: adminBefore, do: func(ctx context.Context, t *testing.T, c *Card) error {
			k, err := c.Generate(ctx, "82", GenerateOptions{Algorithm: card.P256})
			if err == nil && k.Public == nil {
				t.Error("made a key and does not tell which")
			}
			return err
		}},
		{name: "change PIN", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{})
		}, pins: []string{"654321", factoryPIN}},
		{name: "change PIN, logged in", before: loginBefore, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{})
		}, pins: []string{"654321", factoryPIN}},
		{name: "change PUK", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.ChangePIN(ctx, card.PUK, sec(factoryPUK), sec("87654321"), LoginOptions{})
		}, puks: []string{"87654321", factoryPUK}},
		{name: "unblock PIN", do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.UnblockPIN(ctx, sec(factoryPUK), sec("654321"), LoginOptions{})
		}, pins: []string{"654321", factoryPIN}},
		{name: "random", do: func(ctx context.Context, t *testing.T, c *Card) error {
			b, err := c.Random(ctx, 20)
			if err == nil && len(b) != 20 {
				t.Error("too few")
			}
			return err
		}},
		{name: "import", before: adminBefore, only: yubicoOnly, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			_, err := c.Import(ctx, "83", importedKey(), ImportOptions{})
			return err
		}},
		{name: "attest", only: yubicoOnly, do: func(ctx context.Context, _ *testing.T, c *Card) error { _, err := c.Attest(ctx, "9a"); return err }},
		{name: "set retries", before: bothBefore, only: yubicoOnly, resets: true, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.SetRetries(ctx, 5, 5)
		}},
		{name: "set management key, protected", before: bothBefore, only: yubicoOnly, do: func(ctx context.Context, _ *testing.T, c *Card) error {
			return c.SetManagementKey(ctx, TripleDES, sec(newAdminKey), ManagementKeyOptions{Protect: true})
		}},
		{name: "move key", before: adminBefore, only: fiveSeven, do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.MoveKey(ctx, "9a", "82") }, resets: true},
		{name: "delete key", before: adminBefore, only: fiveSeven, do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.DeleteKey(ctx, "9a") }, resets: true},
		{name: "reset", only: yubicoOnly, resets: true, do: func(ctx context.Context, _ *testing.T, c *Card) error { return c.Reset(ctx) }},
	}
}

var faultKinds = []struct {
	name  string
	fault softcard.Fault
}{
	{"6F00", softcard.Fault{Status: 0x6F00}},
	{"6982", softcard.Fault{Status: 0x6982}},
	{"6985", softcard.Fault{Status: 0x6985}},
	{"6A82", softcard.Fault{Status: 0x6A82}},
	{"6A80", softcard.Fault{Status: 0x6A80}},
	{"6D00", softcard.Fault{Status: 0x6D00}},
	{"6700", softcard.Fault{Status: 0x6700}},
	{"6100", softcard.Fault{Status: 0x6100}},
	{"nothing", softcard.Fault{Cut: true}},
	{"one byte", softcard.Fault{Cut: true, Keep: 1}},
	{"cut", softcard.Fault{Cut: true, Keep: 9}},
	{"garbage", softcard.Fault{Garbage: true}},
	{"reset", softcard.Fault{Reset: true}},
	{"reset after", softcard.Fault{When: softcard.After, Reset: true}},
	{"removed", softcard.Fault{Remove: true}},
	{"removed after", softcard.Fault{When: softcard.After, Remove: true}},
	{"other applet", softcard.Fault{Switch: true}},
	{"other applet after", softcard.Fault{When: softcard.After, Switch: true}},
	{"silence", softcard.Fault{Silence: time.Millisecond}},
	{"silence after", softcard.Fault{When: softcard.After, Silence: time.Millisecond}},
}

// defined tells whether an error is one that a caller can tell apart.
func defined(err error) bool {
	var wrong *card.WrongPIN
	var blocked *card.Blocked
	if _, ok := apdu.StatusOf(err); ok || errors.As(err, &wrong) || errors.As(err, &blocked) {
		return true
	}
	for _, known := range []error{
		card.ErrInvalidAnswer, card.ErrInterruptedWrite, card.ErrLoginRequired, card.ErrAdminRequired, card.ErrNotFound,
		card.ErrUnsupported, card.ErrNoApplet, card.ErrRefusedBefore, card.ErrTouchTimeout,
		apdu.ErrRemoved, apdu.ErrReset, apdu.ErrNoAnswer,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// TestFaults: every operation, every APDU of it, every kind of fault. Each gives
// a defined error or none, in time; nothing is half told; no PIN is tried twice;
// the next operation works. What waits does so on a clock that stands still while
// anybody works, so that a busy machine is not taken for a hang.
func TestFaults(t *testing.T) {
	for _, p := range softcard.Personalities() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			template := filepath.Join(t.TempDir(), "template")
			ok(t, softcard.Create(template, p.Name))
			conn := openSoft(t, template)
			c := admin(t, conn)
			generate(t, c, "9a", card.P256)
			generate(t, c, "9c", card.P256)
			generate(t, c, "9d", card.RSA2048)
			cert, err := c.Certificate(ctx, "9a")
			ok(t, err)
			for _, op := range faultyOperations(cert) {
				if op.only != nil && !op.only(p.Name) {
					continue
				}
				t.Run(op.name, func(t *testing.T) { sweep(t, op, template) })
			}
		})
	}
}

// thin says which of the cases a run leaves out, by their number: most of them
// under the race detector, which has a second goroutine to find in none of them
// and makes each take four times as long, and with -short. `make unit` has a run
// of all of them.
func thin(number int) bool { return (raceEnabled || testing.Short()) && number%7 != 0 }

func sweep(t *testing.T, op faultyOperation, template string) {
	if op.before == nil {
		op.before = nothing
	}
	if op.holds == nil {
		op.holds = promisesNone
	}
	conn := openSoft(t, template, softcard.InMemory())
	c := bare(t, conn)
	op.before(t, c)
	conn.log = nil
	ok(t, op.do(ctx, t, c))
	n := conn.count()
	op.holds(t, nil, bare(t, conn))
	number := len(t.Name()) // so that thinned runs of two operations or cards are not alike
	for position := 1; position <= n; position++ {
		for _, kind := range faultKinds {
			if number++; thin(number) {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", position, kind.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { oneFault(t, op, openSoft(t, template, softcard.InMemory()), position, kind.fault) })
			})
		}
	}
}

func oneFault(t *testing.T, op faultyOperation, conn *softConn, position int, fault softcard.Fault) {
	c := bare(t, conn)
	op.before(t, c)
	conn.soft.SetFaults(softcard.Plan{position: fault})
	pinsBefore, puksBefore := conn.soft.Tries()
	limit, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn.log = nil
	err := op.do(limit, t, c)
	sent := pinsSent(conn)
	if limit.Err() != nil {
		t.Fatalf("hangs: %v", err)
	}
	if err != nil && !defined(err) {
		t.Errorf("undefined error: %v", err)
	}
	conn.soft.SetFaults(nil)
	conn.soft.Insert()
	conn.epoch++
	if !op.resets {
		// Only right PINs were given: no try may be gone.
		if pins, puks := conn.soft.Tries(); pins != pinsBefore || puks != puksBefore {
			t.Errorf("tries: PIN %d of %d, PUK %d of %d", pins, pinsBefore, puks, puksBefore)
		}
		// One for the user's intent, one more to repair a login.
		if sent > 2 {
			t.Errorf("%d commands with a PIN", sent)
		}
		op.holds(t, err, bare(t, conn))
	}
	nextWorks(t, op, conn, c)
}

// pinsSent counts the commands with a PIN or PUK that passed.
func pinsSent(conn *softConn) int {
	n := 0
	for _, b := range conn.log {
		if len(b) > 5 && (b[1] == insVerify || b[1] == insChangeReference || b[1] == insResetRetry) {
			n++
		}
	}
	conn.log = nil
	return n
}

// nextWorks: the same Card goes on as if nothing had been.
func nextWorks(t *testing.T, op faultyOperation, conn *softConn, c *Card) {
	t.Helper()
	if op.resets {
		if _, err := c.Identity(ctx); err != nil {
			t.Errorf("the next operation fails: %v", err)
		}
		return
	}
	pins := op.pins
	if pins == nil {
		pins = []string{factoryPIN}
	}
	var err error
	for _, pin := range pins {
		if _, err = c.Key(ctx, "9d"); err != nil {
			break
		}
		_, err = c.PrivateKey(ctx, card.KeyInfo{Ref: "9d"}, UseOptions{PIN: sec(pin)}).Sign(nil, helloDigest[:], crypto.SHA256)
		if err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("the next operation fails: %v", err)
	}
}
