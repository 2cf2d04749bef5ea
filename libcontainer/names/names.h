#ifndef BRIG_NAMES_NAMES_H
#define BRIG_NAMES_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/egress.h"

/*
 * The name service of one sandbox: answers only names that are granted, asks upstream with queries
 * of its own making, opens the rules for the addresses before it lets the answer go.  A part of a
 * confined process (resolver.h) that parses hostile bytes from both sides; it opens no file, and of
 * sockets only upstream ones (AF_INET, AF_INET6, datagram and stream).
 *
 * Listens on 127.0.77.53 port 53, UDP and TCP, inside the sandbox's network namespace.
 */
#define NAMES_LISTEN         "127.0.77.53"
#define NAMES_LISTEN_ADDRESS UINT32_C(0x7f004d35)

/* One decision, for counters and flow records. */
enum names_verdict {
	NAMES_ANSWERED, /* with addresses, or there are none of that type */
	NAMES_NOT_LISTED,
	NAMES_REBOUND, /* every address of it is one that is never reached */
	NAMES_LIMITED, /* too many names below a wildcard, queries in flight, learned addresses */
	NAMES_FAILED,  /* upstream does not answer, or with nonsense */
	NAMES_TYPE_EMPTY, /* a listed name, a type that is never resolved: empty */
	NAMES_MALFORMED,
	NAMES_VERDICTS
};
extern const char *const names_verdict_words[]; /* answered not-listed rebound ... */
struct names_decision {
	const char
		*name; /* lower case, letters, digits, '-', '_', '.'; "" when it is no such name */
	uint16_t type; /* DNS type number */
	enum names_verdict verdict;
	const struct egress_grant *grant; /* a copy, valid during the call; NULL: not listed */
	const struct egress_address *addresses;
	size_t n_addresses;
	bool tcp;
};

/* What the name service asks of its process. */
struct names_host {
	void *ctx;
	/*
	 * Opens the rules for addresses of a grant; acknowledged when it returns 0.  timeout_ms 0:
	 * as long as the grant.  g may be a copy with fewer ports that lives for this call only:
	 * for one address and port it is always the same grant, as long as that lives, so that an
	 * element never changes its id.
	 */
	int (*learn)(void *ctx, const struct egress_grant *g,
		     const struct egress_address *addresses, size_t n, uint64_t timeout_ms,
		     struct err *e);
	/*
	 * Closes them again: there is no room for newer ones, or the grant is gone (which may be
	 * known here only: of g hold id, proto, ports, backing and private_; text and name are
	 * NULL).  NULL: they run out by themselves.
	 */
	int (*forget)(void *ctx, const struct egress_grant *g,
		      const struct egress_address *addresses, size_t n, struct err *e);
	void (*decided)(void *ctx, const struct names_decision *d);
};

struct names_config {
	const struct egress_policy *policy; /* grants may be appended to and removed later: names
					       asks for them each time */
	int udp, tcp;                       /* bound, listening, non-blocking; taken over when it
					       succeeds */
	uint32_t packet_mark;               /* SO_MARK of upstream sockets; 0: none */
	int upstream_netns;                 /* -1: this process is where it asks */
	bool pin; /* learned addresses stay as long as the sandbox, which has a short wall clock */
};

struct names;
/* Everything it will need is allocated here: the memory of a name service does not grow. */
int names_open(struct arena *a, const struct names_config *c, const struct names_host *h,
	       struct names **out, struct err *e) MUST_CHECK;
void names_close(struct names *n); /* NULL allowed */
/* Readable when there is work (an epoll of its own, timers included). */
int names_fd(const struct names *n);
/* What is pending, bounded in time; never blocks but for learn. */
int names_work(struct names *n, struct err *e) MUST_CHECK;
/* The policy changed: grants that are gone are forgotten; nothing of the old one is looked at,
 * which may have been the same memory.  Resolvers stay as they were. */
void names_policy(struct names *n, const struct egress_policy *p);
/* The time of that grant begins anew. */
void names_renew(struct names *n, uint32_t id);
/* The name by which an address was last handed out, for flow records; NULL: by none.  Valid until
 * names_work. */
const char *names_of_address(const struct names *n, const struct egress_address *a);

#endif
