#ifndef BRIG_NET_OPENED_H
#define BRIG_NET_OPENED_H

#include "base/arena.h"
#include "base/err.h"
#include "net/routes.h"

/*
 * The host's devices of which brig has switched forwarding on: a line each in "opened4" and
 * "opened6" of the directory of slots, as long as the switches themselves (/run).  The host's table
 * must close them again whenever it is made anew: who has flushed it left the switches as they are.
 */
/* Adds those that are recorded and still forward to the devices; none twice. */
int opened_add_to(struct arena *a, const char *directory, int family, const char *setting,
		  struct routes_devices *io, struct err *e) MUST_CHECK;
/* Before they are switched on. */
int opened_record(const char *directory, int family, const struct routes_devices *d,
		  struct err *e) MUST_CHECK;
/* The host forwards by itself now. */
int opened_forget(const char *directory, int family, struct err *e) MUST_CHECK;

#endif
