package piv

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"testing"

	"cardbridge/apdu"
	"cardbridge/card"
)

// foreign is a card of somebody else's making, told command by command after
// its source or what is known of it: a card.Conn that answers 6D00 to what its
// test does not answer. The software card is none of these.
type foreign struct {
	t       *testing.T
	apt     []byte // of SELECT
	objects map[Tag][]byte
	// answer comes first; status 0 leaves the command to the rest.
	answer func(apdu.Command) ([]byte, apdu.Status)
	log    []apdu.Command
}

func (f *foreign) Reader() string       { return "foreign" }
func (f *foreign) ExtendedLength() bool { return true }
func (f *foreign) Epoch() uint64        { return 1 }

func (f *foreign) Transact(_ context.Context, g func(apdu.Transaction) error) error { return g(f) }

func (f *foreign) Transmit(b []byte) ([]byte, error) {
	cmd, _, err := apdu.ParseCommand(b)
	ok(f.t, err)
	f.log = append(f.log, cmd)
	data, status := []byte(nil), apdu.Status(0)
	if f.answer != nil {
		data, status = f.answer(cmd)
	}
	if status == 0 {
		data, status = f.standard(cmd)
	}
	return append(bytes.Clone(data), byte(status>>8), byte(status)), nil
}

func (f *foreign) standard(cmd apdu.Command) ([]byte, apdu.Status) {
	switch cmd.INS {
	case insSelect:
		if !bytes.HasPrefix(fullAID, cmd.Data) {
			return nil, apdu.ErrNotFound
		}
		return f.apt, apdu.OK
	case insGetData:
		v, there := f.objects[tagOf(cmd)]
		if !there {
			return nil, apdu.ErrNotFound
		}
		return v, apdu.OK
	}
	return nil, apdu.ErrInstruction
}

// tagOf is the tag that GET DATA asks for.
func tagOf(cmd apdu.Command) (tag Tag) {
	for _, b := range cmd.Data[2:] {
		tag = tag<<8 | Tag(b)
	}
	return tag
}

// count tells how often an instruction was sent, those with data.
func (f *foreign) count(ins byte) (n, withData int) {
	for _, c := range f.log {
		if c.INS == ins {
			n++
			if len(c.Data) > 0 {
				withData++
			}
		}
	}
	return n, withData
}

// nistTemplate is what SELECT of a card without a row of its own answers.
var nistTemplate = tlv(0x61, tlv(0x4F, fullAID), tlv(0x79, tlv(0x4F, fullAID[:5])))

// foreignKey is a key with a certificate and its public point.
func foreignKey(t *testing.T) (der, point []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	point, err = key.PublicKey.Bytes()
	ok(t, err)
	return certificateFor(t, key.Public()), point
}

func stored(der []byte) []byte {
	return tlv(0x53, tlv(tagCertificate, der), tlv(tagCertInfo, []byte{0}), tlv(tagLRC))
}

