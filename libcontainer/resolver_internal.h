#ifndef BRIG_RESOLVER_INTERNAL_H
#define BRIG_RESOLVER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/nowait.h"
#include "names/names.h"
#include "net/rules.h"
#include "resolver.h"
#include "specs/flow.h"
#include "specs/network.h"

/* What the files of the resolver share; nothing else but their tests includes it. */

/* --- resolver_tally.c: counting in tables that do not grow ---------------------------------- */

enum { TALLY_ROWS = 256, TALLY_TEXT = 256 };
/*
 * When it is full the least frequent row makes room, and what it counted goes to the others: who
 * comes often stays, however many come once.
 */
struct tally {
	struct tally_row {
		char text[TALLY_TEXT];
		const char *word; /* a static one, or NULL; part of the key */
		struct egress_address address;
		uint16_t port;
		uint8_t proto;
		uint64_t count; /* 0: free */
	} rows[TALLY_ROWS];
	size_t used;
	uint64_t others;
};
/* One name and what became of it. */
void tally_name(struct tally *t, const char *name, const char *word);
/* One destination; name: that led there, NULL. */
void tally_place(struct tally *t, const struct egress_address *to, uint16_t port, uint8_t proto,
		 const char *name);
/* The most frequent rows, at most max, most frequent first; the rest is *others. */
size_t tally_top(const struct tally *t, const struct tally_row **out, size_t max, uint64_t *others);
/* 203.0.113.9:25/tcp, [2001:db8::9]:25/tcp, 203.0.113.9/icmp */
const char *place_text(struct arena *a, const struct egress_address *to, uint16_t port,
		       uint8_t proto);
const char *proto_text(struct arena *a, uint8_t proto);

/* --- resolver_flows.c: where the records go ------------------------------------------------- */

#define RESOLVER_FLOWS "flows.jsonl"
enum { FLOWS_ROOM = 1 << 20, FLOWS_FILE_ROOM = 64 << 20 };
struct flows {
	struct nowait out;
	int fd;              /* -1: nowhere */
	uint64_t room, lost; /* bytes left; records for which there was no room */
	size_t at, len;      /* of a line that was begun */
	int warden;          /* -1: none that hears of them */
	uint64_t untold, untold_refused;
	char line[FLOW_MAX_BYTES];
};
/* fd: given, stays open; -1: a new file in dir.  warden: warden/warden.h, stays open; -1. */
int flows_open(struct flows *f, int fd, int dir, int warden, struct err *e) MUST_CHECK;
/* Never waits; sets the time. */
void flows_put(struct flows *f, struct brig_flow *flow);

/* --- resolver_grants.c: what holds now ------------------------------------------------------ */

enum { GRANTS_FURTHER = 256, LEARN_AT_ONCE = 64 };
/*
 * Grants of the start and those that came later.  Two arrays take turns, so that who still has
 * pointers to the old one can read them until it is told of the new one.
 */
struct grants {
	const struct mnl *mnl;
	int nft;
	struct names *names; /* NULL: no name service */
	struct egress_policy policy;
	struct egress_grant *slots[2];
	uint64_t *until_ms[2];   /* of each; 0: without end */
	struct arena **texts[2]; /* what a later grant points into; NULL: of the start */
	unsigned int now;
	size_t n, room;
	uint32_t next_id;
};
void grants_init(struct arena *a, struct grants *g, const struct resolver_plan *p);
/* names_host.learn and .forget */
int grants_learn(struct grants *g, const struct egress_grant *grant,
		 const struct egress_address *addresses, size_t n, uint64_t timeout_ms,
		 struct err *e) MUST_CHECK;
int grants_forget(struct grants *g, const struct egress_grant *grant,
		  const struct egress_address *addresses, size_t n, struct err *e) MUST_CHECK;
/* *id: of the new grant, or of the one with the same text, whose time begins anew. */
int grants_add(struct grants *g, const char *text, uint32_t *id, struct err *e) MUST_CHECK;
/* *n: how many grants were meant. */
int grants_remove(struct grants *g, const char *text, uint32_t *n, struct err *e) MUST_CHECK;
/* When the next one ends, CLOCK_MONOTONIC; 0: none does. */
uint64_t grants_next_ms(const struct grants *g);
/* Forgets those that have ended. */
int grants_expire(struct grants *g, struct err *e) MUST_CHECK;
const struct egress_grant *grants_of_id(const struct grants *g, uint32_t id);

/* --- resolver_control.c --------------------------------------------------------------------- */

enum { RESOLVER_CONNS = 8 };
enum resolver_ask { RESOLVER_GRANT = 1, RESOLVER_REVOKE, RESOLVER_REPLY };
struct resolver_msg {
	uint32_t type;
	int32_t code;    /* REPLY: 0 or errno */
	uint32_t number; /* REPLY: id, or how many */
	char text[1012]; /* terminated, printable ASCII */
};
/* One datagram. */
int resolver_msg_read(const void *data, size_t len, struct resolver_msg *out,
		      struct err *e) MUST_CHECK;
/* The listening socket. */
int resolver_control_make(int dir, struct err *e) MUST_CHECK;

/* --- resolver_confine.c --------------------------------------------------------------------- */

/* dir: the state directory, closed here: who has it could rename what delete goes by. */
int resolver_confine(int dir, bool keeps_net_admin, struct err *e) MUST_CHECK;

/* --- resolver_loop.c ------------------------------------------------------------------------ */

struct watcher;
/* All that is to be opened and allocated; in the arena. */
int watcher_open(struct arena *a, const struct resolver_plan *p, int dir, int control,
		 struct watcher **out, struct err *e) MUST_CHECK;
/* Until the sandbox has ended, or SIGTERM; 0, or 1: it could watch no more.  "network" is written.
 */
int watcher_run(struct watcher *w);

#endif
