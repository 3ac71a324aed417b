// Package ck has the constants of PKCS #11 3.2 under the standard's own names,
// and the names of their values. It imports nothing of this module.
package ck

//go:generate go run ./gen

import (
	"fmt"
	"slices"
)

// Unavailable is CK_UNAVAILABLE_INFORMATION: a CK_ULONG with every bit set.
const Unavailable = ^uint(0)

// A name is a value of one family of constants. The tables are sorted slices
// and not maps, because a map would be built when the library is loaded.
type name struct {
	value uint
	name  string
}

func lookup(names []name, prefix string, v uint) string {
	i, ok := slices.BinarySearchFunc(names, v, func(n name, v uint) int {
		switch {
		case n.value < v:
			return -1
		case n.value > v:
			return 1
		}
		return 0
	})
	if !ok {
		return fmt.Sprintf("%s_%#08x", prefix, v)
	}
	return names[i].name
}

// Error is the name in the standard, or the number.
func (v RV) Error() string { return lookup(namesRV, "CKR", uint(v)) }

// MechanismByName finds a mechanism by its name, with or without "CKM_".
func MechanismByName(s string) (MechanismType, bool) {
	for _, n := range namesMechanismType {
		if n.name == s || n.name == "CKM_"+s {
			return MechanismType(n.value), true
		}
	}
	return 0, false
}