// TestPivApplet09: its metadata say nothing of an algorithm where there is no
// key, and count the origin from 0 (PivApplet.java, processGetMetadata).
func TestPivApplet09(t *testing.T) {
	_, point := foreignKey(t)
	f := &foreign{t: t, apt: tlv(0x61, tlv(0x4F, fullAID), tlv(0x79, tlv(0x4F, fullAID[:5])), tlv(0x50, []byte("PivApplet v0.9.0/REeAaD")),
		tlv(0xAC, tlv(0x80, []byte{0x03}), tlv(0x06, []byte{0})), tlv(0xAC, tlv(0x80, []byte{0x11}), tlv(0x06, []byte{0})))}
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS != insMetadata {
			return nil, 0
		}
		key := func(origin byte) []byte {
			return join(tlv(0x01, []byte{0x11}), tlv(0x02, []byte{2, 1}), tlv(0x03, []byte{origin}), tlv(0x04, tlv(0x86, point)))
		}
		switch {
		case cmd.P2 == refPIN, cmd.P2 == refPUK:
			return join(tlv(0x05, []byte{1}), tlv(0x06, []byte{5, 4})), apdu.OK
		case cmd.P2 == 0x9A:
			return key(0), apdu.OK
		case cmd.P2 == 0x9C:
			return key(1), apdu.OK
		case cmd.P2 == 0x9D: // a reset has emptied it
			return nil, apdu.OK
		case cmd.P2 == 0x9E, cmd.P2 >= 0x82 && cmd.P2 <= 0x8C:
			return join(tlv(0x02, []byte{2, 1}), tlv(0x03, []byte{0})), apdu.OK
		}
		return nil, apdu.ErrIncorrectP1P2
	}
	c := Open(f)
	if _, err := c.Key(ctx, "f9"); !errors.Is(err, card.ErrNotFound) {
		t.Error(err)
	}
	f.log = nil
	keys, err := c.Keys(ctx)
	ok(t, err)
	if len(keys) != 2 || keys[0].Origin != card.OriginGenerated || keys[1].Origin != card.OriginImported || keys[1].Algorithm != card.P256 {
		t.Errorf("%+v", keys)
	}
	if len(f.log) != 24 {
		t.Errorf("%d commands to list the keys", len(f.log))
	}
	for name, want := range map[card.SecretName]int{card.PIN: 4, card.PUK: 4} {
		if s, err := c.PINState(ctx, name); err != nil || s.Tries != want || s.Max != 5 || !s.Default {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	id, err := c.Identity(ctx)
	ok(t, err)
	if id.Model != "PivApplet" || id.Version.Known() {
		t.Errorf("%+v", id)
	}
}

// TestPivApplet08: it attests whatever is in a slot, and makes a certificate
// without a key where there is none (PivApplet.java, writeX509CertInfo).
func TestPivApplet08(t *testing.T) {
	der, _ := foreignKey(t)
	name := tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x06, unhex(t, "550403")), tlv(0x0C, []byte("PIVApplet Attestation")))))
	algorithm := tlv(0x30, tlv(0x06, unhex(t, "2A8648CE3D040302")))
	keyless := tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0x02, []byte{2})), tlv(0x02, []byte{1}), algorithm, name,
		tlv(0x30, tlv(0x18, []byte("20180101000000Z")), tlv(0x18, []byte("20500101000000Z"))), name), algorithm, tlv(0x03, []byte{0, 0x30, 0}))
	f := &foreign{t: t, apt: tlv(0x61, tlv(0x4F, fullAID), tlv(0x50, []byte("PivApplet")), tlv(0xAC, unhex(t, "800103800111800106800107")))}
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch {
		case cmd.INS != insAttest:
			return nil, 0
		case cmd.P1 == 0x9D:
			return der, apdu.OK
		case cmd.P1 > 0x8C && cmd.P1 < 0x9A:
			return nil, apdu.ErrIncorrectP1P2
		}
		return keyless, apdu.OK
	}
	c := Open(f)
	keys, err := c.Keys(ctx)
	ok(t, err)
	if len(keys) != 1 || keys[0].Ref != "9d" || keys[0].Algorithm != card.P256 || keys[0].Origin != card.OriginUnknown {
		t.Errorf("%+v", keys)
	}
	if _, err := c.Attest(ctx, "9a"); !errors.Is(err, card.ErrNotFound) {
		t.Error(err)
	}
}

