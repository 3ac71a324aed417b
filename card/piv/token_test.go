package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
)

// token is a foreign card with an answer to reset and a PIN: 123456, three
// tries, verified until it is selected.
type token struct {
	*foreign
	atr      string
	verified bool
	tries    int
	keeps    bool // and when it is selected, as Nitrokey 3
	deafP1   bool // VERIFY with P1 FF is VERIFY, as PivApplet before 0.9
	format   bool // 6A80, uncounted, to a PIN of other than digits
}

func newToken(t *testing.T, apt []byte) *token {
	f := &token{foreign: &foreign{t: t, apt: apt, objects: map[Tag][]byte{}}, tries: 3}
	return f
}

func (f *token) ATR() []byte { return []byte(f.atr) }

func (f *token) Transact(_ context.Context, g func(apdu.Transaction) error) error { return g(f) }

func (f *token) Transmit(b []byte) ([]byte, error) {
	cmd, _, err := apdu.ParseCommand(b)
	ok(f.t, err)
	switch cmd.INS {
	case insSelect:
		f.verified = f.verified && f.keeps
	case insVerify:
		f.log = append(f.log, cmd)
		if cmd.P1 == 0xFF && !f.deafP1 {
			f.verified = false
			return []byte{0x90, 0}, nil
		}
		s := f.verify(cmd.Data)
		return []byte{byte(s >> 8), byte(s)}, nil
	}
	return f.foreign.Transmit(b)
}

func (f *token) verify(data []byte) apdu.Status {
	digits := len(bytes.Trim(data, "0123456789\xFF")) == 0
	switch {
	case f.verified && len(data) == 0:
		return apdu.OK
	case f.tries == 0:
		return apdu.ErrAuthMethodBlocked
	case len(data) == 0:
		return 0x63C0 + apdu.Status(f.tries)
	case f.format && !digits:
		return apdu.ErrIncorrectData
	case string(data) == "123456\xFF\xFF":
		f.verified, f.tries = true, 3
		return apdu.OK
	}
	f.tries--
	return 0x63C0 + apdu.Status(f.tries)
}

func labelled(label string) []byte {
	return tlv(0x61, tlv(0x4F, fullAID), tlv(0x79, tlv(0x4F, fullAID[:5])), tlv(0x50, []byte(label)))
}

var yubicoTemplate = tlv(0x61, tlv(0x4F, fullAID[5:]), tlv(0x79, tlv(0x4F, fullAID[:5])))

// TestNotAYubiKey: CanoKeys answer SELECT as YubiKeys do, byte for byte, and GET
// VERSION with one of theirs: their ATR tells them apart.
func TestNotAYubiKey(t *testing.T) {
	f := newToken(t, yubicoTemplate)
	f.atr = "\x3B\xF7\x11\x00\x00\x81\x31\xFE\x65Canokey\x99"
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insVersion:
			return []byte{5, 7, 0}, apdu.OK
		case insSerial:
			return []byte{0, 0, 0x30, 0x39}, apdu.OK
		}
		return nil, 0
	}
	c := Open(f)
	id, err := c.Identity(ctx)
	ok(t, err)
	if id.Manufacturer != "CanoKeys" || id.Version.Known() || id.Serial != "12345" {
		t.Errorf("%+v", id)
	}
}

// TestToken2: a PivApplet that tells its serial number in decimal digits and has
// another management key from the factory (OpenSC, issue 3545).
func TestToken2(t *testing.T) {
	f := newToken(t, labelled("PivApplet v0.9.0/RESA"))
	f.atr = "\x3B\x8F\x80\x01TK\x00PIV\x04\x028888888\x60"
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insVersion:
			return []byte{5, 112, 0}, apdu.OK
		case insSerial:
			return []byte{0x12, 0x34, 0x56, 0x78}, apdu.OK
		}
		return nil, 0
	}
	c := Open(f)
	id, err := c.Identity(ctx)
	ok(t, err)
	if id.Manufacturer != "Token2" || id.Serial != "12345678" || id.Version.String() != "5.112.0" {
		t.Errorf("%+v", id)
	}
	key, err := c.FactoryManagementKey(ctx)
	ok(t, err)
	if !key.Equal(sec(strings.Repeat("\x86\x53\x62", 8))) {
		t.Error("not its management key")
	}
	key, err = Open(newToken(t, yubicoTemplate)).FactoryManagementKey(ctx)
	ok(t, err)
	if !key.Equal(sec(factoryAdmin)) {
		t.Error("not Yubico's management key")
	}
}

