//go:build cgo

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"cardbridge/pkcs11/ck"
)

// A checksReport is what a module was tested for, in JSON.
type checksReport struct {
	Checks []checkReport `json:"checks"` // in the order of their making
	Failed int           `json:"failed"` // how many failed
}

type checkReport struct {
	Slot   *uint  `json:"slot,omitempty"`   // whose token was tested
	What   string `json:"what"`             // what was tested
	Failed string `json:"failed,omitempty"` // what was wrong
}

// tester collects checks.
type tester struct {
	*moduleRun
	slot   *uint
	checks []checkReport
}

func (t *tester) note(what string, err error) {
	c := checkReport{Slot: t.slot, What: what}
	if err != nil {
		c.Failed = err.Error()
	}
	t.checks = append(t.checks, c)
}

// wants notes that a call gives one of these codes.
func (t *tester) wants(what string, err error, codes ...ck.RV) {
	got := ck.CKR_OK
	var e pkcs11.Error
	if errors.As(err, &e) {
		got = ck.RV(e)
	}
	if slices.Contains(codes, got) {
		t.note(what, nil)
		return
	}
	t.note(what, fmt.Errorf("%v, which should be %v", got, codes[0]))
}

// test checks what the standard asks of every module, and that keys and
// certificates belong together. With a PIN, each private key signs and the
// signature is verified here. No PIN but the one given is tried, and nothing is
// written.
func (m *moduleRun) test() error {
	t := &tester{moduleRun: m}
	t.wants("a second C_Initialize is refused", m.Initialize(), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	_, err := m.GetSlotInfo(1 << 30)
	t.wants("a slot that is not there", err, ck.CKR_SLOT_ID_INVALID)
	_, err = m.GetSessionInfo(1 << 30)
	t.wants("a session that is not there", err, ck.CKR_SESSION_HANDLE_INVALID)
	ids, err := m.GetSlotList(true)
	if err != nil {
		return err
	}
	for _, id := range ids {
		t.slot = &id
		t.token(id)
	}
	t.slot = nil
	failed := 0
	rows := [][]string{}
	for _, c := range t.checks {
		result, where := "ok", ""
		if c.Failed != "" {
			result = "FAILED: " + c.Failed
			failed++
		}
		if c.Slot != nil {
			where = fmt.Sprintf("slot %d", *c.Slot)
		}
		rows = append(rows, []string{where, c.What, result})
	}
	if err := m.a.print(checksReport{t.checks, failed}, func(w io.Writer) { table(w, rows) }); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(t.checks))
	}
	return nil
}

func (t *tester) token(id uint) {
	_, err := t.OpenSession(id, 0)
	t.wants("a parallel session is refused", err, ck.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	s, err := t.OpenSession(id, pkcs11.CKF_SERIAL_SESSION)
	t.note("C_OpenSession", err)
	if err != nil {
		return
	}
	defer t.CloseSession(s) //nolint:errcheck // noted below, by its handle
	t.wants("C_Logout without login", t.Logout(s), ck.CKR_USER_NOT_LOGGED_IN, ck.CKR_OK)
	_, err = t.Sign(s, []byte("x"))
	t.wants("C_Sign without C_SignInit", err, ck.CKR_OPERATION_NOT_INITIALIZED)
	_, _, err = t.FindObjects(s, 1)
	t.wants("C_FindObjects without C_FindObjectsInit", err, ck.CKR_OPERATION_NOT_INITIALIZED)
	t.wants("a mechanism that is not there", t.DigestInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(0x80001234, nil)}), ck.CKR_MECHANISM_INVALID)
	t.note("C_GetMechanismInfo of every mechanism", t.allMechanisms(id))
	a, err := t.GenerateRandom(s, 32)
	b, err2 := t.GenerateRandom(s, 32)
	if err == nil && bytes.Equal(a, b) {
		err = errors.New("twice the same")
	}
	t.note("C_GenerateRandom", errors.Join(err, err2))
	t.note("SHA-256", t.digest(s))
	if t.pin != "" {
		t.note("C_Login", t.Login(s, pkcs11.CKU_USER, t.pin))
		t.wants("C_Login again", t.Login(s, pkcs11.CKU_USER, t.pin), ck.CKR_USER_ALREADY_LOGGED_IN)
	}
	t.keys(s)
	other, err := t.OpenSession(id, pkcs11.CKF_SERIAL_SESSION)
	t.note("a second session", err)
	t.note("C_CloseSession", t.CloseSession(other))
	t.wants("its handle afterwards", t.CloseSession(other), ck.CKR_SESSION_HANDLE_INVALID)
}

