package session

import "errors"

var errStub = errors.New("session: not written yet")

// Token is what a slot holds, as the manager sees it. Login and Logout are called for the normal user and the SO, one
// call at a time for one token, with no lock of this package held but that turn; they may be slow. A nil pin means the
// token has its own keypad (CKF_PROTECTED_AUTHENTICATION_PATH). The manager keeps no PIN.
//
// Several applications share a token: Logout is called when the last of them has left that user's login.
type Token interface {
	Login(user UserType, username string, pin []byte) error
	Logout(user UserType) error
}

// Lister is a Token with objects. Objects may be slow, is called with no lock held, and from many goroutines at once.
// private tells that the caller's session may see private objects; a token need not look for them otherwise.
type Lister interface {
	Objects(private bool) ([]Object, error)
}

// Object is what the user of this package keeps behind an object handle. Both answers must never change: they are
// CKA_TOKEN and CKA_PRIVATE, which no object can change after its creation.
type Object interface {
	Token() bool
	Private() bool
}

// Identified is a token object whose Go value is not its identity, because the token makes a new value for the same
// object from time to time: two values with an equal Identity are one object and have one handle (S24). Without this
// method the value itself, which must be comparable, is the identity.
type Identified interface {
	Identity() any
}

// AlwaysAuthenticator is a key that may have CKA_ALWAYS_AUTHENTICATE: each operation with it takes a login of its own (S14).
type AlwaysAuthenticator interface {
	AlwaysAuthenticate() bool
}

// Guarded is an object that forbids changes to itself whoever asks (CKA_MODIFIABLE, CKA_DESTROYABLE): the answer is
// CKR_ACTION_PROHIBITED (S16).
type Guarded interface {
	Modifiable() bool
	Destroyable() bool
}

// Authorizer is the state of an operation that takes the PIN of a context-specific login itself. Without it, the token's
// Login is called with CKU_CONTEXT_SPECIFIC.
type Authorizer interface {
	Authorize(pin []byte) error
}

// Options of a Manager. The zero value is fit for use.
type Options struct {
	MaxSessions int            // of one application; over it CKR_SESSION_COUNT. Zero: as many as handles go.
	MaxObjects  int            // handles of one application; over it CKR_DEVICE_MEMORY. Zero: as many as handles go.
	HandleBits  int            // the width of CK_ULONG: 64 (the default) or 32 (Windows)
	Code        func(error) RV // the code of an error that a token or a step gave and that holds no RV; by default Code
}

// Manager holds slots, tokens and applications. All methods of all types may be called from any goroutine.
type Manager struct{}

// NewManager makes a manager with no slots and no applications.
func NewManager(Options) *Manager { return &Manager{} }

// AddSlot makes a slot known, with no token in it. A slot stays known; adding it again does nothing.
func (m *Manager) AddSlot(SlotID) {}

// Slots lists the known slots in the order they were added.
func (m *Manager) Slots() []SlotID { return nil }

// Token is the token in a slot: CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT.
func (m *Manager) Token(SlotID) (Token, error) { return nil, errStub }

// Insert says that a token was put into a slot (made known if it was not). A token still there counts as removed first.
func (m *Manager) Insert(SlotID, Token, Limits) {}

// Remove says that the slot's token is gone (S20). It never waits for the token.
func (m *Manager) Remove(SlotID) {}

// InitToken runs init while no session with the token is open and none can open (C_InitToken): CKR_SESSION_EXISTS.
// Afterwards all object handles of the token are invalid in every application.
func (m *Manager) InitToken(_ SlotID, init func(Token) error) error { return errStub }

// ForgetObject invalidates a token object's handles in all applications: for a token that lost it by itself.
// DestroyObject does this too.
func (m *Manager) ForgetObject(SlotID, Object) {}

// Wait returns when the token calls that run in the background (logouts after a close) have ended.
func (m *Manager) Wait() {}

// NewApplication is C_Initialize.
func (m *Manager) NewApplication() *Application { return nil }

// Application is one address space that called C_Initialize. After Close all its methods give
// CKR_CRYPTOKI_NOT_INITIALIZED, as does each call that Close found under way.
type Application struct{}

// Close is C_Finalize (S21).
func (a *Application) Close() error { return errStub }

// WaitForSlotEvent is C_WaitForSlotEvent: the slot of an insertion or removal not told yet; CKR_NO_EVENT if there is
// none and block is false.
func (a *Application) WaitForSlotEvent(block bool) (SlotID, error) { return 0, errStub }

// OpenSession is C_OpenSession. notify may be nil.
func (a *Application) OpenSession(_ SlotID, _ Flags, notify NotifyFunc) (SessionHandle, error) {
	return 0, errStub
}

// CloseSession is C_CloseSession.
func (a *Application) CloseSession(SessionHandle) error { return errStub }

// CloseAllSessions is C_CloseAllSessions (S21).
func (a *Application) CloseAllSessions(SlotID) error { return errStub }

// SessionInfo is C_GetSessionInfo.
func (a *Application) SessionInfo(SessionHandle) (Info, error) { return Info{}, errStub }

// SessionToken is the token a session is with.
func (a *Application) SessionToken(SessionHandle) (Token, error) { return nil, errStub }

// SessionCounts is what CK_TOKEN_INFO tells the application of its own sessions.
func (a *Application) SessionCounts(SlotID) (Counts, error) { return Counts{}, errStub }

