package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// A constant is one line of constants.txt.
type constant struct {
	family, name string
	value        uint64
}

// families are the Go types of the constants, by the prefix of their names.
// Those with a true third field get a name for each value.
var families = []struct {
	prefix, typ string
	named       bool
	doc         string
}{
	{"CKR", "RV", true, "RV is CK_RV, what every function returns, and an error value."},
	{"CKO", "ObjectClass", true, "ObjectClass is CK_OBJECT_CLASS."},
	{"CKA", "AttributeType", true, "AttributeType is CK_ATTRIBUTE_TYPE."},
	{"CKK", "KeyType", true, "KeyType is CK_KEY_TYPE."},
	{"CKC", "CertificateType", true, "CertificateType is CK_CERTIFICATE_TYPE."},
	{"CKM", "MechanismType", true, "MechanismType is CK_MECHANISM_TYPE."},
	{"CKF", "Flags", false, "Flags is CK_FLAGS; what a bit means depends on the structure it stands in."},
	{"CKU", "UserType", true, "UserType is CK_USER_TYPE."},
	{"CKS", "State", true, "State is CK_STATE."},
	{"CKG", "Generator", false, "Generator is CK_RSA_PKCS_MGF_TYPE and CK_GENERATOR_FUNCTION."},
	{"CKZ", "Source", false, "Source is CK_RSA_PKCS_OAEP_SOURCE_TYPE and its like."},
	{"CKD", "KDF", false, "KDF is CK_EC_KDF_TYPE."},
	{"CKH", "HardwareFeature", false, "HardwareFeature is CK_HW_FEATURE_TYPE."},
	{"CKP", "Profile", true, "Profile is CK_PROFILE_ID."},
	{"CKN", "Notification", true, "Notification is CK_NOTIFICATION."},
}

func readConstants(path string) (all []constant, err error) {
	seen := map[string]bool{}
	err = lines(path, func(f []string) error {
		if len(f) != 2 || seen[f[0]] {
			return fmt.Errorf("%q: want a new NAME and a VALUE", f)
		}
		seen[f[0]] = true
		v, err := strconv.ParseUint(f[1], 0, 32)
		all = append(all, constant{f[0][:3], f[0], v})
		return err
	})
	return all, err
}

func writeConstants(b *bytes.Buffer, all []constant) {
	b.WriteString(header + "package ck\n\n")
	for _, family := range families {
		fmt.Fprintf(b, "// %s\ntype %s uint\n\n// The constants of %s.\nconst (\n", family.doc, family.typ, family.typ)
		for _, c := range all {
			if c.family == family.prefix {
				fmt.Fprintf(b, "%s %s = %#x\n", c.name, family.typ, c.value)
			}
		}
		b.WriteString(")\n\n")
	}
}

func writeNames(b *bytes.Buffer, all []constant) {
	b.WriteString(header + "package ck\n\n")
	for _, family := range families {
		if !family.named {
			continue
		}
		fmt.Fprintf(b, "// names%s is in the order of the values.\nvar names%s = []name{\n", family.typ, family.typ)
		last := uint64(1 << 63)
		for _, c := range all {
			if c.family != family.prefix || c.value == last {
				continue
			}
			last = c.value
			fmt.Fprintf(b, "{%#x, %q},\n", c.value, c.name)
		}
		b.WriteString("}\n\n")
		if family.prefix != "CKR" {
			fmt.Fprintf(b, "// String is the name in the standard, or the number.\nfunc (v %s) String() string { return lookup(names%s, %q, uint(v)) }\n\n",
				family.typ, family.typ, family.prefix)
		}
	}
	b.WriteString(`// Mechanisms lists every mechanism that the standard names.
func Mechanisms() (all []MechanismType) {
	for _, n := range namesMechanismType {
		all = append(all, MechanismType(n.value))
	}
	return all
}
`)
}
