package pkcs11

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"cardbridge/card"
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// A desk is the user's application, and beside it the SO's writes to the
// same card.
type desk struct {
	user, so   *Module
	us, sos    session.SessionHandle
	key        *ecdsa.PrivateKey
	priv, pub  session.ObjectHandle
	cert, data session.ObjectHandle
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	f := newFakeCard()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.put("a", key, card.PINOnce, card.OriginGenerated)
	f.certs["a"] = certificate(t, key)
	f.data["Open"] = []byte("before")
	d := &desk{user: newModule(t, f, Config{}), key: key}
	d.so = d.user.lib.Module()
	d.us, d.sos = open(t, d.user, ck.CKF_RW_SESSION), open(t, d.so, ck.CKF_RW_SESSION)
	must(t, "C_Login", d.user.Login(d.us, ck.CKU_USER, []byte(fakePIN)))
	must(t, "C_Login", d.so.Login(d.sos, ck.CKU_SO, []byte(fakeAdmin)))
	d.priv, d.pub = d.found(t, ck.CKO_PRIVATE_KEY), d.found(t, ck.CKO_PUBLIC_KEY)
	d.cert = d.found(t, ck.CKO_CERTIFICATE)
	d.data = d.found(t, ck.CKO_DATA, Attribute{ck.CKA_LABEL, []byte("Open")})
	return d
}

// found is the one object of a class in the first key slot, as the user sees it.
func (d *desk) found(t *testing.T, class ck.ObjectClass, more ...Attribute) session.ObjectHandle {
	t.Helper()
	if more == nil {
		more = []Attribute{{ck.CKA_ID, []byte{1}}}
	}
	all, err := find(d.user, d.us, append(Template{{ck.CKA_CLASS, encodeULong(uint(class))}}, more...))
	if err != nil || len(all) != 1 {
		t.Fatalf("%v: %v, %v", class, all, err)
	}
	return all[0]
}

// is tells whether a handle that the user has is still good.
func (d *desk) is(t *testing.T, what string, h session.ObjectHandle, code ck.RV) {
	t.Helper()
	_, err := d.user.GetObjectSize(d.us, h)
	want(t, what, err, code)
}

func (d *desk) stored(t *testing.T, template Template) session.ObjectHandle {
	t.Helper()
	h, err := d.so.CreateObject(d.sos, append(template, Attribute{ck.CKA_TOKEN, yes}))
	must(t, "C_CreateObject", err)
	return h
}