// Login is C_Login, including CKU_CONTEXT_SPECIFIC (S14). The PIN is passed to the token and not kept.
func (a *Application) Login(_ SessionHandle, _ UserType, pin []byte) error { return errStub }

// LoginUser is C_LoginUser (3.0).
func (a *Application) LoginUser(_ SessionHandle, _ UserType, pin []byte, username string) error {
	return errStub
}

// Logout is C_Logout (S19).
func (a *Application) Logout(SessionHandle) error { return errStub }

// CreateObject makes an object of the given kind: make does the work, on the token or in memory, outside of all locks
// and only if the session may create such an object. What make returns must be of that kind.
func (a *Application) CreateObject(_ SessionHandle, _ ObjectKind, make func() (Object, error)) (ObjectHandle, error) {
	return 0, errStub
}

// CreateObjects makes several objects at once, as C_GenerateKeyPair does: all or none.
func (a *Application) CreateObjects(_ SessionHandle, _ []ObjectKind, make func() ([]Object, error)) ([]ObjectHandle, error) {
	return nil, errStub
}

// Object is the object behind a handle, if the session may read it; CKR_OBJECT_HANDLE_INVALID otherwise.
func (a *Application) Object(SessionHandle, ObjectHandle) (Object, error) { return nil, errStub }

// ModifyObject runs change on an object the session may write (C_SetAttributeValue).
func (a *Application) ModifyObject(_ SessionHandle, _ ObjectHandle, change func(Object) error) error {
	return errStub
}

// DestroyObject runs destroy (which may be nil) on an object the session may write, and if that succeeds makes its
// handles invalid: for a token object in all applications (C_DestroyObject).
func (a *Application) DestroyObject(_ SessionHandle, _ ObjectHandle, destroy func(Object) error) error {
	return errStub
}

// FindInit is C_FindObjectsInit: match is called outside of all locks for each object the session may read.
func (a *Application) FindInit(_ SessionHandle, match func(Object) bool) error { return errStub }

// Find is C_FindObjects: up to limit further handles, none when all are told.
func (a *Application) Find(_ SessionHandle, limit int) ([]ObjectHandle, error) { return nil, errStub }

// FindFinal is C_FindObjectsFinal.
func (a *Application) FindFinal(SessionHandle) error { return errStub }

// OpKind is a kind of operation that stays active between calls.
type OpKind uint

const (
	OpFind OpKind = iota
	OpDigest
	OpEncrypt
	OpDecrypt
	OpSign
	OpSignRecover
	OpVerify
	OpVerifyRecover
	OpVerifySignature // 3.2
	OpMessageEncrypt  // 3.0
	OpMessageDecrypt
	OpMessageSign
	OpMessageVerify

	numOps = iota
)

// Operation is an active operation, as a step sees it.
type Operation struct{}

// State is what the operation's start returned.
func (o *Operation) State() any { return nil }

// Begin makes an operation active (C_*Init): CKR_OPERATION_ACTIVE where S26 forbids it, CKR_KEY_HANDLE_INVALID where the
// session may not read the key. key is zero for an operation without one; start then gets nil.
func (a *Application) Begin(_ SessionHandle, _ OpKind, key ObjectHandle, start func(key Object) (state any, err error)) error {
	return errStub
}

// Query runs step for a call that only asks for the output's length: the operation goes on, whatever it took (S27).
func (a *Application) Query(_ SessionHandle, _ OpKind, step func(*Operation) error) error {
	return errStub
}

// Update runs step for a part (C_*Update): the operation ends on any error but CKR_BUFFER_TOO_SMALL.
func (a *Application) Update(_ SessionHandle, _ OpKind, step func(*Operation) error) error {
	return errStub
}

// Finish runs step for the last or only part (C_Sign, C_SignFinal): the operation ends on success as well.
func (a *Application) Finish(_ SessionHandle, _ OpKind, step func(*Operation) error) error {
	return errStub
}

// UpdatePair is Update for two operations at once (C_DigestEncryptUpdate and its like).
func (a *Application) UpdatePair(_ SessionHandle, _, _ OpKind, step func(first, second *Operation) error) error {
	return errStub
}

// Cancel ends one operation (C_*Init with a NULL mechanism, 3.0): CKR_OPERATION_NOT_INITIALIZED if it is not active.
// A step of it that is running gets CKR_FUNCTION_CANCELED.
func (a *Application) Cancel(SessionHandle, OpKind) error { return errStub }

// SessionCancel is C_SessionCancel (3.0). Flags of operations that are not active are ignored.
func (a *Application) SessionCancel(SessionHandle, Flags) error { return errStub }

// Do runs work that needs a session but leaves no operation active (key generation, random numbers, C_SetPIN), one at a
// time in the session and with the codes of a call in flight.
func (a *Application) Do(_ SessionHandle, work func() error) error { return errStub }

// Notify calls the session's callback, if it has one, and returns CKR_FUNCTION_CANCELED if that answers CKR_CANCEL.
func (a *Application) Notify(SessionHandle, Notification) error { return errStub }

// SetValidationFlags sets what C_GetSessionValidationFlags (3.2) tells of the session's last operation.
func (a *Application) SetValidationFlags(SessionHandle, Flags) error { return errStub }

// ValidationFlags is C_GetSessionValidationFlags for CKS_LAST_VALIDATION_OK.
func (a *Application) ValidationFlags(SessionHandle) (Flags, error) { return 0, errStub }