// TestSelectAnswers: what cards answer to SELECT is not always a template.
func TestSelectAnswers(t *testing.T) {
	for name, apt := range map[string][]byte{
		"nothing":           nil,
		"FCI":               tlv(0x6F, tlv(0x84, fullAID), tlv(0xA5)),
		"padded":            append(bytes.Clone(nistTemplate), 0, 0),
		"padded inside":     tlv(0x61, tlv(0x4F, fullAID), []byte{0, 0}),
		"long length":       append([]byte{0x61, 0x82, 0, byte(len(nistTemplate) - 2)}, nistTemplate[2:]...),
		"tags of their own": tlv(0x61, tlv(0x9F7F, []byte{1, 2}), tlv(0x5F50, []byte("http://example.com")), tlv(0x4F, fullAID)),
	} {
		t.Run(name, func(t *testing.T) {
			f := &foreign{t: t, apt: apt}
			id, err := Open(f).Identity(ctx)
			ok(t, err)
			if id.Model != "PIV card" {
				t.Errorf("%+v", id)
			}
		})
	}
	f := &foreign{t: t, apt: []byte{0x12, 0x34}}
	if err := Open(f).Probe(ctx); !errors.Is(err, card.ErrInvalidAnswer) {
		t.Errorf("nonsense: %v", err)
	}
	f = &foreign{t: t, apt: tlv(0x61, tlv(0x50, []byte("PivApplet")), tlv(0xAC, tlv(0x80, []byte{0x11})), tlv(0xAC, tlv(0x80, []byte{hashOnCard})))}
	c := Open(f)
	ok(t, c.Probe(ctx))
	if !slices.Equal(c.facts.template.algorithms, []byte{0x11, hashOnCard}) {
		t.Errorf("%X", c.facts.template.algorithms)
	}
}

// TestSelectFull: a card that does not complete an AID is given all of it, and
// one without PIV is asked twice and no more.
func TestSelectFull(t *testing.T) {
	f := &foreign{t: t, apt: nistTemplate, answer: func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insSelect && len(cmd.Data) < len(fullAID) {
			return nil, apdu.ErrNotFound
		}
		return nil, 0
	}}
	ok(t, Open(f).Probe(ctx))
	f = &foreign{t: t, answer: func(apdu.Command) ([]byte, apdu.Status) { return nil, apdu.ErrNotFound }}
	if _, err := Open(f).Keys(ctx); !errors.Is(err, card.ErrNoApplet) || len(f.log) != 2 {
		t.Errorf("%v after %d commands", err, len(f.log))
	}
}

// TestMetadataRefused: a card that is not known to have GET METADATA may refuse
// it in any words; what is on it is found all the same.
func TestMetadataRefused(t *testing.T) {
	der, _ := foreignKey(t)
	for _, status := range []apdu.Status{0x6D00, 0x6E00, 0x6881, 0x6F00, 0x6985, 0x6982, 0x6A88, 0x6A82, 0x6A86, 0x6B00, 0x6700} {
		f := &foreign{t: t, apt: nistTemplate, objects: map[Tag][]byte{0x5FC105: stored(der)}, answer: func(cmd apdu.Command) ([]byte, apdu.Status) {
			if cmd.INS == insMetadata {
				return nil, status
			}
			return nil, 0
		}}
		for _, list := range []bool{true, false} {
			c := Open(f)
			if !list { // one slot first, that has no key
				if _, err := c.Key(ctx, "9c"); !errors.Is(err, card.ErrNotFound) {
					t.Errorf("%04X: %v", status, err)
				}
			}
			keys, err := c.Keys(ctx)
			if err != nil || len(keys) != 1 || keys[0].Ref != "9a" {
				t.Errorf("%04X: %+v, %v", status, keys, err)
			}
			if _, err := c.ManagementKey(ctx); err != nil {
				t.Errorf("%04X: %v", status, err)
			}
		}
	}
}

// TestUnfilledObject: an object that was made and not filled is answered with
// 9000 alone by some cards, and by applets that are not PIV, too.
func TestUnfilledObject(t *testing.T) {
	f := &foreign{t: t, apt: nistTemplate, objects: map[Tag][]byte{0x5FC105: nil, TagCHUID: tlv(0x53)}}
	c := Open(f)
	for range 2 { // not proven to be PIV's answer, and proven
		if _, err := c.Certificate(ctx, "9a"); !errors.Is(err, card.ErrNotFound) {
			t.Error(err)
		}
		if _, err := c.ReadObject(ctx, TagCHUID); !errors.Is(err, card.ErrNotFound) {
			t.Error(err)
		}
	}
	ok(t, c.Probe(ctx))
	f.log = nil
	if _, err := c.ReadObject(ctx, 0x5FC105); !errors.Is(err, card.ErrNotFound) {
		t.Error(err)
	}
	if n, _ := f.count(insSelect); n != 1 {
		t.Errorf("%d SELECTs to be sure that it was PIV's answer", n)
	}
}