// What is written over is another object, and its handles are no more; what is
// beside it is the same, and keeps its handle (S24).
func TestWrittenOver(t *testing.T) {
	t.Run("certificate", func(t *testing.T) {
		d := newDesk(t)
		d.stored(t, Template{
			{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))},
			{ck.CKA_CERTIFICATE_TYPE, encodeULong(uint(ck.CKC_X_509))},
			{ck.CKA_ID, []byte{1}},
			{ck.CKA_VALUE, certificate(t, d.key)},
		})
		d.is(t, "the old certificate", d.cert, ck.CKR_OBJECT_HANDLE_INVALID)
		if h := d.found(t, ck.CKO_CERTIFICATE); h == d.cert {
			t.Error("the new certificate has the old one's handle")
		}
		d.is(t, "the private key", d.priv, ck.CKR_OK)
		if priv, pub := d.found(t, ck.CKO_PRIVATE_KEY), d.found(t, ck.CKO_PUBLIC_KEY); priv != d.priv || pub != d.pub {
			t.Errorf("the key has the handles %d and %d, and had %d and %d", priv, pub, d.priv, d.pub)
		}
	})
	t.Run("key", func(t *testing.T) {
		d := newDesk(t)
		must(t, "C_SignInit", d.user.SignInit(d.us, &Mechanism{Type: ck.CKM_ECDSA}, d.priv))
		_, _, err := d.so.GenerateKeyPair(d.sos, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
			Template{{ck.CKA_TOKEN, yes}, {ck.CKA_EC_PARAMS, curves[0].params()}}, Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{1}}})
		must(t, "C_GenerateKeyPair", err)
		d.is(t, "the old private key", d.priv, ck.CKR_OBJECT_HANDLE_INVALID)
		d.is(t, "the old public key", d.pub, ck.CKR_OBJECT_HANDLE_INVALID)
		want(t, "C_Sign with the old key", d.user.Sign(d.us, make([]byte, 32), &Out{Room: 100}), ck.CKR_OPERATION_NOT_INITIALIZED)
		if d.found(t, ck.CKO_PRIVATE_KEY) == d.priv || d.found(t, ck.CKO_PUBLIC_KEY) == d.pub {
			t.Error("the new key has the old one's handles")
		}
	})
	t.Run("data", func(t *testing.T) {
		d := newDesk(t)
		value := []Request{{Type: ck.CKA_VALUE, Out: Out{Room: 10}}}
		must(t, "C_GetAttributeValue", d.user.GetAttributeValue(d.us, d.data, value))
		d.stored(t, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_LABEL, []byte("Open")}, {ck.CKA_VALUE, []byte("after")}})
		d.is(t, "the old data", d.data, ck.CKR_OBJECT_HANDLE_INVALID)
		must(t, "C_GetAttributeValue", d.user.GetAttributeValue(d.us, d.found(t, ck.CKO_DATA, Attribute{ck.CKA_LABEL, []byte("Open")}), value))
		if got := string(value[0].Out.Data); got != "after" {
			t.Errorf("value %q", got)
		}
	})
}

// A private key that is destroyed is gone for every application, by whichever of
// its handles; its public half can then be destroyed as well.
func TestDestroyedBySO(t *testing.T) {
	d := newDesk(t)
	scalar, err := d.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	priv := d.stored(t, Template{
		{ck.CKA_CLASS, encodeULong(uint(ck.CKO_PRIVATE_KEY))},
		{ck.CKA_KEY_TYPE, encodeULong(uint(ck.CKK_EC))},
		{ck.CKA_ID, []byte{1}},
		{ck.CKA_EC_PARAMS, curves[0].params()},
		{ck.CKA_VALUE, scalar},
	})
	d.is(t, "the private key that was imported over", d.priv, ck.CKR_OBJECT_HANDLE_INVALID)
	user, public := d.found(t, ck.CKO_PRIVATE_KEY), d.found(t, ck.CKO_PUBLIC_KEY)
	must(t, "C_DestroyObject", d.so.DestroyObject(d.sos, priv))
	d.is(t, "the private key", user, ck.CKR_OBJECT_HANDLE_INVALID)
	must(t, "C_DestroyObject of the public half", d.user.DestroyObject(d.us, public))
	d.is(t, "the public key", public, ck.CKR_OBJECT_HANDLE_INVALID)
}

// What the SO sees of a private object who made it, nobody sees who comes after.
func TestAdminViewEndsWithLogout(t *testing.T) {
	d := newDesk(t)
	_, priv, err := d.so.GenerateKeyPair(d.sos, &Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		Template{{ck.CKA_TOKEN, yes}, {ck.CKA_EC_PARAMS, curves[0].params()}}, Template{{ck.CKA_TOKEN, yes}, {ck.CKA_ID, []byte{1}}})
	must(t, "C_GenerateKeyPair", err)
	data := d.stored(t, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_LABEL, []byte("Closed")}, {ck.CKA_VALUE, []byte("after")}})
	for _, h := range []session.ObjectHandle{priv, data} {
		_, err := d.so.GetObjectSize(d.sos, h)
		must(t, "C_GetObjectSize", err)
	}
	must(t, "C_Logout", d.so.Logout(d.sos))
	for _, h := range []session.ObjectHandle{priv, data} {
		_, err := d.so.GetObjectSize(d.sos, h)
		want(t, "after the logout", err, ck.CKR_OBJECT_HANDLE_INVALID)
	}
}
