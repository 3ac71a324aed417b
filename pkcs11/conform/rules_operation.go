//go:build linux && cgo

package conform

import (
	"bytes"
	"crypto/sha256"
	"sync"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var operationRules = []rule{
	{"S25", "a search is an operation that stays active between calls", ruleS25},
	{"S26", "one active cryptographic operation a session, but for four pairs", ruleS26},
	{"S27", "success and every error but a short buffer end an operation; a length query does neither", ruleS27},
	{"S28", "several threads at one session: no crash, each call a defined code", ruleS28},
}

// aesKey makes an AES session key that does everything.
func aesKey(t *testing.T, c Caller, session uint) uint {
	t.Helper()
	k, rv := c.Create(session, A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_AES)),
		A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SENSITIVE, false), A(p11.CKA_EXTRACTABLE, true),
		A(p11.CKA_ENCRYPT, true), A(p11.CKA_DECRYPT, true), A(p11.CKA_SIGN, true), A(p11.CKA_VERIFY, true),
		A(p11.CKA_VALUE, []byte("sixteen byte key")))
	want(t, "create an AES session key", rv, p11.CKR_OK)
	return k
}

// hmacKey makes a generic secret for HMAC.
func hmacKey(t *testing.T, c Caller, session uint) uint {
	t.Helper()
	k, rv := c.Create(session, A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_GENERIC_SECRET)),
		A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SENSITIVE, false), A(p11.CKA_EXTRACTABLE, true),
		A(p11.CKA_SIGN, true), A(p11.CKA_VERIFY, true), A(p11.CKA_VALUE, bytes.Repeat([]byte{7}, 32)))
	want(t, "create a generic secret", rv, p11.CKR_OK)
	return k
}

func cbc() Arg { return Mechanism(p11.CKM_AES_CBC, In(make([]byte, 16)), 16) }

func ruleS25(t *testing.T, _ *Target, a *App, slot uint) {
	s, s2 := a.MustOpen(slot, RO), a.MustOpen(slot, RO)
	_, rv := a.FindNext(s, 1)
	want(t, "C_FindObjects of no search", rv, p11.CKR_OPERATION_NOT_INITIALIZED)
	want(t, "C_FindObjectsFinal of no search", a.FindFinal(s), p11.CKR_OPERATION_NOT_INITIALIZED)
	whole := len(a.Find(s))
	want(t, "C_FindObjectsInit", a.FindInit(s), p11.CKR_OK)
	want(t, "C_FindObjectsInit again", a.FindInit(s), p11.CKR_OPERATION_ACTIVE)
	want(t, "C_FindObjectsInit in another session", a.FindInit(s2), p11.CKR_OK)
	// Whether a search excludes a cryptographic operation is the module's choice ("in general, a single session can perform
	// only one operation at a time"); if not, neither may disturb the other.
	rv = a.begin("C_DigestInit", s, Mech(p11.CKM_SHA256), 0)
	want(t, "a digest during a search", rv, p11.CKR_OK, p11.CKR_OPERATION_ACTIVE)
	both := rv == p11.CKR_OK
	got := map[uint]bool{}
	for {
		h, rv := a.FindNext(s, 1)
		want(t, "C_FindObjects", rv, p11.CKR_OK)
		if len(h) == 0 {
			break
		}
		if got[h[0]] {
			t.Fatalf("object %d is found twice", h[0])
		}
		got[h[0]] = true
	}
	if len(got) != whole {
		t.Errorf("one at a time a search finds %d objects, at once %d", len(got), whole)
	}
	if h, rv := a.FindNext(s, 8); rv != p11.CKR_OK || len(h) != 0 {
		t.Errorf("C_FindObjects after the end: %v, %v", h, rv)
	}
	want(t, "C_FindObjectsFinal", a.FindFinal(s), p11.CKR_OK)
	if both {
		sum, rv := a.work("C_Digest", s, []byte("abc"), 64)
		want(t, "C_Digest", rv, p11.CKR_OK)
		if w := sha256.Sum256([]byte("abc")); !bytes.Equal(sum, w[:]) {
			t.Errorf("SHA-256 is %x", sum)
		}
	}
	want(t, "C_FindObjectsFinal in another session", a.FindFinal(s2), p11.CKR_OK)
}

