package certspec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseName(t *testing.T) {
	for in, want := range map[string]string{
		"CN=Alice":                          "CN=Alice",
		"CN=Alice,O=Example\\, Inc.,C=CH":   "CN=Alice,O=Example\\, Inc.,C=CH",
		" cn = Alice , o = Two  Words ":     "CN=Alice,O=Two  Words",
		"CN=Caf\\c3\\a9":                    "CN=Café",
		"CN=a\\ ":                           "CN=a\\ ",
		"CN=Alice+SERIALNUMBER=7,O=Example": "SERIALNUMBER=7+CN=Alice,O=Example",
	} {
		der, err := ParseName(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var rdns pkix.RDNSequence
		if _, err := asn1.Unmarshal(der, &rdns); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got := rdns.String(); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
		again, err := ParseName(FormatName(der))
		if err != nil || string(again) != string(der) {
			t.Errorf("%q: shown as %q, which is read as %x, %v", in, FormatName(der), again, err)
		}
	}
	der, err := ParseName("EMAILADDRESS=a@b.example,UID=alice,O=Two\\, Ltd,DC=b,DC=example")
	if got := FormatName(der); err != nil || got != "EMAILADDRESS=a@b.example,UID=alice,O=Two\\, Ltd,DC=b,DC=example" {
		t.Errorf("%q, %v", got, err)
	}
	for _, in := range []string{"", "Alice", "CN=", "XX=1", "CN=a\\", "C=CHE", "CN=a,,O=b"} {
		if _, err := ParseName(in); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
}

// TestSpec makes a certificate and a request of the same Spec and looks at
// what comes out of x509's parsers.
func TestSpec(t *testing.T) {
	yes, zero := true, 0
	s := Spec{
		Subject: "CN=Alice", Days: 10, Serial: "0a:0b", CA: &yes, PathLen: &zero,
		Names:       []string{"dns:example.org", "email:a@example.org", "ip:192.0.2.1", "ip:2001:db8::1", "uri:https://example.org/x", "upn:alice@example.org"},
		KeyUsage:    []string{"digitalSignature", "keyCertSign", "decipherOnly"},
		ExtKeyUsage: []string{"clientAuth", "smartcardLogon", "1.2.3.4"},
		Extensions:  []Extension{{OID: "1.2.3.5", Critical: false, Value: "0500"}},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := s.Certificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	req, err := s.Request()
	if err != nil {
		t.Fatal(err)
	}
	if der, err = x509.CreateCertificateRequest(rand.Reader, req, key); err != nil {
		t.Fatal(err)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "Alice" || c.SerialNumber.Int64() != 0x0a0b || !c.IsCA || !c.MaxPathLenZero {
		t.Errorf("certificate: %v %v %v %v", c.Subject, c.SerialNumber, c.IsCA, c.MaxPathLenZero)
	}
	if len(c.DNSNames) != 1 || len(c.EmailAddresses) != 1 || len(c.IPAddresses) != 2 || len(c.URIs) != 1 {
		t.Errorf("names: %v %v %v %v", c.DNSNames, c.EmailAddresses, c.IPAddresses, c.URIs)
	}
	if got := Names(c); !slices.Equal(got, s.Names) {
		t.Errorf("names: %q, not %q", got, s.Names)
	}
	if want := x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageDecipherOnly; c.KeyUsage != want {
		t.Errorf("key usage %b, not %b", c.KeyUsage, want)
	}
	if len(c.ExtKeyUsage) != 1 || len(c.UnknownExtKeyUsage) != 2 {
		t.Errorf("extended key usage: %v %v", c.ExtKeyUsage, c.UnknownExtKeyUsage)
	}
	// The request's extensions must be the certificate's, byte for byte.
	of := map[string]pkix.Extension{}
	for _, e := range c.Extensions {
		of[e.Id.String()] = e
	}
	for _, e := range r.Extensions {
		if x := of[e.Id.String()]; string(x.Value) != string(e.Value) || x.Critical != e.Critical {
			t.Errorf("extension %v: request %x, certificate %x", e.Id, e.Value, x.Value)
		}
	}
	if len(r.Extensions) != 5 {
		t.Errorf("%d extensions in the request", len(r.Extensions))
	}
}

func TestBadSpecs(t *testing.T) {
	good := Spec{Subject: "CN=x", Days: 1}
	for name, bad := range map[string]func(*Spec){
		"days":      func(s *Spec) { s.Days = 0 },
		"century":   func(s *Spec) { s.Days = 9999999 },
		"serial":    func(s *Spec) { s.Serial = strings.Repeat("ff", 21) },
		"name kind": func(s *Spec) { s.Names = []string{"example.org"} },
		"ip":        func(s *Spec) { s.Names = []string{"ip:1.2.3"} },
		"email":     func(s *Spec) { s.Names = []string{"email:a"} },
		"usage":     func(s *Spec) { s.KeyUsage = []string{"signing"} },
		"ext usage": func(s *Spec) { s.ExtKeyUsage = []string{"tls"} },
		"extension": func(s *Spec) { s.Extensions = []Extension{{OID: "1.2.3", Value: "0501"}} },
	} {
		s := good
		bad(&s)
		if _, err := s.Certificate(time.Now()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := good.Certificate(time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := ReadTemplate([]byte(`{"subjekt": "CN=x"}`)); err == nil {
		t.Error("a template with an unknown field was taken")
	}
}
