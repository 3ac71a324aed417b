package piv

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"cardbridge/card"
	"cardbridge/card/softcard"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	ok(t, err)
	return b
}

// Objects as they are on cards: from the PivApplet README and the standard.
func TestDecodeObjects(t *testing.T) {
	chuid := unhex(t, "301900000000000000000000000000000000000000000000000000 3410 47132924dfd1f7581290d383781dc81a 3508 3230353030313031 3e00 fe00")
	ccc := unhex(t, "f015a000000116ff02b8907468b1e6d143231c5c7c452d f10121 f20121 f300 f40100 f50110 f600 f700 fa00 fb00 fc00 fd00 fe00")
	for _, tt := range []struct {
		name string
		tag  Tag
		in   []byte
		want any
	}{
		{"CHUID", TagCHUID, chuid, &CHUID{
			FASCN: make(Hex, 25), GUID: [16]byte(unhex(t, "47132924dfd1f7581290d383781dc81a")), GUIDText: "47132924dfd1f7581290d383781dc81a",
			Expires: "20500101", Signature: Hex{},
		}},
		{"CCC", TagCCC, ccc, &CCC{
			CardIdentifier: unhex(t, "a000000116ff02b8907468b1e6d143231c5c7c452d"), Version: 0x21, GrammarVersion: 0x21, DataModel: 0x10,
			ApplicationsURL: Hex{}, AccessControl: Hex{}, APDUs: Hex{}, RedirectionTag: Hex{}, CapabilityTuples: Hex{}, StatusTuples: Hex{}, NextCCC: Hex{},
		}},
		{"discovery", TagDiscovery, unhex(t, "4f0ba000000308000010000100 5f2f026020"), &Discovery{
			AID: unhex(t, "a000000308000010000100"), PINUsagePolicy: 0x6020, ApplicationPIN: true, GlobalPIN: true, GlobalPrimary: true,
		}},
		{"discovery, application PIN first", TagDiscovery, unhex(t, "4f0ba000000308000010000100 5f2f026010"), &Discovery{
			AID: unhex(t, "a000000308000010000100"), PINUsagePolicy: 0x6010, ApplicationPIN: true, GlobalPIN: true,
		}},
		{"key history", TagKeyHistory, unhex(t, "c10102 c20101 f30b687474703a2f2f612f62 63 fe00"), &KeyHistory{OnCard: 2, OffCard: 1, URL: "http://a/bc"}},
		{"admin data", TagAdminData, unhex(t, "800c 81020301 8302abcd 820412"), errMalformed},
		{"admin data", TagAdminData, unhex(t, "800c 810103 820100 83046553f100"), &AdminData{PUKBlocked: true, KeyStored: true, Salt: Hex{0}, PINChanged: time.Unix(1700000000, 0).UTC(), flags: Hex{3}}},
		{"protected", TagPrinted, unhex(t, "8804 89021234"), &Protected{HasManagementKey: true}},
		{"printed", TagPrinted, unhex(t, "0105 4572696b61 0200 0409 323033304a414e3031 0500 0600 0700 0800 fe00"), &Printed{Name: "Erika", Expires: "2030JAN01"}},
		{"pairing code", 0x5FC123, unhex(t, "9908 3132333435363738 fe00"), &PairingCode{Present: true}},
		{"biometric", 0x5FC103, unhex(t, "bc021234fe00"), &Biometric{Data: Hex{0x12, 0x34}}},
		{"security", 0x5FC106, unhex(t, "ba03010203bb0130fe00"), &SecurityObject{Mapping: Hex{1, 2, 3}, Signed: Hex{0x30}}},
		{"bit group", TagBITGroup, unhex(t, "020101 7f6002abcd"), &BITGroup{Count: 1, Templates: []Hex{{0xAB, 0xCD}}}},
		{"sm signer", 0x5FC122, unhex(t, "700130 710100 7f210131 fe00"), &SMSigner{Certificate: Hex{0x30}, Intermediate: Hex{0x31}}},
		{"unknown", 0x5F0001, []byte("anything"), &Opaque{Hex("anything")}},
		{"bad CHUID", TagCHUID, unhex(t, "3402 1234"), errMalformed},
		{"bad key history", TagKeyHistory, unhex(t, "c10114 c20101"), errMalformed},
		{"cut", TagCHUID, chuid[:20], errMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(tt.tag, tt.in)
			if tt.want == errMalformed {
				if !errors.Is(err, card.ErrInvalidAnswer) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			ok(t, err)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			if e, can := got.(interface{ Encode() []byte }); can && tt.name != "key history" && !bytes.Equal(e.Encode(), tt.in) && tt.tag != TagAdminData {
				t.Errorf("encoded as %x\nwas        %x", e.Encode(), tt.in)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Error(err)
			}
		})
	}
}

var errMalformed = errors.New("malformed")

