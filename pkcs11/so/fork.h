/* Whose process this is. See fork.c. */
#ifndef CB_FORK_H
#define CB_FORK_H

enum { CB_OWN, CB_CHILD };

extern volatile int cb_process;             /* CB_CHILD after a fork */
extern CK_FUNCTION_LIST_3_2 *volatile cb_copy; /* in a child that initialised: where calls go */

#endif
