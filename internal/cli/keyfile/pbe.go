package keyfile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"unicode/utf16"

	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/crypto/scrypt"
)

// The ways in which PKCS #8 keys are encrypted: PBES2 of today, and the two
// older families that files of people and programs still have. None is used
// for writing.

// A pbe is a kind of password-based encryption with its parameters read.
type pbe struct {
	derive func(pass []byte) ([]byte, error) // the key, and after it the IV where iv is nil
	block  blockCipher
	iv     []byte
}

type blockCipher struct {
	new  func(key []byte) (cipher.Block, error)
	key  int // bytes
	size int // of a block
}

var (
	desCipher       = blockCipher{des.NewCipher, 8, 8}
	tripleDESCipher = blockCipher{des.NewTripleDESCipher, 24, 8}
	// Two-key triple DES is three-key triple DES with K3 = K1.
	twoKeyDESCipher = blockCipher{func(k []byte) (cipher.Block, error) {
		k = append(bytes.Clone(k), k[:8]...)
		defer clear(k)
		return des.NewTripleDESCipher(k)
	}, 16, 8}
)

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

// oldSchemes are those of PBES1 (RFC 8018 appendix A.3) and PKCS #12 (RFC 7292
// appendix C), by OID.
var oldSchemes = map[string]struct {
	block blockCipher
	kdf   func(pass, salt []byte, iterations, size int) []byte
}{
	"1.2.840.113549.1.5.3":    {desCipher, pbkdf1(md5.New)},
	"1.2.840.113549.1.5.10":   {desCipher, pbkdf1(sha1.New)},
	"1.2.840.113549.1.12.1.3": {tripleDESCipher, pkcs12KDF},
	"1.2.840.113549.1.12.1.4": {twoKeyDESCipher, pkcs12KDF},
}

// ciphers are those of PBES2, by OID (RFC 8018 appendix B.2).
var ciphers = map[string]blockCipher{
	"1.3.14.3.2.7":            desCipher,
	"1.2.840.113549.3.7":      tripleDESCipher,
	"2.16.840.1.101.3.4.1.2":  {aes.NewCipher, 16, 16},
	"2.16.840.1.101.3.4.1.22": {aes.NewCipher, 24, 16},
	"2.16.840.1.101.3.4.1.42": {aes.NewCipher, 32, 16},
}

// prfs are PBKDF2's, by OID (RFC 8018 appendix B.1); without one it is SHA-1.
var prfs = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
	"1.2.840.113549.2.12": sha512.New512_224,
	"1.2.840.113549.2.13": sha512.New512_256,
}

// What a file may make this computer do: seconds of work and 256 MiB.
const (
	maxIterations   = 20_000_000
	maxScryptMemory = 256 << 20
)

type algorithm struct {
	OID    asn1.ObjectIdentifier
	Params asn1.RawValue `asn1:"optional"`
}

var errMalformedEncryption = errors.New("malformed encrypted private key")

func unknownEncryption(oid asn1.ObjectIdentifier) error {
	return fmt.Errorf("encrypted in a way (%v) that is not known here", oid)
}

// readPBE reads an EncryptedPrivateKeyInfo (RFC 5208 section 6).
func readPBE(der []byte) (*pbe, []byte, error) {
	var info struct {
		Algorithm algorithm
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, nil, errMalformedEncryption
	}
	p, err := newPBE(info.Algorithm)
	return p, info.Data, err
}

func newPBE(alg algorithm) (*pbe, error) {
	if alg.OID.String() == oidPBES2 {
		return newPBES2(alg.Params.FullBytes)
	}
	scheme, ok := oldSchemes[alg.OID.String()]
	if !ok {
		return nil, unknownEncryption(alg.OID)
	}
	var params struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(alg.Params.FullBytes, &params); err != nil || params.Iterations < 1 || params.Iterations > maxIterations {
		return nil, errMalformedEncryption
	}
	return &pbe{block: scheme.block, derive: func(pass []byte) ([]byte, error) {
		return scheme.kdf(pass, params.Salt, params.Iterations, scheme.block.key+scheme.block.size), nil
	}}, nil
}

func newPBES2(der []byte) (*pbe, error) {
	var params struct{ KDF, Cipher algorithm }
	if _, err := asn1.Unmarshal(der, &params); err != nil {
		return nil, errMalformedEncryption
	}
	block, ok := ciphers[params.Cipher.OID.String()]
	if !ok {
		return nil, unknownEncryption(params.Cipher.OID)
	}
	p := &pbe{block: block}
	if _, err := asn1.Unmarshal(params.Cipher.Params.FullBytes, &p.iv); err != nil || len(p.iv) != block.size {
		return nil, errMalformedEncryption
	}
	var err error
	switch params.KDF.OID.String() {
	case oidPBKDF2:
		p.derive, err = readPBKDF2(params.KDF.Params.FullBytes, block.key)
	case oidScrypt:
		p.derive, err = readScrypt(params.KDF.Params.FullBytes, block.key)
	default:
		err = unknownEncryption(params.KDF.OID)
	}
	return p, err
}

