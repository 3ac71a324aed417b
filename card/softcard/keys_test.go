package softcard

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"
)

// publicFrom reads a public key template (7F49) or the metadata's inside of one.
func publicFrom(t *testing.T, algorithm byte, b []byte) crypto.PublicKey {
	t.Helper()
	list, ok := parseTLVs(b)
	if !ok {
		t.Fatalf("no data objects: %X", b)
	}
	if n, ok := find(list, 0x81); ok {
		e, _ := find(list, 0x82)
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	point, _ := find(list, 0x86)
	switch algorithm {
	case algEd25519:
		return ed25519.PublicKey(point)
	case algX25519:
		k, err := ecdh.X25519().NewPublicKey(point)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	curve := elliptic.P256()
	if algorithm == algP384 {
		curve = elliptic.P384()
	}
	k, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// works uses the key in a slot in every way that its kind has.
func (h *host) works(slot, algorithm byte, public crypto.PublicKey) {
	h.t.Helper()
	operate := func(tag uint32, input []byte) []byte {
		h.t.Helper()
		h.want(verifyGood, 0x9000)
		out := h.mustLong(0x87, algorithm, slot, makeTLV(0x7C, makeTLV(0x82), makeTLV(tag, input)))
		outer, _ := parseTLVs(out)
		inner, _ := parseTLVs(outer[0].value)
		return inner[0].value
	}
	digest := sha256.Sum256([]byte("something to sign"))
	switch k := public.(type) {
	case *rsa.PublicKey:
		info := append(unhex("3031300D060960864801650304020105000420"), digest[:]...)
		padded := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, k.Size()-3-len(info))...)
		signature := operate(0x81, append(append(padded, 0), info...))
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature); err != nil {
			h.t.Errorf("%02X: %v", algorithm, err)
		}
		_, sw := h.long(0x87, algorithm, slot, makeTLV(0x7C, makeTLV(0x82), makeTLV(0x81, digest[:])))
		if sw != 0x6A80 && sw != 0x6982 {
			h.t.Errorf("an input too short: %04X", sw)
		}
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, digest[:], operate(0x81, digest[:])) {
			h.t.Errorf("%02X: the signature is wrong", algorithm)
		}
		theirs, _ := k.ECDH()
		own, _ := theirs.Curve().GenerateKey(rand.Reader)
		secret, _ := own.ECDH(theirs)
		if got := operate(0x85, own.PublicKey().Bytes()); !bytes.Equal(got, secret) {
			h.t.Errorf("%02X: the secret is wrong", algorithm)
		}
	case ed25519.PublicKey:
		for _, message := range [][]byte{digest[:], bytes.Repeat([]byte("long"), 500)} {
			if !ed25519.Verify(k, message, operate(0x81, message)) {
				h.t.Errorf("%02X: the signature is wrong", algorithm)
			}
		}
	case *ecdh.PublicKey:
		own, _ := ecdh.X25519().GenerateKey(rand.Reader)
		secret, _ := own.ECDH(k)
		if got := operate(0x85, own.PublicKey().Bytes()); !bytes.Equal(got, secret) {
			h.t.Errorf("%02X: the secret is wrong", algorithm)
		}
	}
}

func TestEveryAlgorithm(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		h.admin()
		for _, row := range keyAlgorithms {
			command := []byte{0x00, 0x47, 0x00, 0x9A, 0x05, 0xAC, 0x03, 0x80, 0x01, row.id, 0x00}
			if !p.canMake(row.id) {
				if _, sw := h.send(command); sw != 0x6A80 {
					t.Errorf("%s: %04X", row.name, sw)
				}
				continue
			}
			if row.bits > 2048 && (testing.Short() || p.Name != DefaultPersonality) {
				continue // slow to make
			}
			out, sw := h.send(command)
			if sw != 0x9000 || !bytes.Equal(out[:2], []byte{0x7F, 0x49}) {
				t.Fatalf("%s: %04X %X", row.name, sw, out)
			}
			outer, _ := parseTLVs(out)
			public := publicFrom(t, row.id, outer[0].value)
			h.works(0x9A, row.id, public)
			// The key outlives power, and another algorithm does not fit it.
			h.card = h.insert()
			h.want(selectPIV, 0x9000)
			h.works(0x9A, row.id, public)
			if _, sw := h.long(0x87, row.id^0x80, 0x9A, unhex("7C04 8200 8100")); sw != 0x6A86 {
				t.Errorf("the wrong algorithm: %04X", sw)
			}
			h.admin()
		}
	})
}

