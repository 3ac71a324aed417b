/* Whose process this is. See fork.c. */
#ifndef CB_FORK_H
#define CB_FORK_H

enum { CB_OWN, CB_CHILD };

extern volatile int cb_process;             /* CB_CHILD after a fork */
extern CK_FUNCTION_LIST_3_2 *volatile cb_copy; /* in a child that initialised: where calls go */

extern unsigned cardbridge_generation; /* in a copy of this library: how many forks it is from the first */

/* Loads a copy of the file from, as a library of its own; NULL if it cannot. The
 * loader knows a library by its name before it looks at the file, and the name is
 * that of a descriptor whose number may have been another copy's: so there is a
 * slash for each generation in it, and each library has a way of its own to write
 * the folder. */
void *cb_load(int from, const char *name, const char *folder, unsigned generation);

#endif