func readPBKDF2(der []byte, size int) (func([]byte) ([]byte, error), error) {
	var p struct {
		Salt       []byte
		Iterations int
		KeyLength  int       `asn1:"optional"`
		PRF        algorithm `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Iterations < 1 || p.Iterations > maxIterations {
		return nil, errMalformedEncryption
	}
	prf, ok := prfs[p.PRF.OID.String()]
	if !ok {
		return nil, unknownEncryption(p.PRF.OID)
	}
	return func(pass []byte) ([]byte, error) {
		return pbkdf2.Key(pass, p.Salt, p.Iterations, size, prf), nil
	}, nil
}

// readScrypt reads RFC 7914 section 7's parameters.
func readScrypt(der []byte, size int) (func([]byte) ([]byte, error), error) {
	var p struct {
		Salt      []byte
		N, R, P   int
		KeyLength int `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.N < 2 || p.R < 1 || p.P < 1 {
		return nil, errMalformedEncryption
	}
	if p.N > maxScryptMemory/128/p.R || p.P > 16 {
		return nil, errors.New("encrypted so that opening it takes more memory than is sensible")
	}
	return func(pass []byte) ([]byte, error) { return scrypt.Key(pass, p.Salt, p.N, p.R, p.P, size) }, nil
}

// open decrypts. The formats have no check but the padding and what is
// inside: both tell of a wrong passphrase.
func (p *pbe) open(data, pass []byte) ([]byte, error) {
	key, err := p.derive(pass)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	iv := p.iv
	if iv == nil {
		iv = key[p.block.key:]
	}
	block, err := p.block.new(key[:p.block.key])
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%p.block.size != 0 {
		return nil, errMalformedEncryption
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > p.block.size || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		clear(plain)
		return nil, ErrPassphrase
	}
	return plain[:len(plain)-n], nil
}

// pbkdf1 is RFC 8018 section 5.1.
func pbkdf1(h func() hash.Hash) func(pass, salt []byte, iterations, size int) []byte {
	return func(pass, salt []byte, iterations, size int) []byte {
		d := h()
		d.Write(pass)
		d.Write(salt)
		t := d.Sum(nil)
		for range iterations - 1 {
			d.Reset()
			d.Write(t)
			t = d.Sum(t[:0])
		}
		return t[:size]
	}
}

// pkcs12KDF is RFC 7292 appendix B.2 with SHA-1: the key (ID 1), then the IV
// (ID 2), which is always eight bytes of the size.
func pkcs12KDF(pass, salt []byte, iterations, size int) []byte {
	const ivSize = 8
	password := bmpString(pass)
	defer clear(password)
	return append(pkcs12Derive(1, password, salt, iterations, size-ivSize), pkcs12Derive(2, password, salt, iterations, ivSize)...)
}

// bmpString is UTF-16 with a zero at its end, as RFC 7292 appendix B.1 wants it.
func bmpString(pass []byte) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(string(pass))) {
		out = append(out, byte(u>>8), byte(u))
	}
	return append(out, 0, 0)
}

func pkcs12Derive(id byte, pass, salt []byte, iterations, size int) []byte {
	const v = sha1.BlockSize
	d := bytes.Repeat([]byte{id}, v)
	in := append(fill(salt, v), fill(pass, v)...)
	defer clear(in)
	var out []byte
	for len(out) < size {
		a := sha1.Sum(append(bytes.Clone(d), in...))
		for range iterations - 1 {
			a = sha1.Sum(a[:])
		}
		out = append(out, a[:]...)
		b := new(big.Int).SetBytes(fill(a[:], v)[:v])
		b.Add(b, big.NewInt(1))
		for at := 0; at < len(in); at += v {
			part := new(big.Int).SetBytes(in[at : at+v])
			part.Add(part, b)
			sum := part.Bytes()
			if len(sum) > v {
				sum = sum[len(sum)-v:]
			}
			clear(in[at : at+v])
			copy(in[at+v-len(sum):at+v], sum)
		}
	}
	return out[:size]
}

// fill repeats b up to a multiple of v.
func fill(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	n := (len(b) + v - 1) / v * v
	return bytes.Repeat(b, n/len(b)+1)[:n]
}
