package pkcs11

import (
	"cardbridge/pkcs11/ck"
	"cardbridge/session"
)

// Section 5.6, session management. The rules are package session's.

// OpenSession is C_OpenSession. notify may be nil.
func (m *Module) OpenSession(id session.SlotID, flags ck.Flags, notify session.NotifyFunc) (session.SessionHandle, error) {
	return m.app.OpenSession(id, session.Flags(flags), notify)
}

// CloseSession is C_CloseSession.
func (m *Module) CloseSession(s session.SessionHandle) error { return m.app.CloseSession(s) }

// CloseAllSessions is C_CloseAllSessions.
func (m *Module) CloseAllSessions(id session.SlotID) error { return m.app.CloseAllSessions(id) }

// SessionInfo is C_GetSessionInfo.
func (m *Module) SessionInfo(s session.SessionHandle) (session.Info, error) {
	return m.app.SessionInfo(s)
}

// SessionCancel is C_SessionCancel.
func (m *Module) SessionCancel(s session.SessionHandle, flags ck.Flags) error {
	return m.app.SessionCancel(s, session.Flags(flags))
}

// Login is C_Login.
func (m *Module) Login(s session.SessionHandle, user ck.UserType, pin []byte) error {
	return m.login(s, user, pin)
}

// login ends the user's login where a context-specific one found the PIN blocked
// (section 4.10: that "also logs the user out").
func (m *Module) login(s session.SessionHandle, user ck.UserType, pin []byte) error {
	err := m.app.Login(s, session.UserType(user), pin)
	if user == ck.CKU_CONTEXT_SPECIFIC && Code(err) == ck.CKR_PIN_LOCKED {
		_ = m.app.Logout(s) // what is told is the PIN's state
	}
	return err
}

// LoginUser is C_LoginUser. No card here knows users by name, so only the empty
// name is one.
func (m *Module) LoginUser(s session.SessionHandle, user ck.UserType, pin, name []byte) error {
	if len(name) != 0 {
		return m.sessionFirst(s, ck.CKR_USER_TYPE_INVALID)
	}
	return m.login(s, user, pin)
}

// Logout is C_Logout.
func (m *Module) Logout(s session.SessionHandle) error { return m.app.Logout(s) }

// GetSessionValidationFlags is C_GetSessionValidationFlags: nothing here is
// validated by anybody, so no flag is ever set.
func (m *Module) GetSessionValidationFlags(s session.SessionHandle, kind uint) (ck.Flags, error) {
	f, err := m.app.ValidationFlags(s)
	if err != nil {
		return 0, err
	}
	if kind != 1 { // CKS_LAST_VALIDATION_OK
		return 0, ck.CKR_ARGUMENTS_BAD
	}
	return ck.Flags(f), nil
}

// GetFunctionStatus is C_GetFunctionStatus, a relic of version 1 (section 5.21).
func (m *Module) GetFunctionStatus(s session.SessionHandle) error {
	return m.sessionFirst(s, ck.CKR_FUNCTION_NOT_PARALLEL)
}

// CancelFunction is C_CancelFunction, another.
func (m *Module) CancelFunction(s session.SessionHandle) error {
	return m.sessionFirst(s, ck.CKR_FUNCTION_NOT_PARALLEL)
}

// Async answers C_AsyncComplete, C_AsyncGetID and C_AsyncJoin: sessions here
// are never asynchronous, and C_OpenSession says so.
func (m *Module) Async(s session.SessionHandle) error {
	return m.sessionFirst(s, ck.CKR_SESSION_ASYNC_NOT_SUPPORTED)
}

// sessionFirst returns err unless the session handle is wrong, which goes before
// all else (section 5.1.7).
func (m *Module) sessionFirst(s session.SessionHandle, err error) error {
	if _, bad := m.app.SessionInfo(s); bad != nil {
		return bad
	}
	return err
}
