/* Fork.
 *
 * Go's runtime does not survive fork(): the child has one thread, and the
 * runtime waits for others that are gone. Yet servers fork. So every function
 * passes a check (shell.c, generated) that costs one load: in a child it never
 * enters Go. C_Initialize in a child loads a second copy of this library - from
 * a memory file, because the loader hands out a file that it knows only once -
 * with a runtime of its own, and every call goes to that copy's functions from
 * then on. A child of that child comes by here again and loads its own copy.
 * libpcsclite does not always survive fork() either: pcsc.c.
 *
 * The handler is registered when the library is loaded, the one thing that
 * happens then: the Go runtime, which the loader starts, must not be entered in
 * a child that was forked between loading and C_Initialize either. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cryptoki.h"
#include "fork.h"
#include "signals.h"
#include "_cgo_export.h"

volatile int cb_process = CB_OWN;
CK_FUNCTION_LIST_3_2 *volatile cb_copy;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int self = -1;          /* this library's own file, from the first C_Initialize */
static struct stat self_stat;  /* which file that was: a daemon may close all descriptors */

static void in_child(void)
{
	cb_process = CB_CHILD;
	cb_copy = NULL;
	pthread_mutex_init(&lock, NULL);
}

__attribute__((constructor)) static void loaded(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

static const char *own_path(void)
{
	Dl_info info;
	return dladdr((void *)loaded, &info) ? info.dli_fname : NULL;
}

static int open_self(void)
{
	const char *path = own_path();
	return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* Keeps a descriptor of the library's file: an upgrade may replace the path
 * while the program runs, and a child must get the code that its parent has. */
static void remember_self(void)
{
	struct stat now;
	if (self >= 0 && fstat(self, &now) == 0 && now.st_dev == self_stat.st_dev && now.st_ino == self_stat.st_ino)
		return;
	self = open_self();
	/* Not among the descriptors that a program may have closed on purpose and
	 * that its libraries take for standard input and output. */
	if (self >= 0 && self < 3) {
		int higher = fcntl(self, F_DUPFD_CLOEXEC, 3);
		close(self);
		self = higher;
	}
	if (self >= 0)
		fstat(self, &self_stat);
}

/* The library's file, for reading from its start; -1 if it cannot be had. */
static int source(int *mine)
{
	struct stat now;
	*mine = 0;
	if (self >= 0 && fstat(self, &now) == 0 && now.st_dev == self_stat.st_dev && now.st_ino == self_stat.st_ino)
		return self;
	*mine = 1;
	return open_self();
}

static int copy_file(int from, int to)
{
	static char buffer[1 << 16];
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(from, buffer, sizeof buffer, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		at += n;
		for (ssize_t done = 0; done < n;) {
			ssize_t m = write(to, buffer + done, n - done);
			if (m < 0 && errno != EINTR)
				return -1;
			if (m > 0)
				done += m;
		}
	}
}

void *cb_load(int from, const char *name, const char *folder, unsigned generation)
{
	void *handle = NULL;
	char path[1024], slashes[900];
	unsigned n = generation % sizeof slashes;
	int to = memfd_create(name, MFD_CLOEXEC);
	if (to >= 0 && copy_file(from, to) == 0) {
		memset(slashes, '/', n);
		slashes[n] = 0;
		snprintf(path, sizeof path, "%s/%s%d", folder, slashes, to);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	if (to >= 0)
		close(to);
	return handle;
}

unsigned cardbridge_generation; /* set by who loads this copy */

static CK_FUNCTION_LIST_3_2 *load_copy(void)
{
	static unsigned generation;
	CK_FUNCTION_LIST_3_2 *list = NULL;
	int mine, from = source(&mine);
	if (from < 0)
		return NULL;
	void *handle = cb_load(from, "cardbridge-pkcs11.so", "/proc/self/fd", ++generation);
	CK_FUNCTION_LIST_3_2 *(*functions)(void) = handle ? (CK_FUNCTION_LIST_3_2 * (*)(void)) dlsym(handle, "cardbridge_functions") : NULL;
	unsigned *copys_generation = handle ? (unsigned *)dlsym(handle, "cardbridge_generation") : NULL;
	if (functions && copys_generation) {
		*copys_generation = generation;
		list = functions();
	}
	if (mine)
		close(from);
	return list;
}

CK_RV C_Initialize(CK_VOID_PTR args)
{
	CK_RV rv = CKR_OK;
	pthread_mutex_lock(&lock);
	if (cb_process == CB_OWN)
		remember_self();
	else if (!cb_copy && !(cb_copy = load_copy()))
		rv = CKR_LIBRARY_LOAD_FAILED;
	pthread_mutex_unlock(&lock);
	if (rv != CKR_OK)
		return rv;
	if (cb_copy)
		return cb_copy->C_Initialize(args);
	cb_enter();
	return go_C_Initialize(args);
}
