/* hosts MODULE PIN HOW: what kinds of programs load a module. Prints "ok". */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cryptoki.h"

static CK_FUNCTION_LIST_3_2 *p11;
static void *module;

#define CHECK(what, rv, want) check(__LINE__, what, rv, want)

static void check(int line, const char *what, CK_RV rv, CK_RV want)
{
	if (rv != want) {
		fprintf(stderr, "line %d: %s: 0x%lx, want 0x%lx\n", line, what, rv, want);
		exit(1);
	}
}

static void load(const char *path)
{
	CK_INTERFACE_PTR found;
	CK_VERSION v = {3, 2};
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_RV (*get)(CK_UTF8CHAR_PTR, CK_VERSION_PTR, CK_INTERFACE_PTR_PTR, CK_FLAGS) =
		module ? (CK_RV(*)(CK_UTF8CHAR_PTR, CK_VERSION_PTR, CK_INTERFACE_PTR_PTR, CK_FLAGS))dlsym(module, "C_GetInterface") : NULL;
	if (!get) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	CHECK("C_GetInterface", get((CK_UTF8CHAR_PTR) "PKCS 11", &v, &found, CKF_INTERFACE_FORK_SAFE), CKR_OK);
	p11 = found->pFunctionList;
}

static void use(const char *pin)
{
	CK_SLOT_ID slot;
	CK_ULONG n = 1;
	CK_SESSION_HANDLE s;
	CHECK("C_GetSlotList", p11->C_GetSlotList(1, &slot, &n), CKR_OK);
	CHECK("one slot", n, 1);
	CHECK("C_OpenSession", p11->C_OpenSession(slot, 4, NULL, NULL, &s), CKR_OK);
	CHECK("C_Login", p11->C_Login(s, 1, (CK_UTF8CHAR_PTR)pin, strlen(pin)), CKR_OK);
	CHECK("C_Logout", p11->C_Logout(s), CKR_OK);
}

static void whole(const char *pin)
{
	CHECK("C_Initialize", p11->C_Initialize(NULL), CKR_OK);
	use(pin);
	CHECK("C_Finalize", p11->C_Finalize(NULL), CKR_OK);
}

/* Every function of the list, all arguments zero: an error each (but
 * C_CloseAllSessions, function 14: slot 0 exists), and no crash. */
