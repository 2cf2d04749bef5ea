#ifndef BRIG_SPECS_AUDIT_VERDICT_H
#define BRIG_SPECS_AUDIT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a look at an audit log says.  Each kind of damage is a row of a table with its word, its
 * message and its exit code (docs/audit.md).
 */
struct audit_damage {
	const char *word; /* edited, gap, ... */
	int code;         /* what `audit verify` exits with when it is the first one found */
	const char *text;
};
/* In the order of the codes; ends with a NULL word. */
extern const struct audit_damage audit_damages[];

struct audit_finding {
	const struct audit_damage *damage;
	const char *file;
	uint64_t line, seq; /* 0: not known */
	const char *detail; /* NULL */
};

/* A record that was seen. */
struct audit_place {
	uint64_t seq; /* 0: there is none */
	char hash[65];
	char ts[32];
};

struct audit_verdict {
	uint64_t records, files, findings;
	char log[65]; /* id of the log; "": not known */
	struct audit_place first, last;
	struct audit_place head;          /* the newest head kept elsewhere that was met */
	const struct audit_damage *worst; /* the first one found; NULL: none */
	uint64_t heads;                   /* of those kept elsewhere, met in the log */
	uint64_t repairs;                 /* torn lines that a writer has noted: no damage */
	uint64_t sealed;                  /* records with a MAC */
	uint64_t checked;                 /* MACs that were computed again, and right */
	uint64_t keyed_from;              /* first record with a MAC, 0: none */
	uint64_t open;                    /* sandboxes that were made and have no end yet */
	uint64_t unwatched;               /* sandboxes whose end was not looked for: too many */
	bool done;                        /* all of it was read */
	bool partial;                     /* begins in the middle, behind a head: an export */
	bool lock;                        /* the lock file was there and was compared */
};

#endif
