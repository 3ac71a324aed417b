/* fork MODULE PIN CHILDREN: the parent initialises, logs in and signs; each
 * child must hear CKR_CRYPTOKI_NOT_INITIALIZED first, then does the same for
 * itself, and so does a child of its own; the parent goes on. Prints "ok".
 *
 * With a fourth argument "early" the parent forks before it ever initialised,
 * with "closed" all descriptors are closed in the children. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cryptoki.h"

static CK_FUNCTION_LIST_PTR p11;
static const char *pin;
static int closed;

static void die(const char *who, const char *what, CK_RV rv)
{
	fprintf(stderr, "%s %d: %s: 0x%lx\n", who, getpid(), what, rv);
	_exit(1);
}

static CK_SESSION_HANDLE start(const char *who)
{
	CK_SLOT_ID slots[8];
	CK_ULONG n = 8;
	CK_SESSION_HANDLE s;
	CK_RV rv = p11->C_Initialize(NULL);
	if (rv != CKR_OK)
		die(who, "C_Initialize", rv);
	if ((rv = p11->C_GetSlotList(1, slots, &n)) != CKR_OK || n == 0)
		die(who, "C_GetSlotList", rv);
	if ((rv = p11->C_OpenSession(slots[0], 4, NULL, NULL, &s)) != CKR_OK)
		die(who, "C_OpenSession", rv);
	if ((rv = p11->C_Login(s, 1, (CK_UTF8CHAR_PTR)pin, strlen(pin))) != CKR_OK)
		die(who, "C_Login", rv);
	return s;
}

static void sign(const char *who, CK_SESSION_HANDLE s)
{
	CK_ULONG class = 3, n = 0;
	CK_BYTE id = 1, digest[32] = {1}, sig[256];
	CK_ATTRIBUTE template[] = {{0, &class, sizeof class}, {0x102, &id, 1}};
	CK_MECHANISM ecdsa = {0x1041, NULL, 0};
	CK_OBJECT_HANDLE key;
	CK_ULONG len = sizeof sig;
	CK_RV rv = p11->C_FindObjectsInit(s, template, 2);
	if (rv != CKR_OK || (rv = p11->C_FindObjects(s, &key, 1, &n)) != CKR_OK || n != 1)
		die(who, "C_FindObjects", rv);
	p11->C_FindObjectsFinal(s);
	if ((rv = p11->C_SignInit(s, &ecdsa, key)) != CKR_OK)
		die(who, "C_SignInit", rv);
	if ((rv = p11->C_Sign(s, digest, sizeof digest, sig, &len)) != CKR_OK || len != 64)
		die(who, "C_Sign", rv);
}

static void descendant(const char *who, int depth)
{
	CK_INFO info;
	CK_SESSION_HANDLE s;
	if (p11->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED)
		die(who, "C_GetInfo before C_Initialize", 0);
	if (p11->C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED)
		die(who, "C_Finalize before C_Initialize", 0);
	if (closed)
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	s = start(who);
	sign(who, s);
	if (depth > 0) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			descendant("grandchild", depth - 1);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		if (status != 0)
			die(who, "its child", status);
		sign(who, s);
	}
	if (p11->C_Finalize(NULL) != CKR_OK)
		die(who, "C_Finalize", 0);
	if (p11->C_Initialize(NULL) != CKR_OK || p11->C_Finalize(NULL) != CKR_OK)
		die(who, "C_Initialize again", 0);
}

int main(int argc, char **argv)
{
	int early = argc > 4 && !strcmp(argv[4], "early"), children = atoi(argv[3]), status;
	closed = argc > 4 && !strcmp(argv[4], "closed");
	pin = argv[2];
	void *module = dlopen(argv[1], RTLD_NOW);
	CK_RV (*list)(CK_FUNCTION_LIST_PTR_PTR) = module ? (CK_RV(*)(CK_FUNCTION_LIST_PTR_PTR))dlsym(module, "C_GetFunctionList") : NULL;
	CK_SESSION_HANDLE s = 0;
	if (!list || list(&p11) != CKR_OK) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	if (!early) {
		s = start("parent");
		sign("parent", s);
	}
	for (int i = 0; i < children; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			alarm(300);
			descendant("child", 2);
			_exit(0);
		}
		if (!early)
			sign("parent", s);
		if (i % 5 == 4) /* some at once, not all: each has a card's state file open */
			while (waitpid(-1, &status, WNOHANG) > 0)
				if (status != 0)
					return 1;
	}
	while (waitpid(-1, &status, 0) > 0)
		if (status != 0)
			return 1;
	if (!early) {
		sign("parent", s);
		p11->C_Finalize(NULL);
	}
	puts("ok");
	return 0;
}
