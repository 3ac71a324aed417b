/* PC/SC's functions, for the Go side to be linked with.
 *
 * libpcsclite keeps its contexts under one lock, which it holds while it waits
 * for pcscd's answer to SCardEstablishContext, and knows nothing of forks. A child
 * that is forked at such a moment - this library asks for a context when it
 * starts, a second after, and for each card - gets the lock closed for good. So a
 * copy of this library in a child (fork.c) takes a copy of libpcsclite for itself,
 * as it takes one of Go's runtime. Everywhere else it is the one that the whole
 * program has.
 *
 * What is here stands before what libpcsclite exports, as the linker comes by it
 * first. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "cryptoki.h"
#include "fork.h"

static void *pcsc; /* libpcsclite, or NULL */

static void *copy_of(void *library)
{
	struct link_map *map;
	if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0)
		return NULL;
	int from = open(map->l_name, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return NULL;
	void *copy = cb_load(from, "libpcsclite.so", "/proc/./self/fd", cardbridge_generation);
	close(from);
	return copy;
}

static void load(void)
{
	pcsc = dlopen("libpcsclite.so.1", RTLD_NOW | RTLD_LOCAL);
	if (pcsc && cardbridge_generation) {
		void *copy = copy_of(pcsc);
		if (copy)
			pcsc = copy;
	}
}

static void *function(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return pcsc ? dlsym(pcsc, name) : NULL;
}

/* Types as on Linux: LONG is long, DWORD and the handles are unsigned long or
 * long, of which each is passed like the other. What is a pointer there is one
 * here, to anything. */
typedef unsigned long W;

#define NO_SERVICE ((long)0x8010001D)

#define FORWARD(name, parameters, arguments)                                \
	__attribute__((visibility("hidden"))) long name parameters;         \
	long name parameters                                                \
	{                                                                   \
		static long(*volatile real) parameters;                     \
		if (!real)                                                  \
			real = (long(*) parameters)function(#name);         \
		return real ? real arguments : NO_SERVICE;                  \
	}

FORWARD(SCardEstablishContext, (W scope, void *r1, void *r2, void *context), (scope, r1, r2, context))
FORWARD(SCardReleaseContext, (W context), (context))
FORWARD(SCardIsValidContext, (W context), (context))
FORWARD(SCardConnect, (W context, void *reader, W mode, W protocols, void *card, void *active), (context, reader, mode, protocols, card, active))
FORWARD(SCardReconnect, (W card, W mode, W protocols, W how, void *active), (card, mode, protocols, how, active))
FORWARD(SCardDisconnect, (W card, W how), (card, how))
FORWARD(SCardBeginTransaction, (W card), (card))
FORWARD(SCardEndTransaction, (W card, W how), (card, how))
FORWARD(SCardStatus, (W card, void *names, void *length, void *state, void *protocol, void *atr, void *atr_length), (card, names, length, state, protocol, atr, atr_length))
FORWARD(SCardGetStatusChange, (W context, W timeout, void *states, W count), (context, timeout, states, count))
FORWARD(SCardControl, (W card, W code, void *in, W in_length, void *out, W out_size, void *out_length), (card, code, in, in_length, out, out_size, out_length))
FORWARD(SCardTransmit, (W card, void *send_pci, void *send, W send_length, void *receive_pci, void *receive, void *receive_length), (card, send_pci, send, send_length, receive_pci, receive, receive_length))
FORWARD(SCardListReaderGroups, (W context, void *groups, void *length), (context, groups, length))
FORWARD(SCardListReaders, (W context, void *groups, void *readers, void *length), (context, groups, readers, length))
FORWARD(SCardCancel, (W context), (context))
FORWARD(SCardGetAttrib, (W card, W id, void *value, void *length), (card, id, value, length))
FORWARD(SCardSetAttrib, (W card, W id, void *value, W length), (card, id, value, length))
