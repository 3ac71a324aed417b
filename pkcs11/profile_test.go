package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// profileTests makes, for each profile, the calls that its mandatory test cases
// (PKCS #11 Profiles 3.2) make after C_Initialize.
var profileTests = map[ck.Profile]func(*testing.T, *keyring){
	ck.CKP_BASELINE_PROVIDER: func(t *testing.T, k *keyring) {
		if v := k.m.GetInfo().CryptokiVersion; v != (Version{3, 2}) {
			t.Errorf("version %v", v)
		}
		if ids := k.m.GetSlotList(true); len(ids) != 1 {
			t.Errorf("slots %v", ids)
		}
		_, err := k.m.GetSlotInfo(0)
		must(t, "C_GetSlotInfo", err)
		info, err := k.m.GetTokenInfo(0)
		must(t, "C_GetTokenInfo", err)
		const flags = ck.CKF_RNG | ck.CKF_LOGIN_REQUIRED | ck.CKF_USER_PIN_INITIALIZED | ck.CKF_RESTORE_KEY_NOT_NEEDED | ck.CKF_TOKEN_INITIALIZED
		if info.Flags&flags != flags {
			t.Errorf("flags %#x", info.Flags)
		}
		if len(k.tokenObjects(t)) == 0 {
			t.Error("no token object")
		}
	},
	ck.CKP_EXTENDED_PROVIDER: func(t *testing.T, k *keyring) {
		for typ, flags := range map[ck.MechanismType]ck.Flags{
			ck.CKM_SHA512: ck.CKF_DIGEST, ck.CKM_RSA_PKCS_KEY_PAIR_GEN: ck.CKF_GENERATE_KEY_PAIR,
			ck.CKM_RSA_PKCS: ck.CKF_ENCRYPT | ck.CKF_DECRYPT | ck.CKF_SIGN | ck.CKF_VERIFY | ck.CKF_WRAP | ck.CKF_UNWRAP,
		} {
			info, err := k.m.GetMechanismInfo(0, typ)
			must(t, "C_GetMechanismInfo", err)
			if info.Flags&flags != flags {
				t.Errorf("%v: flags %#x", typ, info.Flags)
			}
		}
		must(t, "C_LoginUser", k.m.LoginUser(k.s, ck.CKU_USER, []byte(fakePIN), nil))
		if len(k.tokenObjects(t)) == 0 {
			t.Error("no token object")
		}
		must(t, "C_Logout", k.m.Logout(k.s))
	},
	ck.CKP_AUTHENTICATION_TOKEN: func(t *testing.T, k *keyring) {
		must(t, "C_Login", k.m.Login(k.s, ck.CKU_USER, []byte(fakePIN)))
		named := func(class ck.ObjectClass, label string) session.ObjectHandle {
			return only(t, k.m, k.s, Template{{ck.CKA_TOKEN, yes}, {ck.CKA_LABEL, []byte(label)}, {ck.CKA_CLASS, encodeULong(uint(class))}})
		}
		pub := named(ck.CKO_PUBLIC_KEY, "Public key for First")
		key, err := rsaPublic(k.value(t, pub, ck.CKA_MODULUS), k.value(t, pub, ck.CKA_PUBLIC_EXPONENT))
		must(t, "public key", err)
		data := randomBytes(500)
		must(t, "C_SignInit", k.m.SignInit(k.s, &Mechanism{Type: ck.CKM_SHA256_RSA_PKCS}, named(ck.CKO_PRIVATE_KEY, "Private key for First")))
		o := &Out{Room: 256}
		must(t, "C_Sign", k.m.Sign(k.s, data, o))
		sum := sha256.Sum256(data)
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], o.Data); err != nil {
			t.Error(err)
		}
		must(t, "C_Logout", k.m.Logout(k.s))
	},
	ck.CKP_PUBLIC_CERTIFICATES_TOKEN: func(t *testing.T, k *keyring) {
		if len(k.value(t, k.tokenObjects(t)[0], ck.CKA_LABEL)) == 0 {
			t.Error("no label")
		}
		certificates := Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_CERTIFICATE))}}
		before, err := find(k.m, k.s, certificates)
		must(t, "certificates", err)
		if len(before) == 0 {
			t.Fatal("no certificates")
		}
		for _, c := range before {
			if len(k.value(t, c, ck.CKA_VALUE)) == 0 || !bytes.Equal(k.value(t, c, ck.CKA_PRIVATE), no) {
				t.Error("no value, or private")
			}
			pub := only(t, k.m, k.s, keyTemplate(ck.CKO_PUBLIC_KEY, k.value(t, c, ck.CKA_ID)[0])) // 8 c ii
			if !bytes.Equal(k.value(t, pub, ck.CKA_PUBLIC_KEY_INFO), k.value(t, c, ck.CKA_PUBLIC_KEY_INFO)) {
				t.Error("the public key is another")
			}
		}
		must(t, "C_Login", k.m.Login(k.s, ck.CKU_USER, []byte(fakePIN)))
		after, err := find(k.m, k.s, certificates)
		must(t, "certificates", err)
		if len(after) != len(before) { // 8 a
			t.Errorf("%d certificates without a login, %d with one", len(before), len(after))
		}
		for _, c := range after {
			priv := only(t, k.m, k.s, keyTemplate(ck.CKO_PRIVATE_KEY, k.value(t, c, ck.CKA_ID)[0])) // 8 b
			if !bytes.Equal(k.value(t, priv, ck.CKA_PUBLIC_KEY_INFO), k.value(t, c, ck.CKA_PUBLIC_KEY_INFO)) {
				t.Error("the private key is another")
			}
		}
		must(t, "C_Logout", k.m.Logout(k.s))
	},
	ck.CKP_HKDF_TLS_TOKEN: func(t *testing.T, k *keyring) {
		base := k.secretObject(ck.CKK_HKDF, randomBytes(32))
		for _, info := range []string{"\x00\x0ctls iv\x00", "\x00\x0ctls quic iv\x00"} {
			p := hkdfParameter(false, true, ck.CKM_SHA256, ck.CKF_HKDF_SALT_NULL, nil, 0, []byte(info))
			h, err := k.m.DeriveKey(k.s, &Mechanism{Type: ck.CKM_HKDF_DATA, Parameter: p}, base, Template{{ck.CKA_VALUE_LEN, encodeULong(12)}})
			must(t, "C_DeriveKey", err)
			if len(k.value(t, h, ck.CKA_VALUE)) != 12 {
				t.Error("another length")
			}
		}
	},
}

