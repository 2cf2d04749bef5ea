#ifndef BRIG_NET_SLOTS_H
#define BRIG_NET_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Who has which of N numbers: one file, DIRECTORY/slots (the directory is 0700), of fixed records
 * behind a header.  The file's flock is held while it is open.  A record is written by one
 * pwrite(2) within a page: a brig that was killed between any two instructions leaves a slot that
 * is free or has an owner.  An owner is an absolute state directory; one that does not exist any
 * more does not count, so nothing is lost to a crash.  Given out is the next free number behind the
 * one given out last, so that the kernel has all the time there is to clean up behind an old owner.
 */
enum { SLOTS_MAX = 16384, SLOTS_OWNER_MAX = 1000 };

struct slots {
	int fd;
	uint32_t count; /* of numbers, at most SLOTS_MAX */
	uint32_t next;
	char path[4096];
};
#define SLOTS_NONE ((struct slots){.fd = -1})
void slots_close(struct slots *s);
#define own_slots __attribute__((cleanup(slots_close)))

/*
 * Makes directory and file where they are not there yet.  A directory that others may write to:
 * EPERM; a file that is not such a file: EUCLEAN with its name and the remedy.
 */
int slots_open(struct slots *s, const char *directory, uint32_t count, struct err *e) MUST_CHECK;
/*
 * The first free number from s->next on for which usable says so (NULL: any); NULL owner or one too
 * long: EINVAL.  -EADDRNOTAVAIL without a message: none.
 */
typedef bool slots_usable(uint32_t number, bool used_before, void *ctx);
int64_t slots_take(struct slots *s, const char *owner, slots_usable *usable, void *ctx,
		   struct err *e) MUST_CHECK;
/* Somebody else's or nobody's: nothing is done, 0; ours: 1. */
int slots_give_back(struct slots *s, uint32_t number, const char *owner, struct err *e) MUST_CHECK;
/* 1: that slot is owner's; 0: it is not. */
int slots_is_owner(struct slots *s, uint32_t number, const char *owner, struct err *e) MUST_CHECK;
/* For doctor and tests: how many have an owner that lives. */
int slots_used(struct slots *s, uint32_t *used, struct err *e) MUST_CHECK;

#endif
