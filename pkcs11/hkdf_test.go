package pkcs11

import (
	"bytes"
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// hkdfParameter lays out CK_HKDF_PARAMS.
func hkdfParameter(extract, expand bool, hash ck.MechanismType, saltType ck.Flags, salt []byte, saltKey session.ObjectHandle, info []byte) Parameter {
	stages := append(encodeBool(extract), encodeBool(expand)...)
	stages = append(stages, make([]byte, ck.ULongSize-2)...)
	return param(string(stages), hash, uint(saltType), salt, len(salt), uint(saltKey), info, len(info))
}

// secretObject makes a session key with a value that can be read.
func (k *keyring) secretObject(typ ck.KeyType, value []byte, more ...Attribute) session.ObjectHandle {
	k.t.Helper()
	h, err := k.m.CreateObject(k.s, append(append(implied(ck.CKO_SECRET_KEY, typ), Attribute{ck.CKA_VALUE, value}, Attribute{ck.CKA_SENSITIVE, no}), more...))
	must(k.t, "C_CreateObject", err)
	return h
}

func (k *keyring) dataObject(value []byte) session.ObjectHandle {
	k.t.Helper()
	h, err := k.m.CreateObject(k.s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_VALUE, value}})
	must(k.t, "C_CreateObject", err)
	return h
}

// series is the bytes from first to last, as the vectors' long inputs are.
func series(first, last byte) (b []byte) {
	for c := int(first); c <= int(last); c++ {
		b = append(b, byte(c))
	}
	return b
}

// HKDF against RFC 5869 appendix A: keys and data, the salt as bytes and as a
// key, in one call and stage by stage.
func TestHKDFVectors(t *testing.T) {
	k := newKeyring(t)
	generic := func(n int) Template {
		return append(implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), Attribute{ck.CKA_VALUE_LEN, encodeULong(uint(n))}, Attribute{ck.CKA_SENSITIVE, no})
	}
	data := func(n int) Template { return Template{{ck.CKA_VALUE_LEN, encodeULong(uint(n))}} }
	for _, v := range []struct {
		name            string
		hash            ck.MechanismType
		ikm, salt, info []byte
		prk, okm        string
	}{
		{
			"A.1", ck.CKM_SHA256, bytes.Repeat([]byte{0x0b}, 22), series(0, 0x0c), series(0xf0, 0xf9),
			"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
		},
		{
			"A.2", ck.CKM_SHA256, series(0, 0x4f), series(0x60, 0xaf), series(0xb0, 0xff),
			"06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
			"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
		},
		{
			"A.3", ck.CKM_SHA256, bytes.Repeat([]byte{0x0b}, 22), nil, nil,
			"19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
		},
		{
			"A.4", ck.CKM_SHA_1, bytes.Repeat([]byte{0x0b}, 11), series(0, 0x0c), series(0xf0, 0xf9),
			"9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243",
			"085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
		},
		{
			"A.7", ck.CKM_SHA_1, bytes.Repeat([]byte{0x0c}, 22), nil, nil,
			"2adccada18779e7c2077ad2eb19d3f3e731385dd",
			"2c91117204d745f3500d636a62f64f0ab3bae548aa53d423b0d1f27ebba6f5e5673a081d70cce7acfc48",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			k.t = t
			base := k.secretObject(ck.CKK_HKDF, v.ikm)
			prk, okm := unhex(t, v.prk), unhex(t, v.okm)
			type salt struct {
				kind ck.Flags
				data []byte
				key  session.ObjectHandle
			}
			salts := []salt{{ck.CKF_HKDF_SALT_NULL, []byte("ignored"), 99}}
			if v.salt != nil {
				salts = []salt{
					{ck.CKF_HKDF_SALT_DATA, v.salt, 99},
					{ck.CKF_HKDF_SALT_KEY, []byte("ignored"), k.secretObject(ck.CKK_HKDF, v.salt)},
					{ck.CKF_HKDF_SALT_KEY, nil, k.secretObject(ck.CKK_GENERIC_SECRET, v.salt)},
				}
			}
			for _, mech := range []ck.MechanismType{ck.CKM_HKDF_DERIVE, ck.CKM_HKDF_DATA} {
				template, unsaid := generic, Template{{ck.CKA_SENSITIVE, no}}
				if mech == ck.CKM_HKDF_DATA {
					template, unsaid = data, nil
				}
				derive := func(what string, p Parameter, base session.ObjectHandle, template Template, value []byte) {
					t.Helper()
					h, err := k.m.DeriveKey(k.s, &Mechanism{Type: mech, Parameter: p}, base, template)
					must(t, what, err)
					if got := k.value(t, h, ck.CKA_VALUE); !bytes.Equal(got, value) {
						t.Errorf("%v, %s: %x, want %x", mech, what, got, value)
					}
				}
				for _, s := range salts {
					derive("both stages", hkdfParameter(true, true, v.hash, s.kind, s.data, s.key, v.info), base, template(len(okm)), okm)
					derive("extract", hkdfParameter(true, false, v.hash, s.kind, s.data, s.key, []byte("ignored")), base, template(len(prk)), prk)
					derive("extract, length unsaid", hkdfParameter(true, false, v.hash, s.kind, s.data, s.key, nil), base, unsaid, prk)
				}
				derive("expand", hkdfParameter(false, true, v.hash, 0x77, []byte("ignored"), 99, v.info), k.secretObject(ck.CKK_GENERIC_SECRET, prk), template(len(okm)), okm)
			}
		})
	}
}

