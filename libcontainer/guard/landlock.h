#ifndef BRIG_GUARD_LANDLOCK_H
#define BRIG_GUARD_LANDLOCK_H

/* The kernel's Landlock version, 0: none (not built, or not in the boot parameter lsm=). */
int landlock_abi(void);

#endif
