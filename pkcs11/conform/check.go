//go:build linux && cgo

package conform

import (
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// States of CK_SESSION_INFO.
const (
	roPublic = p11.CKS_RO_PUBLIC_SESSION
	roUser   = p11.CKS_RO_USER_FUNCTIONS
	rwPublic = p11.CKS_RW_PUBLIC_SESSION
	rwUser   = p11.CKS_RW_USER_FUNCTIONS
	rwSO     = p11.CKS_RW_SO_FUNCTIONS
)

var stateNames = map[uint]string{roPublic: "R/O Public", roUser: "R/O User", rwPublic: "R/W Public", rwUser: "R/W User", rwSO: "R/W SO"}

// want fails the test unless the code is one of those allowed.
func want(t *testing.T, what string, got RV, allowed ...uint) {
	t.Helper()
	for _, a := range allowed {
		if got == RV(a) {
			return
		}
	}
	names := make([]RV, len(allowed))
	for i, a := range allowed {
		names[i] = RV(a)
	}
	t.Errorf("%s: %v, want %v", what, got, names)
}

// wantState fails the test unless the session is in this state.
func wantState(t *testing.T, c Caller, session, state uint) {
	t.Helper()
	_, got, _, rv := c.SessionInfo(session)
	if rv != p11.CKR_OK || got != state {
		t.Errorf("session %d: state %s (%v), want %s", session, stateNames[got], rv, stateNames[state])
	}
}

// data is the template of a data object.
func data(token, private bool, label string) []Attr {
	return []Attr{
		A(p11.CKA_CLASS, uint(p11.CKO_DATA)), A(p11.CKA_TOKEN, token), A(p11.CKA_PRIVATE, private),
		A(p11.CKA_LABEL, label), A(p11.CKA_APPLICATION, "conform"), A(p11.CKA_VALUE, []byte(label)),
	}
}

// rule is one numbered rule: its test runs in an application of its own, initialised, at the target's token.
type rule struct {
	name, text string
	run        func(*testing.T, *Target, *App, uint)
}

func runRules(t *testing.T, tg *Target, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if how := tg.Departs[r.name]; how != "" {
				t.Skipf("%s: %s", tg.Name, how)
			}
			a := tg.Start(t)
			a.must("C_Initialize", a.Initialize())
			r.run(t, tg, a, a.Slot())
			if t.Failed() {
				t.Logf("%s: %s", r.name, r.text)
			}
		})
	}
}

// Sessions runs the rules of the standard's chapter on sessions against a seeded target.
func Sessions(t *testing.T, tg *Target) {
	runRules(t, tg, basicRules)
	runRules(t, tg, stateRules)
	runRules(t, tg, accessRules)
	runRules(t, tg, eventRules)
	runRules(t, tg, handleRules)
	runRules(t, tg, operationRules)
	t.Run("Example", func(t *testing.T) { workedExample(t, tg) })
}

// operationCancelFailed is CKR_OPERATION_CANCEL_FAILED of 3.0, which the older constants lack.
const operationCancelFailed = 0x202
