//go:build linux && cgo

package conform

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

var fuzzFunctions = func() []string {
	var names []string
	for n := range signatures {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}()

// next is a function and its arguments, handles left to be filled in.
func (f *fuzzer) next() (function, line string) {
	if f.one(3) {
		return f.recipe()
	}
	for {
		function = fuzzFunctions[f.r.IntN(len(fuzzFunctions))]
		i := functionIndex[function]
		if i >= functions240 && f.st.minor < 0 || i >= functions300 && f.st.minor < 2 {
			continue
		}
		switch {
		case function == "C_Finalize" && !f.one(20), function == "C_CloseAllSessions" && !f.one(8), function == "C_CloseSession" && !f.one(4), function == "C_Logout" && !f.one(3):
			continue
		}
		break
	}
	var args []string
	for _, letter := range signatures[function] {
		args = append(args, f.argument(function, letter))
	}
	return function, strings.Join(args, " ")
}

func (f *fuzzer) one(in int) bool { return f.r.IntN(in) == 0 }

// length is the length told for n bytes.
func (f *fuzzer) length(n int) string {
	switch {
	case f.o.Absurd && f.one(40):
		return []string{"18446744073709551615", "9223372036854775807", "9223372036854775808", "4611686018427387904", "140737488355328"}[f.r.IntN(5)]
	case n > 0 && f.one(12):
		return fmt.Sprint(f.r.IntN(n))
	}
	return fmt.Sprint(n)
}

func (f *fuzzer) bytes(max int) string {
	b := make([]byte, f.r.IntN(max+1))
	for i := range b {
		b[i] = byte(f.r.Uint32())
	}
	if f.one(3) {
		clear(b)
	}
	return hex.EncodeToString(b)
}

// input is bytes and their length.
func (f *fuzzer) input(hexBytes string) string {
	if f.one(25) {
		return "- " + []string{"0", "1", "16", "4096", "18446744073709551615"}[f.r.IntN(5)]
	}
	return "x" + hexBytes + " " + f.length(len(hexBytes)/2)
}

func (f *fuzzer) number() string {
	return []string{"0", "1", "2", "3", "7", "16", "255", "4096", "65537", "4294967295", "4294967296", "9223372036854775807", "18446744073709551615"}[f.r.IntN(13)]
}

// pointer is arg, or NULL now and then.
func (f *fuzzer) pointer(arg string) string {
	if f.one(25) {
		return "-"
	}
	return arg
}

func (f *fuzzer) argument(function string, letter rune) string {
	switch letter {
	case 's':
		if f.one(30) {
			return f.number()
		}
		return []string{"$s0", "$s0", "$s0", "$s0", "$s1", "$s2", "$s3"}[f.r.IntN(7)]
	case 'o':
		if f.one(15) {
			return f.number()
		}
		if f.one(3) {
			return []string{"$aes", "$mac", "$rsa", "$ec", "$softec", "$public", "$data"}[f.r.IntN(7)]
		}
		return fmt.Sprintf("$o%d", f.r.IntN(12))
	case 'p':
		if f.one(15) {
			return f.number()
		}
		return "$p"
	case 'w':
		return f.number()
	case 'f':
		return f.flags(function)
	case 'c':
		return fmt.Sprint(f.r.IntN(2))
	case 'k':
		return []string{"1", "1", "1", "1", "0", "2", "3", "4294967295"}[f.r.IntN(8)]
	case 'm':
		return f.pointer(f.mechanism())
	case 't':
		return f.template()
	case 'T':
		return f.query()
	case 'i':
		return f.input(f.bytes([]int{0, 8, 32, 64, 300, 5000}[f.r.IntN(6)]))
	case 'I':
		return f.secret(function)
	case 'b', 'L':
		return f.room(letter)
	case 'r':
		n := f.r.IntN(100)
		return fmt.Sprintf("o%d %s", n, f.length(n))
	case 'F':
		n := f.r.IntN(20)
		return fmt.Sprintf("%s %d %s", f.pointer(fmt.Sprintf("o%d", 8*n)), n, f.pointer("{ 0 }"))
	case 'u', 'U', 'S':
		return f.pointer("{ 0 }")
	case 'x':
		return f.pointer("o256")
	case 'n':
		if f.one(10) {
			return "[ 0 0 0 0 ]"
		}
		return "-"
	case 'A':
		return f.initArgs()
	case 'P':
		return f.input(f.bytes(64))
	case 'N':
		return f.pointer([]string{"x504b4353203131" + "00", "x435f5369676e00", "x00", "x56656e646f7200"}[f.r.IntN(4)])
	case 'v':
		return f.pointer([]string{"x0228", "x0300", "x0302", "x0909"}[f.r.IntN(4)])
	}
	panic(fmt.Sprintf("conform: letter %c of %s", letter, function))
}

func (f *fuzzer) flags(function string) string {
	switch function {
	case "C_OpenSession":
		return []string{"4", "6", "6", "6", "0", "2", "4294967295"}[f.r.IntN(7)]
	case "C_WaitForSlotEvent":
		return "1" // CKF_DONT_BLOCK: this process has one watch over it, not two
	}
	return f.number()
}

func (f *fuzzer) initArgs() string {
	return []string{
		"-", "[ - - - - 2 - ]", "[ - - - - 0 - ]", "[ f0 f1 f2 f3 0 - ]", "[ f0 f1 f2 f3 2 - ]", "[ f0 - f2 - 0 - ]", "[ - - - - 3 - ]", "[ - - - - 2 x00 ]", "[ - - - - 18446744073709551615 - ]",
	}[f.r.IntN(9)]
}

// secret is a PIN: the right one, so that the token does not lock, or none.
func (f *fuzzer) secret(function string) string {
	pin := f.st.pin
	if function == "C_Login" && f.one(6) && f.st.soPIN != "" {
		pin = f.st.soPIN
	}
	if f.one(30) {
		return "- 0"
	}
	return fmt.Sprintf("x%x %d", pin, len(pin))
}

// room is room for an answer and a pointer to its length: enough, too little, or none.
func (f *fuzzer) room(letter rune) string {
	n := []int{0, 1, 8, 16, 64, 256, 1024, 6000}[f.r.IntN(8)]
	count := n
	if letter == 'L' {
		count = n / 24 // CK_INTERFACE is three words
	}
	switch f.r.IntN(12) {
	case 0:
		return fmt.Sprintf("- { %s }", f.number())
	case 1:
		return fmt.Sprintf("o%d -", n)
	case 2:
		return "- -"
	}
	return fmt.Sprintf("o%d { %d }", n, count)
}

var fuzzMechanisms = []uint{
	p11.CKM_RSA_PKCS, p11.CKM_RSA_X_509, p11.CKM_RSA_PKCS_OAEP, p11.CKM_RSA_PKCS_PSS, p11.CKM_SHA1_RSA_PKCS, p11.CKM_SHA256_RSA_PKCS, p11.CKM_SHA256_RSA_PKCS_PSS,
	p11.CKM_ECDSA, p11.CKM_ECDSA_SHA256, p11.CKM_ECDH1_DERIVE, p11.CKM_ECDH1_COFACTOR_DERIVE, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, p11.CKM_EC_KEY_PAIR_GEN,
	p11.CKM_SHA_1, p11.CKM_SHA256, p11.CKM_SHA512, p11.CKM_SHA256_HMAC, p11.CKM_SHA256_HMAC_GENERAL, p11.CKM_SHA512_HMAC,
	p11.CKM_AES_KEY_GEN, p11.CKM_AES_ECB, p11.CKM_AES_CBC, p11.CKM_AES_CBC_PAD, p11.CKM_AES_CTR, p11.CKM_AES_GCM, p11.CKM_AES_CCM, p11.CKM_AES_KEY_WRAP, p11.CKM_AES_KEY_WRAP_PAD,
	p11.CKM_DES3_KEY_GEN, p11.CKM_DES3_CBC, p11.CKM_DES3_CBC_PAD, p11.CKM_DES3_ECB, p11.CKM_GENERIC_SECRET_KEY_GEN,
	0x1057 /* CKM_EDDSA */, 0x1055 /* CKM_EC_EDWARDS_KEY_PAIR_GEN */, 0x1056 /* montgomery */, 0x402a /* CKM_HKDF_DERIVE */, 0x402b /* CKM_HKDF_DATA */, 0x402c, /* CKM_HKDF_KEY_GEN */
	0xffffffff, 0, 0x80000001,
}

// mechanism is one with a parameter that may be right, short, long, random or missing.
func (f *fuzzer) mechanism() string {
	m := fuzzMechanisms[f.r.IntN(len(fuzzMechanisms))]
	parameter, size := "-", "0"
	data := func(max int) string { // a pointer and a length the other way round
		b := f.bytes(max)
		if f.one(15) {
			return "- 16"
		}
		return fmt.Sprintf("x%s %s", b, f.length(len(b)/2))
	}
	turned := func(max int) string { p := strings.Fields(data(max)); return p[1] + " " + p[0] }
	hash := []string{"592", "544", "608", "0", "77"}[f.r.IntN(5)] // SHA256, SHA_1, SHA384
	mgf := []string{"2", "1", "3", "0", "99"}[f.r.IntN(5)]
	switch m {
	case p11.CKM_RSA_PKCS_OAEP:
		parameter, size = fmt.Sprintf("[ %s %s %s %s ]", hash, mgf, []string{"1", "0"}[f.r.IntN(2)], data(40)), "40"
	case p11.CKM_RSA_PKCS_PSS, p11.CKM_SHA256_RSA_PKCS_PSS:
		parameter, size = fmt.Sprintf("[ %s %s %s ]", hash, mgf, f.number()), "24"
	case p11.CKM_ECDH1_DERIVE, p11.CKM_ECDH1_COFACTOR_DERIVE:
		parameter, size = fmt.Sprintf("[ %s %s %s ]", []string{"1", "2", "6", "99"}[f.r.IntN(4)], turned(40), turned(80)), "40"
	case p11.CKM_AES_CBC, p11.CKM_AES_CBC_PAD:
		parameter, size = "x000102030405060708090a0b0c0d0e0f", "16"
	case p11.CKM_DES3_CBC, p11.CKM_DES3_CBC_PAD:
		parameter, size = "x0001020304050607", "8"
	case p11.CKM_AES_CTR:
		parameter, size = fmt.Sprintf("[ %s 1 2 ]", f.number()), "24"
	case p11.CKM_AES_GCM: // iv, its length, its bits, aad, its length, tag bits
		parameter, size = fmt.Sprintf("[ %s %s %s %s ]", data(24), f.number(), data(40), f.number()), "48"
	case p11.CKM_AES_CCM:
		parameter, size = fmt.Sprintf("[ %s %s %s %s ]", f.number(), data(16), data(40), f.number()), "48"
	case p11.CKM_SHA256_HMAC_GENERAL:
		parameter, size = fmt.Sprintf("[ %s ]", f.number()), "8"
	case 0x402a, 0x402b:
		parameter, size = fmt.Sprintf("[ %d %s %s %s %s %s ]", f.r.IntN(4)<<f.r.IntN(9), hash, f.number(), data(40), f.number(), data(40)), "64"
	}
	switch f.r.IntN(20) {
	case 0:
		parameter, size = "-", f.number()
	case 1:
		b := f.bytes(100)
		parameter, size = "x"+b, fmt.Sprint(len(b)/2)
	case 2:
		if parameter != "-" {
			n := 0
			fmt.Sscan(size, &n)
			size = fmt.Sprint(f.r.IntN(n))
		}
	}
	return fmt.Sprintf("[ %d %s %s ]", m, parameter, size)
}

var fuzzAttributes = []uint{
	p11.CKA_CLASS, p11.CKA_TOKEN, p11.CKA_PRIVATE, p11.CKA_LABEL, p11.CKA_APPLICATION, p11.CKA_VALUE, p11.CKA_OBJECT_ID, p11.CKA_CERTIFICATE_TYPE,
	p11.CKA_ISSUER, p11.CKA_SERIAL_NUMBER, p11.CKA_KEY_TYPE, p11.CKA_SUBJECT, p11.CKA_ID, p11.CKA_SENSITIVE, p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP,
	p11.CKA_UNWRAP, p11.CKA_SIGN, p11.CKA_VERIFY, p11.CKA_DERIVE, p11.CKA_MODULUS, p11.CKA_MODULUS_BITS, p11.CKA_PUBLIC_EXPONENT, p11.CKA_PRIVATE_EXPONENT,
	p11.CKA_PRIME_1, p11.CKA_VALUE_LEN, p11.CKA_EXTRACTABLE, p11.CKA_LOCAL, p11.CKA_MODIFIABLE, p11.CKA_COPYABLE, p11.CKA_DESTROYABLE, p11.CKA_EC_PARAMS, p11.CKA_EC_POINT,
	p11.CKA_ALWAYS_AUTHENTICATE, p11.CKA_WRAP_WITH_TRUSTED, p11.CKA_WRAP_TEMPLATE, p11.CKA_ALLOWED_MECHANISMS, p11.CKA_PUBLIC_KEY_INFO, p11.CKA_START_DATE, 0x4 /* CKA_UNIQUE_ID */, 0xffffffff, 0x80000001,
}

// value is an attribute's value, often of the right kind.
func (f *fuzzer) value(a uint) string {
	word := func(v ...uint) string { return hex.EncodeToString(Ulong(v[f.r.IntN(len(v))])) }
	if f.one(10) {
		return f.bytes(40)
	}
	switch a {
	case p11.CKA_CLASS:
		return word(p11.CKO_DATA, p11.CKO_CERTIFICATE, p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY, p11.CKO_SECRET_KEY, p11.CKO_SECRET_KEY, 9)
	case p11.CKA_KEY_TYPE:
		return word(p11.CKK_RSA, p11.CKK_EC, p11.CKK_AES, p11.CKK_GENERIC_SECRET, p11.CKK_DES3, 0x40, 0x41)
	case p11.CKA_VALUE_LEN, p11.CKA_MODULUS_BITS:
		return word(0, 16, 24, 32, 512, 1024, 4096, 1<<40, ^uint(0)) // no 2048: a key takes long
	case p11.CKA_CERTIFICATE_TYPE:
		return word(0, 1, 77)
	case p11.CKA_EC_PARAMS:
		return hex.EncodeToString(oidP256)
	case p11.CKA_VALUE:
		return []string{"000102030405060708090a0b0c0d0e0f", f.bytes(64), "", "000102030405060708090a0b0c0d0e0f1011121314151617"}[f.r.IntN(4)]
	case p11.CKA_TOKEN:
		return []string{"00", "00", "00", "00", "01"}[f.r.IntN(5)]
	case p11.CKA_ID, p11.CKA_LABEL, p11.CKA_APPLICATION, p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT, p11.CKA_PRIVATE_EXPONENT, p11.CKA_PRIME_1, p11.CKA_EC_POINT, p11.CKA_PUBLIC_KEY_INFO, p11.CKA_ISSUER, p11.CKA_SERIAL_NUMBER, p11.CKA_SUBJECT:
		return f.bytes(70)
	case p11.CKA_START_DATE:
		return hex.EncodeToString([]byte("20260101"))
	}
	return []string{"00", "01"}[f.r.IntN(2)]
}

func (f *fuzzer) template() string {
	if f.one(15) {
		return "- " + []string{"0", "1", "18446744073709551615"}[f.r.IntN(3)]
	}
	attributes := make([]uint, f.r.IntN(9))
	for i := range attributes {
		attributes[i] = fuzzAttributes[f.r.IntN(len(fuzzAttributes))]
	}
	if f.one(2) { // something that may come to be
		attributes = append([]uint{p11.CKA_CLASS, p11.CKA_KEY_TYPE, p11.CKA_VALUE}, attributes...)
	}
	var b strings.Builder
	b.WriteString("[ ")
	for _, a := range attributes {
		if f.one(20) {
			fmt.Fprintf(&b, "%d - %s ", a, f.number())
			continue
		}
		v := f.value(a)
		fmt.Fprintf(&b, "%d x%s %s ", a, v, f.length(len(v)/2))
	}
	b.WriteString("] ")
	if f.one(20) && len(attributes) > 0 {
		return b.String() + fmt.Sprint(f.r.IntN(len(attributes)))
	}
	return b.String() + fmt.Sprint(len(attributes))
}

// query is a template for C_GetAttributeValue.
func (f *fuzzer) query() string {
	n := f.r.IntN(6)
	var b strings.Builder
	b.WriteString("{ ")
	for range n {
		a := fuzzAttributes[f.r.IntN(len(fuzzAttributes))]
		room := []int{0, 1, 7, 8, 100, 3000}[f.r.IntN(6)]
		if f.one(4) {
			fmt.Fprintf(&b, "%d - 0 ", a)
		} else {
			fmt.Fprintf(&b, "%d o%d %d ", a, room, room)
		}
	}
	return f.pointer(b.String()+"}") + " " + fmt.Sprint(n)
}
