//go:build linux && cgo

package conform

import p11 "github.com/miekg/pkcs11"

// Difference is a row of the table of accepted differences: where ours may give another code than the reference, and why.
type Difference struct {
	Call      string // as a report names it: the kind of step, or "C_DigestInit" for one function of it
	Ours      []uint // any of these codes
	Reference []uint
	Clause    string // of PKCS #11 3.2
	Why       string
	After     []string // only after one of these kinds of steps
}

// losses are the steps that can end an object, and with it a search's result or an operation.
var losses = []string{"destroy", "close", "close all", "logout"}

func codes(c ...uint) []uint { return c }

// beginErrors are what starting an operation can fail with for several reasons at once.
var beginErrors = codes(p11.CKR_KEY_HANDLE_INVALID, p11.CKR_MECHANISM_INVALID, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_KEY_TYPE_INCONSISTENT,
	p11.CKR_KEY_FUNCTION_NOT_PERMITTED, p11.CKR_OPERATION_ACTIVE, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_KEY_SIZE_RANGE)

// templateErrors are what making an object can fail with for several reasons at once.
var templateErrors = codes(p11.CKR_ARGUMENTS_BAD, p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_READ_ONLY, p11.CKR_TEMPLATE_INCOMPLETE,
	p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_SESSION_READ_ONLY, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_ACTION_PROHIBITED)