func (k *keyring) tokenObjects(t *testing.T) []session.ObjectHandle {
	t.Helper()
	all, err := find(k.m, k.s, Template{{ck.CKA_TOKEN, yes}})
	must(t, "search for token objects", err)
	return all
}

// A profile that the token claims holds, and the claims are found without a login
// and without asking the card.
func TestProfiles(t *testing.T) {
	f := filled(t)
	m := newModule(t, f, Config{})
	k := &keyring{t, m, open(t, m, ck.CKF_RW_SESSION), nil}
	claims, err := find(m, k.s, Template{{ck.CKA_CLASS, encodeULong(uint(ck.CKO_PROFILE))}})
	must(t, "search for profiles", err)
	if f.count() != 0 {
		t.Error("the card was asked")
	}
	claimed := map[ck.Profile]bool{}
	for _, h := range claims {
		n, _ := decodeULong(k.value(t, h, ck.CKA_PROFILE_ID))
		claimed[ck.Profile(n)] = true
		if len(k.value(t, h, ck.CKA_UNIQUE_ID)) == 0 {
			t.Error("no CKA_UNIQUE_ID")
		}
	}
	if len(claimed) != len(claims) || len(claims) != len(profileTests) {
		t.Errorf("claimed: %v", claimed)
	}
	for p := range claimed {
		t.Run(p.String(), func(t *testing.T) {
			k.t = t
			profileTests[p](t, k)
		})
	}
}
