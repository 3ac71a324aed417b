package pkcs11

import "cardbridge/pkcs11/ck"

// profiles are the profiles of PKCS #11 Profiles 3.2 that every token here
// conforms to, with the reasons; section and clause numbers are that document's.
// All of them ask for error handling, and for section 7 of the specification,
// which says to conform to what one claims. TestProfiles makes the calls of the
// mandatory test cases, on a token of the kind that they suppose.
//
// Left out is CKP_COMPLETE_PROVIDER (5.2): it takes every mechanism and every
// object class of the standard.
var profiles = [...]ck.Profile{
	// 5.1. Clause 2, data types: all, CK_PROFILE_ID being CKA_PROFILE_ID's. Clause
	// 3, attributes: CKA_CLASS, CKA_TOKEN and CKA_UNIQUE_ID on all objects,
	// CKA_PRIVATE, CKA_MODIFIABLE and CKA_LABEL on storage objects, CKA_ID on keys
	// and certificates, CKA_VALUE on certificates and data, CKA_PROFILE_ID here.
	// Clause 4: this object. Clause 5, functions: all of the list. BL-M-1-32 finds
	// at least one token object without a login: the profiles themselves.
	ck.CKP_BASELINE_PROVIDER,

	// 5.3. The baseline, and clause 6: C_GetMechanismList and C_GetMechanismInfo,
	// whose flags follow from what the mechanism does; C_Login and C_Logout; and
	// C_LoginUser for the one name that users of a card have, the empty one.
	// EXT-M-1-32 asks for SHA512, RSA_PKCS_KEY_PAIR_GEN and RSA_PKCS.
	ck.CKP_EXTENDED_PROVIDER,

	// 5.4. The baseline, and clause 5: private and public keys, of the card; clause
	// 6: the logins, C_SignInit, C_Sign, and C_SignUpdate with C_SignFinal.
	// AUTH-M-1-32 finds both halves of an RSA key by label and makes a
	// SHA256_RSA_PKCS signature after C_Login alone: any RSA key on the card but one
	// that has CKA_ALWAYS_AUTHENTICATE and says so.
	ck.CKP_AUTHENTICATION_TOKEN,

	// 5.5. The baseline, clause 5: certificates, and clause 8. a: a card's
	// certificates are public objects: on PIV they can be read always (SP 800-73-4
	// part 1, table 2), and C_CreateObject refuses one with CKA_PRIVATE; a login
	// changes nothing about which are found. One in a slot beyond the main ones
	// whose key the card does not know of is found by its CKA_ID alone (token.read).
	// b: CKA_ID is the slot's, for certificate and key alike, and a PIV card keeps a
	// key's certificate in the key's slot. c: ii, as public keys are public objects
	// and have that CKA_ID as well. CERT-M-1-32 reads a label and a certificate
	// without a login.
	ck.CKP_PUBLIC_CERTIFICATES_TOKEN,

	// 5.6. The baseline, and CKM_HKDF_DATA by C_DeriveKey with CK_HKDF_PARAMS,
	// between CKO_SECRET_KEY and CKO_DATA. Clause 7: no pInfo is refused, so those
	// for "tls iv" and "tls quic iv" are not. There is no test case.
	ck.CKP_HKDF_TLS_TOKEN,
}

// profileObject says that the token conforms to a profile. It is no storage
// object, but CKA_TOKEN it has: searches for token objects are to find it, as the
// test cases' do.
func (t *token) profileObject(p ck.Profile) *object {
	return t.object(objectKey{class: ck.CKO_PROFILE, profile: p}, func() *object {
		o := &object{class: ck.CKO_PROFILE, attrs: attributes{
			ck.CKA_CLASS:      encodeULong(uint(ck.CKO_PROFILE)),
			ck.CKA_TOKEN:      yes,
			ck.CKA_PROFILE_ID: encodeULong(uint(p)),
		}}
		t.settle(o)
		for _, a := range []ck.AttributeType{ck.CKA_MODIFIABLE, ck.CKA_COPYABLE, ck.CKA_DESTROYABLE} {
			delete(o.attrs, a)
		}
		return o
	})
}
