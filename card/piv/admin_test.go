package piv

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"cardbridge/apdu"
	"cardbridge/card"
	"cardbridge/card/softcard"
)

func TestImport(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "odd-policy", "yubikey-4"} {
		t.Run(name, func(t *testing.T) {
			c := admin(t, newSoft(t, name))
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			r2048, _ := rsa.GenerateKey(rand.Reader, 2048)
			_, ed, _ := ed25519.GenerateKey(rand.Reader)
			x, _ := ecdh.X25519().GenerateKey(rand.Reader)
			keys := []crypto.PrivateKey{p256, p384, r2048}
			if name == softcard.DefaultPersonality {
				keys = append(keys, ed, x)
			}
			for _, k := range keys {
				info, err := c.Import(ctx, "9d", k, ImportOptions{PINPolicy: card.PINOnce})
				ok(t, err)
				if info.Origin != card.OriginImported || info.PINPolicy != card.PINOnce {
					t.Errorf("%+v", info)
				}
				pub := k.(interface{ Public() crypto.PublicKey }).Public()
				useKey(t, c.PrivateKey(ctx, info, UseOptions{}), pub)
				if name != "yubikey-4" {
					found, err := c.Key(ctx, "9d")
					ok(t, err)
					if found.Origin != card.OriginImported {
						t.Errorf("%+v", found)
					}
				}
				if _, err := c.Attest(ctx, "9d"); !errors.Is(err, card.ErrUnsupported) {
					t.Errorf("attest: %v", err)
				}
			}
			p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
			if _, err := c.Import(ctx, "9d", p521, ImportOptions{}); !errors.Is(err, card.ErrWrongKey) {
				t.Errorf("P-521: %v", err)
			}
			if _, err := c.Import(ctx, "9d", "no key", ImportOptions{}); !errors.Is(err, card.ErrWrongKey) {
				t.Errorf("a string: %v", err)
			}
		})
	}
	c := admin(t, newSoft(t, "nist"))
	if _, err := c.Import(ctx, "9d", importedKey(), ImportOptions{}); !errors.Is(err, card.ErrUnsupported) {
		t.Errorf("nist: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	c := admin(t, newSoft(t, softcard.DefaultPersonality))
	for _, pin := range []card.PINPolicy{card.PINNever, card.PINOnce, card.PINAlways} {
		for _, touch := range []card.TouchPolicy{card.TouchNever, card.TouchAlways, card.TouchCached} {
			k, err := c.Generate(ctx, "9d", GenerateOptions{Algorithm: card.P256, PINPolicy: pin, TouchPolicy: touch})
			ok(t, err)
			found, err := c.Key(ctx, "9d")
			ok(t, err)
			if found.PINPolicy != pin || found.TouchPolicy != touch || k.PINPolicy != pin || k.TouchPolicy != touch {
				t.Errorf("wanted %s %s, made %+v, found %+v", pin, touch, k, found)
			}
		}
	}
	k, err := c.Generate(ctx, "9e", GenerateOptions{Algorithm: card.P256})
	ok(t, err)
	if k.PINPolicy != card.PINUnknown {
		t.Errorf("the card chose and was not asked: %+v", k)
	}
	k, err = c.Key(ctx, "9e")
	ok(t, err)
	if k.PINPolicy != card.PINNever || k.TouchPolicy != card.TouchNever {
		t.Errorf("%+v", k)
	}
	_, err = c.PrivateKey(ctx, k, UseOptions{}).Sign(nil, helloDigest[:], crypto.SHA256) // no PIN
	ok(t, err)
	odd := admin(t, newSoft(t, "odd-policy"))
	generate(t, odd, "9a", card.P256)
	if k, err = odd.Key(ctx, "9a"); err != nil || k.PINPolicy != card.PINAlways {
		t.Errorf("%+v, %v", k, err)
	}
	plain := admin(t, newSoft(t, "nist"))
	if _, err := plain.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256, TouchPolicy: card.TouchAlways}); !errors.Is(err, card.ErrUnsupported) {
		t.Errorf("nist: %v", err)
	}
	// Attestation tells the policies of a card without metadata.
	old := admin(t, newSoft(t, "yubikey-4"))
	_, err = old.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256, PINPolicy: card.PINAlways, TouchPolicy: card.TouchCached})
	ok(t, err)
	fresh := bare(t, old.conn.(*softConn))
	k, err = fresh.Key(ctx, "9a")
	ok(t, err)
	if k.PINPolicy != card.PINAlways || k.TouchPolicy != card.TouchCached || k.Origin != card.OriginGenerated {
		t.Errorf("%+v", k)
	}
	all, err := fresh.Keys(ctx)
	ok(t, err)
	if len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestMoveAndDelete(t *testing.T) {
	c := admin(t, newSoft(t, softcard.DefaultPersonality))
	made := generate(t, c, "9a", card.P256)
	ok(t, c.MoveKey(ctx, "9a", "82"))
	if _, err := c.Key(ctx, "9a"); !errors.Is(err, card.ErrNotFound) {
		t.Errorf("moved, and still there: %v", err)
	}
	k, err := c.Key(ctx, "82")
	ok(t, err)
	if !k.Public.(*ecdsa.PublicKey).Equal(made.Public) {
		t.Error("another key arrived")
	}
	ok(t, c.DeleteKey(ctx, "82"))
	if err := c.DeleteKey(ctx, "82"); !errors.Is(err, card.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if err := c.MoveKey(ctx, "83", "84"); !errors.Is(err, card.ErrNotFound) {
		t.Errorf("nothing moved: %v", err)
	}
	old := admin(t, newSoft(t, "yubikey-4"))
	if err := old.DeleteKey(ctx, "9a"); !errors.Is(err, card.ErrUnsupported) {
		t.Errorf("yubikey-4: %v", err)
	}
}

func TestAttest(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "yubikey-4"} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			k, err := c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256, PINPolicy: card.PINOnce, TouchPolicy: card.TouchNever})
			ok(t, err)
			att, err := c.Attest(ctx, "9a")
			ok(t, err)
			device, err := c.Certificate(ctx, "f9")
			ok(t, err)
			if _, err := VerifyAttestation(att, device); err == nil || !strings.Contains(err.Error(), "does not come from Yubico") {
				t.Fatalf("a software card passes for Yubico's: %v", err)
			}
			root, err := x509.ParseCertificate(device)
			ok(t, err)
			a, err := VerifyAttestation(att, device, root)
			ok(t, err)
			if a.Ref != "9a" || a.PINPolicy != card.PINOnce || a.TouchPolicy != card.TouchNever || !k.Public.(*ecdsa.PublicKey).Equal(a.Public) || a.Serial == "" || !a.Version.Known() {
				t.Errorf("%+v", a)
			}
			broken := bytes.Clone(att)
			broken[len(broken)-5] ^= 1
			if _, err := VerifyAttestation(broken, device, root); err == nil {
				t.Error("a broken attestation passes")
			}
			if _, err := VerifyAttestation(secondCert(), device, root); err == nil {
				t.Error("another certificate passes")
			}
			if _, err := c.Attest(ctx, "9c"); !errors.Is(err, card.ErrNotFound) && !errors.Is(err, card.ErrUnsupported) {
				t.Errorf("an empty slot: %v", err)
			}
		})
	}
}

