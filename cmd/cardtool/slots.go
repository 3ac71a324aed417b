package main

import (
	"strings"

	"cardbridge/card"
	"cardbridge/card/piv"
)

// slotArg reads a slot from the command line.
func slotArg(name string) (piv.Slot, error) {
	if s, ok := piv.SlotByName(name); ok {
		return s, nil
	}
	return piv.Slot{}, usagef("unknown slot %q; slots are %s", name, slotNames())
}

// slotNames writes the slots as a person would: the retired ones as a range.
func slotNames() string {
	var names []string
	var retired []card.KeyRef
	for _, s := range piv.Slots() {
		if s.Retired {
			retired = append(retired, s.Ref)
			continue
		}
		names = append(names, string(s.Ref))
	}
	if len(retired) > 0 {
		names = append(names, string(retired[0])+" to "+string(retired[len(retired)-1]))
	}
	return strings.Join(names, ", ")
}