static void nulls(int initialised)
{
	typedef CK_RV (*any)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG);
	any *f = (any *)((char *)p11 + sizeof(void *));
	for (int i = 0; i < 104; i++) {
		if (i == 0 || i == 1 || i == 3 || i == 68 || i == 69)
			continue; /* C_Initialize, C_Finalize, and what needs no initialisation */
		CK_RV rv = f[i](0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
		if (initialised ? rv == CKR_OK && i != 14 : rv != CKR_CRYPTOKI_NOT_INITIALIZED) {
			fprintf(stderr, "function %d: 0x%lx\n", i, rv);
			exit(1);
		}
		if (initialised)
			continue;
		rv = f[i](~0UL, 0, ~0UL, 0, ~0UL, 0, ~0UL, 0, ~0UL, 0);
		CHECK("not initialised", rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	}
}

static void *initialise(void *count)
{
	CK_RV rv = p11->C_Initialize(NULL);
	if (rv == CKR_OK)
		__atomic_add_fetch((int *)count, 1, __ATOMIC_SEQ_CST);
	else
		CHECK("a second C_Initialize", rv, 0x191);
	return NULL;
}

static void interfaces(void)
{
	CK_INTERFACE list[8], *one;
	CK_ULONG n = 0;
	CK_FUNCTION_LIST_PTR old;
	CHECK("C_GetInterfaceList (count)", p11->C_GetInterfaceList(NULL, &n), CKR_OK);
	CHECK("three", n, 3);
	n = 2;
	CHECK("C_GetInterfaceList (2)", p11->C_GetInterfaceList(list, &n), CKR_BUFFER_TOO_SMALL);
	CHECK("C_GetInterfaceList", p11->C_GetInterfaceList(list, &n), CKR_OK);
	for (CK_ULONG i = 0; i < n; i++) {
		CHECK("name", strcmp((char *)list[i].pInterfaceName, "PKCS 11"), 0);
		CHECK("C_GetInterface", p11->C_GetInterface(NULL, list[i].pFunctionList, &one, 0), CKR_OK);
		CHECK("the same list", one->pFunctionList == list[i].pFunctionList, 1);
	}
	CHECK("C_GetInterface, another name", p11->C_GetInterface((CK_UTF8CHAR_PTR) "Vendor", NULL, &one, 0), CKR_ARGUMENTS_BAD);
	CHECK("C_GetFunctionList", p11->C_GetFunctionList(&old), CKR_OK);
	CHECK("2.40", old->version.major == 2 && old->version.minor == 40, 1);
	/* The lists begin alike. */
	CHECK("alike", memcmp((char *)old + sizeof(void *), (char *)p11 + sizeof(void *), sizeof *old - sizeof(void *)), 0);
}

/* Signals that are the host's alone. */
static const int hosts_own[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGWINCH, SIGIO};
#define OWN (sizeof hosts_own / sizeof hosts_own[0])

/* Whether this thread's mask is what it was. */
static void same_mask(int line, const sigset_t *was)
{
	sigset_t now;
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	for (int i = 1; i < SIGRTMAX; i++)
		if (i != SIGSEGV && i != SIGBUS && i != SIGFPE && i != SIGILL && i != SIGTRAP && sigismember(was, i) != sigismember(&now, i)) {
			fprintf(stderr, "line %d: signal %d was blocked: %d, now: %d\n", line, i, sigismember(was, i), sigismember(&now, i));
			exit(1);
		}
}

/* Whether all threads but this one leave the host's signals alone. */
static void threads_leave_signals(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *e;
	int threads = 0;
	while ((e = readdir(tasks))) {
		char path[300], line[200];
		unsigned long blocked;
		FILE *f;
		if (e->d_name[0] == '.' || atoi(e->d_name) == getpid())
			continue;
		snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
		if (!(f = fopen(path, "r")))
			continue;
		while (fgets(line, sizeof line, f))
			if (sscanf(line, "SigBlk: %lx", &blocked) == 1)
				for (size_t i = 0; i < OWN; i++)
					if (!(blocked >> (hosts_own[i] - 1) & 1)) {
						fprintf(stderr, "thread %s takes signal %d\n", e->d_name, hosts_own[i]);
						exit(1);
					}
		fclose(f);
		threads++;
	}
	closedir(tasks);
	CHECK("there are threads", threads > 0, 1);
}

static void *blocked_thread(void *pin)
{
	sigset_t all;
	CK_ULONG n;
	(void)pin;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &all);
	for (int i = 0; i < 2; i++)
		CHECK("C_GetSlotList", p11->C_GetSlotList(1, NULL, &n), CKR_OK);
	same_mask(__LINE__, &all);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *pin = argv[2], *how = argv[3];
	(void)argc;
	if (!strcmp(how, "closed-stdio"))
		for (int fd = 0; fd < 3; fd++)
			close(fd);
	sigset_t mask;
	sigemptyset(&mask);
	if (!strcmp(how, "signals")) { /* as a daemon with a signalfd has it */
		sigaddset(&mask, SIGCHLD);
		sigaddset(&mask, SIGTERM);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	load(argv[1]);
	same_mask(__LINE__, &mask);
	if (!strcmp(how, "signals")) {
		pthread_t t;
		CHECK("C_Initialize", p11->C_Initialize(NULL), CKR_OK);
		same_mask(__LINE__, &mask);
		use(pin);
		same_mask(__LINE__, &mask);
		threads_leave_signals();
		pthread_create(&t, NULL, blocked_thread, NULL);
		pthread_join(t, NULL);
		if (fork() == 0) {
			whole(pin);
			same_mask(__LINE__, &mask);
			_exit(0);
		}
		int status;
		wait(&status);
		CHECK("child", status, 0);
		CHECK("C_Finalize", p11->C_Finalize(NULL), CKR_OK);
		same_mask(__LINE__, &mask);
	} else if (!strcmp(how, "no-home")) {
		/* The readers are named after the library was loaded: nothing may have
		 * looked at the environment before C_Initialize. */
		char *readers = strdup(getenv("CARDBRIDGE_READERS"));
		clearenv();
		setenv("CARDBRIDGE_READERS", readers, 1);
		whole(pin);
	} else if (!strcmp(how, "again")) {
		for (int i = 0; i < 200; i++)
			whole(pin);
		CHECK("C_Finalize", p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
		CHECK("C_Initialize", p11->C_Initialize(NULL), CKR_OK);
		CHECK("C_Initialize", p11->C_Initialize(NULL), 0x191);
		CHECK("C_Finalize with an argument", p11->C_Finalize(&pin), CKR_ARGUMENTS_BAD);
		CK_C_INITIALIZE_ARGS args = {0};
		args.pReserved = &args;
		CHECK("C_Finalize", p11->C_Finalize(NULL), CKR_OK);
		CHECK("C_Initialize with pReserved", p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
		args.pReserved = NULL;
		args.LockMutex = (CK_MUTEX_FUNCTION)initialise;
		CHECK("C_Initialize with one mutex function", p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
	} else if (!strcmp(how, "uninitialised")) {
		nulls(0);
	} else if (!strcmp(how, "nulls")) {
		CHECK("C_Initialize", p11->C_Initialize(NULL), CKR_OK);
		nulls(1);
		use(pin);
	} else if (!strcmp(how, "interfaces")) {
		interfaces();
	} else if (!strcmp(how, "threads-init")) {
		for (int round = 0; round < 20; round++) {
			pthread_t t[8];
			int count = 0;
			for (int i = 0; i < 8; i++)
				pthread_create(&t[i], NULL, initialise, &count);
			for (int i = 0; i < 8; i++)
				pthread_join(t[i], NULL);
			CHECK("one of eight initialised", count, 1);
			use(pin);
			CHECK("C_Finalize", p11->C_Finalize(NULL), CKR_OK);
		}
	} else if (!strcmp(how, "upgrade")) {
		whole(pin);
		unlink(argv[1]);
		FILE *f = fopen(argv[1], "w");
		fputs("not a library", f);
		fclose(f);
		if (fork() == 0) {
			whole(pin);
			_exit(0);
		}
		int status;
		wait(&status);
		CHECK("child", status, 0);
	} else {
		whole(pin);
	}
	puts("ok");
	return 0;
}