// rsaToken answers GENERATE and GENERAL AUTHENTICATE with one algorithm number
// and refuses all others as the Trussed applet does.
func rsaToken(t *testing.T, id byte, key *rsa.PrivateKey) *token {
	f := newToken(t, labelled("Nitrokey PIV"))
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insMetadata:
			return nil, apdu.OK
		case insAuthenticate:
			if cmd.P2 == refAdminKey {
				return nil, 0
			}
			if cmd.P1 != id {
				return nil, apdu.ErrReferenceNotFound
			}
			if !f.verified {
				return nil, apdu.ErrSecurityStatus
			}
			es, err := inside(cmd.Data, tagTemplate)
			ok(t, err)
			in, _ := es.find(tagChallenge)
			return tlv(tagTemplate, tlv(tagResponse, bareRSA(key, in))), apdu.OK
		}
		return nil, 0
	}
	return f
}

// TestOlderNumbers: before firmware 1.8.2 Nitrokey 3 had a number of its own for
// RSA-4096; one that was refused once is not sent again.
func TestOlderNumbers(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	ok(t, err)
	digest := sha256.Sum256([]byte("hello"))
	for _, test := range []struct {
		id   byte
		want int
	}{{0x05, 2}, {0xE0, 3}} {
		f := rsaToken(t, test.id, key)
		c := Open(f)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		k := c.PrivateKey(ctx, card.KeyInfo{Ref: "9a", Algorithm: card.RSA3072, Public: key.Public(), PINPolicy: card.PINOnce}, UseOptions{})
		for range 2 {
			sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
			ok(t, err)
			ok(t, rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig))
		}
		if n, _ := f.count(insAuthenticate); n != test.want {
			t.Errorf("%02X: %d commands to sign twice", test.id, n)
		}
		if _, n := f.count(insVerify); n != 1 {
			t.Errorf("the PIN was sent %d times", n)
		}
	}
}

// TestOthersNumbers: what is Ed25519 and X25519 elsewhere made RSA keys on a
// Nitrokey 3 before firmware 1.8.2: it is not sent for them.
func TestOthersNumbers(t *testing.T) {
	f := newToken(t, labelled("Nitrokey PIV"))
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insMetadata:
			return nil, apdu.OK
		case insGenerate:
			if id := cmd.Data[4]; id == 0xE0 || id == 0xE1 {
				t.Errorf("GENERATE with %02X", id)
			}
			return nil, apdu.ErrIncorrectData
		}
		return mutual(t, 0x0A, factoryAdmin, tagResponse)(cmd)
	}
	for _, a := range []card.Algorithm{card.Ed25519, card.X25519} {
		c := Open(f)
		ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
		if _, err := c.Generate(ctx, "86", GenerateOptions{Algorithm: a}); !errors.Is(err, card.ErrUnsupported) {
			t.Error(err)
		}
	}
}

// TestCardKeyWantsPIN: key 9E of a card without metadata may want the PIN: the
// one that was given is verified then, and not before.
func TestCardKeyWantsPIN(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	for _, wants := range []bool{false, true} {
		f := newToken(t, nistTemplate)
		f.objects[0x5FC101] = stored(certificateFor(t, key.Public()))
		f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
			if cmd.INS != insAuthenticate {
				return nil, 0
			}
			if wants && !f.verified {
				return nil, apdu.ErrSecurityStatus
			}
			sig, err := ecdsa.SignASN1(rand.Reader, key, helloDigest[:])
			ok(t, err)
			return tlv(tagTemplate, tlv(tagResponse, sig)), apdu.OK
		}
		sent := 0
		if wants {
			sent = 1
		}
		_, err := Open(f).PrivateKey(ctx, card.KeyInfo{Ref: "9e"}, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, helloDigest[:], crypto.SHA256)
		ok(t, err)
		if _, n := f.count(insVerify); n != sent {
			t.Errorf("the PIN was sent %d times, not %d", n, sent)
		}
		// The PIN of a login will do, too.
		f.log, f.verified = nil, false
		c := Open(f)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		f.verified = false // by another program
		_, err = c.PrivateKey(ctx, card.KeyInfo{Ref: "9e"}, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		ok(t, err)
		if _, n := f.count(insVerify); n != 1+sent {
			t.Errorf("the PIN of the login was sent %d times, not %d", n, 1+sent)
		}
		// Without a PIN it is asked for.
		f.verified = false
		_, err = Open(f).PrivateKey(ctx, card.KeyInfo{Ref: "9e"}, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256)
		if wants != errors.Is(err, card.ErrLoginRequired) {
			t.Error(err)
		}
	}
}

