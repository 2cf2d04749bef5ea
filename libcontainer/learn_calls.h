#ifndef BRIG_LEARN_CALLS_H
#define BRIG_LEARN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learn_paths.h"

/* What the observer knows of calls, by name, and so for every architecture. */

enum learn_kind {
	LEARN_PATH,   /* a path, at .path, relative to the descriptor at .dir */
	LEARN_OPEN,   /* the same; the use is told by the flags at .how */
	LEARN_OPEN2,  /* the same; .how points to a struct open_how */
	LEARN_EXEC,   /* the same, and what runs next is another program */
	LEARN_SOCKET, /* of the family at .how */
	LEARN_ADDR,   /* a struct sockaddr at .path, as long as .how says */
	LEARN_MSG,    /* a struct msghdr at .path */
	LEARN_MAP,    /* protection at .how, a descriptor at .dir */
};
enum { LEARN_NO_ARG = -1 };

struct learn_call {
	const char *name;
	enum learn_kind kind;
	int dir, path, how; /* numbers of arguments */
	unsigned int use;   /* LEARN_READ ...; of addresses what it is called: LEARN_CONNECT ... */
};
enum { LEARN_CONNECT, LEARN_BIND, LEARN_SEND };
extern const char *const learn_address_words[]; /* connect bind send */

/* Numbers above are calls of no name here, or of x32. */
enum { LEARN_NUMBERS = 1024 };

/* The rows of a call stand one behind another with one name; NULL: nothing is known of it. */
const struct learn_call *learn_call_first(const char *name);
/* The next one of the same call, NULL: none. */
const struct learn_call *learn_call_next(const struct learn_call *c);

/* What seccomp.json allows beside what was seen, NULL-terminated: docs/learn.md says why. */
extern const char *const learn_closure[];

/* "AF_UNIX" ..., NULL: no name for that number. */
const char *learn_family(unsigned int family);
/* "EPERM" ... or a number, in the arena. */
const char *learn_errno(struct arena *a, int code);

#endif