func ruleS26(t *testing.T, _ *Target, a *App, slot uint) {
	keys := a.MustOpen(slot, RO)
	aes, mac := aesKey(t, a.Caller, keys), hmacKey(t, a.Caller, keys)
	begin := map[string]func(uint) RV{
		"digest":  func(s uint) RV { return a.begin("C_DigestInit", s, Mech(p11.CKM_SHA256), 0) },
		"encrypt": func(s uint) RV { return a.begin("C_EncryptInit", s, cbc(), aes) },
		"decrypt": func(s uint) RV { return a.begin("C_DecryptInit", s, cbc(), aes) },
		"sign":    func(s uint) RV { return a.begin("C_SignInit", s, Mech(p11.CKM_SHA256_HMAC), mac) },
		"verify":  func(s uint) RV { return a.begin("C_VerifyInit", s, Mech(p11.CKM_SHA256_HMAC), mac) },
	}
	pairs := map[[2]string]bool{{"digest", "encrypt"}: true, {"decrypt", "digest"}: true, {"sign", "encrypt"}: true, {"decrypt", "verify"}: true}
	for first, one := range begin {
		for second, two := range begin {
			s := a.MustOpen(slot, RO)
			want(t, first, one(s), p11.CKR_OK)
			rv := two(s)
			if pairs[[2]string{first, second}] || pairs[[2]string{second, first}] {
				// A module need not offer the dual functions; then the second is refused like any other.
				want(t, first+" and "+second, rv, p11.CKR_OK, p11.CKR_OPERATION_ACTIVE)
			} else {
				want(t, first+" and "+second, rv, p11.CKR_OPERATION_ACTIVE)
			}
			want(t, "close", a.CloseSession(s), p11.CKR_OK)
		}
	}
	s := a.MustOpen(slot, RO)
	in := []byte("0123456789abcdef")
	for _, f := range []string{"C_Digest", "C_Encrypt", "C_EncryptUpdate", "C_Decrypt", "C_DecryptUpdate", "C_Sign"} {
		_, rv := a.work(f, s, in, 64)
		want(t, f+" of no operation", rv, p11.CKR_OPERATION_NOT_INITIALIZED)
	}
	for _, f := range []string{"C_DigestFinal", "C_EncryptFinal", "C_DecryptFinal", "C_SignFinal"} {
		_, rv := a.finish(f, s, 64)
		want(t, f+" of no operation", rv, p11.CKR_OPERATION_NOT_INITIALIZED)
	}
	for _, f := range []string{"C_DigestUpdate", "C_SignUpdate", "C_VerifyUpdate", "C_VerifyFinal"} {
		want(t, f+" of no operation", a.feed(f, s, in), p11.CKR_OPERATION_NOT_INITIALIZED)
	}
	rv := a.Call("C_Verify", N(s), In(in), N(16), In(in), N(16)).RV
	want(t, "C_Verify of no operation", rv, p11.CKR_OPERATION_NOT_INITIALIZED)
}

func ruleS27(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RO)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	mac := hmacKey(t, a.Caller, s)
	sha, hmac := Mech(p11.CKM_SHA256), Mech(p11.CKM_SHA256_HMAC)
	active := func(what string, yes bool) { // asked without disturbing the operation
		t.Helper()
		allowed := uint(p11.CKR_OK)
		if yes {
			allowed = p11.CKR_OPERATION_ACTIVE
		}
		want(t, what, a.begin("C_DigestInit", s, sha, 0), allowed)
		if !yes {
			a.work("C_Digest", s, []byte("x"), 64)
		}
	}
	want(t, "C_DigestInit", a.begin("C_DigestInit", s, sha, 0), p11.CKR_OK)
	n, rv := a.workLength("C_Digest", s, []byte("abc"))
	want(t, "a length query", rv, p11.CKR_OK)
	if n < 32 {
		t.Errorf("the length is %d", n)
	}
	active("after a length query", true)
	_, rv = a.work("C_Digest", s, []byte("abc"), 31)
	want(t, "a short buffer", rv, p11.CKR_BUFFER_TOO_SMALL)
	active("after a short buffer", true)
	sum, rv := a.work("C_Digest", s, []byte("abc"), 32)
	want(t, "the right buffer", rv, p11.CKR_OK)
	if w := sha256.Sum256([]byte("abc")); !bytes.Equal(sum, w[:]) {
		t.Errorf("SHA-256 after a query and a short buffer is %x", sum)
	}
	active("after success", false)

	want(t, "C_SignInit", a.begin("C_SignInit", s, hmac, mac), p11.CKR_OK)
	want(t, "C_SignUpdate", a.feed("C_SignUpdate", s, []byte("ab")), p11.CKR_OK)
	r := a.Call("C_SignFinal", N(s), Null, InOut(N(0)))
	want(t, "a length query of C_SignFinal", r.RV, p11.CKR_OK)
	_, rv = a.finish("C_SignFinal", s, 8)
	want(t, "a short buffer of C_SignFinal", rv, p11.CKR_BUFFER_TOO_SMALL)
	want(t, "C_SignUpdate goes on", a.feed("C_SignUpdate", s, []byte("c")), p11.CKR_OK)
	multi, rv := a.finish("C_SignFinal", s, 64)
	want(t, "C_SignFinal", rv, p11.CKR_OK)
	single, rv := a.Sign(s, hmac, mac, []byte("abc"))
	want(t, "C_Sign", rv, p11.CKR_OK)
	if !bytes.Equal(multi, single) {
		t.Errorf("in parts %x, at once %x", multi, single)
	}
	active("after C_SignFinal", false)

	// An error ends the operation: a MAC that is not the right one.
	want(t, "C_VerifyInit", a.begin("C_VerifyInit", s, hmac, mac), p11.CKR_OK)
	bad := append([]byte{}, single...)
	bad[0] ^= 1
	rv = a.Call("C_Verify", N(s), In([]byte("abc")), N(3), In(bad), N(32)).RV
	want(t, "a wrong MAC", rv, p11.CKR_SIGNATURE_INVALID)
	active("after an error", false)

	// The same with keys of the token, where a query must not cost anything.
	for _, k := range []struct {
		id   byte
		mech uint
		size uint
	}{{RSAKey, p11.CKM_RSA_PKCS, 256}, {ECKey, p11.CKM_ECDSA, 64}} {
		key := a.Key(s, p11.CKO_PRIVATE_KEY, k.id)
		pub, err := a.PublicKey(s, k.id)
		if err != nil {
			t.Fatal(err)
		}
		digest := make([]byte, 32)
		in := digest
		if k.mech == p11.CKM_RSA_PKCS {
			in = append(append([]byte{}, digestInfoSHA256...), digest...)
		}
		want(t, "C_SignInit", a.begin("C_SignInit", s, Mech(k.mech), key), p11.CKR_OK)
		before := tg.count(t)
		n, rv := a.workLength("C_Sign", s, in)
		want(t, "a length query of a token key", rv, p11.CKR_OK)
		if n != k.size {
			t.Errorf("the length of a signature of key %d is told as %d", k.id, n)
		}
		_, rv = a.work("C_Sign", s, in, k.size-1)
		want(t, "a short buffer of a token key", rv, p11.CKR_BUFFER_TOO_SMALL)
		if after := tg.count(t); after != before {
			t.Errorf("a length query and a short buffer cost %d APDUs", after-before)
		}
		sig, rv := a.work("C_Sign", s, in, k.size)
		want(t, "C_Sign", rv, p11.CKR_OK)
		if !verify(pub, digest, sig) {
			t.Error("the signature is wrong")
		}
	}
	if a.Minor >= 0 { // 3.x: Init with a NULL mechanism cancels, and so does C_SessionCancel
		want(t, "C_DigestInit", a.begin("C_DigestInit", s, sha, 0), p11.CKR_OK)
		want(t, "C_DigestInit with NULL", a.begin("C_DigestInit", s, Null, 0), p11.CKR_OK)
		active("after a cancel", false)
		want(t, "C_SignInit", a.begin("C_SignInit", s, hmac, mac), p11.CKR_OK)
		want(t, "C_SessionCancel", a.Call("C_SessionCancel", N(s), N(p11.CKF_SIGN)).RV, p11.CKR_OK)
		active("after C_SessionCancel", false)
	}
}