func TestYubicoRoots(t *testing.T) {
	roots, intermediates, err := YubicoRoots()
	ok(t, err)
	if len(roots) != 3 || len(intermediates) != 4 {
		t.Errorf("%d roots, %d intermediates", len(roots), len(intermediates))
	}
	for _, r := range roots {
		ok(t, signedBy(r, r))
	}
	// Every intermediate leads to a root.
	for _, i := range intermediates {
		if _, err := attestationChain(i, issuerOf(t, i, append(intermediates, roots...)), roots, intermediates); err != nil {
			t.Errorf("%s: %v", i.Subject, err)
		}
	}
}

func issuerOf(t *testing.T, c *x509.Certificate, all []*x509.Certificate) *x509.Certificate {
	t.Helper()
	for _, i := range all {
		if signedBy(c, i) == nil {
			return i
		}
	}
	t.Fatalf("nobody signed %s", c.Subject)
	return nil
}

func TestManagementKey(t *testing.T) {
	keys := map[ManagementAlgorithm]string{
		TripleDES: newAdminKey, AES128: newAdminKey[:16], AES192: newAdminKey, AES256: newAdminKey + newAdminKey[:8],
	}
	for _, name := range []string{softcard.DefaultPersonality, "odd-policy", "yubikey-4"} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			_, err := c.Identity(ctx) // so that c knows its card again
			ok(t, err)
			for alg, key := range keys {
				err := c.SetManagementKey(ctx, alg, sec(key), ManagementKeyOptions{})
				if name == "yubikey-4" && alg != TripleDES {
					if !errors.Is(err, card.ErrUnsupported) {
						t.Fatalf("%s: %v", alg, err)
					}
					continue
				}
				ok(t, err)
				fresh := bare(t, conn)
				ok(t, fresh.LoginAdmin(ctx, sec(key)))
				_, err = fresh.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
				ok(t, err)
				conn.reset() // and the old Card has the new key too
				_, err = c.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
				ok(t, err)
				info, err := fresh.ManagementKey(ctx)
				ok(t, err)
				if name != "yubikey-4" && (info.Algorithm != alg || info.Default) {
					t.Errorf("%+v", info)
				}
			}
			if err := c.SetManagementKey(ctx, AES256, sec("short"), ManagementKeyOptions{}); !errors.Is(err, card.ErrWrongSecretFormat) {
				t.Error(err)
			}
		})
	}
}

