/* The host's signals. See signals.c. */
#ifndef CB_SIGNALS_H
#define CB_SIGNALS_H

extern __thread int cb_entered; /* this thread has been in Go before */

void cb_first_entry(void);

static inline void cb_enter(void)
{
	if (!cb_entered)
		cb_first_entry();
}

#endif
