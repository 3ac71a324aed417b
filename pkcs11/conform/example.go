//go:build linux && cgo

package conform

import (
	"testing"

	p11 "github.com/miekg/pkcs11"
)

// workedExample is the story that closes the chapter on sessions (PKCS #11 v2.10, 6.6.7), step by step: applications A and
// B with two threads each, at one token. The numbers in the comments are the story's own.
func workedExample(t *testing.T, tg *Target) {
	A1, B1 := tg.Start(t), tg.Start(t)
	A2, B2 := A1.Thread(2), B1.Thread(2)
	want(t, "1: A1 initialises", A1.Initialize(), p11.CKR_OK)
	want(t, "1: B1 initialises", B1.Initialize(), p11.CKR_OK)
	slotA, slotB := A1.Slot(), B1.Slot()

	a7 := A1.MustOpen(slotA, RW) // 2
	wantState(t, A1.Caller, a7, rwPublic)
	a4 := A2.MustOpen(slotA, RO) // 3
	wantState(t, A2, a4, roPublic)
	want(t, "4: A1 logs the SO in", A1.Login(a7, SO, tg.SOPIN), p11.CKR_SESSION_READ_ONLY_EXISTS)
	want(t, "5: A2 logs the user in", A2.Login(a7, User, tg.PIN), p11.CKR_OK)
	wantState(t, A1.Caller, a7, rwUser)
	wantState(t, A1.Caller, a4, roUser)
	a9 := A2.MustOpen(slotA, RW) // 6
	wantState(t, A2, a9, rwUser)
	want(t, "7: A1 closes session 9", A1.CloseSession(a9), p11.CKR_OK)

	want(t, "8: B1 logs out session 4", B1.Logout(a4), p11.CKR_SESSION_HANDLE_INVALID)
	want(t, "9: B2 closes session 4", B2.CloseSession(a4), p11.CKR_SESSION_HANDLE_INVALID)
	b7 := B1.MustOpen(slotB, RW) // 10
	wantState(t, B1.Caller, b7, rwPublic)
	want(t, "11: B1 logs the SO in", B1.Login(b7, SO, tg.SOPIN), p11.CKR_OK)
	wantState(t, B1.Caller, b7, rwSO)
	wantState(t, A1.Caller, a7, rwUser)
	wantState(t, A1.Caller, a4, roUser)
	_, rv := B2.Open(slotB, RO)
	want(t, "12: B2 opens a R/O session", rv, p11.CKR_SESSION_READ_WRITE_SO_EXISTS)

	o1, rv := A1.Create(a7, data(false, false, "O1")...)
	want(t, "13: A1 creates session object O1", rv, p11.CKR_OK)
	_, rv = B1.Create(b7, data(true, true, "O2")...)
	want(t, "14: B1 creates a private object as SO", rv, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_ATTRIBUTE_VALUE_INVALID)
	if tg.Store {
		tokenObjectOfTheStory(t, A1, B1.Caller, B2, a4, a7, b7)
	} else { // a card's object stands for O2: found in session 4, not to be changed there
		o2 := A1.Key(a4, p11.CKO_CERTIFICATE, RSAKey)
		want(t, "17: A1 changes O2 in session 4", A1.Set(a4, o2, A(p11.CKA_LABEL, "x")), p11.CKR_SESSION_READ_ONLY)
	}
	if h := B1.Find(b7, A(p11.CKA_LABEL, "O1")); len(h) != 0 {
		t.Errorf("19: B1 finds O1: %v", h)
	}
	want(t, "20: A2 changes O1 through session 4", A2.Set(a4, o1, A(p11.CKA_LABEL, "O1 of A2")), p11.CKR_OK)
	o3, rv := A2.Create(a4, data(false, false, "O3")...)
	want(t, "21: A2 creates session object O3 in session 4", rv, p11.CKR_OK)
	p3, rv := A2.Create(a4, data(false, true, "P3")...)
	want(t, "and a private one", rv, p11.CKR_OK)
	want(t, "22: A1 closes session 7", A1.CloseSession(a7), p11.CKR_OK)
	_, rv = A2.Get(a4, o1, p11.CKA_LABEL)
	want(t, "23: A2 reads O1", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	_, rv = A2.Get(a4, o3, p11.CKA_LABEL)
	want(t, "24: A2 reads O3", rv, p11.CKR_OK)
	wantState(t, A2, a4, roUser)
	want(t, "25: A2 logs out", A2.Logout(a4), p11.CKR_OK)
	wantState(t, A1.Caller, a4, roPublic)
	_, rv = A2.Get(a4, p3, p11.CKA_LABEL)
	want(t, "the private session object is gone", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	_, rv = A2.Get(a4, o3, p11.CKA_LABEL)
	want(t, "O3 is not", rv, p11.CKR_OK)
	want(t, "26: A1 closes session 4", A1.CloseSession(a4), p11.CKR_OK)
	a := A1.MustOpen(slotA, RO)
	_, rv = A1.Get(a, o3, p11.CKA_LABEL)
	want(t, "with it O3 ends", rv, p11.CKR_OBJECT_HANDLE_INVALID)
	wantState(t, B1.Caller, b7, rwSO)
	want(t, "27: B1 logs out", B1.Logout(b7), p11.CKR_OK)
	wantState(t, B2, b7, rwPublic)
	if tg.Remove == nil {
		t.Log("28: the token cannot be removed here")
		return
	}
	tg.Remove(t)
	defer tg.Insert(t)
	gone(t, "28: A's session", A1.Caller, a)
	gone(t, "28: B's session", B1.Caller, b7)
}

func tokenObjectOfTheStory(t *testing.T, A1 *App, B1, B2 Caller, a4, a7, b7 uint) {
	o2, rv := B1.Create(b7, data(true, false, "O2")...)
	want(t, "14: B1 creates token object O2", rv, p11.CKR_OK)
	want(t, "15: B2 changes O2", B2.Set(b7, o2, A(p11.CKA_LABEL, "O2 of B2")), p11.CKR_OK)
	found := A1.Find(a4, A(p11.CKA_LABEL, "O2 of B2"))
	if len(found) != 1 {
		t.Fatalf("16: A1 finds O2: %v", found)
	}
	want(t, "17: A1 changes O2 in session 4", A1.Set(a4, found[0], A(p11.CKA_LABEL, "x")), p11.CKR_SESSION_READ_ONLY)
	want(t, "18: A1 changes O2 in session 7", A1.Set(a7, found[0], A(p11.CKA_LABEL, "O2 of A1")), p11.CKR_OK)
	if v, rv := B1.Get(b7, o2, p11.CKA_LABEL); rv != p11.CKR_OK || string(v) != "O2 of A1" {
		t.Errorf("18: B1 reads O2: %q, %v", v, rv)
	}
	want(t, "B1 destroys O2", B1.Destroy(b7, o2), p11.CKR_OK)
}