func (t *tester) allMechanisms(id uint) error {
	all, err := t.GetMechanismList(id)
	for _, m := range all {
		info, failed := t.GetMechanismInfo(id, []*pkcs11.Mechanism{m})
		if failed == nil && info.MinKeySize > info.MaxKeySize && info.MaxKeySize != 0 {
			failed = fmt.Errorf("%v: from %d to %d", ck.MechanismType(m.Mechanism), info.MinKeySize, info.MaxKeySize)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func (t *tester) digest(s pkcs11.SessionHandle) error {
	err := t.DigestInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256, nil)})
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_MECHANISM_INVALID)) {
		return nil // not offered
	}
	if err != nil {
		return err
	}
	got, err := t.Digest(s, []byte("abc"))
	want := sha256.Sum256([]byte("abc"))
	if err == nil && !bytes.Equal(got, want[:]) {
		err = errors.New("a wrong digest")
	}
	return err
}

// keys looks at each certificate and private key.
func (t *tester) keys(s pkcs11.SessionHandle) {
	class := func(c uint) []*pkcs11.Attribute {
		return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, c)}
	}
	certs, err := t.find(s, class(pkcs11.CKO_CERTIFICATE))
	t.note("search for certificates", err)
	publics := map[string]crypto.PublicKey{}
	for _, o := range certs {
		id := fmt.Sprintf("%x", t.value(s, o, ck.CKA_ID))
		c, err := x509.ParseCertificate(t.value(s, o, ck.CKA_VALUE))
		if err == nil {
			publics[id] = c.PublicKey
			if !bytes.Equal(t.value(s, o, ck.CKA_SUBJECT), c.RawSubject) {
				err = errors.New("CKA_SUBJECT is not the certificate's")
			}
		}
		t.note("certificate "+id, err)
	}
	privates, err := t.find(s, class(pkcs11.CKO_PRIVATE_KEY))
	t.note("search for private keys", err)
	for _, o := range privates {
		id := fmt.Sprintf("%x", t.value(s, o, ck.CKA_ID))
		if info := t.value(s, o, ck.CKA_PUBLIC_KEY_INFO); info != nil {
			pub, err := x509.ParsePKIXPublicKey(info)
			if known, ok := publics[id]; err == nil && ok && !known.(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
				err = errors.New("the certificate with its CKA_ID has another key")
			}
			t.note("private key "+id, err)
			publics[id] = pub
		}
		if sensitive := t.value(s, o, ck.CKA_PRIVATE_EXPONENT); sensitive != nil {
			t.note("private key "+id, errors.New("tells its private exponent"))
		}
		if pub := publics[id]; pub != nil && t.pin != "" && bytes.Equal(t.value(s, o, ck.CKA_SIGN), []byte{1}) {
			t.note("sign with "+id, t.sign(s, o, pub))
		}
	}
}

func (t *tester) sign(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, pub crypto.PublicKey) error {
	message := []byte("cardtool pkcs11 test")
	digest := sha256.Sum256(message)
	mech, input := uint(0), message
	switch pub.(type) {
	case *rsa.PublicKey:
		mech = pkcs11.CKM_SHA256_RSA_PKCS
	case *ecdsa.PublicKey:
		mech, input = pkcs11.CKM_ECDSA, digest[:]
	case ed25519.PublicKey:
		mech = uint(ck.CKM_EDDSA)
	default:
		return nil
	}
	if err := t.SignInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mech, nil)}, o); err != nil {
		return fmt.Errorf("C_SignInit: %w", err)
	}
	if bytes.Equal(t.value(s, o, ck.CKA_ALWAYS_AUTHENTICATE), []byte{1}) {
		if err := t.Login(s, pkcs11.CKU_CONTEXT_SPECIFIC, t.pin); err != nil {
			return fmt.Errorf("C_Login for the key: %w", err)
		}
	}
	sig, err := t.Sign(s, input)
	if err != nil {
		return fmt.Errorf("C_Sign: %w", err)
	}
	good := false
	switch k := pub.(type) {
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig) == nil
	case *ecdsa.PublicKey:
		n := len(sig) / 2
		good = ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]))
	case ed25519.PublicKey:
		good = ed25519.Verify(k, message, sig)
	}
	if !good {
		return errors.New("the signature is wrong")
	}
	return nil
}
