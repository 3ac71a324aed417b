/* The function lists and the interfaces of section 5.4, which are needed before
 * C_Initialize and are the same in every process. */

#include <string.h>

#include "cryptoki.h"

static CK_FUNCTION_LIST list_2_40 = {{2, 40}, CB_CK_FUNCTION_LIST_INIT};
static CK_FUNCTION_LIST_3_0 list_3_0 = {{3, 0}, CB_CK_FUNCTION_LIST_3_0_INIT};
static CK_FUNCTION_LIST_3_2 list_3_2 = {{3, 2}, CB_CK_FUNCTION_LIST_3_2_INIT};

static CK_UTF8CHAR name[] = "PKCS 11";

/* The first one is the default. */
static CK_INTERFACE interfaces[] = {
	{name, &list_3_2, CKF_INTERFACE_FORK_SAFE},
	{name, &list_3_0, CKF_INTERFACE_FORK_SAFE},
	{name, &list_2_40, CKF_INTERFACE_FORK_SAFE},
};

#define COUNT (sizeof interfaces / sizeof interfaces[0])

/* For a second copy of this library in a child process: fork.c. */
CK_FUNCTION_LIST_3_2 *cardbridge_functions(void) { return &list_3_2; }

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &list_2_40;
	return CKR_OK;
}

CK_RV C_GetInterfaceList(CK_INTERFACE_PTR list, CK_ULONG_PTR count)
{
	if (!count)
		return CKR_ARGUMENTS_BAD;
	CK_ULONG room = *count;
	*count = COUNT;
	if (!list)
		return CKR_OK;
	if (room < COUNT)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(list, interfaces, sizeof interfaces);
	return CKR_OK;
}

CK_RV C_GetInterface(CK_UTF8CHAR_PTR wanted, CK_VERSION_PTR version, CK_INTERFACE_PTR_PTR found, CK_FLAGS flags)
{
	if (!found)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < COUNT; i++) {
		CK_VERSION *has = interfaces[i].pFunctionList;
		if (wanted && strcmp((char *)wanted, (char *)name) != 0)
			continue;
		if (version && (version->major != has->major || version->minor != has->minor))
			continue;
		if ((interfaces[i].flags & flags) != flags)
			continue;
		*found = &interfaces[i];
		return CKR_OK;
	}
	return CKR_ARGUMENTS_BAD;
}
