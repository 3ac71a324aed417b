//go:build linux && cgo

package conform

import (
	"bytes"
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// A form is a function that gives a result of a length that its caller need not know, and the start of what it belongs to.
type form struct {
	name  string
	begin func(*App, uint) RV
	call  func(c Caller, s uint, out, length Arg) Result // the result's room and the pointer to its length
	final bool                                           // the call ends an operation: then it can be made again after a short buffer only
}

// Operations checks the conventions of section 5.2 for functions that give a result in a buffer of the caller's: the length
// is told for NULL, a short buffer is CKR_BUFFER_TOO_SMALL with the length that is needed and costs nothing, and the right
// buffer then gives the result; a NULL pointer for the length is CKR_ARGUMENTS_BAD.
func Operations(t *testing.T, tg *Target) {
	a, s := tg.within(t, User)
	aes, mac := aesKey(t, a.Caller, s), hmacKey(t, a.Caller, s)
	rsa, ec := a.Key(s, p11.CKO_PRIVATE_KEY, RSAKey), a.Key(s, p11.CKO_PRIVATE_KEY, ECKey)
	text := In([]byte("sixteen bytes at"))
	single := func(function string) func(Caller, uint, Arg, Arg) Result {
		return func(c Caller, s uint, out, n Arg) Result { return c.Call(function, N(s), text, N(16), out, n) }
	}
	last := func(function string) func(Caller, uint, Arg, Arg) Result {
		return func(c Caller, s uint, out, n Arg) Result { return c.Call(function, N(s), out, n) }
	}
	start := func(function string, mechanism Arg, key uint) func(*App, uint) RV {
		return func(a *App, s uint) RV { return a.begin(function, s, mechanism, key) }
	}
	then := func(begin func(*App, uint) RV, update string) func(*App, uint) RV {
		return func(a *App, s uint) RV {
			if rv := begin(a, s); rv != p11.CKR_OK {
				return rv
			}
			return a.feed(update, s, []byte("sixteen bytes at"))
		}
	}
	forms := []form{
		{"C_Digest", start("C_DigestInit", Mech(p11.CKM_SHA256), 0), single("C_Digest"), true},
		{"C_DigestFinal", then(start("C_DigestInit", Mech(p11.CKM_SHA384), 0), "C_DigestUpdate"), last("C_DigestFinal"), true},
		{"C_Encrypt", start("C_EncryptInit", cbc(), aes), single("C_Encrypt"), true},
		{"C_Decrypt", start("C_DecryptInit", cbc(), aes), single("C_Decrypt"), true},
		{"C_EncryptUpdate", start("C_EncryptInit", Mech(p11.CKM_AES_ECB), aes), single("C_EncryptUpdate"), false},
		{"C_Sign with HMAC", start("C_SignInit", Mech(p11.CKM_SHA256_HMAC), mac), single("C_Sign"), true},
		{"C_SignFinal with HMAC", then(start("C_SignInit", Mech(p11.CKM_SHA256_HMAC), mac), "C_SignUpdate"), last("C_SignFinal"), true},
		{"C_Sign with RSA", start("C_SignInit", Mech(p11.CKM_SHA256_RSA_PKCS), rsa), single("C_Sign"), true},
		{"C_SignFinal with RSA", then(start("C_SignInit", Mech(p11.CKM_SHA256_RSA_PKCS), rsa), "C_SignUpdate"), last("C_SignFinal"), true},
		{"C_Sign with ECDSA", start("C_SignInit", Mech(p11.CKM_ECDSA), ec), single("C_Sign"), true},
		{"C_GetSlotList", nil, func(c Caller, _ uint, out, n Arg) Result { return c.Call("C_GetSlotList", N(0), out, n) }, false},
		{"C_GetMechanismList", nil, func(c Caller, _ uint, out, n Arg) Result {
			return c.Call("C_GetMechanismList", N(c.Slot()), out, n)
		}, false},
		{"C_WrapKey", nil, func(c Caller, s uint, out, n Arg) Result {
			return c.Call("C_WrapKey", N(s), Mech(p11.CKM_AES_KEY_WRAP), N(aes), N(mac), out, n)
		}, false},
	}
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			if how := tg.Departs[f.name]; how != "" {
				t.Skipf("%s: %s", tg.Name, how)
			}
			s := a.MustOpen(a.Slot(), RO)
			defer a.CloseSession(s)
			lengths(t, tg, a, s, f)
		})
	}
	t.Run("data too long", func(t *testing.T) {
		if how := tg.Departs["data too long"]; how != "" {
			t.Skipf("%s: %s", tg.Name, how)
		}
		want(t, "C_SignInit", a.begin("C_SignInit", s, Mech(p11.CKM_RSA_PKCS), rsa), p11.CKR_OK)
		_, rv := a.work("C_Sign", s, make([]byte, 246), 256)
		want(t, "C_Sign of 246 bytes with RSA-2048", rv, p11.CKR_DATA_LEN_RANGE)
		_, rv = a.work("C_Sign", s, make([]byte, 32), 256)
		want(t, "after the error", rv, p11.CKR_OPERATION_NOT_INITIALIZED)
	})
	t.Run("C_GetAttributeValue", func(t *testing.T) { attributes(t, a, s, mac) })
}

