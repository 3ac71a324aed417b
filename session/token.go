package session

import "reflect"

// Token is what a slot holds, as the manager sees it. Login and Logout are called for the normal user and the SO, one call
// at a time for one token, and with no lock held that a call without need of the token would wait for; they may be slow.
// A nil pin means the token has its own keypad (CKF_PROTECTED_AUTHENTICATION_PATH). The manager keeps no PIN, and what it
// is given belongs to the caller again when Login returns.
//
// Several applications share a token: Logout is called when the last of them has left that user's login. A context-specific
// login (S14) comes as Login with CKU_CONTEXT_SPECIFIC, beside the others, unless the operation is an Authorizer.
type Token interface {
	Login(user UserType, username string, pin []byte) error
	Logout(user UserType) error
}

// Lister is a Token with objects. Objects may be slow, is called with no lock held, and from many goroutines at once.
// private tells that the caller's session may see private objects; a token need not look for them otherwise.
type Lister interface {
	Objects(private bool) ([]Object, error)
}

// Object is what the user of this package keeps behind an object handle. Both answers must never change: they are CKA_TOKEN
// and CKA_PRIVATE, which no object can change after its creation.
type Object interface {
	Token() bool
	Private() bool
}

// Identified is a token object whose Go value is not its identity, because the token makes a new value for the same object
// from time to time: values with an equal Identity are one object and have one handle (S24). Without this method the value
// itself is the identity. Either must be comparable.
type Identified interface {
	Identity() any
}

// AlwaysAuthenticator is a key that may have CKA_ALWAYS_AUTHENTICATE: each operation with it takes a login of its own (S14).
type AlwaysAuthenticator interface {
	AlwaysAuthenticate() bool
}

// Guarded is an object that forbids changes to itself, whoever asks (CKA_MODIFIABLE, CKA_DESTROYABLE): the answer is
// CKR_ACTION_PROHIBITED (S16). That one attribute is read-only is for the change itself to say.
type Guarded interface {
	Modifiable() bool
	Destroyable() bool
}

// Authorizer is the state of an operation that takes the PIN of a context-specific login itself, because its card wants
// the PIN right before the key is used.
type Authorizer interface {
	Authorize(pin []byte) error
}

// identity is what tells a token object from others; nil where it cannot be told.
func identity(o Object) any {
	var id any = o
	if i, ok := o.(Identified); ok {
		id = i.Identity()
	}
	if !reflect.ValueOf(id).Comparable() {
		return nil
	}
	return id
}