// TestResetOfPINAlone: Nitrokey 3 looks at what a PIN is made of before it
// counts, wants no more than a blocked PIN, and never says that the PUK is.
func TestResetOfPINAlone(t *testing.T) {
	f := newToken(t, labelled("Nitrokey PIV"))
	f.format = true
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insReset:
			if f.tries > 0 {
				return nil, apdu.ErrConditionsNotSatisfied
			}
			f.tries = 3
			return nil, apdu.OK
		case insResetRetry:
			return nil, apdu.ErrWarningNoInformation
		}
		return nil, 0
	}
	ok(t, Open(f).Reset(ctx))
	_, verifies := f.count(insVerify)
	puk, _ := f.count(insResetRetry)
	if f.tries != 3 || verifies != 3 || puk != 0 {
		t.Errorf("%d tries; %d with the PIN, %d with the PUK", f.tries, verifies, puk)
	}
	// One of no row of its own that looks first, too.
	f.apt, f.log = labelled("SoloKeys PIV"), nil
	ok(t, Open(f).Reset(ctx))
}

// TestResetNotThere: a card without RESET keeps its PIN.
func TestResetNotThere(t *testing.T) {
	f := newToken(t, labelled("OpenFIPS201"))
	err := Open(f).Reset(ctx)
	if n, _ := f.count(insReset); !errors.Is(err, card.ErrUnsupported) || f.tries != 3 || n != 1 {
		t.Errorf("asked %d times, %d tries: %v", n, f.tries, err)
	}
}

// TestResetAtOnce: Token2 PIN+ wants nothing blocked.
func TestResetAtOnce(t *testing.T) {
	f := newToken(t, labelled("PivApplet v0.9.0/RESA"))
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insReset {
			return nil, apdu.OK
		}
		return nil, 0
	}
	ok(t, Open(f).Reset(ctx))
	if n, _ := f.count(insVerify); n != 0 {
		t.Errorf("%d VERIFY", n)
	}
}

// TestResetFormat: a card that is not known to look at what a PIN is made of
// before it counts is found to.
func TestResetFormat(t *testing.T) {
	f := newToken(t, labelled("ATPIV"))
	f.format = true
	puk := 3
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch {
		case cmd.INS == insReset && f.tries+puk > 0:
			return nil, apdu.ErrConditionsNotSatisfied
		case cmd.INS == insReset:
			f.tries, puk = 3, 3
			return nil, apdu.OK
		case cmd.INS == insResetRetry && len(bytes.Trim(cmd.Data, "0123456789\xFF")) > 0:
			return nil, apdu.ErrIncorrectData
		case cmd.INS == insResetRetry:
			puk = max(0, puk-1)
			return nil, 0x63C0 + apdu.Status(puk)
		}
		return nil, 0
	}
	ok(t, Open(f).Reset(ctx))
	if f.tries != 3 || puk != 3 {
		t.Error("not reset")
	}
}