// TestPadding: cards fill their files up, and issuers their certificates.
func TestPadding(t *testing.T) {
	der, _ := foreignKey(t)
	zeros := make([]byte, 40)
	var z, zl bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(der)
	ok(t, w.Close())
	wl := zlib.NewWriter(&zl)
	_, _ = wl.Write(der)
	ok(t, wl.Close())
	packed := []byte{certCompressed}
	for name, object := range map[string][]byte{
		"behind 53":         append(stored(der), zeros...),
		"behind 53, FF":     append(stored(der), 0xFF, 0xFF),
		"inside 53":         tlv(0x53, tlv(tagCertificate, der), tlv(tagCertInfo, []byte{0}), tlv(tagLRC), zeros),
		"inside 53, FF":     tlv(0x53, tlv(tagCertificate, der), []byte{0xFF, 0xFF, 0xFF}),
		"between":           tlv(0x53, zeros, tlv(tagCertInfo, []byte{0}), zeros, tlv(tagCertificate, der)),
		"inside 70":         tlv(0x53, tlv(tagCertificate, der, zeros)),
		"behind gzip":       tlv(0x53, tlv(tagCertificate, z.Bytes(), zeros), tlv(tagCertInfo, packed)),
		"zlib":              tlv(0x53, tlv(tagCertificate, zl.Bytes(), zeros), tlv(tagCertInfo, packed)),
		"gzip, not said so": tlv(0x53, tlv(tagCertificate, z.Bytes())),
	} {
		t.Run(name, func(t *testing.T) {
			f := &foreign{t: t, apt: nistTemplate, objects: map[Tag][]byte{0x5FC105: object}}
			got, err := Open(f).Certificate(ctx, "9a")
			ok(t, err)
			if !bytes.Equal(got, der) {
				t.Errorf("%d bytes, not the %d of the certificate", len(got), len(der))
			}
			_, err = x509.ParseCertificate(got)
			ok(t, err)
		})
	}
	f := &foreign{t: t, apt: nistTemplate, objects: map[Tag][]byte{0x5FC105: append(stored(der), 0x12)}}
	if _, err := Open(f).Certificate(ctx, "9a"); !errors.Is(err, card.ErrInvalidAnswer) {
		t.Errorf("a byte that is no padding: %v", err)
	}
}

