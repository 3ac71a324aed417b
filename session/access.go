package session

// ObjectKind is one of the four kinds of objects the access table knows (section 6.6.3, table 6).
type ObjectKind uint

// The four kinds.
const (
	PublicSessionObject ObjectKind = iota
	PrivateSessionObject
	PublicTokenObject
	PrivateTokenObject

	numKinds = iota
)

// KindOf is the kind of an object with these values of CKA_TOKEN and CKA_PRIVATE.
func KindOf(token, private bool) ObjectKind {
	k := PublicSessionObject
	if token {
		k = PublicTokenObject
	}
	if private {
		k++
	}
	return k
}

var kindNames = [numKinds]string{
	"Public session object", "Private session object", "Public token object", "Private token object",
}

// String is the kind's name in table 6.
func (k ObjectKind) String() string { return kindNames[k] }

// Private tells whether objects of this kind have CKA_PRIVATE true.
func (k ObjectKind) Private() bool { return k == PrivateSessionObject || k == PrivateTokenObject }

// Token tells whether objects of this kind have CKA_TOKEN true.
func (k ObjectKind) Token() bool { return k == PublicTokenObject || k == PrivateTokenObject }

// Kinds lists the four kinds in the standard's order.
func Kinds() []ObjectKind {
	return []ObjectKind{PublicSessionObject, PrivateSessionObject, PublicTokenObject, PrivateTokenObject}
}

// Access is one cell of table 6.
type Access uint

// What a session may do with an object. Creating and destroying count as writing (S15).
const (
	none Access = iota
	ro
	rw

	NoAccess  = none
	ReadOnly  = ro
	ReadWrite = rw
)

var accessNames = [...]string{none: "-", ro: "R/O", rw: "R/W"}

// String is the cell as table 6 prints it.
func (a Access) String() string { return accessNames[a] }

// matrix is table 6 of section 6.6.3, to be laid beside it: a row for a kind of object, a column for a state.
var matrix = [numKinds][numStates]Access{
	//                      R/O Public                 R/W Public                 R/O User                   R/W User                   R/W SO
	PublicSessionObject:  {CKS_RO_PUBLIC_SESSION: rw, CKS_RW_PUBLIC_SESSION: rw, CKS_RO_USER_FUNCTIONS: rw, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: rw},
	PrivateSessionObject: {CKS_RO_PUBLIC_SESSION: none, CKS_RW_PUBLIC_SESSION: none, CKS_RO_USER_FUNCTIONS: rw, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: none},
	PublicTokenObject:    {CKS_RO_PUBLIC_SESSION: ro, CKS_RW_PUBLIC_SESSION: rw, CKS_RO_USER_FUNCTIONS: ro, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: rw},
	PrivateTokenObject:   {CKS_RO_PUBLIC_SESSION: none, CKS_RW_PUBLIC_SESSION: none, CKS_RO_USER_FUNCTIONS: ro, CKS_RW_USER_FUNCTIONS: rw, CKS_RW_SO_FUNCTIONS: none},
}

// AccessOf is the cell of table 6 for one kind of object and one state.
func AccessOf(k ObjectKind, s State) Access { return matrix[k][s] }

// refusal is the code for a session that has less access than it needs to an object it named by handle. An object it
// may not read does not exist for it (S15).
func refusal(have, need Access) RV {
	switch {
	case have >= need:
		return CKR_OK
	case have == none:
		return CKR_OBJECT_HANDLE_INVALID
	}
	return CKR_SESSION_READ_ONLY
}

// createRefusal is the code for a session that may not create an object. A missing login is told before a read-only
// session: after logging in the caller learns the other (S16).
func createRefusal(have Access) RV {
	switch have {
	case rw:
		return CKR_OK
	case none:
		return CKR_USER_NOT_LOGGED_IN
	}
	return CKR_SESSION_READ_ONLY
}