func TestManagementKeyBehindPIN(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "yubikey-4"} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			if err := c.SetManagementKey(ctx, TripleDES, sec(newAdminKey), ManagementKeyOptions{Protect: true}); !errors.Is(err, card.ErrLoginRequired) {
				t.Fatal(err)
			}
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			ok(t, c.SetManagementKey(ctx, TripleDES, sec(newAdminKey), ManagementKeyOptions{Protect: true}))
			fresh := bare(t, conn)
			if err := fresh.LoginAdmin(ctx, nil); !errors.Is(err, card.ErrLoginRequired) {
				t.Fatal(err)
			}
			ok(t, fresh.Login(ctx, sec(factoryPIN), LoginOptions{}))
			ok(t, fresh.LoginAdmin(ctx, nil))
			_, err := fresh.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
			ok(t, err)
			info, err := fresh.ManagementKey(ctx)
			ok(t, err)
			if !info.Protected || info.Derived {
				t.Errorf("%+v", info)
			}
			v, err := fresh.ReadObject(ctx, TagPrinted)
			ok(t, err)
			if !bytes.Equal(v, append([]byte{0x88, 0x1A, 0x89, 0x18}, newAdminKey...)) {
				t.Error("not as ykman writes it")
			}
			if d, err := Decode(TagPrinted, v); err != nil || !d.(*Protected).HasManagementKey {
				t.Errorf("%+v, %v", d, err)
			}
			// A new key that is not stored: the note and the stored one go.
			ok(t, fresh.SetManagementKey(ctx, TripleDES, sec(factoryAdmin), ManagementKeyOptions{}))
			if info, err = fresh.ManagementKey(ctx); err != nil || info.Protected {
				t.Errorf("%+v, %v", info, err)
			}
			if v, err = fresh.ReadObject(ctx, TagPrinted); err != nil || bytes.Contains(v, []byte(newAdminKey)) {
				t.Errorf("the old key is still stored, %v", err)
			}
			if err := fresh.LoginAdmin(ctx, nil); !errors.Is(err, card.ErrAdminRequired) {
				t.Error(err)
			}
		})
	}
}

// fullConn has no room for one data object.
type fullConn struct {
	*softConn
	tag Tag
}

func (c fullConn) Transact(ctx context.Context, f func(apdu.Transaction) error) error {
	return c.softConn.Transact(ctx, func(t apdu.Transaction) error { return f(fullTx{t, c.tag}) })
}

type fullTx struct {
	apdu.Transaction
	tag Tag
}

func (t fullTx) Transmit(b []byte) ([]byte, error) {
	if b[1] == insPutData && bytes.Contains(b, t.tag.Bytes()) {
		return []byte{0x6A, 0x84}, nil
	}
	return t.Transaction.Transmit(b)
}