// What is wrong with a salt, a base or a template is told as such.
func TestHKDFRefusals(t *testing.T) {
	k := newKeyring(t)
	base := k.secretObject(ck.CKK_HKDF, randomBytes(32))
	zeros, short := k.dataObject(make([]byte, 32)), k.dataObject(make([]byte, 31))
	pub, priv := k.key(ck.CKK_EC)
	_, aes := k.key(ck.CKK_AES)
	idle := k.secretObject(ck.CKK_HKDF, randomBytes(32), Attribute{ck.CKA_DERIVE, no})
	other := k.secretObject(ck.CKK_HKDF, randomBytes(32), Attribute{ck.CKA_ALLOWED_MECHANISMS, encodeULongs([]ck.MechanismType{ck.CKM_HKDF_DATA})})
	gone := k.secretObject(ck.CKK_HKDF, randomBytes(32))
	must(t, "C_DestroyObject", k.m.DestroyObject(k.s, gone))
	salted := func(h session.ObjectHandle) Parameter {
		return hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_KEY, nil, h, nil)
	}
	good := hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_DATA, []byte("salt"), 0, nil)
	for _, mech := range []ck.MechanismType{ck.CKM_HKDF_DERIVE, ck.CKM_HKDF_DATA} {
		for _, c := range []struct {
			what  string
			param Parameter
			base  session.ObjectHandle
			code  ck.RV
		}{
			{"no salt key", salted(0), base, ck.CKR_KEY_HANDLE_INVALID},
			{"a salt key that is gone", salted(gone), base, ck.CKR_KEY_HANDLE_INVALID},
			{"data for a salt key", salted(zeros), base, ck.CKR_KEY_HANDLE_INVALID},
			{"a public key for salt", salted(pub), base, ck.CKR_KEY_TYPE_INCONSISTENT},
			{"a private key for salt", salted(priv), base, ck.CKR_KEY_TYPE_INCONSISTENT},
			{"an AES key for salt", salted(aes), base, ck.CKR_KEY_TYPE_INCONSISTENT},
			{"a salt key that may not derive", salted(idle), base, ck.CKR_KEY_FUNCTION_NOT_PERMITTED},
			{"a salt key for another mechanism", salted(other), base, ck.CKR_MECHANISM_INVALID},
			{"no such salt type", hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_KEY|ck.CKF_HKDF_SALT_DATA, nil, base, nil), base, ck.CKR_MECHANISM_PARAM_INVALID},
			{"no stage", hkdfParameter(false, false, ck.CKM_SHA256, ck.CKF_HKDF_SALT_NULL, nil, 0, nil), base, ck.CKR_MECHANISM_PARAM_INVALID},
			{"no hash", hkdfParameter(true, true, ck.CKM_AES_ECB, ck.CKF_HKDF_SALT_NULL, nil, 0, nil), base, ck.CKR_MECHANISM_PARAM_INVALID},
			{"an AES key to derive from", good, aes, ck.CKR_KEY_TYPE_INCONSISTENT},
			{"short data to derive from", good, short, ck.CKR_KEY_SIZE_RANGE},
			{"data without a salt", hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_NULL, nil, 0, nil), zeros, ck.CKR_MECHANISM_PARAM_INVALID},
			{"data to expand", hkdfParameter(false, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_NULL, nil, 0, nil), zeros, ck.CKR_MECHANISM_PARAM_INVALID},
			{"data with a salt", good, zeros, ck.CKR_OK},
			{"the salt key is not looked at to expand", hkdfParameter(false, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_KEY, nil, 99, nil), base, ck.CKR_OK},
		} {
			_, err := k.m.DeriveKey(k.s, &Mechanism{Type: mech, Parameter: c.param}, c.base, nil)
			if mech == ck.CKM_HKDF_DATA && c.code == ck.CKR_MECHANISM_INVALID {
				c.code = ck.CKR_OK // the one it allows
			}
			want(t, mech.String()+", "+c.what, err, c.code)
		}
	}
	length := func(n uint) Attribute { return Attribute{ck.CKA_VALUE_LEN, encodeULong(n)} }
	for _, c := range []struct {
		what     string
		template Template
		code     ck.RV
	}{
		{"a key", implied(ck.CKO_SECRET_KEY, ck.CKK_GENERIC_SECRET), ck.CKR_TEMPLATE_INCONSISTENT},
		{"a key's attribute", Template{{ck.CKA_SENSITIVE, no}}, ck.CKR_ATTRIBUTE_TYPE_INVALID},
		{"a value", Template{{ck.CKA_VALUE, []byte("x")}}, ck.CKR_TEMPLATE_INCONSISTENT},
		{"no bytes", Template{length(0)}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a malformed length", Template{{ck.CKA_VALUE_LEN, []byte{1}}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"more than HKDF gives", Template{length(255*32 + 1)}, ck.CKR_KEY_SIZE_RANGE},
		{"as much as HKDF gives", Template{length(255 * 32), {ck.CKA_LABEL, []byte("l")}, {ck.CKA_APPLICATION, []byte("a")}}, ck.CKR_OK},
		{"a token object", Template{{ck.CKA_TOKEN, yes}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a private object for nobody", Template{{ck.CKA_PRIVATE, yes}}, ck.CKR_USER_NOT_LOGGED_IN},
	} {
		_, err := k.m.DeriveKey(k.s, &Mechanism{Type: ck.CKM_HKDF_DATA, Parameter: good}, base, c.template)
		want(t, "data: "+c.what, err, c.code)
	}
}

// A derived data object is private where its user is logged in, has no CKA_VALUE_LEN,
// and goes with its session. A key derived of data was never a secret.
func TestHKDFObjects(t *testing.T) {
	k := newKeyring(t)
	must(t, "C_Login", k.m.Login(k.s, ck.CKU_USER, []byte(fakePIN)))
	p := hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_DATA, []byte("salt"), 0, nil)
	base := k.secretObject(ck.CKK_HKDF, randomBytes(32))
	h, err := k.m.DeriveKey(k.s, &Mechanism{Type: ck.CKM_HKDF_DATA, Parameter: p}, base, Template{{ck.CKA_VALUE_LEN, encodeULong(12)}})
	must(t, "C_DeriveKey", err)
	if !bytes.Equal(k.value(t, h, ck.CKA_PRIVATE), yes) || len(k.value(t, h, ck.CKA_VALUE)) != 12 {
		t.Error("not private, or not 12 bytes")
	}
	r := []Request{{Type: ck.CKA_VALUE_LEN, Out: Out{Room: 8}}}
	want(t, "CKA_VALUE_LEN", k.m.GetAttributeValue(k.s, h, r), ck.CKR_ATTRIBUTE_TYPE_INVALID)
	key, err := k.m.DeriveKey(k.s, &Mechanism{Type: ck.CKM_HKDF_DERIVE, Parameter: p}, k.dataObject(make([]byte, 32)), Template{{ck.CKA_SENSITIVE, yes}, {ck.CKA_EXTRACTABLE, no}})
	must(t, "C_DeriveKey of data", err)
	if !bytes.Equal(k.value(t, key, ck.CKA_ALWAYS_SENSITIVE), no) || !bytes.Equal(k.value(t, key, ck.CKA_NEVER_EXTRACTABLE), no) {
		t.Error("what came of public data was always a secret")
	}
	must(t, "C_Logout", k.m.Logout(k.s))
	want(t, "after C_Logout", k.m.GetAttributeValue(k.s, h, r), ck.CKR_OBJECT_HANDLE_INVALID)
}