func TestGenerateRefuses(t *testing.T) {
	h := newHost(t, "nist")
	h.admin()
	for command, sw := range map[string]uint16{
		"0047009B05 AC03800111":                 0x6A86,
		"004700F905 AC03800111":                 0x6A86,
		"0047009605 AC03800111":                 0x6A86,
		"0047019A05 AC03800111":                 0x6A86,
		"0047009A05 AC03800199":                 0x6A80,
		"0047009A02 AC00":                       0x6A80,
		"0047009A03 AC0380":                     0x6A80,
		"0047009A08 AC06800111AA0101":           0x6A80, // policies are Yubico's
		"0047009A":                              0x6A80,
		"0087119A26 7C24 8200 8120" + zeros(32): 0x6A86, // no key in the slot
	} {
		h.want(command, sw)
	}
}

func zeros(n int) string { return string(bytes.Repeat([]byte("00"), n)) }

func TestImportAndMetadata(t *testing.T) {
	h := newHost(t, "yubikey-5.7")
	h.admin()
	for _, row := range keyAlgorithms {
		if row.bits > 2048 {
			continue
		}
		private, err := row.generate()
		if err != nil {
			t.Fatal(err)
		}
		if sw := h.importKey(0x9D, row.id, private, "AA0101 AB0103"); sw != 0x9000 {
			t.Fatalf("%s: %04X", row.name, sw)
		}
		list, _ := parseTLVs(h.want("00F7009D", 0x9000))
		for tag, want := range map[uint32][]byte{1: {row.id}, 2: {1, 3}, 3: {2}} {
			if v, _ := find(list, tag); !bytes.Equal(v, want) {
				t.Errorf("%s: metadata %02X is %X, want %X", row.name, tag, v, want)
			}
		}
		inside, _ := find(list, 4)
		public := publicFrom(t, row.id, inside)
		if k, ok := public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(publicOf(private)) {
			t.Errorf("%s: the public key is another", row.name)
		}
		h.works(0x9D, row.id, public)
		h.want("00F99D00", 0x6A80) // not made here, not attested
	}
	// A key that does not fit together is not taken.
	k, _ := rsa.GenerateKey(rand.Reader, 2048)
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	k.Primes[1] = other.Primes[1]
	if sw := h.importKey(0x9D, algRSA2048, k, ""); sw != 0x6A80 {
		t.Errorf("an impossible key: %04X", sw)
	}
}

func (h *host) importKey(slot, algorithm byte, key crypto.PrivateKey, policy string) uint16 {
	h.t.Helper()
	var b []byte
	switch k := key.(type) {
	case *rsa.PrivateKey:
		for i, n := range []*big.Int{k.Primes[0], k.Primes[1], k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv} {
			b = append(b, makeTLV(uint32(i+1), n.FillBytes(make([]byte, k.N.BitLen()/16)))...)
		}
	case *ecdsa.PrivateKey:
		scalar, _ := k.Bytes()
		b = makeTLV(0x06, scalar)
	case ed25519.PrivateKey:
		b = makeTLV(0x07, k.Seed())
	case *ecdh.PrivateKey:
		b = makeTLV(0x08, k.Bytes())
	}
	_, sw := h.long(0xFE, algorithm, slot, append(b, unhex(policy)...))
	return sw
}

func TestReferenceMetadata(t *testing.T) {
	h := newHost(t, "odd-policy")
	check := func(command string, want string) {
		t.Helper()
		if got := h.want(command, 0x9000); !bytes.Equal(got, unhex(want)) {
			t.Errorf("%s: %X, want %s", command, got, want)
		}
	}
	check("00F70080", "0101FF 050101 06020808")
	check("00F70081", "0101FF 050101 06020505")
	check("00F7009B", "010103 02020001 050101")
	h.want(verifyBad, 0x63C7)
	h.want("0024008110 3132333435363738 3837363534333231", 0x9000)
	check("00F70080", "0101FF 050101 06020807")
	check("00F70081", "0101FF 050100 06020505")
	h.want("00F7009A", 0x6A88)
	h.want("00F70096", 0x6A88)
}

func TestMoveAndDelete(t *testing.T) {
	h := newHost(t, "yubikey-5.7")
	h.want("00F6829A", 0x6982)
	h.admin()
	h.want("00F6829A", 0x6A88)
	out := h.want("0047009A05 AC03800111", 0x9000)
	outer, _ := parseTLVs(out)
	public := publicFrom(t, algP256, outer[0].value)
	h.want("00F6829A", 0x9000)
	h.want("00F7009A", 0x6A88)
	h.works(0x82, algP256, public)
	h.want("00F6FF82", 0x9000)
	h.want("00F70082", 0x6A88)
	h.want("00F69B82", 0x6A86)
	h.want("00F6FFF9", 0x9000) // the attestation key can be deleted, with what it says
	h.want("0047009A05 AC03800111", 0x9000)
	h.want("00F99A00", 0x6400)
}

