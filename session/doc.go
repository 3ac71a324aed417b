// Package session is the Sessions chapter of PKCS #11 v2.10 (section 6.6, all of it) as a library: who may do what with
// which object, when, and what becomes of it when someone logs out, closes a session or pulls the card. Where later
// versions changed the chapter (context-specific login in 2.20, C_LoginUser, C_SessionCancel and cancelling by a NULL
// mechanism in 3.0, validation flags in 3.2) it follows them. It knows no card, no C and no mechanism.
//
// # The model
//
// A [Manager] has slots. A slot may hold a token, which comes and goes ([Manager.Insert], [Manager.Remove]): a smart card
// in a reader. An [Application] is one program, or one client of a broker; all its threads see the same things, and no
// application sees another's.
//
// To use a token an application opens sessions with it, as many as it likes. A session is read-only or read/write. That is
// about objects on the token: objects in memory, session objects, can be made and changed in both. A session object lives
// as long as the session it was made in, and the application's other sessions with the token see it, too. Objects, of both
// sorts, are public or private; private ones exist only for the normal user.
//
// So that a token can tell its users apart there are two: the normal user, who owns the private objects, and the security
// officer (SO), who can give the user a new PIN and sees nothing private. An application is logged in at a token as one of
// them or as nobody. The login belongs to the application and the token, not to a session: all of the application's
// sessions there change together, in one step. Because the SO works read/write only, there is no read-only session beside
// an SO login. When the application's last session with a token closes, it is logged out.
//
// From kind and login follow the five states of a session, [CKS_RO_PUBLIC_SESSION] to [CKS_RW_SO_FUNCTIONS]. Five events
// move a session between them ([Transition]), and the state alone says what access it has to which kind of object
// ([AccessOf]): read/write, read-only, or none, and an object to which a session has no access does not exist for it. The
// tables behind the two functions are the standard's figures 3 and 4 and its table 6; the code reads them, and go generate
// draws the pictures in docs/sessions.md from them.
//
// Logging out destroys private session objects and makes all handles of private objects invalid for good, even if the same
// user logs in again. Removing a token closes all sessions of all applications with it; a token that comes back is a new
// one. A handle is never zero, means something only in its application, and never comes twice.
//
// A session carries operations that go on from call to call: a signature, a search. One at a time, or one of four pairs
// ([Application.Begin]). An operation ends with its last part and with any error but CKR_BUFFER_TOO_SMALL; asking how long
// the output will be neither runs nor ends it.
//
// # What the caller gives
//
// A [Token] checks PINs, and lists its objects if it is a [Lister]. An [Object] is whatever the caller keeps behind a
// handle. The work itself, on the card or in memory, comes as functions: they run outside of all locks, so a card that waits
// for a finger holds up nobody but those who need it. Whoever closes a session, removes a token or finalizes does not wait
// for a call that is under way: that call is told when it comes back, by CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED or
// CKR_CRYPTOKI_NOT_INITIALIZED. PINs pass through and are not kept.
//
// Errors are of type [RV], the standard's return codes, or what a function of the caller returned.
//
// # What it costs
//
// An open session takes 48 bytes, none of which the garbage collector looks at. Finding a session or an object takes no
// lock and no memory; opening, closing, logging in and out take the same time beside one open session and beside a million.
package session

//go:generate go run ./internal/draw ../docs
