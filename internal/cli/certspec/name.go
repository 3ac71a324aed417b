// Package certspec turns what a person writes about a certificate - subject,
// alternative names, key usage, extensions; as flags or in a file - into what
// crypto/x509 takes.
package certspec

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// attributeTypes are the short names of RFC 4514 section 3, and those that
// OpenSSL and others write beside them.
var attributeTypes = map[string]asn1.ObjectIdentifier{
	"CN":           {2, 5, 4, 3},
	"SN":           {2, 5, 4, 4},
	"SERIALNUMBER": {2, 5, 4, 5},
	"C":            {2, 5, 4, 6},
	"L":            {2, 5, 4, 7},
	"ST":           {2, 5, 4, 8},
	"STREET":       {2, 5, 4, 9},
	"O":            {2, 5, 4, 10},
	"OU":           {2, 5, 4, 11},
	"TITLE":        {2, 5, 4, 12},
	"GIVENNAME":    {2, 5, 4, 42},
	"GN":           {2, 5, 4, 42},
	"DC":           {0, 9, 2342, 19200300, 100, 1, 25},
	"UID":          {0, 9, 2342, 19200300, 100, 1, 1},
	"EMAILADDRESS": {1, 2, 840, 113549, 1, 9, 1},
}

// ia5 are the attribute types whose values are IA5String rather than
// UTF8String.
var ia5 = map[string]bool{"DC": true, "EMAILADDRESS": true}

// ParseName reads a distinguished name as RFC 4514 writes it
// ("CN=Alice,O=Example"): the most specific part first, which comes last in the certificate.
// It returns the name in DER.
func ParseName(s string) ([]byte, error) {
	if strings.HasPrefix(s, "/") {
		return nil, fmt.Errorf("subject %q: names are written the other way round and with commas: CN=Alice,O=Example for /O=Example/CN=Alice", s)
	}
	var rdns pkix.RDNSequence
	for _, rdn := range splitEscaped(s, ',') {
		var set pkix.RelativeDistinguishedNameSET
		for _, atv := range splitEscaped(rdn, '+') {
			a, err := parseAttribute(atv)
			if err != nil {
				return nil, fmt.Errorf("subject %q: %w", s, err)
			}
			set = append(set, a)
		}
		rdns = append(rdns, set)
	}
	slices.Reverse(rdns)
	return asn1.Marshal(rdns)
}

func parseAttribute(s string) (pkix.AttributeTypeAndValue, error) {
	name, raw, ok := strings.Cut(strings.TrimLeft(s, " "), "=")
	if !ok {
		return pkix.AttributeTypeAndValue{}, fmt.Errorf("%q is not of the form CN=value", strings.TrimSpace(s))
	}
	name = strings.ToUpper(strings.TrimSpace(name))
	oid := attributeTypes[name]
	if oid == nil {
		var err error
		if oid, err = ParseOID(name); err != nil {
			return pkix.AttributeTypeAndValue{}, fmt.Errorf("unknown attribute %q", name)
		}
	}
	value, err := unescape(raw)
	if err != nil {
		return pkix.AttributeTypeAndValue{}, err
	}
	if value == "" {
		return pkix.AttributeTypeAndValue{}, fmt.Errorf("%s is empty", name)
	}
	a := pkix.AttributeTypeAndValue{Type: oid, Value: value}
	if name == "C" && len(value) != 2 {
		return a, fmt.Errorf("country code (C) %q has not two letters", value)
	}
	if ia5[name] {
		a.Value = asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(value)}
	}
	return a, nil
}

// splitEscaped splits at sep where no backslash stands before it.
func splitEscaped(s string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unescape undoes RFC 4514 section 2.4, and drops blanks around the value that
// are not escaped.
func unescape(s string) (string, error) {
	s = strings.TrimLeft(s, " ")
	var out []byte
	keep := 0 // length up to the last byte that was escaped or no blank
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			if s[i] != ' ' {
				keep = len(out)
			}
			continue
		}
		if i+1 >= len(s) {
			return "", fmt.Errorf("a backslash at the end of %q", s)
		}
		if i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b...)
				keep = len(out)
				i += 2
				continue
			}
		}
		i++
		out = append(out, s[i])
		keep = len(out)
	}
	return string(out[:keep]), nil
}

// ParseOID reads an object identifier in dotted decimal.
func ParseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%q is no object identifier", s)
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, fmt.Errorf("%q is no object identifier", s)
	}
	return oid, nil
}
