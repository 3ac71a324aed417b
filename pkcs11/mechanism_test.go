package pkcs11

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// paramFor is a good parameter for each mechanism that wants one.
func paramFor(t testing.TB, m *mechanism) Parameter {
	t.Helper()
	for _, r := range hashTable {
		switch m.typ {
		case r.hmacGeneral:
			return param(r.hash.Size() / 2)
		case r.pss:
			if r.pss != 0 {
				return param(r.digest, r.mgf, r.hash.Size())
			}
		}
	}
	iv := "0123456789abcdef"
	peer := session25519
	special := map[ck.MechanismType]Parameter{
		ck.CKM_RSA_PKCS_PSS:          param(ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32),
		ck.CKM_RSA_PKCS_OAEP:         param(ck.CKM_SHA256, ck.CKG_MGF1_SHA1, 1, []byte("label"), 5),
		ck.CKM_AES_CBC:               param(iv),
		ck.CKM_AES_CBC_PAD:           param(iv),
		ck.CKM_DES3_CBC:              param(iv[:8]),
		ck.CKM_DES3_CBC_PAD:          param(iv[:8]),
		ck.CKM_AES_CTR:               param(128, iv),
		ck.CKM_AES_GCM:               param([]byte(iv[:12]), 12, 96, []byte("aad"), 3, 128),
		ck.CKM_ECDH1_DERIVE:          param(uint(ck.CKD_NULL), 0, 0, len(peer), peer),
		ck.CKM_ECDH1_COFACTOR_DERIVE: param(uint(ck.CKD_SHA256_KDF), 0, 0, len(peer), peer),
		ck.CKM_HKDF_DERIVE:           hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_DATA, []byte("salt"), 0, []byte("info")),
		ck.CKM_HKDF_DATA:             hkdfParameter(true, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_DATA, []byte("salt"), 0, []byte("info")),
	}
	return special[m.typ]
}

// session25519 is the public key of RFC 7748 section 6.1's Bob.
var session25519 = []byte{
	0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61, 0xc2, 0xec, 0xe4, 0x35, 0x37,
	0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78, 0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f,
}

// A keyring makes one key of each type, as session objects.
type keyring struct {
	t    *testing.T
	m    *Module
	s    session.SessionHandle
	made map[ck.KeyType][2]session.ObjectHandle
}

func newKeyring(t *testing.T) *keyring {
	m := newModule(t, newFakeCard(), Config{})
	return &keyring{t, m, open(t, m, ck.CKF_RW_SESSION), map[ck.KeyType][2]session.ObjectHandle{}}
}

// key returns public and private half, or the same secret key twice.
func (k *keyring) key(typ ck.KeyType) (pub, priv session.ObjectHandle) {
	k.t.Helper()
	if h, ok := k.made[typ]; ok {
		return h[0], h[1]
	}
	var err error
	free := Template{{ck.CKA_SENSITIVE, no}, {ck.CKA_EXTRACTABLE, yes}}
	if kind := secretKindOf(typ); kind != nil {
		n := uint(32)
		if kind.fixed() != 0 {
			n = kind.fixed()
		}
		pub, err = k.m.CreateObject(k.s, append(append(implied(ck.CKO_SECRET_KEY, typ), free...), Attribute{ck.CKA_VALUE, randomBytes(n)}, Attribute{ck.CKA_DERIVE, yes}))
		priv = pub
	} else {
		row := map[ck.KeyType]struct {
			m ck.MechanismType
			t Template
		}{
			ck.CKK_RSA:           {ck.CKM_RSA_PKCS_KEY_PAIR_GEN, Template{{ck.CKA_MODULUS_BITS, encodeULong(2048)}}},
			ck.CKK_EC:            {ck.CKM_EC_KEY_PAIR_GEN, Template{{ck.CKA_EC_PARAMS, curves[0].params()}}},
			ck.CKK_EC_EDWARDS:    {ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, Template{{ck.CKA_EC_PARAMS, curves[3].params()}}},
			ck.CKK_EC_MONTGOMERY: {ck.CKM_EC_MONTGOMERY_KEY_PAIR_GEN, Template{{ck.CKA_EC_PARAMS, curves[4].params()}}},
		}[typ]
		pub, priv, err = k.m.GenerateKeyPair(k.s, &Mechanism{Type: row.m}, row.t, free)
	}
	must(k.t, "key "+typ.String(), err)
	k.made[typ] = [2]session.ObjectHandle{pub, priv}
	return pub, priv
}