// TestPicoKeys: SELECT's template with a length of 0 and without its tag, a
// Discovery object that is none, PIN metadata with one byte of tries, metadata
// whose public key has no length, and a certificate with nothing around it.
func TestPicoKeys(t *testing.T) {
	der, point := foreignKey(t)
	body := join([]byte{0x4F, 2, 1, 0}, tlv(0x79, fullAID[:9]), tlv(0x50, []byte("Pico Keys PIV")), tlv(0xAC, []byte{0x80, 2, 7, 0x11, 6, 1, 0}))
	for _, apt := range [][]byte{append([]byte{0x61, 0}, body...), body} {
		f := newToken(t, apt)
		f.objects = map[Tag][]byte{
			0x5FC105:     tlv(0x53, der),
			TagDiscovery: unhex(t, "53144F0BA0000003080000100001005F2F0240100000"),
		}
		f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
			switch {
			case cmd.INS == insMetadata && cmd.P2 == refPIN:
				return []byte{5, 1, 1, 6, 1, 3}, apdu.OK
			case cmd.INS == insMetadata && cmd.P2 == 0x9A:
				return join([]byte{1, 1, 0x11, 2, 2, 1, 1, 3, 1, 1, 4}, tlv(0x86, point)), apdu.OK
			case cmd.INS == insMetadata:
				return nil, apdu.ErrMemoryFailure
			}
			return nil, 0
		}
		c := Open(f)
		s, err := c.PINState(ctx, card.PIN)
		ok(t, err)
		if s.Tries != 3 || !s.Default {
			t.Errorf("%+v", s)
		}
		if _, err := c.Key(ctx, "9c"); !errors.Is(err, card.ErrNotFound) {
			t.Error(err)
		}
		k, err := c.Key(ctx, "9a")
		ok(t, err)
		if k.Algorithm != card.P256 {
			t.Errorf("%+v", k)
		}
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		if id, err := c.Identity(ctx); err != nil || id.Model != "Pico OpenPGP" {
			t.Errorf("%+v %v", id, err)
		}
	}
}

// TestMetadataOfNothing: iShield Key 2 answers GET METADATA for whatever it is
// asked, and what it tells was never so of the slot: there is no public key.
func TestMetadataOfNothing(t *testing.T) {
	der, _ := foreignKey(t)
	f := newToken(t, labelled("OpenFIPS201"))
	f.objects[0x5FC105] = stored(der)
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insMetadata {
			return []byte{1, 1, 0x14, 2, 2, 2, 1, 3, 1, 1}, apdu.OK
		}
		return nil, 0
	}
	c := Open(f)
	keys, err := c.Keys(ctx)
	ok(t, err)
	if len(keys) != 1 || keys[0].Algorithm != card.P256 {
		t.Errorf("%+v", keys)
	}
	if n, _ := f.count(insMetadata); n > 2 {
		t.Errorf("asked %d times", n)
	}
	s, err := c.PINState(ctx, card.PIN)
	ok(t, err)
	if s.Tries != 3 {
		t.Errorf("%+v", s)
	}
	if m, err := Open(f).ManagementKey(ctx); err != nil || m.Algorithm != "" {
		t.Errorf("%+v %v", m, err)
	}
}

// mutual answers the mutual authentication with a key, the last step with tag.
func mutual(t *testing.T, alg byte, key string, tag Tag) func(apdu.Command) ([]byte, apdu.Status) {
	block, err := aes.NewCipher([]byte(key))
	ok(t, err)
	witness := []byte("sixteen bytes ok")
	return func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS != insAuthenticate || cmd.P2 != refAdminKey {
			return nil, 0
		}
		if cmd.P1 != alg {
			return nil, apdu.ErrIncorrectP1P2
		}
		es, err := inside(cmd.Data, tagTemplate)
		ok(t, err)
		challenge, second := es.find(tagChallenge)
		out := make([]byte, 16)
		if !second {
			block.Encrypt(out, witness)
			return tlv(tagTemplate, tlv(tagWitness, out)), apdu.OK
		}
		if w, _ := es.find(tagWitness); !bytes.Equal(w, witness) {
			return nil, apdu.ErrSecurityStatus
		}
		block.Encrypt(out, challenge)
		return tlv(tagTemplate, tlv(tag, out)), apdu.OK
	}
}

// TestMutualTag: IDPrime PIV answers the last step with tag 80.
func TestMutualTag(t *testing.T) {
	const key = "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08"
	f := newToken(t, nistTemplate)
	f.answer = mutual(t, 0x08, key, tagWitness)
	ok(t, Open(f).LoginAdmin(ctx, sec(key)))
	var wrong *card.WrongPIN
	if err := Open(f).LoginAdmin(ctx, sec("0123456789abcdef")); !errors.As(err, &wrong) {
		t.Error(err)
	}
}