func TestEncodeAndDecode(t *testing.T) {
	for tag, v := range map[Tag]interface{ Encode() []byte }{
		TagCHUID:      NewCHUID(time.Now()),
		TagCCC:        NewCCC(),
		TagKeyHistory: KeyHistory{OnCard: 3, URL: "http://example.com"},
		TagPrinted:    Printed{Name: "Erika", Issuer: "X"},
		TagAdminData:  AdminData{KeyStored: true, Salt: Hex("salt")},
	} {
		got, err := Decode(tag, v.Encode())
		ok(t, err)
		if !bytes.Equal(got.(interface{ Encode() []byte }).Encode(), v.Encode()) {
			t.Errorf("%v: %+v", tag, got)
		}
	}
	a, b := NewCHUID(time.Now()), NewCHUID(time.Now())
	if a.GUID == b.GUID || a.GUID[6]>>4 != 4 || a.GUID[8]>>6 != 2 {
		t.Error("GUIDs are not random UUIDs")
	}
}

// TestObjectsOnCards writes and reads every object that can be written.
func TestObjectsOnCards(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		for _, o := range Objects() {
			v := tlv(0x70, []byte(o.Name))
			err := c.WriteObject(ctx, o.Tag, v)
			if o.ReadOnly {
				if !errors.Is(err, card.ErrUnsupported) {
					t.Errorf("%s: %v", o.Name, err)
				}
				continue
			}
			if errors.Is(err, card.ErrUnsupported) && o.Tag >= 0x5FFF00 {
				continue // a card of the standard has none of Yubico's
			}
			if err != nil {
				t.Errorf("%s: %v", o.Name, err)
				continue
			}
			got, err := c.ReadObject(ctx, o.Tag)
			if err != nil || !bytes.Equal(got, v) {
				t.Errorf("%s: %x, %v", o.Name, got, err)
			}
			fresh := bare(t, conn)
			ok(t, fresh.Probe(ctx))
			conn.reset()
			if _, err := fresh.ReadObject(ctx, o.Tag); o.PIN != errors.Is(err, card.ErrLoginRequired) {
				t.Errorf("%s without PIN: %v", o.Name, err)
			}
			ok(t, c.DeleteObject(ctx, o.Tag))
			if _, err := c.ReadObject(ctx, o.Tag); !errors.Is(err, card.ErrNotFound) {
				t.Errorf("%s, deleted: %v", o.Name, err)
			}
		}
	})
}

// TestNothingOfASecret: the key behind the PIN does not show when decoded.
func TestNothingOfASecret(t *testing.T) {
	v, err := Decode(TagPrinted, tlv(tagProtected, tlv(tagProtectedKey, []byte(newAdminKey))))
	ok(t, err)
	j, err := json.Marshal(v)
	ok(t, err)
	if bytes.Contains(bytes.ToUpper(j), []byte(strings.ToUpper(hex.EncodeToString([]byte(newAdminKey))))) {
		t.Error(string(j))
	}
}

// FuzzDecode: nothing that a card may send crashes or makes much of little.
func FuzzDecode(f *testing.F) {
	for _, o := range objectTable {
		f.Add(uint32(o.Tag), []byte{0x30, 0x00})
		f.Add(uint32(o.Tag), []byte{0x70, 0x02, 0x1F, 0x8B, 0x71, 0x01, 0x01})
	}
	good, err := CertificateObject{DER: bytes.Repeat([]byte{7}, 3000), Compressed: true}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0x5FC105), good)
	f.Add(uint32(TagCHUID), newChuid)
	f.Fuzz(func(t *testing.T, tag uint32, b []byte) {
		v, err := Decode(Tag(tag), b)
		if err != nil && v != nil {
			t.Error("half told")
		}
		if o, is := v.(*CertificateObject); is && len(o.DER) > maxCertificate {
			t.Errorf("%d bytes", len(o.DER))
		}
		for _, row := range algorithmTable {
			if pub, err := decodePublic(row, b); err == nil {
				if got, known := algorithmOfPublic(pub); !known || got.Algorithm != row.Algorithm {
					t.Errorf("a %s key is one of %s", row.Algorithm, got.Algorithm)
				}
				if k, is := pub.(*rsa.PublicKey); is && (k.N.Bit(0) == 0 || k.E < 3) {
					t.Error("a bad RSA key")
				}
			}
		}
		_, _ = parseTemplate(b)
		_, _, _ = publicOfCertificate(b)
		_, _ = step(b, tagResponse, 8)
	})
}

// TestBomb: a compressed certificate that inflates without end.
func TestBomb(t *testing.T) {
	bomb, err := CertificateObject{DER: make([]byte, maxCertificate+1), Compressed: true}.Encode()
	ok(t, err)
	if len(bomb) > 3000 {
		t.Fatalf("%d bytes", len(bomb))
	}
	if _, err := decodeCertificateObject(bomb); !errors.Is(err, card.ErrInvalidAnswer) {
		t.Error(err)
	}
	c := admin(t, newSoft(t, softcard.DefaultPersonality))
	ok(t, c.WriteObject(ctx, 0x5FC105, bomb))
	if _, err := c.Certificate(ctx, "9a"); !errors.Is(err, card.ErrInvalidAnswer) {
		t.Error(err)
	}
}