// Accepted are the differences between cardbridge-pkcs11.so (Ours) and SoftHSM2 2.6.1 (Reference) that stay.
// docs/pkcs11-differences.md shows this table.
var Accepted = []Difference{
	{"create", codes(p11.CKR_SESSION_HANDLE_INVALID), codes(p11.CKR_ARGUMENTS_BAD), "5.1.7", "a wrong session handle goes before other errors", nil},
	{"copy", codes(p11.CKR_SESSION_HANDLE_INVALID), codes(p11.CKR_ARGUMENTS_BAD), "5.1.7", "a wrong session handle goes before other errors", nil},
	{"create", templateErrors, templateErrors, "5.1.7", "several of these apply to one template, and any may be returned", nil},
	{"copy", templateErrors, templateErrors, "5.1.7", "several of these apply to one template, and any may be returned", nil},
	{"generate key", templateErrors, templateErrors, "5.1.7", "several of these apply to one template, and any may be returned", nil},
	{"create", codes(p11.CKR_ATTRIBUTE_VALUE_INVALID), codes(p11.CKR_OK), "6.10.2", "an AES key has 16, 24 or 32 bytes", nil},
	{"begin", beginErrors, beginErrors, "5.1.7", "several of these apply, and any may be returned", nil},
	{"begin", codes(p11.CKR_KEY_HANDLE_INVALID), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.1.6", "the handle of a key that is not valid is CKR_KEY_HANDLE_INVALID; the Init functions do not list the other", nil},
	{"begin", codes(p11.CKR_KEY_TYPE_INCONSISTENT), codes(p11.CKR_OK), "5.1.6", "a key of another type than the mechanism's is CKR_KEY_TYPE_INCONSISTENT", nil},
	{"fitting begin", codes(p11.CKR_KEY_HANDLE_INVALID), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.1.6", "the handle of a key that is not valid is CKR_KEY_HANDLE_INVALID; the Init functions do not list the other", nil},
	{"fitting begin", beginErrors, beginErrors, "5.1.7", "several of these apply, and any may be returned", nil},
	{"C_EncryptInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.17.1", "a digest or signature and an encryption go together", nil},
	{"C_DecryptInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.17.2", "a decryption and a digest or verification go together", nil},
	{"C_DigestInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.17.1", "a digest and an encryption or decryption go together", nil},
	{"C_SignInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.17.3", "a signature and an encryption go together", nil},
	{"C_VerifyInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.17.4", "a decryption and a verification go together", nil},
	{"work", codes(p11.CKR_OPERATION_ACTIVE), codes(p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL, p11.CKR_OPERATION_NOT_INITIALIZED), "5.12.2, 5.13.2", "C_Digest and C_Sign cannot end an operation that got parts", nil},
	{"verify", codes(p11.CKR_OPERATION_ACTIVE), codes(p11.CKR_OPERATION_NOT_INITIALIZED), "5.15.2", "C_Verify cannot end an operation that got parts", nil},
	{"logout", codes(p11.CKR_USER_NOT_LOGGED_IN), codes(p11.CKR_OK), "5.6.10", "C_Logout without a login is CKR_USER_NOT_LOGGED_IN", nil},
	{"copy", codes(p11.CKR_OK), codes(p11.CKR_ARGUMENTS_BAD), "4.1.3", "a copy without changes needs no template", nil},
	{"copy", codes(p11.CKR_OK), codes(p11.CKR_ATTRIBUTE_READ_ONLY), "4.1.3", "CKA_MODIFIABLE forbids to change the object, not to make another with a new label", nil},
	{"get", codes(p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL), codes(p11.CKR_ATTRIBUTE_SENSITIVE), "4.11", "the default of CKA_SENSITIVE of a secret key is CK_FALSE", nil},
	{"get", codes(p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL, p11.CKR_ATTRIBUTE_TYPE_INVALID), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.6.2", "closing the last session logs out, which ends the handles of private objects; those of public objects of the token live on", losses},
	{"size", codes(p11.CKR_OK), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.6.2", "the same", losses},
	{"copy", codes(p11.CKR_OK), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.6.2", "the same", losses},
	{"begin", beginErrors, codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.6.2", "the same", losses},
	{"begin", codes(p11.CKR_OK), codes(p11.CKR_OBJECT_HANDLE_INVALID), "5.6.2", "the same", losses},
	{"find init", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.7.3", "an operation whose key is gone is over", losses},
	{"work", codes(p11.CKR_OPERATION_NOT_INITIALIZED), codes(p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL, p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_DATA_LEN_RANGE, p11.CKR_GENERAL_ERROR), "5.7.3", "an operation whose key is gone is over", losses},
	{"feed", codes(p11.CKR_OPERATION_NOT_INITIALIZED), codes(p11.CKR_OK), "5.7.3", "an operation whose key is gone is over", losses},
	{"finish", codes(p11.CKR_OPERATION_NOT_INITIALIZED), codes(p11.CKR_OK, p11.CKR_BUFFER_TOO_SMALL), "5.7.3", "an operation whose key is gone is over", losses},
	{"verify", codes(p11.CKR_OPERATION_NOT_INITIALIZED), codes(p11.CKR_OK, p11.CKR_SIGNATURE_INVALID, p11.CKR_SIGNATURE_LEN_RANGE), "5.7.3", "an operation whose key is gone is over", losses},
	{"C_DigestInit", codes(p11.CKR_OK), codes(p11.CKR_OPERATION_ACTIVE), "5.7.3", "an operation whose key is gone is over", losses},
	{"find", codes(p11.CKR_OK), codes(p11.CKR_OK), "5.7.8", "a search under way does not tell an object that is gone", losses},
	{"C_DecryptUpdate", codes(p11.CKR_OK), codes(p11.CKR_BUFFER_TOO_SMALL), "5.2", "with padding the last block is held back, so less room is needed", nil},
	{"C_DecryptFinal", codes(p11.CKR_ENCRYPTED_DATA_LEN_RANGE), codes(p11.CKR_BUFFER_TOO_SMALL), "5.10.4", "there was no last block", nil},
	{"C_Decrypt", codes(p11.CKR_ENCRYPTED_DATA_INVALID, p11.CKR_ENCRYPTED_DATA_LEN_RANGE), codes(p11.CKR_GENERAL_ERROR, p11.CKR_BUFFER_TOO_SMALL), "5.1.6", "what is wrong with the text is told", nil},
	{"copy", codes(p11.CKR_ACTION_PROHIBITED), codes(p11.CKR_OK), "5.7.2", "a private key on a card cannot be copied: its CKA_COPYABLE is CK_FALSE", nil},
	{"CKA_SENSITIVE", codes(p11.CKR_OK), codes(p11.CKR_ATTRIBUTE_READ_ONLY), "4.11", "an attribute that cannot be changed any more is not changed by the value it has", nil},
	{"CKA_EXTRACTABLE", codes(p11.CKR_OK), codes(p11.CKR_ATTRIBUTE_READ_ONLY), "4.11", "an attribute that cannot be changed any more is not changed by the value it has", nil},
	{"login", codes(p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN), codes(p11.CKR_SESSION_READ_ONLY_EXISTS), "5.1.7", "both apply, and any may be returned", nil},
}
