//go:build linux && cgo

package conform

// signatures tell what each function takes, a letter for an argument (or a pair of them):
//
//	s session   p slot       o object or key   w a number      f flags of this function
//	m mechanism t template with its count      T the same, values to be filled in
//	i bytes with their length                  I bytes with their length: a PIN
//	b room for bytes, with a pointer to its length             r room for bytes, with its length
//	u pointer to a CK_ULONG for an answer      U the same for a handle of a new object; S for a new session
//	L room for numbers, with a pointer to their count          F room for handles, with its length and a pointer to the count
//	x room for a structure                     n NULL          A CK_C_INITIALIZE_ARGS
//	l 32 bytes of a label                      k kind of user  c CK_BBOOL    P mechanism parameter with its length
//	v a version or NULL                        N a name or NULL
//
// A function that takes other functions' addresses (C_GetFunctionList and its kind) has x.
var signatures = map[string]string{
	"C_Initialize": "A", "C_Finalize": "n", "C_GetInfo": "x", "C_GetFunctionList": "x",
	"C_GetSlotList": "cL", "C_GetSlotInfo": "px", "C_GetTokenInfo": "px", "C_GetMechanismList": "pL", "C_GetMechanismInfo": "pwx",
	"C_InitPIN": "sI", "C_SetPIN": "sII",
	"C_OpenSession": "pfnnS", "C_CloseSession": "s", "C_CloseAllSessions": "p", "C_GetSessionInfo": "sx",
	"C_GetOperationState": "sb", "C_SetOperationState": "sioo", "C_Login": "skI", "C_Logout": "s",
	"C_CreateObject": "stU", "C_CopyObject": "sotU", "C_DestroyObject": "so", "C_GetObjectSize": "sou",
	"C_GetAttributeValue": "soT", "C_SetAttributeValue": "sot",
	"C_FindObjectsInit": "st", "C_FindObjects": "sF", "C_FindObjectsFinal": "s",
	"C_EncryptInit": "smo", "C_Encrypt": "sib", "C_EncryptUpdate": "sib", "C_EncryptFinal": "sb",
	"C_DecryptInit": "smo", "C_Decrypt": "sib", "C_DecryptUpdate": "sib", "C_DecryptFinal": "sb",
	"C_DigestInit": "sm", "C_Digest": "sib", "C_DigestUpdate": "si", "C_DigestKey": "so", "C_DigestFinal": "sb",
	"C_SignInit": "smo", "C_Sign": "sib", "C_SignUpdate": "si", "C_SignFinal": "sb",
	"C_SignRecoverInit": "smo", "C_SignRecover": "sib",
	"C_VerifyInit": "smo", "C_Verify": "sii", "C_VerifyUpdate": "si", "C_VerifyFinal": "si",
	"C_VerifyRecoverInit": "smo", "C_VerifyRecover": "sib",
	"C_DigestEncryptUpdate": "sib", "C_DecryptDigestUpdate": "sib", "C_SignEncryptUpdate": "sib", "C_DecryptVerifyUpdate": "sib",
	"C_GenerateKey": "smtU", "C_GenerateKeyPair": "smttUU", "C_WrapKey": "smoob", "C_UnwrapKey": "smoitU", "C_DeriveKey": "smotU",
	"C_SeedRandom": "si", "C_GenerateRandom": "sr", "C_GetFunctionStatus": "s", "C_CancelFunction": "s", "C_WaitForSlotEvent": "fun",

	"C_GetInterfaceList": "L", "C_GetInterface": "Nvxf", "C_LoginUser": "skIi", "C_SessionCancel": "sf",
	"C_MessageEncryptInit": "smo", "C_EncryptMessage": "sPiib", "C_EncryptMessageBegin": "sPi", "C_EncryptMessageNext": "sPibf", "C_MessageEncryptFinal": "s",
	"C_MessageDecryptInit": "smo", "C_DecryptMessage": "sPiib", "C_DecryptMessageBegin": "sPi", "C_DecryptMessageNext": "sPibf", "C_MessageDecryptFinal": "s",
	"C_MessageSignInit": "smo", "C_SignMessage": "sPib", "C_SignMessageBegin": "sP", "C_SignMessageNext": "sPib", "C_MessageSignFinal": "s",
	"C_MessageVerifyInit": "smo", "C_VerifyMessage": "sPii", "C_VerifyMessageBegin": "sP", "C_VerifyMessageNext": "sPii", "C_MessageVerifyFinal": "s",

	"C_EncapsulateKey": "smotbU", "C_DecapsulateKey": "smotiU",
	"C_VerifySignatureInit": "smoi", "C_VerifySignature": "si", "C_VerifySignatureUpdate": "si", "C_VerifySignatureFinal": "s",
	"C_GetSessionValidationFlags": "swu", "C_AsyncComplete": "sNx", "C_AsyncGetID": "sNu", "C_AsyncJoin": "sNwr",
	"C_WrapKeyAuthenticated": "smooib", "C_UnwrapKeyAuthenticated": "smoitiU",
}

// Functions left out: C_InitToken, which would end the token the others work at.
