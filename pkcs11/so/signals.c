/* Signals.
 *
 * They are the host's: its handlers are to run on its own threads, and what it
 * waits for with sigwait or a signalfd is not to be taken away by ours. Go's
 * runtime starts its threads with the signal mask of the thread that loaded it,
 * so all is blocked for the time of that. (What Go unblocks whatever the mask -
 * SIGCHLD, SIGPROF, SIGURG and faults - cannot be helped.) And it unblocks the
 * same in each thread that enters it for the first time, and leaves it so: that
 * is put right here. Faults stay unblocked, as Go makes panics of them, which end
 * at the boundary. */

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>

#include "cryptoki.h"
#include "signals.h"
#include "_cgo_export.h"

__thread int cb_entered;

static void leave_faults(sigset_t *set)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(set, faults[i]);
}

void cb_first_entry(void)
{
	sigset_t own;
	pthread_sigmask(SIG_SETMASK, NULL, &own);
	go_enter();
	leave_faults(&own);
	pthread_sigmask(SIG_SETMASK, &own, NULL);
	cb_entered = 1;
}

/* The runtime's thread is started by a constructor of Go's, which comes between
 * these two: one with a priority comes before those without, and this file is
 * linked behind Go's code. */

static sigset_t loading;

__attribute__((constructor(101))) static void before_runtime(void)
{
	sigset_t all;
	sigfillset(&all);
	leave_faults(&all);
	pthread_sigmask(SIG_SETMASK, &all, &loading);
}

__attribute__((constructor)) static void after_runtime(void)
{
	pthread_sigmask(SIG_SETMASK, &loading, NULL);
}
