//go:build linux && cgo

package conform

import (
	"encoding/hex"
	"fmt"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

// recipes are good calls, so that the random ones between them meet operations under way and objects of every kind. $aes,
// $mac, $rsa, $ec and so on are objects that a recipe made or found before: "#aes" at the end of a line names its result.
var recipes = []struct {
	weight         int
	function, line string
}{
	{4, "C_OpenSession", "$p 6 - - { 0 }"},
	{2, "C_OpenSession", "$p 4 - - { 0 }"},
	{4, "C_Login", "$s0 1 $PIN"},
	{2, "C_CreateObject", "$s0 " + good(secret(p11.CKK_AES, "000102030405060708090a0b0c0d0e0f", p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP, p11.CKA_SIGN, p11.CKA_VERIFY)) + " { 0 } #aes"},
	{2, "C_CreateObject", "$s0 " + good(secret(p11.CKK_GENERIC_SECRET, strings.Repeat("17", 32), p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_DERIVE)) + " { 0 } #mac"},
	{1, "C_CreateObject", "$s0 " + good(data(false, false, "fuzz")) + " { 0 } #data"},
	{1, "C_GenerateKey", "$s0 [ 4224 - 0 ] " + good([]Attr{A(p11.CKA_VALUE_LEN, 32), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_ENCRYPT, true), A(p11.CKA_DECRYPT, true)}) + " { 0 } #aes"},
	{1, "C_GenerateKeyPair", "$s0 [ 4160 - 0 ] " + good([]Attr{A(p11.CKA_EC_PARAMS, oidP256), A(p11.CKA_TOKEN, false), A(p11.CKA_VERIFY, true)}) + " " + good([]Attr{A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_SIGN, true), A(p11.CKA_DERIVE, true)}) + " { 0 } { 0 } #softec"},
	{2, "C_FindObjectsInit", "$s0 " + good([]Attr{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_ID, []byte{RSAKey})})},
	{2, "C_FindObjects", "$s0 o8 1 { 0 } #rsa"},
	{2, "C_FindObjectsInit", "$s0 " + good([]Attr{A(p11.CKA_CLASS, uint(p11.CKO_PRIVATE_KEY)), A(p11.CKA_ID, []byte{ECKey})})},
	{2, "C_FindObjects", "$s0 o8 1 { 0 } #ec"},
	{2, "C_FindObjectsInit", "$s0 " + good([]Attr{A(p11.CKA_CLASS, uint(p11.CKO_PUBLIC_KEY)), A(p11.CKA_ID, []byte{RSAKey})})},
	{2, "C_FindObjects", "$s0 o8 1 { 0 } #public"},
	{4, "C_FindObjectsFinal", "$s0"},
	{4, "C_SignInit", "$s0 [ 593 - 0 ] $mac"},
	{1, "C_SignInit", "$s0 [ 1 - 0 ] $rsa"},
	{1, "C_SignInit", "$s0 [ 64 - 0 ] $rsa"},
	{2, "C_SignInit", "$s0 [ 4161 - 0 ] $ec"},
	{2, "C_SignInit", "$s0 [ 4164 - 0 ] $softec"},
	{3, "C_VerifyInit", "$s0 [ 593 - 0 ] $mac"},
	{1, "C_VerifyInit", "$s0 [ 1 - 0 ] $public"},
	{1, "C_VerifyRecoverInit", "$s0 [ 1 - 0 ] $public"},
	{1, "C_SignRecoverInit", "$s0 [ 1 - 0 ] $rsa"},
	{1, "C_DecryptInit", "$s0 [ 1 - 0 ] $rsa"},
	{1, "C_EncryptInit", "$s0 [ 1 - 0 ] $public"},
	{2, "C_EncryptInit", "$s0 [ 4226 x000102030405060708090a0b0c0d0e0f 16 ] $aes"},
	{2, "C_EncryptInit", "$s0 [ 4229 x000102030405060708090a0b0c0d0e0f 16 ] $aes"},
	{2, "C_EncryptInit", "$s0 [ 4231 [ x000102030405060708090a0b 12 96 x 0 128 ] 48 ] $aes"},
	{2, "C_DecryptInit", "$s0 [ 4229 x000102030405060708090a0b0c0d0e0f 16 ] $aes"},
	{2, "C_DecryptInit", "$s0 [ 4231 [ x000102030405060708090a0b 12 96 x 0 128 ] 48 ] $aes"},
	{4, "C_DigestInit", "$s0 [ 592 - 0 ]"},
	{1, "C_DigestKey", "$s0 $mac"},
	{2, "C_MessageEncryptInit", "$s0 [ 4231 - 0 ] $aes"},
	{2, "C_MessageDecryptInit", "$s0 [ 4231 - 0 ] $aes"},
	{1, "C_MessageSignInit", "$s0 [ 593 - 0 ] $mac"},
	{1, "C_MessageVerifyInit", "$s0 [ 593 - 0 ] $mac"},
	{1, "C_VerifySignatureInit", "$s0 [ 593 - 0 ] $mac x" + strings.Repeat("00", 32) + " 32"},
	{1, "C_WrapKey", "$s0 [ 8457 - 0 ] $aes $mac o64 { 64 }"},
	{1, "C_DeriveKey", "$s0 [ 4176 [ 1 0 - 65 x" + p256Point + " ] 40 ] $ec " + good(derived) + " { 0 } #mac"},
	{1, "C_DeriveKey", "$s0 [ 4176 [ 1 0 - 65 x" + p256Point + " ] 40 ] $softec " + good(derived) + " { 0 } #mac"},
	{2, "C_GetOperationState", "$s0 o500 { 500 }"},
	{1, "C_CopyObject", "$s0 $aes - 0 { 0 } #aes"},
}

// p256Point is the base point of P-256.
const p256Point = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

var derived = []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, uint(p11.CKK_GENERIC_SECRET)), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_EXTRACTABLE, true), A(p11.CKA_SENSITIVE, false), A(p11.CKA_SIGN, true)}

func secret(kind uint, value string, uses ...uint) []Attr {
	b, err := hex.DecodeString(value)
	if err != nil {
		panic(err)
	}
	t := []Attr{A(p11.CKA_CLASS, uint(p11.CKO_SECRET_KEY)), A(p11.CKA_KEY_TYPE, kind), A(p11.CKA_TOKEN, false), A(p11.CKA_PRIVATE, false), A(p11.CKA_EXTRACTABLE, true), A(p11.CKA_SENSITIVE, false), A(p11.CKA_VALUE, b)}
	for _, u := range uses {
		t = append(t, A(u, true))
	}
	return t
}

// good is a template and its count.
func good(attrs []Attr) string { return fmt.Sprintf("%s %d", Template(attrs), len(attrs)) }

func (f *fuzzer) recipe() (function, line string) {
	total := 0
	for _, r := range recipes {
		total += r.weight
	}
	k := f.r.IntN(total)
	for _, r := range recipes {
		if k -= r.weight; k < 0 && (functionIndex[r.function] < functions240 || f.st.minor >= 2) {
			pin := fmt.Sprintf("x%x %d", f.st.pin, len(f.st.pin))
			return r.function, strings.ReplaceAll(r.line, "$PIN", pin)
		}
	}
	return "C_DigestInit", "$s0 [ 592 - 0 ]"
}