// count is the number of APDUs that reached the card so far; 0 where that cannot be told.
func (tg *Target) count(t *testing.T) int {
	if tg.APDUs == nil {
		return 0
	}
	return tg.APDUs(t)
}

func ruleS28(t *testing.T, tg *Target, a *App, slot uint) {
	s := a.MustOpen(slot, RW)
	want(t, "login", a.Login(s, User, tg.PIN), p11.CKR_OK)
	mac := hmacKey(t, a.Caller, s)
	defined := map[RV]bool{
		p11.CKR_OK: true, p11.CKR_OPERATION_ACTIVE: true, p11.CKR_OPERATION_NOT_INITIALIZED: true,
		p11.CKR_USER_NOT_LOGGED_IN: true, p11.CKR_USER_ALREADY_LOGGED_IN: true, p11.CKR_OBJECT_HANDLE_INVALID: true,
		p11.CKR_KEY_HANDLE_INVALID: true, p11.CKR_FUNCTION_CANCELED: true, operationCancelFailed: true,
	}
	calls := []func(Caller) RV{
		func(c Caller) RV { return c.begin("C_SignInit", s, Mech(p11.CKM_SHA256_HMAC), mac) },
		func(c Caller) RV { return c.feed("C_SignUpdate", s, []byte("abc")) },
		func(c Caller) RV { _, rv := c.finish("C_SignFinal", s, 64); return rv },
		func(c Caller) RV { return c.begin("C_DigestInit", s, Mech(p11.CKM_SHA256), 0) },
		func(c Caller) RV { return c.feed("C_DigestUpdate", s, []byte("abc")) },
		func(c Caller) RV { _, rv := c.finish("C_DigestFinal", s, 64); return rv },
		func(c Caller) RV { return c.FindInit(s) },
		func(c Caller) RV { _, rv := c.FindNext(s, 3); return rv },
		func(c Caller) RV { return c.FindFinal(s) },
		func(c Caller) RV { o, rv := c.Create(s, data(false, false, "S28")...); c.Destroy(s, o); return rv },
		func(c Caller) RV { _, _, _, rv := c.SessionInfo(s); return rv },
	}
	var wg sync.WaitGroup
	for th := 1; th <= 8; th++ {
		wg.Go(func() {
			for i := range 300 {
				n := (i*7 + th*5) % len(calls)
				if rv := calls[n](a.Thread(th)); !defined[rv] {
					t.Errorf("call %d: %v", n, rv)
				}
			}
		})
	}
	wg.Wait()
	wantState(t, a.Caller, s, rwUser)
}