func TestAttest(t *testing.T) {
	for _, name := range []string{"yubikey-5.7", "yubikey-4"} {
		h := newHost(t, name)
		h.admin()
		h.want("00F99A00", 0x6A88)
		outer, _ := parseTLVs(h.want("00CB3FFF05 5C035FFF01 00", 0x9000))
		object, _ := parseTLVs(outer[0].value)
		issuer, err := x509.ParseCertificate(object[0].value)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(issuer)
		for _, algorithm := range []byte{algP256, algRSA2048, algX25519} {
			if !h.card.personality.canMake(algorithm) {
				continue
			}
			h.mustLong(0x47, 0, 0x9C, unhex("AC098001"+string("0123456789ABCDEF"[algorithm>>4])+string("0123456789ABCDEF"[algorithm&15])+"AA0102 AB0103"))
			certificate, err := x509.ParseCertificate(h.want("00F99C00", 0x9000))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
				t.Errorf("%s %02X: %v", name, algorithm, err)
			}
			for _, e := range certificate.Extensions {
				if e.Id.Equal(oidPolicy) && !bytes.Equal(e.Value, []byte{2, 3}) {
					t.Errorf("policy %X", e.Value)
				}
			}
			public, err := x509.ParsePKIXPublicKey(certificate.RawSubjectPublicKeyInfo)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := public.(*ecdh.PublicKey); (algorithm == algX25519) != ok {
				t.Errorf("%02X: public key %T", algorithm, public)
			}
		}
	}
}

func TestManagementKey(t *testing.T) {
	everyPersonality(t, func(t *testing.T, p *personality) {
		h := newHost(t, p.Name)
		key := unhex("010203040506070801020304050607080102030405060708")
		block := hostCipher(t, p.adminDefault, key)
		// Single authentication.
		out := h.mustLong(0x87, p.adminDefault, 0x9B, unhex("7C028100"))
		response := make([]byte, block.BlockSize())
		block.Encrypt(response, out[4:])
		if _, sw := h.long(0x87, p.adminDefault, 0x9B, makeTLV(0x7C, makeTLV(0x82, response))); sw != 0x9000 {
			t.Fatalf("single: %04X", sw)
		}
		h.want("0047009A05 AC03800111", 0x9000)
		// The same response again is no response to anything.
		if _, sw := h.long(0x87, p.adminDefault, 0x9B, makeTLV(0x7C, makeTLV(0x82, response))); sw != 0x6985 {
			t.Errorf("replayed: %04X", sw)
		}
		h.want("0047009A05 AC03800111", 0x6982)
		// A wrong one takes away what there was.
		h.admin()
		h.mustLong(0x87, p.adminDefault, 0x9B, unhex("7C028100"))
		if _, sw := h.long(0x87, p.adminDefault, 0x9B, makeTLV(0x7C, makeTLV(0x82, response))); sw != 0x6982 {
			t.Errorf("wrong: %04X", sw)
		}
		h.want("0047009A05 AC03800111", 0x6982)
		h.want("0087FF9B04 7C028100", 0x6A86)

		if !p.has(featAdmin) {
			return
		}
		for _, c := range []struct {
			algorithm byte
			length    int
		}{{adminTDES, 24}, {adminAES128, 16}, {adminAES192, 24}, {adminAES256, 32}, {adminTDES, 24}} {
			if !p.canAdminister(c.algorithm) {
				continue
			}
			h.card.Reset()
			h.want(selectPIV, 0x9000)
			h.adminWith(h.card.store.state.Admin.Algorithm, h.card.store.state.Admin.Key)
			next := bytes.Repeat([]byte{0x11, 0x33}, c.length/2)
			h.mustLong(0xFF, 0xFF, 0xFF, append([]byte{c.algorithm, 0x9B, byte(c.length)}, next...))
			h.adminWith(c.algorithm, next)
		}
		h.want("00FFFFFF04 039B0101", 0x6A80)
		h.want("00FFFF00", 0x6A86)
	})
}

func TestFactoryReset(t *testing.T) {
	h := newHost(t, "yubikey-5.7")
	h.admin()
	h.want("0047009A05 AC03800111", 0x9000)
	h.want("00DB3FFF0A 5C035FC102 5303010203", 0x9000)
	h.want(verifyGood, 0x9000)
	h.want("00FA0502", 0x9000)
	if pin, puk := h.card.Tries(); pin != 5 || puk != 2 {
		t.Errorf("%d and %d tries", pin, puk)
	}
	h.want("00FB0000", 0x6985)
	for range 5 {
		h.send(unhex(verifyBad))
	}
	h.want("00FB0000", 0x6985)
	for range 2 {
		h.send(unhex("002C008010 3131313131313131 313233343536FFFF"))
	}
	h.want("00FB0000", 0x9000)
	if pin, puk := h.card.Tries(); pin != 3 || puk != 3 {
		t.Errorf("%d and %d tries", pin, puk)
	}
	h.want("00F7009A", 0x6A88)
	h.want("00CB3FFF05 5C035FC102 00", 0x6A82)
	h.want("00F700F9", 0x9000) // the attestation key stays
	h.want("0047009A05 AC03800111", 0x6982)
	h.admin()
}
