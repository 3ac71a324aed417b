package session

// SlotID is CK_SLOT_ID: a place where a token can be.
type SlotID uint

// SessionHandle is CK_SESSION_HANDLE. It belongs to one application, is never zero, and is never given out twice.
type SessionHandle uint64

// ObjectHandle is CK_OBJECT_HANDLE. It belongs to one application, is never zero, and is never given out twice.
type ObjectHandle uint64

// CK_INVALID_HANDLE names neither a session nor an object (section 6.6.5).
const CK_INVALID_HANDLE = 0

// Flags is CK_FLAGS.
type Flags uint

// Flags of a session (CK_SESSION_INFO).
const (
	CKF_RW_SESSION     Flags = 0x2 // read/write; read-only without it
	CKF_SERIAL_SESSION Flags = 0x4 // must be set; a relic of version 1
	CKF_ASYNC_SESSION  Flags = 0x8 // 3.2; refused here
)

// UserType is CK_USER_TYPE: who logs in.
type UserType uint

// The types of users.
const (
	CKU_SO               UserType = 0 // the security officer
	CKU_USER             UserType = 1 // the normal user
	CKU_CONTEXT_SPECIFIC UserType = 2 // whoever the initialised operation's key asks for (2.20 and later)
)

// Notification is CK_NOTIFICATION: why a callback is called.
type Notification uint

// The notifications of the standard. Token removal is none of them: v2.10 section 11.17 leaves all others to vendors,
// and an application hears of removals through C_WaitForSlotEvent.
const (
	CKN_SURRENDER   Notification = 0
	CKN_OTP_CHANGED Notification = 1 // 2.20 amendment 3
)

// NotifyFunc is CK_NOTIFY with its pApplication bound in: an application's callback. It is called with no lock held,
// but while a call in its session is under way: from inside it, calls that use that session's operations are refused
// with CKR_FUNCTION_FAILED.
type NotifyFunc func(SessionHandle, Notification) RV

// Limits are what a token allows one application (CK_TOKEN_INFO ulMaxSessionCount and ulMaxRwSessionCount). Zero is
// CK_EFFECTIVELY_INFINITE.
type Limits struct {
	Sessions   int
	RWSessions int
}

// Info is CK_SESSION_INFO less the device error, which only the token knows.
type Info struct {
	Slot  SlotID
	State State
	Flags Flags
}

// Counts are ulSessionCount and ulRwSessionCount of CK_TOKEN_INFO: what the asking application has open.
type Counts struct {
	Sessions   int
	RWSessions int
}
