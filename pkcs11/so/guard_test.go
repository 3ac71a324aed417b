package main

import (
	"testing"

	"cardbridge/pkcs11"
	"cardbridge/pkcs11/ck"
)

// No panic gets into the C program, from whichever function.
func TestPanicsEndHere(t *testing.T) {
	t.Cleanup(func() { current.Store(nil) })
	for name, f := range map[string]func() ck.RV{
		"any":        func() ck.RV { return ck.RV(call("any", func(*pkcs11.Module) error { panic("a bug") })) },
		"C_Finalize": func() ck.RV { return ck.RV(go_C_Finalize(nil)) },
	} {
		current.Store(&instance{}) // nothing in it works
		if rv := f(); rv != ck.CKR_GENERAL_ERROR {
			t.Errorf("%s: %v", name, rv)
		}
	}
}