// TestWhichPIN: the PIN is the application's where Discovery is refused or
// empty - a Gemalto CAC answers 6A80 - and the global one where it is the only.
func TestWhichPIN(t *testing.T) {
	policy := func(b ...byte) []byte { return tlv(TagDiscovery, tlv(0x4F, fullAID), tlv(0x5F2F, b)) }
	for _, tt := range []struct {
		name      string
		discovery []byte
		status    apdu.Status
		ref       byte
	}{
		{"6A80", nil, apdu.ErrIncorrectData, refPIN},
		{"6A82", nil, apdu.ErrNotFound, refPIN},
		{"6A88", nil, apdu.ErrReferenceNotFound, refPIN},
		{"6A81", nil, apdu.ErrFunctionNotSupported, refPIN},
		{"nothing", nil, apdu.OK, refPIN},
		{"empty", tlv(TagDiscovery), apdu.OK, refPIN},
		{"application only", policy(0x40, 0), apdu.OK, refPIN},
		{"both, application first", policy(0x60, 0x10), apdu.OK, refPIN},
		{"both, global first", policy(0x60, 0x20), apdu.OK, refGlobalPIN},
		{"global only", policy(0x20, 0x10), apdu.OK, refGlobalPIN},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &foreign{t: t, apt: nistTemplate, answer: func(cmd apdu.Command) ([]byte, apdu.Status) {
				switch {
				case cmd.INS == insGetData && tagOf(cmd) == TagDiscovery:
					return tt.discovery, tt.status
				case cmd.INS == insVerify && len(cmd.Data) == 0:
					return nil, 0x63C3
				case cmd.INS == insVerify && cmd.P2 == tt.ref:
					return nil, apdu.OK
				}
				return nil, 0
			}}
			c := Open(f)
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			if _, n := f.count(insVerify); n != 1 {
				t.Errorf("the PIN was sent %d times", n)
			}
			if s, err := c.PINState(ctx, card.PIN); err != nil || s.Global != (tt.ref == refGlobalPIN) {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// TestContactless: over its contactless interface a government card gives key
// 9E, CHUID and Discovery, and refuses all else.
func TestContactless(t *testing.T) {
	der, _ := foreignKey(t)
	f := &foreign{t: t, apt: nistTemplate, objects: map[Tag][]byte{0x5FC101: stored(der), TagDiscovery: tlv(TagDiscovery, tlv(0x5F2F, []byte{0x40, 0}))}}
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		switch {
		case cmd.INS == insVerify, cmd.INS == insAuthenticate:
			return nil, apdu.ErrSecurityStatus
		case cmd.INS == insGetData && f.objects[tagOf(cmd)] == nil && tagOf(cmd) != TagCHUID:
			return nil, apdu.ErrSecurityStatus
		}
		return nil, 0
	}
	c := Open(f)
	keys, err := c.Keys(ctx)
	ok(t, err)
	if len(keys) != 1 || keys[0].Ref != "9e" {
		t.Errorf("%+v", keys)
	}
	if _, err := c.Certificate(ctx, "9a"); !errors.Is(err, card.ErrWithheld) {
		t.Error(err)
	}
	if _, err := c.ManagementKey(ctx); err != nil {
		t.Error(err)
	}
	if s, err := c.PINState(ctx, card.PIN); err != nil || s.Tries != -1 || s.Verified {
		t.Errorf("%+v, %v", s, err)
	}
	if err := c.Login(ctx, sec(factoryPIN), LoginOptions{}); !errors.Is(err, card.ErrWithheld) {
		t.Error(err)
	}
	if _, err := c.Random(ctx, 8); !errors.Is(err, card.ErrUnsupported) {
		t.Error(err)
	}
}

// TestOneFormOnly: OpenFIPS201 keeps a management key to one form of
// authentication, and says 6982 to the other (PIV.java,
// generalAuthenticateCase2 and 4).
func TestOneFormOnly(t *testing.T) {
	key := bytes.Repeat([]byte{7, 9}, 16)
	block, err := aes.NewCipher(key)
	ok(t, err)
	challenge, answered := []byte("sixteen bytes ok"), make([]byte, 16)
	block.Encrypt(answered, challenge)
	f := &foreign{t: t, apt: tlv(0x61, tlv(0x4F, fullAID), tlv(0x50, []byte("OpenFIPS201")))}
	f.answer = func(cmd apdu.Command) ([]byte, apdu.Status) {
		if cmd.INS == insPutData {
			return nil, apdu.ErrSecurityStatus
		}
		if cmd.INS != insAuthenticate {
			return nil, 0
		}
		es, err := inside(cmd.Data, tagTemplate)
		ok(t, err)
		if v, asked := es.find(tagChallenge); asked && len(v) == 0 && cmd.P1 == 0x0C {
			return tlv(tagTemplate, tlv(tagChallenge, challenge)), apdu.OK
		}
		if v, there := es.find(tagResponse); there && bytes.Equal(v, answered) {
			return nil, apdu.OK
		}
		return nil, apdu.ErrSecurityStatus
	}
	c := Open(f)
	ok(t, c.LoginAdmin(ctx, sec(string(key))))
	// What is for another key, or a secure channel, does not ask for this one again.
	if err := c.WriteObject(ctx, TagCHUID, []byte{1}); !errors.Is(err, card.ErrUnsupported) || errors.Is(err, card.ErrAdminRequired) {
		t.Error(err)
	}
	if err := Open(f).LoginAdmin(ctx, sec(string(bytes.Repeat([]byte{1}, 32)))); err == nil {
		t.Error("a wrong key was taken for right")
	}
}

// TestLogoutAfterSelect: a card that follows the standard keeps the PIN over a
// SELECT, so Logout must tell it though nothing says any more that it does.
func TestLogoutAfterSelect(t *testing.T) {
	conn := newSoft(t, "nist")
	c := bare(t, conn)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, c.Probe(ctx))
	conn.log = nil
	ok(t, c.Logout(ctx))
	if len(conn.log) != 1 || !bytes.Equal(conn.log[0], []byte{0, insVerify, 0xFF, refPIN}) {
		t.Errorf("sent % X", conn.log)
	}
	conn.log = nil
	ok(t, c.Logout(ctx))
	if len(conn.log) != 0 {
		t.Errorf("sent % X", conn.log)
	}
	// A changed PIN is a verified one.
	ok(t, c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{}))
	ok(t, c.Logout(ctx))
	if s, err := c.PINState(ctx, card.PIN); err != nil || s.Verified {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestNotThereAfterLogin: to be sure that an object is not there takes no second
// VERIFY on a card with a Discovery object.
func TestNotThereAfterLogin(t *testing.T) {
	conn := newSoft(t, "nist")
	c := bare(t, conn)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	conn.log = nil
	if _, err := c.ReadObject(ctx, TagPrinted); !errors.Is(err, card.ErrNotFound) {
		t.Error(err)
	}
	if got := conn.sent(); got != "CB CB CB " {
		t.Errorf("sent %s", got)
	}
	// Another application is selected: then it takes all of it.
	conn.selectOther()
	if _, err := c.ReadObject(ctx, TagPrinted); !errors.Is(err, card.ErrNotFound) {
		t.Error(err)
	}
	if tries, _ := conn.soft.Tries(); tries != 3 {
		t.Errorf("%d tries left", tries)
	}
}

// TestRetriesNotThere: what the card has not is said before PIN and management
// key are asked for.
func TestRetriesNotThere(t *testing.T) {
	conn := newSoft(t, "nist")
	if err := bare(t, conn).CanSetRetries(ctx); !errors.Is(err, card.ErrUnsupported) || conn.count() != 1 {
		t.Error(err)
	}
	ok(t, bare(t, newSoft(t, "yubikey-5.7")).CanSetRetries(ctx))
}

// fascnOf makes the FASC-N of a credential of agency 9700.
func fascnOf(credential string) []byte {
	b := make([]byte, 25)
	for i, c := range []byte("B9700D0001D" + credential + "D0D1D1234567890197001F0") {
		digit := c - '0'
		if c > '9' {
			digit = c - 'A' + 10
		}
		for bit := range 4 {
			at := i*5 + bit
			b[at/8] |= digit >> bit & 1 << (7 - at%8)
		}
	}
	return b
}

// TestNames: cards from before there were GUIDs are told apart by the number in
// their FASC-N.
func TestNames(t *testing.T) {
	guid, zero := bytes.Repeat([]byte{0x11}, 16), make([]byte, 16)
	for _, tt := range []struct {
		fascn, guid []byte
		name        string
	}{
		{fascnOf("123456"), guid, fmt.Sprintf("%x", guid)},
		{fascnOf("123456"), zero, "9700000112345601"},
		{fascnOf("123457"), zero, "9700000112345701"},
		{nonFederalFASCN, guid, fmt.Sprintf("%x", guid)},
		{nonFederalFASCN, zero, ""},
		{make([]byte, 25), zero, ""},
		{bytes.Repeat([]byte{0xFF}, 25), zero, ""},
		{[]byte{1, 2}, zero, ""},
		{nil, zero, ""},
	} {
		chuid := join(field(0x30, tt.fascn), tlv(0x34, tt.guid), tlv(0x35, []byte("20301231")), tlv(0x3E), tlv(tagLRC))
		if got := guidOf(chuid); got.value != tt.name || got.source == nameless != (tt.name == "") {
			t.Errorf("%X and %X: %+v", tt.fascn, tt.guid, got)
		}
	}
}