// Every row is unique, has a name in the standard, and can do something.
func TestRegistry(t *testing.T) {
	seen := map[ck.MechanismType]bool{}
	for _, m := range registry() {
		if seen[m.typ] {
			t.Errorf("%v: two rows", m.typ)
		}
		seen[m.typ] = true
		if !slices.Contains(ck.Mechanisms(), m.typ) {
			t.Errorf("%v: not in the standard", m.typ)
		}
		if m.flags()&^(ck.CKF_HW|ck.CKF_EC_F_P|ck.CKF_EC_OID|ck.CKF_EC_UNCOMPRESS|ck.CKF_EC_CURVENAME) == 0 || m.param == nil {
			t.Errorf("%v: does nothing", m.typ)
		}
		if (m.encrypt == nil) != (m.decrypt == nil) || (m.sign == nil) != (m.verify == nil) {
			t.Errorf("%v: only one way", m.typ)
		}
	}
}

// What the issue lists must be there.
func TestMechanismsWanted(t *testing.T) {
	for _, name := range []string{
		"RSA_PKCS", "RSA_X_509", "SHA1_RSA_PKCS", "SHA224_RSA_PKCS", "SHA256_RSA_PKCS", "SHA384_RSA_PKCS", "SHA512_RSA_PKCS",
		"RSA_PKCS_PSS", "SHA1_RSA_PKCS_PSS", "SHA224_RSA_PKCS_PSS", "SHA256_RSA_PKCS_PSS", "SHA384_RSA_PKCS_PSS", "SHA512_RSA_PKCS_PSS",
		"RSA_PKCS_OAEP", "ECDSA", "ECDSA_SHA1", "ECDSA_SHA224", "ECDSA_SHA256", "ECDSA_SHA384", "ECDSA_SHA512", "EDDSA",
		"ECDH1_DERIVE", "ECDH1_COFACTOR_DERIVE", "RSA_PKCS_KEY_PAIR_GEN", "EC_KEY_PAIR_GEN", "EC_EDWARDS_KEY_PAIR_GEN",
		"EC_MONTGOMERY_KEY_PAIR_GEN", "SHA_1", "SHA256", "SHA512", "SHA256_HMAC", "AES_ECB", "AES_CBC", "AES_CBC_PAD", "AES_CTR",
		"AES_GCM", "DES3_CBC", "GENERIC_SECRET_KEY_GEN", "AES_KEY_GEN", "DES3_KEY_GEN", "HKDF_DERIVE", "HKDF_DATA", "HKDF_KEY_GEN",
	} {
		typ, ok := ck.MechanismByName(name)
		if !ok || mechanismOf(typ) == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// Advertised = implemented: every flag of every mechanism, with every type of
// key it names, single- and multi-part, and the wrong key refused.
func TestSweep(t *testing.T) {
	k := newKeyring(t)
	all, err := k.m.GetMechanismList(0)
	must(t, "C_GetMechanismList", err)
	for _, typ := range all {
		info, err := k.m.GetMechanismInfo(0, typ)
		must(t, "C_GetMechanismInfo", err)
		m := mechanismOf(typ)
		mech := &Mechanism{Type: typ, Parameter: paramFor(t, m)}
		for flag, sweep := range sweeps {
			if info.Flags&flag != 0 {
				t.Run(typ.String()[4:]+"/"+flagName[flag], func(t *testing.T) {
					k.t = t
					sweep(t, k, m, mech)
				})
			}
		}
	}
}

var flagName = map[ck.Flags]string{
	ck.CKF_DIGEST: "digest", ck.CKF_SIGN: "sign", ck.CKF_SIGN_RECOVER: "recover", ck.CKF_ENCRYPT: "encrypt", ck.CKF_WRAP: "wrap",
	ck.CKF_GENERATE: "generate", ck.CKF_GENERATE_KEY_PAIR: "pair", ck.CKF_DERIVE: "derive", ck.CKF_MESSAGE_SIGN: "message-sign",
	ck.CKF_MESSAGE_ENCRYPT: "message-encrypt", ck.CKF_ENCAPSULATE: "encapsulate",
}

var sweeps = map[ck.Flags]func(*testing.T, *keyring, *mechanism, *Mechanism){
	ck.CKF_DIGEST: func(t *testing.T, k *keyring, _ *mechanism, mech *Mechanism) {
		data := randomBytes(1000)
		must(t, "init", k.m.DigestInit(k.s, mech))
		whole := out(t, "C_Digest", func(o *Out) error { return k.m.Digest(k.s, data, o) })
		must(t, "init", k.m.DigestInit(k.s, mech))
		for _, p := range parts(data) {
			must(t, "update", k.m.DigestUpdate(k.s, p))
		}
		if got := out(t, "C_DigestFinal", func(o *Out) error { return k.m.DigestFinal(k.s, o) }); !bytes.Equal(got, whole) {
			t.Error("single- and multi-part digests differ")
		}
	},
	ck.CKF_SIGN: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		for _, typ := range m.keys {
			pub, priv := k.key(typ)
			data := signInput(m)
			must(t, "init", k.m.SignInit(k.s, mech, priv))
			sig := out(t, "C_Sign", func(o *Out) error { return k.m.Sign(k.s, data, o) })
			must(t, "init", k.m.VerifyInit(k.s, mech, pub))
			must(t, "C_Verify", k.m.Verify(k.s, data, sig))
			must(t, "init", k.m.SignInit(k.s, mech, priv))
			for _, p := range parts(data) {
				must(t, "C_SignUpdate", k.m.SignUpdate(k.s, p))
			}
			sig = out(t, "C_SignFinal", func(o *Out) error { return k.m.SignFinal(k.s, o) })
			must(t, "init", k.m.VerifyInit(k.s, mech, pub))
			for _, p := range parts(data) {
				must(t, "C_VerifyUpdate", k.m.VerifyUpdate(k.s, p))
			}
			must(t, "C_VerifyFinal", k.m.VerifyFinal(k.s, sig))
			must(t, "init", k.m.VerifySignatureInit(k.s, mech, pub, sig))
			must(t, "C_VerifySignature", k.m.VerifySignature(k.s, data))
			sig[len(sig)/2] ^= 1
			must(t, "init", k.m.VerifyInit(k.s, mech, pub))
			want(t, "a changed signature", k.m.Verify(k.s, data, sig), ck.CKR_SIGNATURE_INVALID)
			must(t, "init", k.m.VerifyInit(k.s, mech, pub))
			want(t, "a short signature", k.m.Verify(k.s, data, sig[1:]), ck.CKR_SIGNATURE_LEN_RANGE)
		}
	},
	ck.CKF_SIGN_RECOVER: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		pub, priv := k.key(ck.CKK_RSA)
		data := []byte("what comes back")
		must(t, "init", k.m.SignRecoverInit(k.s, mech, priv))
		sig := out(t, "C_SignRecover", func(o *Out) error { return k.m.SignRecover(k.s, data, o) })
		must(t, "init", k.m.VerifyRecoverInit(k.s, mech, pub))
		got := out(t, "C_VerifyRecover", func(o *Out) error { return k.m.VerifyRecover(k.s, sig, o) })
		if !bytes.HasSuffix(got, data) {
			t.Errorf("recovered %x", got)
		}
	},
	ck.CKF_ENCRYPT: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		for _, typ := range m.keys {
			pub, priv := k.key(typ)
			data := randomBytes(96)
			if m.typ == ck.CKM_RSA_X_509 {
				data = append(make([]byte, 160), data...)
			}
			must(t, "init", k.m.EncryptInit(k.s, mech, pub))
			sealed := out(t, "C_Encrypt", func(o *Out) error { return k.m.Encrypt(k.s, data, o) })
			must(t, "init", k.m.DecryptInit(k.s, mech, priv))
			plain := out(t, "C_Decrypt", func(o *Out) error { return k.m.Decrypt(k.s, sealed, o) })
			if !bytes.Equal(plain, data) {
				t.Fatal("decrypts to something else")
			}
			for range 4 {
				must(t, "init", k.m.EncryptInit(k.s, mech, pub))
				sealed := k.inParts(t, data, k.m.EncryptUpdate, k.m.EncryptFinal)
				must(t, "init", k.m.DecryptInit(k.s, mech, priv))
				if got := k.inParts(t, sealed, k.m.DecryptUpdate, k.m.DecryptFinal); !bytes.Equal(got, data) {
					t.Fatal("in parts: decrypts to something else")
				}
			}
		}
	},
	ck.CKF_WRAP: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		for _, typ := range m.keys {
			pub, priv := k.key(typ)
			_, aes := k.key(ck.CKK_AES)
			wrapped := out(t, "C_WrapKey", func(o *Out) error { return k.m.WrapKey(k.s, mech, pub, aes, o) })
			h, err := k.m.UnwrapKey(k.s, mech, priv, wrapped, append(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_SENSITIVE, no}))
			must(t, "C_UnwrapKey", err)
			if !bytes.Equal(k.value(t, h, ck.CKA_VALUE), k.value(t, aes, ck.CKA_VALUE)) {
				t.Error("unwraps to something else")
			}
			wrapped[3] ^= 0x40
			h, err = k.m.UnwrapKey(k.s, mech, priv, wrapped, append(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_SENSITIVE, no}))
			if err == nil && bytes.Equal(k.value(t, h, ck.CKA_VALUE), k.value(t, aes, ck.CKA_VALUE)) {
				t.Error("a changed wrapped key is as good")
			}
		}
	},
	ck.CKF_GENERATE: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		h, err := k.m.GenerateKey(k.s, mech, Template{{ck.CKA_VALUE_LEN, encodeULong(m.min + (m.max-m.min)/2/8*8)}, {ck.CKA_SENSITIVE, no}})
		must(t, "C_GenerateKey", err)
		if len(k.value(t, h, ck.CKA_VALUE)) == 0 || !bytes.Equal(k.value(t, h, ck.CKA_LOCAL), yes) {
			t.Error("no value, or not local")
		}
	},
	ck.CKF_GENERATE_KEY_PAIR: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		pub, priv := k.key(m.keys[0])
		if !bytes.Equal(k.value(t, pub, ck.CKA_PUBLIC_KEY_INFO), k.value(t, priv, ck.CKA_PUBLIC_KEY_INFO)) {
			t.Error("the halves do not belong together")
		}
	},
	ck.CKF_DERIVE: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		for _, typ := range m.keys {
			_, priv := k.key(typ)
			if typ == ck.CKK_EC {
				peer, _ := k.key(ck.CKK_EC)
				point := k.value(t, peer, ck.CKA_EC_POINT)
				mech = &Mechanism{Type: mech.Type, Parameter: param(uint(ck.CKD_NULL), 0, 0, len(point), point)}
			} else {
				mech = &Mechanism{Type: mech.Type, Parameter: paramFor(t, m)}
			}
			template := append(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE_LEN, encodeULong(32)}, Attribute{ck.CKA_SENSITIVE, no})
			if m.toData {
				template = Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_DATA))}, {ck.CKA_VALUE_LEN, encodeULong(32)}}
			}
			derive := func() []byte {
				h, err := k.m.DeriveKey(k.s, mech, priv, template)
				must(t, "C_DeriveKey", err)
				if !bytes.Equal(k.value(t, h, ck.CKA_CLASS), template[0].Value) {
					t.Error("an object of another class")
				}
				return k.value(t, h, ck.CKA_VALUE)
			}
			if a := derive(); len(a) != 32 || !bytes.Equal(a, derive()) {
				t.Errorf("derived %x", a)
			}
		}
	},
	ck.CKF_ENCAPSULATE: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		for _, kdf := range []ck.KDF{ck.CKD_NULL, ck.CKD_SHA256_KDF} {
			for _, typ := range m.keys {
				pub, priv := k.key(typ)
				mech := &Mechanism{Type: mech.Type, Parameter: param(uint(kdf), 0, 0, 0, 0)}
				template := append(implied(ck.CKO_SECRET_KEY, ck.CKK_AES), Attribute{ck.CKA_VALUE_LEN, encodeULong(16)}, Attribute{ck.CKA_SENSITIVE, no})
				var theirs session.ObjectHandle
				ciphertext := out(t, "C_EncapsulateKey", func(o *Out) (err error) {
					theirs, err = k.m.EncapsulateKey(k.s, mech, pub, template, o)
					return err
				})
				ours, err := k.m.DecapsulateKey(k.s, mech, priv, template, ciphertext)
				must(t, "C_DecapsulateKey", err)
				if a := k.value(t, theirs, ck.CKA_VALUE); len(a) != 16 || !bytes.Equal(a, k.value(t, ours, ck.CKA_VALUE)) {
					t.Errorf("%v: %x", typ, a)
				}
				for _, a := range []ck.AttributeType{ck.CKA_ALWAYS_SENSITIVE, ck.CKA_NEVER_EXTRACTABLE} {
					if k.value(t, theirs, a)[0] != 0 || k.value(t, ours, a)[0] != 0 {
						t.Errorf("%v of an encapsulated key", a)
					}
				}
				_, err = k.m.DecapsulateKey(k.s, mech, priv, template, ciphertext[1:])
				want(t, "a short ciphertext", err, ck.CKR_ENCRYPTED_DATA_INVALID)
				_, err = k.m.DecapsulateKey(k.s, mech, pub, template, ciphertext)
				want(t, "the wrong half", err, ck.CKR_KEY_TYPE_INCONSISTENT)
			}
		}
	},
	ck.CKF_MESSAGE_SIGN: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		pub, priv := k.key(m.keys[0])
		data := signInput(m)
		must(t, "init", k.m.MessageSignInit(k.s, mech, priv))
		var sigs [][]byte
		for range 2 {
			sigs = append(sigs, out(t, "C_SignMessage", func(o *Out) error { return k.m.SignMessage(k.s, Parameter{}, data, o) }))
		}
		must(t, "C_SignMessageBegin", k.m.SignMessageBegin(k.s, Parameter{}))
		must(t, "C_SignMessageNext", k.m.SignMessageNext(k.s, Parameter{}, data[:7], nil))
		sigs = append(sigs, out(t, "C_SignMessageNext", func(o *Out) error { return k.m.SignMessageNext(k.s, Parameter{}, data[7:], o) }))
		must(t, "C_MessageSignFinal", k.m.MessageSignFinal(k.s))
		must(t, "init", k.m.MessageVerifyInit(k.s, mech, pub))
		for _, sig := range sigs {
			must(t, "C_VerifyMessage", k.m.VerifyMessage(k.s, Parameter{}, data, sig))
			bad := bytes.Clone(sig)
			bad[5] ^= 1
			want(t, "a changed one", k.m.VerifyMessage(k.s, Parameter{}, data, bad), ck.CKR_SIGNATURE_INVALID)
		}
		must(t, "C_VerifyMessageBegin", k.m.VerifyMessageBegin(k.s, Parameter{}))
		must(t, "C_VerifyMessageNext", k.m.VerifyMessageNext(k.s, Parameter{}, data[:3], nil))
		must(t, "C_VerifyMessageNext", k.m.VerifyMessageNext(k.s, Parameter{}, data[3:], sigs[0]))
		must(t, "C_MessageVerifyFinal", k.m.MessageVerifyFinal(k.s))
	},
	ck.CKF_MESSAGE_ENCRYPT: func(t *testing.T, k *keyring, m *mechanism, mech *Mechanism) {
		pub, _ := k.key(ck.CKK_AES)
		iv, tag := make([]byte, 12), make([]byte, 16)
		p := param(iv, 12, 32, ck.CKG_GENERATE_RANDOM, tag, 128)
		must(t, "init", k.m.MessageEncryptInit(k.s, mech, pub))
		sealed := out(t, "C_EncryptMessage", func(o *Out) error { return k.m.EncryptMessage(k.s, p, []byte("aad"), []byte("plain"), o) })
		must(t, "final", k.m.MessageEncryptFinal(k.s))
		if !bytes.Equal(iv[:4], make([]byte, 4)) || bytes.Equal(iv[4:], make([]byte, 8)) {
			t.Errorf("generated IV %x", iv)
		}
		must(t, "init", k.m.MessageDecryptInit(k.s, mech, pub))
		got := out(t, "C_DecryptMessage", func(o *Out) error { return k.m.DecryptMessage(k.s, p, []byte("aad"), sealed, o) })
		if string(got) != "plain" {
			t.Errorf("decrypts to %q", got)
		}
		must(t, "C_DecryptMessageBegin", k.m.DecryptMessageBegin(k.s, p, []byte("aad")))
		o := &Out{Room: 100}
		must(t, "C_DecryptMessageNext", k.m.DecryptMessageNext(k.s, p, sealed[:2], o, 0))
		o = &Out{Room: 100}
		must(t, "C_DecryptMessageNext", k.m.DecryptMessageNext(k.s, p, sealed[2:], o, ck.CKF_END_OF_MESSAGE))
		if string(o.Data) != "plain" {
			t.Errorf("in parts: %q", o.Data)
		}
		sealed[0] ^= 1
		want(t, "a changed one", k.m.DecryptMessage(k.s, p, []byte("aad"), sealed, &Out{Room: 100}), ck.CKR_AEAD_DECRYPT_FAILED)
	},
}

