package certspec

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
)

// FormatName writes a name in DER as RFC 4514 does, the way [ParseName] reads
// it: all attribute types that have a short name here under that, in the
// certificate's order turned round.
func FormatName(der []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "#" + hex.EncodeToString(der)
	}
	var parts []string
	for _, rdn := range slices.Backward(rdns) {
		var atvs []string
		for _, a := range rdn {
			atvs = append(atvs, formatAttribute(a))
		}
		parts = append(parts, strings.Join(atvs, "+"))
	}
	return strings.Join(parts, ",")
}

func formatAttribute(a pkix.AttributeTypeAndValue) string {
	name := a.Type.String()
	for short, oid := range attributeTypes {
		// Of two names for one type the longer is the standard's.
		if oid.Equal(a.Type) && (name == a.Type.String() || len(short) > len(name)) {
			name = short
		}
	}
	value, ok := a.Value.(string)
	if !ok {
		der, err := asn1.Marshal(a.Value)
		if err != nil {
			return name + "=?"
		}
		return name + "=#" + hex.EncodeToString(der)
	}
	return name + "=" + escape(value)
}

// escape is RFC 4514 section 2.4.
func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Names are a certificate's alternative names as [Spec] takes them; of kinds
// that it does not take, the bytes.
func Names(c *x509.Certificate) []string {
	out := []string{}
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidAlternativeNames) {
			continue
		}
		var values []asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &values); err != nil {
			return out
		}
		for _, v := range values {
			out = append(out, formatAlternative(v))
		}
	}
	return out
}

func formatAlternative(v asn1.RawValue) string {
	switch v.Tag {
	case 0:
		if upn, ok := parseUPN(v.Bytes); ok {
			return "upn:" + upn
		}
	case 1:
		return "email:" + string(v.Bytes)
	case 2:
		return "dns:" + string(v.Bytes)
	case 4:
		return "dir:" + FormatName(v.Bytes)
	case 6:
		return "uri:" + string(v.Bytes)
	case 7:
		if len(v.Bytes) == net.IPv4len || len(v.Bytes) == net.IPv6len {
			return "ip:" + net.IP(v.Bytes).String()
		}
	}
	return fmt.Sprintf("other:%x", v.FullBytes)
}

// parseUPN reads an otherName that is a user's name in a realm.
func parseUPN(der []byte) (string, bool) {
	var oid asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(der, &oid)
	if err != nil || !oid.Equal(oidUPN) {
		return "", false
	}
	var name string
	if _, err := asn1.UnmarshalWithParams(rest, &name, "utf8,explicit,tag:0"); err != nil {
		return "", false
	}
	return name, true
}