// TestUndoOfAES: where the notes of the management key cannot be written the old
// key is set again, of whatever kind it is: Nitrokey 3 has no place for them,
// and does not tell the kind.
func TestUndoOfAES(t *testing.T) {
	old := strings.Repeat("0123456789abcdef", 2)
	now := old
	f := newToken(t, labelled("Nitrokey PIV"))
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch cmd.INS {
		case insMetadata:
			return nil, apdu.OK
		case insSetAdminKey:
			now = string(cmd.Data[3:])
			return nil, apdu.OK
		case insGetData, insPutData:
			return nil, apdu.ErrIncorrectData
		}
		return mutual(t, 0x0C, now, tagResponse)(cmd)
	}
	c := Open(f)
	ok(t, c.LoginAdmin(ctx, sec(old)))
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	err := c.SetManagementKey(ctx, AES256, sec(strings.Repeat("x", 32)), ManagementKeyOptions{Protect: true})
	if !errors.Is(err, card.ErrUnsupported) || errors.Is(err, card.ErrInterruptedWrite) || now != old {
		t.Errorf("the key is %q: %v", now, err)
	}
	_, verifies := f.count(insVerify)
	if n, _ := f.count(insSetAdminKey); n != 2 || verifies != 1 {
		t.Errorf("set %d times, the PIN sent %d times", n, verifies)
	}
}

// TestMetadataFF: YubiKey 5.3 tells its 3DES management key as FF.
func TestMetadataFF(t *testing.T) {
	f := newToken(t, yubicoTemplate)
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insMetadata && cmd.P2 == refAdminKey {
			return []byte{1, 1, 0xFF, 2, 2, 0, 1, 5, 1, 1}, apdu.OK
		}
		return nil, 0
	}
	m, err := Open(f).ManagementKey(ctx)
	ok(t, err)
	if m.Algorithm != TripleDES || !m.Default {
		t.Errorf("%+v", m)
	}
}

// TestMoveOverKey: CanoKey moves no key over another.
func TestMoveOverKey(t *testing.T) {
	f := newToken(t, yubicoTemplate)
	f.atr = "Canokey"
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insMoveKey {
			return nil, apdu.ErrIncorrectData
		}
		return mutual(t, 0x0A, factoryAdmin, tagResponse)(cmd)
	}
	c := Open(f)
	ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
	if err := c.MoveKey(ctx, "95", "9c"); !errors.Is(err, card.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "slot 9c has a key") {
		t.Error(err)
	}
}

// TestAttestNotThere: a card without ATTEST is not asked for each slot.
func TestAttestNotThere(t *testing.T) {
	f := newToken(t, yubicoTemplate)
	f.atr = "Canokey"
	keys, err := Open(f).Keys(ctx)
	ok(t, err)
	if n, _ := f.count(insAttest); n != 1 || len(keys) > 0 {
		t.Errorf("%d times ATTEST, %d keys", n, len(keys))
	}
}

// TestNewPINTooSimple: the refusal of a new PIN says that it was sent, and
// refused for what it is; and of two PINs, which one cannot be right.
func TestNewPINTooSimple(t *testing.T) {
	f := newToken(t, yubicoTemplate)
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insChangeReference {
			return nil, apdu.ErrIncorrectData
		}
		return nil, 0
	}
	err := Open(f).ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("111111"), LoginOptions{})
	var refused *card.NotTaken
	if !errors.As(err, &refused) || refused.Name != card.PIN || !errors.Is(err, card.ErrWrongSecretFormat) || strings.Contains(fmt.Sprint(err), "not sent") {
		t.Error(err)
	}
	for _, test := range []struct{ old, new, says string }{
		{factoryPIN, "1234", "the new PIN cannot be right"},
		{"1234", factoryPIN, ": cannot be right"},
	} {
		err := Open(f).ChangePIN(ctx, card.PIN, sec(test.old), sec(test.new), LoginOptions{})
		if !errors.Is(err, card.ErrWrongSecretFormat) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s to %s: %v", test.old, test.new, err)
		}
	}
}

