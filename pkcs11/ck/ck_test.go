package ck

import (
	"slices"
	"testing"
)

// Every table must be sorted, or lookups miss rows.
func TestNamesAreSorted(t *testing.T) {
	for family, table := range map[string][]name{
		"RV": namesRV, "ObjectClass": namesObjectClass, "AttributeType": namesAttributeType, "KeyType": namesKeyType,
		"MechanismType": namesMechanismType, "UserType": namesUserType, "State": namesState, "Profile": namesProfile,
	} {
		if !slices.IsSortedFunc(table, func(a, b name) int {
			if a.value < b.value {
				return -1
			}
			return 1
		}) {
			t.Errorf("%s: not strictly sorted", family)
		}
		for _, n := range table {
			if got := lookup(table, "", n.value); got != n.name {
				t.Errorf("%s: lookup(%#x) = %s, want %s", family, n.value, got, n.name)
			}
		}
	}
}

// Numbers that must never drift, from the standard's text and not its header.
func TestKnownValues(t *testing.T) {
	for _, c := range []struct {
		got, want uint
		name      string
	}{
		{uint(CKR_CRYPTOKI_NOT_INITIALIZED), 0x190, CKR_CRYPTOKI_NOT_INITIALIZED.Error()},
		{uint(CKM_EDDSA), 0x1057, CKM_EDDSA.String()},
		{uint(CKM_HKDF_DERIVE), 0x402a, CKM_HKDF_DERIVE.String()},
		{uint(CKA_ALLOWED_MECHANISMS), 0x40000600, CKA_ALLOWED_MECHANISMS.String()},
		{uint(CKA_UNIQUE_ID), 4, CKA_UNIQUE_ID.String()},
		{uint(CKK_EC_MONTGOMERY), 0x41, CKK_EC_MONTGOMERY.String()},
	} {
		if c.got != c.want {
			t.Errorf("%s = %#x, want %#x", c.name, c.got, c.want)
		}
	}
	if got := MechanismType(0x80001234).String(); got != "CKM_0x80001234" {
		t.Errorf("unknown mechanism: %s", got)
	}
}

func TestFunctionLists(t *testing.T) {
	count := map[string]int{}
	for _, f := range Functions {
		count[f.Since]++
	}
	if count["2.40"] != 68 || count["3.0"] != 24 || count["3.2"] != 12 {
		t.Errorf("functions: %v, want 68, 24 and 12", count)
	}
}
