//go:build linux && cgo

package conform

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var softHSMPaths = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
}

// SoftHSM makes a seeded token of SoftHSM2 in a folder of the test's own; the test is skipped where SoftHSM2 is missing.
func SoftHSM(tb testing.TB) *Target {
	tb.Helper()
	module := ""
	for _, p := range softHSMPaths {
		if _, err := os.Stat(p); err == nil {
			module = p
			break
		}
	}
	if module == "" {
		skip(tb, "no SoftHSM2 here: apt-get install softhsm2")
	}
	dir := tb.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		tb.Fatal(err)
	}
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	tg := &Target{
		Name: "SoftHSM2", Module: module, Env: []string{"SOFTHSM2_CONF=" + conf},
		PIN: "123456", SOPIN: "12345678", Label: "conform", Store: true, Fresh: SoftHSM,
		Departs: map[string]string{ // 2.6.1
			"S12":           "C_Logout without a login is CKR_OK",
			"S18":           "C_Logout without a login is CKR_OK",
			"data too long": "is CKR_GENERAL_ERROR",
			"Fork":          "a child that has not initialised is not told so",
			"ManySessions":  "a search for a free handle goes through all sessions: 7 ms each at 100,000",
			"S28":           "C_FindObjects of one search by two threads is CKR_GENERAL_ERROR",
		},
	}
	a := tg.Start(tb)
	a.must("C_Initialize", a.Initialize())
	slots, rv := a.Slots(true)
	a.must("C_GetSlotList", rv)
	label := []byte(fmt.Sprintf("%-32s", tg.Label))
	a.must("C_InitToken", a.Call("C_InitToken", N(slots[0]), In([]byte(tg.SOPIN)), N(uint(len(tg.SOPIN))), In(label)).RV)
	s := a.MustOpen(a.Slot(), RW)
	a.must("C_Login", a.Login(s, SO, tg.SOPIN))
	a.must("C_InitPIN", a.Call("C_InitPIN", N(s), In([]byte(tg.PIN)), N(uint(len(tg.PIN)))).RV)
	a.must("C_Finalize", a.Finalize())
	if rv := a.Finalize(); rv != p11.CKR_CRYPTOKI_NOT_INITIALIZED {
		tb.Fatalf("C_Finalize again: %v", rv)
	}
	tg.Seed(tb)
	return tg
}