// TestMatchAlways: a key that wants finger or PIN for each use is not used with
// the PIN of a login long ago.
func TestMatchAlways(t *testing.T) {
	for p, want := range map[card.PINPolicy]bool{card.PINOnce: true, card.MatchOnce: true, card.PINAlways: false, card.MatchAlways: false, card.PINNever: false} {
		if got := (&privateKey{}).usesLogin(card.KeyInfo{PINPolicy: p}); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}

// TestNoAgreement: Pico Keys refuse the other key of an agreement as wrong data.
func TestNoAgreement(t *testing.T) {
	der, _ := foreignKey(t)
	f := newToken(t, nistTemplate)
	f.objects[0x5FC105] = stored(der)
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insAuthenticate {
			return nil, apdu.ErrIncorrectData
		}
		return nil, 0
	}
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	ok(t, err)
	_, err = Open(f).PrivateKey(ctx, card.KeyInfo{Ref: "9a"}, UseOptions{PIN: sec(factoryPIN)}).ECDH(peer.PublicKey())
	if !errors.Is(err, card.ErrUnsupported) {
		t.Error(err)
	}
}

// TestOthersAttestations: the slot is in the name, after the vendor's.
func TestOthersAttestations(t *testing.T) {
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Device"}, IsCA: true, BasicConstraintsValid: true}
	device, err := x509.CreateCertificate(rand.Reader, issuer, issuer, root.Public(), root)
	ok(t, err)
	parsed, err := x509.ParseCertificate(device)
	ok(t, err)
	for name, ref := range map[string]card.KeyRef{
		"YubiKey PIV Attestation 9a": "9a", "CanoKey PIV Attestation 9c": "9c", "Pico OpenPGP PIV Attestation 9A": "9a",
		"CanoKey PIV Attestation": "", "Attestation 9a": "", "Device PIV Attestation 9a 9c": "",
	} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, parsed, key.Public(), root)
		ok(t, err)
		a, err := VerifyAttestation(der, device, parsed)
		if ref == "" && err == nil || ref != "" && (err != nil || a.Ref != ref) {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
}

// TestNotSelectable: an applet that is switched off is none.
func TestNotSelectable(t *testing.T) {
	f := newToken(t, nil)
	f.answer = func(apdu.Command) ([]byte, apdu.Status) { return nil, errNotSelectable }
	if err := Open(f).Probe(ctx); !errors.Is(err, card.ErrNoApplet) || len(f.log) != 1 {
		t.Errorf("%d commands: %v", len(f.log), err)
	}
}

// TestVerifiedAlready: a card that says that the PIN is verified is not asked for
// the tries again, which it does not tell then.
func TestVerifiedAlready(t *testing.T) {
	f := newToken(t, labelled("Nitrokey PIV"))
	f.keeps, f.verified = true, true
	ok(t, Open(f).Login(ctx, sec(factoryPIN), LoginOptions{}))
	if n, withData := f.count(insVerify); n != 2 || withData != 1 {
		t.Errorf("%d VERIFY, %d with data", n, withData)
	}
}

// TestLogoutOfNitrokey: SELECT leaves the PIN verified there, VERIFY with P1 FF
// does not (trussed-dev/piv-authenticator, src/commands.rs).
func TestLogoutOfNitrokey(t *testing.T) {
	f := newToken(t, labelled("Nitrokey PIV"))
	f.keeps = true
	c := Open(f)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, c.Logout(ctx))
	if f.verified || c.Unlocked() {
		t.Errorf("verified %v, unlocked %v", f.verified, c.Unlocked())
	}
}

// TestLogoutOfPivApplet: before 0.9 it takes VERIFY with P1 FF for one with P1 00,
// and SELECT makes it forget (arekinath/PivApplet, PivApplet.java, processVerify).
func TestLogoutOfPivApplet(t *testing.T) {
	f := newToken(t, labelled("PivApplet"))
	f.deafP1 = true
	c := Open(f)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, c.Logout(ctx))
	if f.verified {
		t.Error("the PIN is still verified")
	}
}