// signInput is as much as the mechanism takes: a digest where it hashes nothing
// itself.
func signInput(m *mechanism) []byte {
	n := map[ck.MechanismType]uint{ck.CKM_RSA_PKCS: 51, ck.CKM_RSA_X_509: 200, ck.CKM_RSA_PKCS_PSS: 32, ck.CKM_ECDSA: 32}[m.typ]
	if n == 0 {
		n = 777
	}
	return randomBytes(n)
}

func parts(b []byte) (all [][]byte) {
	random := rand.New(rand.NewPCG(1, uint64(len(b))))
	for len(b) > 0 {
		n := 1 + random.IntN(len(b))
		all = append(all, b[:n])
		b = b[n:]
	}
	return all
}

func (k *keyring) inParts(t *testing.T, data []byte, update func(session.SessionHandle, []byte, *Out) error, final func(session.SessionHandle, *Out) error) (all []byte) {
	t.Helper()
	for _, p := range parts(data) {
		all = append(all, out(t, "update", func(o *Out) error { return update(k.s, p, o) })...)
	}
	return append(all, out(t, "final", func(o *Out) error { return final(k.s, o) })...)
}

func (k *keyring) value(t *testing.T, h session.ObjectHandle, typ ck.AttributeType) []byte {
	t.Helper()
	r := []Request{{Type: typ, Out: Out{Room: 1 << 20}}}
	must(t, typ.String(), k.m.GetAttributeValue(k.s, h, r))
	return r[0].Out.Data
}
