package certspec

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Spec is what a template file holds, in JSON, and what flags add to it.
type Spec struct {
	Subject     string      `json:"subject"`     // RFC 4514: "CN=Alice,O=Example"
	Names       []string    `json:"names"`       // alternative names: "dns:host", "email:a@b", "ip:192.0.2.1", "uri:https://…", "upn:a@b"
	KeyUsage    []string    `json:"keyUsage"`    // "digitalSignature", ...
	ExtKeyUsage []string    `json:"extKeyUsage"` // "clientAuth", ... or an object identifier
	Days        int         `json:"days"`        // how long a certificate is valid
	Serial      string      `json:"serial"`      // serial number, in hex; random where it is empty
	CA          *bool       `json:"ca"`          // basic constraints; not there where it is null
	PathLen     *int        `json:"pathLen"`     // of a CA
	Extensions  []Extension `json:"extensions"`  // any others
}

// An Extension is one that has no field of its own.
type Extension struct {
	OID      string `json:"oid"`
	Critical bool   `json:"critical"`
	Value    string `json:"value"` // in DER, written in hex
}

// ReadTemplate reads a template file; fields that are not known are errors.
func ReadTemplate(data []byte) (Spec, error) {
	var s Spec
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("certificate template: %w", err)
	}
	if d.More() {
		return Spec{}, errors.New("certificate template: more than one JSON value")
	}
	return s, nil
}

// ParseExtension reads OID=HEX or OID=critical,HEX.
func ParseExtension(s string) (Extension, error) {
	oid, value, ok := strings.Cut(s, "=")
	if !ok {
		return Extension{}, fmt.Errorf("extension %q is not of the form OID=[critical,]HEX", s)
	}
	value, critical := strings.CutPrefix(value, "critical,")
	return Extension{OID: oid, Critical: critical, Value: value}, nil
}

var keyUsages = map[string]x509.KeyUsage{
	"digitalSignature": x509.KeyUsageDigitalSignature,
	"nonRepudiation":   x509.KeyUsageContentCommitment,
	"keyEncipherment":  x509.KeyUsageKeyEncipherment,
	"dataEncipherment": x509.KeyUsageDataEncipherment,
	"keyAgreement":     x509.KeyUsageKeyAgreement,
	"keyCertSign":      x509.KeyUsageCertSign,
	"cRLSign":          x509.KeyUsageCRLSign,
	"encipherOnly":     x509.KeyUsageEncipherOnly,
	"decipherOnly":     x509.KeyUsageDecipherOnly,
}

var extKeyUsages = map[string]asn1.ObjectIdentifier{
	"serverAuth":      {1, 3, 6, 1, 5, 5, 7, 3, 1},
	"clientAuth":      {1, 3, 6, 1, 5, 5, 7, 3, 2},
	"codeSigning":     {1, 3, 6, 1, 5, 5, 7, 3, 3},
	"emailProtection": {1, 3, 6, 1, 5, 5, 7, 3, 4},
	"timeStamping":    {1, 3, 6, 1, 5, 5, 7, 3, 8},
	"OCSPSigning":     {1, 3, 6, 1, 5, 5, 7, 3, 9},
	"smartcardLogon":  {1, 3, 6, 1, 4, 1, 311, 20, 2, 2},
	"pivAuth":         {2, 16, 840, 1, 101, 3, 6, 8},
	"any":             {2, 5, 29, 37, 0},
}

// KeyUsages and ExtKeyUsages are the names that a Spec takes.
func KeyUsages() []string    { return slices.Sorted(maps.Keys(keyUsages)) }
func ExtKeyUsages() []string { return slices.Sorted(maps.Keys(extKeyUsages)) }

// Certificate is the template of a certificate that begins at now.
func (s Spec) Certificate(now time.Time) (*x509.Certificate, error) {
	t := &x509.Certificate{NotBefore: now, NotAfter: now.AddDate(0, 0, s.Days)}
	var err error
	if s.Days <= 0 {
		return nil, fmt.Errorf("a certificate that is valid for %d days", s.Days)
	}
	if t.NotAfter.Year() > 9999 {
		return nil, fmt.Errorf("a certificate that is valid for %d days: dates end with the year 9999", s.Days)
	}
	if t.RawSubject, err = ParseName(s.Subject); err != nil {
		return nil, err
	}
	if t.SerialNumber, err = s.serial(); err != nil {
		return nil, err
	}
	if t.KeyUsage, err = s.keyUsage(); err != nil {
		return nil, err
	}
	if t.UnknownExtKeyUsage, err = s.extKeyUsage(); err != nil {
		return nil, err
	}
	if s.CA != nil {
		t.BasicConstraintsValid, t.IsCA, t.MaxPathLen = true, *s.CA, -1
		if s.PathLen != nil {
			t.MaxPathLen, t.MaxPathLenZero = *s.PathLen, *s.PathLen == 0
		}
	}
	t.ExtraExtensions, err = s.extensions()
	return t, err
}

// Request is the template of a certificate request (PKCS #10).
func (s Spec) Request() (*x509.CertificateRequest, error) {
	t := new(x509.CertificateRequest)
	var err error
	if t.RawSubject, err = ParseName(s.Subject); err != nil {
		return nil, err
	}
	if t.ExtraExtensions, err = s.extensions(); err != nil {
		return nil, err
	}
	// A request has no fields for these; x509 makes them for certificates only.
	usage, err := s.keyUsage()
	if err != nil {
		return nil, err
	}
	if usage != 0 {
		e, err := marshalKeyUsage(usage)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, e)
	}
	if len(s.ExtKeyUsage) > 0 {
		oids, err := s.extKeyUsage()
		if err != nil {
			return nil, err
		}
		der, err := asn1.Marshal(oids)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: der})
	}
	if s.CA != nil {
		bc := struct {
			CA      bool `asn1:"optional"`
			PathLen int  `asn1:"optional,default:-1"`
		}{*s.CA, -1}
		if s.PathLen != nil {
			bc.PathLen = *s.PathLen
		}
		der, err := asn1.Marshal(bc)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: der})
	}
	return t, nil
}