func lengths(t *testing.T, tg *Target, a *App, s uint, f form) {
	begin := func() {
		if f.begin != nil {
			if rv := f.begin(a, s); rv != p11.CKR_OK {
				t.Fatalf("Init: %v", rv)
			}
		}
	}
	unit := uint(1) // lists are counted in numbers
	if f.name == "C_GetSlotList" || f.name == "C_GetMechanismList" {
		unit = 8
	}
	begin()
	apdus := tg.count(t)
	r := f.call(a.Caller, s, Null, InOut(N(0)))
	want(t, "a length query", r.RV, p11.CKR_OK)
	n := r.Outs[0].Words[0]
	if n == 0 {
		t.Fatal("the length is told as 0")
	}
	r = f.call(a.Caller, s, Out((n-1)*unit), InOut(N(n-1)))
	if r.RV == p11.CKR_OK && r.Outs[1].Words[0] <= n-1 {
		return // the query told an upper bound, as it may
	}
	want(t, "a short buffer", r.RV, p11.CKR_BUFFER_TOO_SMALL)
	if got := r.Outs[1].Words[0]; got != n {
		t.Errorf("after CKR_BUFFER_TOO_SMALL the length is %d, was told as %d", got, n)
	}
	if after := tg.count(t); after != apdus {
		t.Errorf("a length query and a short buffer cost %d APDUs", after-apdus)
	}
	r = f.call(a.Caller, s, Out(n*unit), InOut(N(n)))
	want(t, "the right buffer", r.RV, p11.CKR_OK)
	if got := r.Outs[1].Words[0]; got > n {
		t.Errorf("the result has %d bytes, its length was told as %d", got, n)
	}
	if f.final {
		r = f.call(a.Caller, s, Out(n*unit), InOut(N(n)))
		want(t, "once more", r.RV, p11.CKR_OPERATION_NOT_INITIALIZED)
		begin()
		r = f.call(a.Caller, s, Out(n*unit+100), InOut(N(n+100)))
		want(t, "more room than is needed", r.RV, p11.CKR_OK)
		if f.begin != nil && r.RV == p11.CKR_OK {
			if rest := r.Outs[0].Bytes[n:]; bytes.Count(rest, []byte{0xA5}) != len(rest) {
				t.Errorf("bytes behind the result were written")
			}
		}
		begin()
	}
	r = f.call(a.Caller, s, Out(n*unit), Null)
	want(t, "NULL for the length", r.RV, p11.CKR_ARGUMENTS_BAD)
	if f.final { // that call ended the operation, or was none
		r = f.call(a.Caller, s, Out(n*unit), InOut(N(n)))
		want(t, "after NULL for the length", r.RV, p11.CKR_OPERATION_NOT_INITIALIZED, p11.CKR_OK)
	}
}

// attributes checks that C_GetAttributeValue answers for each attribute by itself (5.7.5).
func attributes(t *testing.T, a *App, s, object uint) {
	const none = ^uint(0) // CK_UNAVAILABLE_INFORMATION
	for _, c := range []struct {
		what    string
		first   uint // the attribute that goes wrong
		room    uint
		code    uint
		length  uint // told for it
		without bool // no buffer
	}{
		{"an attribute that is not", p11.CKA_MODULUS, 8, p11.CKR_ATTRIBUTE_TYPE_INVALID, none, false},
		{"an attribute that no object has", 0x7ffffff3, 8, p11.CKR_ATTRIBUTE_TYPE_INVALID, none, false},
		{"a short buffer", p11.CKA_VALUE, 31, p11.CKR_BUFFER_TOO_SMALL, none, false},
		{"a length query", p11.CKA_VALUE, 0, p11.CKR_OK, 32, true},
	} {
		buffer := Out(c.room)
		if c.without {
			buffer = Null
		}
		r := a.Call("C_GetAttributeValue", N(s), N(object), InOut(N(c.first), buffer, N(c.room), N(p11.CKA_CLASS), Out(8), N(8)), N(2))
		want(t, c.what, r.RV, c.code)
		w, out := r.Outs[0].Words, r.Outs[len(r.Outs)-1].Bytes
		if w[2] != c.length {
			t.Errorf("%s: its length is told as %d, want %d", c.what, int(w[2]), int(c.length))
		}
		if class, _ := fromUlong(out); w[5] != 8 || class != p11.CKO_SECRET_KEY {
			t.Errorf("%s: the attribute beside it: length %d, %s", c.what, int(w[5]), fmt.Sprint(out))
		}
	}
	hidden, rv := a.Create(s, A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_AES)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SENSITIVE, true), A(p11.CKA_VALUE, make([]byte, 16)))
	want(t, "create a sensitive key", rv, p11.CKR_OK)
	r := a.Call("C_GetAttributeValue", N(s), N(hidden), InOut(N(p11.CKA_VALUE), Out(16), N(16), N(p11.CKA_CLASS), Out(8), N(8)), N(2))
	want(t, "a sensitive value", r.RV, p11.CKR_ATTRIBUTE_SENSITIVE)
	if w := r.Outs[0].Words; w[2] != none || w[5] != 8 {
		t.Errorf("a sensitive value: lengths %d and %d", int(w[2]), int(w[5]))
	}
	if v := r.Outs[1].Bytes; !bytes.Equal(v, bytes.Repeat([]byte{0xA5}, 16)) {
		t.Errorf("a sensitive value was written: %x", v)
	}
}