// TestManagementKeyUndone: a new key that cannot be noted leaves all as it was,
// the key that is stored behind the PIN included.
func TestManagementKeyUndone(t *testing.T) {
	conn := newSoft(t, softcard.DefaultPersonality)
	c := admin(t, conn)
	ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, c.SetManagementKey(ctx, TripleDES, sec(newAdminKey), ManagementKeyOptions{Protect: true}))
	full := bare2(t, fullConn{conn, TagAdminData})
	ok(t, full.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, full.LoginAdmin(ctx, nil))
	err := full.SetManagementKey(ctx, TripleDES, sec(factoryAdmin), ManagementKeyOptions{})
	if !errors.Is(err, ErrTooLarge) || errors.Is(err, card.ErrInterruptedWrite) {
		t.Error(err)
	}
	fresh := bare(t, conn)
	ok(t, fresh.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, fresh.LoginAdmin(ctx, nil))
}

// TestManagementKeyFromPIN: as ykman made them once, followed by a change of
// the PIN.
func TestManagementKeyFromPIN(t *testing.T) {
	conn := newSoft(t, "yubikey-4")
	c := admin(t, conn)
	salt := []byte("0123456789abcdef")
	key, err := deriveKey(sec(factoryPIN), salt)
	ok(t, err)
	ok(t, c.SetManagementKey(ctx, TripleDES, key, ManagementKeyOptions{}))
	ok(t, c.WriteObject(ctx, TagAdminData, AdminData{Salt: salt, PUKBlocked: true, PINChanged: time.Unix(1700000000, 0)}.Encode()))
	fresh := bare(t, conn)
	ok(t, fresh.Login(ctx, sec(factoryPIN), LoginOptions{}))
	ok(t, fresh.LoginAdmin(ctx, nil))
	ok(t, fresh.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{}))
	again := bare(t, conn)
	ok(t, again.Login(ctx, sec("654321"), LoginOptions{}))
	ok(t, again.LoginAdmin(ctx, nil))
	_, err = again.Generate(ctx, "9a", GenerateOptions{Algorithm: card.P256})
	ok(t, err)
	info, err := again.ManagementKey(ctx)
	ok(t, err)
	if !info.Derived || info.Protected || !info.PUKBlocked {
		t.Errorf("%+v", info)
	}
	v, err := again.ReadObject(ctx, TagAdminData)
	ok(t, err)
	a, err := decodeAdminData(v)
	ok(t, err)
	if a.PINChanged.Unix() != 1700000000 || bytes.Equal(a.Salt, salt) {
		t.Errorf("%+v", a)
	}
}

const derivedVector = "46D36B5B6CAA2AC07F4E6B66CC322FDFD9BD78D590C749FC"

// The key that ykman 4.0.9 derives from PIN 123456 and this salt.
func TestDeriveKeyVector(t *testing.T) {
	key, err := deriveKey(sec("123456"), []byte("0123456789abcdef"))
	ok(t, err)
	_ = key.Use(func(b []byte) error {
		if got, want := Hex(b).String(), derivedVector; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		return nil
	})
}

func TestRetriesAndReset(t *testing.T) {
	for _, name := range []string{softcard.DefaultPersonality, "odd-policy", "yubikey-4"} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			if err := c.SetRetries(ctx, 5, 6); err == nil {
				t.Log("the card takes it without the PIN")
			}
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
			ok(t, c.ChangePIN(ctx, card.PIN, sec(factoryPIN), sec("654321"), LoginOptions{}))
			ok(t, c.SetRetries(ctx, 5, 6))
			if p, u := conn.soft.Tries(); p != 5 || u != 6 {
				t.Errorf("%d %d", p, u)
			}
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{})) // the factory's again
			generate(t, c, "9a", card.P256)
			ok(t, c.WriteObject(ctx, TagCHUID, newChuid))
			ok(t, c.Reset(ctx))
			if p, u := conn.soft.Tries(); p == 0 || u == 0 {
				t.Errorf("%d %d", p, u)
			}
			keys, err := c.Keys(ctx)
			ok(t, err)
			if len(keys) != 0 {
				t.Errorf("keys after a reset: %+v", keys)
			}
			ok(t, c.LoginAdmin(ctx, sec(factoryAdmin)))
			ok(t, c.Login(ctx, sec(factoryPIN), LoginOptions{}))
		})
	}
	conn := newSoft(t, "nist")
	if err := bare(t, conn).Reset(ctx); !errors.Is(err, card.ErrUnsupported) {
		t.Error(err)
	}
	if p, u := conn.soft.Tries(); p != 3 || u != 3 {
		t.Errorf("tries spent on a card that has no reset: %d %d", p, u)
	}
}