func (s Spec) serial() (*big.Int, error) {
	if s.Serial == "" {
		// 127 random bits: positive, and at most 20 octets (RFC 5280 section 4.1.2.2).
		b := make([]byte, 16)
		rand.Read(b)
		b[0] &= 0x7F
		return new(big.Int).SetBytes(b), nil
	}
	n, ok := new(big.Int).SetString(strings.ReplaceAll(s.Serial, ":", ""), 16)
	if !ok || n.Sign() <= 0 || n.BitLen() > 159 {
		return nil, fmt.Errorf("serial number %q is not a positive number of at most 20 bytes, in hex", s.Serial)
	}
	return n, nil
}

func (s Spec) keyUsage() (x509.KeyUsage, error) {
	var out x509.KeyUsage
	for _, name := range s.KeyUsage {
		u, ok := keyUsages[name]
		if !ok {
			return 0, fmt.Errorf("unknown key usage %q; there are %s", name, strings.Join(KeyUsages(), ", "))
		}
		out |= u
	}
	return out, nil
}

func (s Spec) extKeyUsage() ([]asn1.ObjectIdentifier, error) {
	var out []asn1.ObjectIdentifier
	for _, name := range s.ExtKeyUsage {
		oid, ok := extKeyUsages[name]
		if !ok {
			var err error
			if oid, err = ParseOID(name); err != nil {
				return nil, fmt.Errorf("unknown extended key usage %q; there are %s, and object identifiers", name, strings.Join(ExtKeyUsages(), ", "))
			}
		}
		out = append(out, oid)
	}
	return out, nil
}

// extensions are the alternative names and those without a field.
func (s Spec) extensions() ([]pkix.Extension, error) {
	var out []pkix.Extension
	if len(s.Names) > 0 {
		e, err := alternativeNames(s.Names)
		if err != nil {
			return nil, err
		}
		// Critical only where there is no subject (RFC 5280 section 4.2.1.6).
		e.Critical = s.Subject == ""
		out = append(out, e)
	}
	for _, x := range s.Extensions {
		oid, err := ParseOID(x.OID)
		if err != nil {
			return nil, err
		}
		value, err := hex.DecodeString(x.Value)
		if err != nil {
			return nil, fmt.Errorf("extension %s: its value is not in hex", x.OID)
		}
		var any asn1.RawValue
		if rest, err := asn1.Unmarshal(value, &any); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("extension %s: its value is not one value in DER", x.OID)
		}
		out = append(out, pkix.Extension{Id: oid, Critical: x.Critical, Value: value})
	}
	return out, nil
}

var (
	oidUPN              = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
	oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// A generalName encodes one kind of alternative name (RFC 5280 section 4.2.1.6).
type generalName func(value string) (asn1.RawValue, error)

func ia5Name(tag int, valid func(string) bool) generalName {
	return func(v string) (asn1.RawValue, error) {
		if !valid(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
			return asn1.RawValue{}, errors.New("malformed")
		}
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(v)}, nil
	}
}

var generalNames = map[string]generalName{
	"email": ia5Name(1, func(v string) bool {
		a, err := mail.ParseAddress(v)
		return err == nil && a.Address == v
	}),
	"dns": ia5Name(2, func(v string) bool { return v != "" && !strings.ContainsAny(v, " /@:") }),
	"uri": ia5Name(6, func(v string) bool {
		u, err := url.Parse(v)
		return err == nil && u.Scheme != ""
	}),
	"ip": func(v string) (asn1.RawValue, error) {
		ip := net.ParseIP(v)
		if ip == nil {
			return asn1.RawValue{}, errors.New("malformed")
		}
		if four := ip.To4(); four != nil {
			ip = four
		}
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: ip}, nil
	},
	"upn": func(v string) (asn1.RawValue, error) {
		if !strings.Contains(v, "@") {
			return asn1.RawValue{}, errors.New("malformed")
		}
		oid, err := asn1.Marshal(oidUPN)
		if err != nil {
			return asn1.RawValue{}, err
		}
		value, err := asn1.MarshalWithParams(v, "utf8,explicit,tag:0")
		if err != nil {
			return asn1.RawValue{}, err
		}
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: append(oid, value...)}, nil
	},
}

func alternativeNames(names []string) (pkix.Extension, error) {
	var values []asn1.RawValue
	for _, n := range names {
		kind, value, ok := strings.Cut(n, ":")
		encode := generalNames[strings.ToLower(kind)]
		if !ok || encode == nil {
			return pkix.Extension{}, fmt.Errorf("alternative name %q begins with none of dns:, email:, ip:, uri:, upn: as it should", n)
		}
		v, err := encode(value)
		if err != nil {
			return pkix.Extension{}, fmt.Errorf("alternative name %q: %w", n, err)
		}
		values = append(values, v)
	}
	der, err := asn1.Marshal(values)
	return pkix.Extension{Id: oidAlternativeNames, Value: der}, err
}

func marshalKeyUsage(u x509.KeyUsage) (pkix.Extension, error) {
	// Bit 0 of RFC 5280 section 4.2.1.3 is the highest of the first byte.
	var b [2]byte
	last := 0
	for i := range 9 {
		if u&(1<<i) != 0 {
			b[i/8] |= 0x80 >> (i % 8)
			last = i
		}
	}
	der, err := asn1.Marshal(asn1.BitString{Bytes: b[:last/8+1], BitLength: last + 1})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: der}, err
}
