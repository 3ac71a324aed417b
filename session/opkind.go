package session

// OpKind is a kind of operation that stays active between calls (section 6.6.6).
type OpKind uint

// The kinds of operations.
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

// The flags of C_SessionCancel: those of CK_MECHANISM_INFO, and one for the search (3.0).
const (
	CKF_MESSAGE_ENCRYPT Flags = 0x2
	CKF_MESSAGE_DECRYPT Flags = 0x4
	CKF_MESSAGE_SIGN    Flags = 0x8
	CKF_MESSAGE_VERIFY  Flags = 0x10
	CKF_FIND_OBJECTS    Flags = 0x40
	CKF_ENCRYPT         Flags = 0x100
	CKF_DECRYPT         Flags = 0x200
	CKF_DIGEST          Flags = 0x400
	CKF_SIGN            Flags = 0x800
	CKF_SIGN_RECOVER    Flags = 0x1000
	CKF_VERIFY          Flags = 0x2000
	CKF_VERIFY_RECOVER  Flags = 0x4000
)

// opKinds has a row for each kind: a name, and the flag that cancels it.
var opKinds = [numOps]struct {
	name   string
	cancel Flags
}{
	OpFind:            {"find", CKF_FIND_OBJECTS},
	OpDigest:          {"digest", CKF_DIGEST},
	OpEncrypt:         {"encrypt", CKF_ENCRYPT},
	OpDecrypt:         {"decrypt", CKF_DECRYPT},
	OpSign:            {"sign", CKF_SIGN},
	OpSignRecover:     {"sign-recover", CKF_SIGN_RECOVER},
	OpVerify:          {"verify", CKF_VERIFY},
	OpVerifyRecover:   {"verify-recover", CKF_VERIFY_RECOVER},
	OpVerifySignature: {"verify-signature", CKF_VERIFY},
	OpMessageEncrypt:  {"message-encrypt", CKF_MESSAGE_ENCRYPT},
	OpMessageDecrypt:  {"message-decrypt", CKF_MESSAGE_DECRYPT},
	OpMessageSign:     {"message-sign", CKF_MESSAGE_SIGN},
	OpMessageVerify:   {"message-verify", CKF_MESSAGE_VERIFY},
}

// String is the kind's name.
func (k OpKind) String() string { return opKinds[k].name }

// OpKinds lists all kinds of operations.
func OpKinds() []OpKind {
	kinds := make([]OpKind, numOps)
	for i := range kinds {
		kinds[i] = OpKind(i)
	}
	return kinds
}

// pairs are the operations that may be active beside each other (S26); any other two may not.
var pairs = [...][2]OpKind{
	{OpDigest, OpEncrypt},
	{OpDecrypt, OpDigest},
	{OpSign, OpEncrypt},
	{OpDecrypt, OpVerify},
}

func mayPair(a, b OpKind) bool {
	for _, p := range pairs {
		if p == [2]OpKind{a, b} || p == [2]OpKind{b, a} {
			return true
		}
	}
	return false
}

// A call that uses an active operation is a step of one of three sorts, with one of three results.
const (
	query  = iota // asks for the output's length
	update        // a part
	finish        // the last or only part

	numSteps = iota
)

const (
	succeeded = iota
	tooSmall  // CKR_BUFFER_TOO_SMALL
	failed

	numResults = iota
)

// ends says whether a step ends its operation (S27).
var ends = [numSteps][numResults]bool{
	query:  {succeeded: false, tooSmall: false, failed: true},
	update: {succeeded: false, tooSmall: false, failed: true},
	finish: {succeeded: true, tooSmall: false, failed: true},
}