func TestRandom(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		c := bare(t, newSoft(t, name))
		a, err := c.Random(ctx, 40)
		ok(t, err)
		b, err := c.Random(ctx, 40)
		ok(t, err)
		if len(a) != 40 || bytes.Equal(a, b) {
			t.Errorf("%x %x", a, b)
		}
	})
}

func TestTooLarge(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		small := certificateFor(t, importedKey().Public())
		ok(t, c.PutCertificate(ctx, "9a", small, PutCertificateOptions{}))
		big := append([]byte{0x30, 0x82, 0x40, 0x00}, make([]byte, 0x4000)...)
		if err := c.PutCertificate(ctx, "9a", big, PutCertificateOptions{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v", err)
		}
		got, err := c.Certificate(ctx, "9a")
		ok(t, err)
		if !bytes.Equal(got, small) {
			t.Error("the old certificate is gone")
		}
		// Compressed it fits.
		ok(t, c.PutCertificate(ctx, "9a", big, PutCertificateOptions{Compress: true}))
		got, err = bare(t, conn).Certificate(ctx, "9a")
		ok(t, err)
		if !bytes.Equal(got, big) {
			t.Error("not what was written")
		}
	})
}

func TestRetiredWithoutHistory(t *testing.T) {
	eachPersonality(t, func(t *testing.T, name string) {
		conn := newSoft(t, name)
		c := admin(t, conn)
		for _, ref := range []card.KeyRef{"9d", "82", "8b", "95"} {
			generate(t, c, ref, card.P256)
		}
		keys, err := bare(t, conn).Keys(ctx)
		ok(t, err)
		var refs []string
		for _, k := range keys {
			refs = append(refs, string(k.Ref))
			if k.Public == nil || k.Algorithm != card.P256 {
				t.Errorf("%+v", k)
			}
		}
		if got := strings.Join(refs, " "); got != "9d 82 8b 95" {
			t.Errorf("found %s", got)
		}
	})
}

// TestOddContent: one bad certificate, or a key of an unknown kind, does not
// hide the others.
func TestOddContent(t *testing.T) {
	for _, name := range []string{"nist", "yubikey-4", softcard.DefaultPersonality} {
		t.Run(name, func(t *testing.T) {
			conn := newSoft(t, name)
			c := admin(t, conn)
			generate(t, c, "9a", card.P256)
			generate(t, c, "9d", card.P256)
			for what, object := range map[string][]byte{
				"garbage": tlv(tagCertificate, []byte("no certificate")),
				"no gzip": append(tlv(tagCertificate, []byte{0x1F, 0x8B, 1}), tlv(tagCertInfo, []byte{1})...),
				"no TLV":  {0x70},
			} {
				ok(t, c.WriteObject(ctx, 0x5FC105, object))
				keys, err := bare(t, conn).Keys(ctx)
				if err != nil || len(keys) != 2 {
					t.Fatalf("%s: %+v, %v", what, keys, err)
				}
				metadata := name == softcard.DefaultPersonality
				if metadata != (keys[0].Algorithm == card.P256) || keys[1].Algorithm != card.P256 {
					t.Errorf("%s: %+v", what, keys)
				}
				if metadata {
					continue
				}
				_, err = bare(t, conn).PrivateKey(ctx, card.KeyInfo{Ref: "9a"}, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, helloDigest[:], crypto.SHA256)
				if !errors.Is(err, card.ErrUnsupported) {
					t.Errorf("%s: %v", what, err)
				}
				// With its kind told it works.
				_, err = bare(t, conn).PrivateKey(ctx, card.KeyInfo{Ref: "9a", Algorithm: card.P256}, UseOptions{PIN: sec(factoryPIN)}).Sign(nil, helloDigest[:], crypto.SHA256)
				ok(t, err)
			}
			ok(t, c.WriteObject(ctx, 0x5FC105, tlv(tagCertInfo, []byte{0})))
			if _, err := c.Certificate(ctx, "9a"); !errors.Is(err, card.ErrNotFound) {
				t.Errorf("an object without a certificate: %v", err)
			}
		})
	}
}
