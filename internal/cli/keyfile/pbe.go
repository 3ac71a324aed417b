package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"

	"golang.org/x/crypto/scrypt"
)

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958 section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// errBadForm is for encryption that is malformed or unknown, whatever the passphrase.
var errBadForm = errors.New("encrypted private key")

// decryptPKCS8 undoes a passphrase's encryption: PBES2 and PBES1 of RFC 8018,
// and PKCS #12's (RFC 7292 appendix C), which old files have. Of these
// github.com/youmark/pkcs8 knows the first alone, and of that neither all hashes
// nor a bound to what a file may make us spend.
func decryptPKCS8(der, passphrase []byte) ([]byte, error) {
	var k encryptedKey
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: malformed", errBadForm)
	}
	oid := k.Algorithm.Algorithm.String()
	if oid == oidPBES2 {
		return decryptPBES2(k, passphrase)
	}
	if scheme, ok := oldSchemes[oid]; ok {
		return decryptOld(scheme, k, passphrase)
	}
	return nil, fmt.Errorf("%w: encryption %s is not known", errBadForm, oid)
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"

	// What a file may make us spend: OpenSSL's defaults are 2,048 iterations and
	// 16 MiB.
	maxIterations = 10_000_000
	maxScrypt     = 1 << 30
)

// prfs are the hashes of PBKDF2's HMAC.
var prfs = map[string]func() hash.Hash{
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// A blockCipher is a cipher in CBC mode.
type blockCipher struct {
	key int
	new func(key []byte) (cipher.Block, error)
}

var ciphers = map[string]blockCipher{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

func decryptPBES2(k encryptedKey, passphrase []byte) ([]byte, error) {
	var p struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if rest, err := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &p); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: malformed PBES2", errBadForm)
	}
	c, ok := ciphers[p.Cipher.Algorithm.String()]
	if !ok {
		return nil, fmt.Errorf("%w: cipher %v is not known", errBadForm, p.Cipher.Algorithm)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(p.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("%w: malformed PBES2", errBadForm)
	}
	key, err := deriveKey(p.KDF, passphrase, c.key)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return c.decrypt(key, iv, k.Data)
}

func deriveKey(kdf pkix.AlgorithmIdentifier, passphrase []byte, length int) ([]byte, error) {
	switch kdf.Algorithm.String() {
	case oidPBKDF2:
		var p struct {
			Salt       []byte
			Iterations int
			Length     int                      `asn1:"optional"`
			PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &p); err != nil || p.Iterations < 1 || p.Iterations > maxIterations {
			return nil, fmt.Errorf("%w: malformed PBKDF2", errBadForm)
		}
		prf := sha1.New
		if p.PRF.Algorithm != nil {
			if prf = prfs[p.PRF.Algorithm.String()]; prf == nil {
				return nil, fmt.Errorf("%w: PBKDF2 with %v is not known", errBadForm, p.PRF.Algorithm)
			}
		}
		return pbkdf2.Key(prf, string(passphrase), p.Salt, p.Iterations, length)
	case oidScrypt:
		var p struct {
			Salt    []byte
			N, R, P int
			Length  int `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &p); err != nil || p.N < 2 || p.R < 1 || p.P < 1 || p.P > 64 ||
			p.N > maxScrypt || p.R > 1024 || 128*p.N > maxScrypt/p.R {
			return nil, fmt.Errorf("%w: malformed scrypt", errBadForm)
		}
		return scrypt.Key(passphrase, p.Salt, p.N, p.R, p.P, length)
	}
	return nil, fmt.Errorf("%w: key derivation %v is not known", errBadForm, kdf.Algorithm)
}

// decrypt undoes CBC and its padding. A wrong passphrase shows as a wrong
// padding, or else as a key that makes no sense.
func (c blockCipher) decrypt(key, iv, data []byte) ([]byte, error) {
	block, err := c.new(key)
	if err != nil {
		return nil, err
	}
	n := block.BlockSize()
	if len(iv) != n || len(data) == 0 || len(data)%n != 0 {
		return nil, fmt.Errorf("%w: malformed", errBadForm)
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > n {
		return nil, ErrPassphrase
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, ErrPassphrase
		}
	}
	return out[:len(out)-pad], nil
}

// An oldScheme makes key and IV of a passphrase, salt and count.
type oldScheme struct {
	hash   func() hash.Hash
	pkcs12 bool // PKCS #12's derivation rather than PBKDF1
	key    int
	cipher func(key []byte) (cipher.Block, error)
}

// oldSchemes are those that OpenSSL still writes when told to (pkcs8 -v1), but
// for RC2's.
var oldSchemes = map[string]oldScheme{
	"1.2.840.113549.1.5.3":    {md5.New, false, 8, des.NewCipher},
	"1.2.840.113549.1.5.10":   {sha1.New, false, 8, des.NewCipher},
	"1.2.840.113549.1.12.1.3": {sha1.New, true, 24, des.NewTripleDESCipher},
	"1.2.840.113549.1.12.1.4": {sha1.New, true, 16, twoKeyTripleDES},
}

func twoKeyTripleDES(key []byte) (cipher.Block, error) {
	full := append(append([]byte(nil), key...), key[:8]...)
	defer clear(full)
	return des.NewTripleDESCipher(full)
}

func decryptOld(s oldScheme, k encryptedKey, passphrase []byte) ([]byte, error) {
	var p struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(k.Algorithm.Parameters.FullBytes, &p); err != nil || p.Iterations < 1 || p.Iterations > maxIterations || len(p.Salt) == 0 {
		return nil, fmt.Errorf("%w: malformed", errBadForm)
	}
	var key, iv []byte
	if s.pkcs12 {
		key = pkcs12Derive(s.hash, 1, passphrase, p.Salt, p.Iterations, s.key)
		iv = pkcs12Derive(s.hash, 2, passphrase, p.Salt, p.Iterations, 8)
	} else {
		both := pbkdf1(s.hash, passphrase, p.Salt, p.Iterations)
		key, iv = both[:8], both[8:16]
	}
	defer clear(key)
	return blockCipher{s.key, s.cipher}.decrypt(key, iv, k.Data)
}

// pbkdf1 is RFC 8018 section 5.1.
func pbkdf1(newHash func() hash.Hash, passphrase, salt []byte, iterations int) []byte {
	h := newHash()
	h.Write(passphrase)
	h.Write(salt)
	out := h.Sum(nil)
	for range iterations - 1 {
		h.Reset()
		h.Write(out)
		out = h.Sum(out[:0])
	}
	return out
}

// pkcs12Derive is RFC 7292 appendix B.2, for hashes with blocks of 64 bytes; id
// is 1 for a key and 2 for an IV.
func pkcs12Derive(newHash func() hash.Hash, id byte, passphrase, salt []byte, iterations, length int) []byte {
	const v = 64
	var bmp []byte
	for _, u := range utf16.Encode([]rune(string(passphrase))) {
		bmp = append(bmp, byte(u>>8), byte(u))
	}
	bmp = append(bmp, 0, 0)
	defer clear(bmp)
	fill := func(b []byte) []byte {
		out := make([]byte, (len(b)+v-1)/v*v)
		for i := range out {
			out[i] = b[i%len(b)]
		}
		return out
	}
	d := make([]byte, v)
	for i := range d {
		d[i] = id
	}
	input := append(fill(salt), fill(bmp)...)
	defer clear(input)
	var out []byte
	for len(out) < length {
		h := newHash()
		h.Write(d)
		h.Write(input)
		a := h.Sum(nil)
		for range iterations - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		// Each block of the input grows by the hash, repeated, and one.
		for j := 0; j < len(input); j += v {
			carry := 1
			for i := v - 1; i >= 0; i-- {
				carry += int(input[j+i]) + int(a[i%len(a)])
				input[j+i] = byte(carry)
				carry >>= 8
			}
		}
	}
	return out[:length]
}
