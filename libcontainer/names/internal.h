#ifndef BRIG_NAMES_INTERNAL_H
#define BRIG_NAMES_INTERNAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "names/cache.h"
#include "names/learned.h"
#include "names/match.h"
#include "names/message.h"
#include "names/names.h"
#include "names/quota.h"

/*
 * Tables of fixed size, one epoll, one timer:
 *
 *   client --udp--> loop.c ----+               +--> upstream.c --udp/tcp--> resolver
 *   client --tcp--> stream.c --+--> serve.c ---+        |
 *      ^                             |  answers at once |
 *      +------ serve.c <- learned.c <------ asked ------+
 *
 * A query that cache.c has no answer for waits for an ask; several for the same name and type wait
 * for the same ask, and an ask for its turn: so many are under way at once, so many begin a second.
 */
enum {
	MAX_ASKS = 256,     /* under way and in the queue */
	MAX_UNDER_WAY = 64, /* each has a socket */
	MAX_WAITERS = 512,
	MAX_STREAMS = 16,
	MAX_RESOLVERS = 8,
	QUERIES_PER_SECOND = 1000, /* beyond it nothing is read for a moment */
	ASKS_PER_SECOND = 200,
	QUEUED_MS = 4000, /* less than the 5 s after which glibc, Go and musl look elsewhere */
	TRY_MS = 2000,
	ROUNDS = 2,
	ASK_MS = 16000, /* all tries for all names of a chain */
	STREAM_IDLE_MS = 5000,
	MAX_FORGED = 16, /* wrong answers to one socket, then a new port and id */
	SWEEP_MS = 60000,
	NO_INDEX = 0xffff,
};

/* Who has asked. */
struct client {
	bool tcp;
	uint16_t stream;
	uint32_t generation; /* of the stream: it may be another client's by now */
	struct sockaddr_in from;
};
struct waiter {
	bool used;
	uint16_t next;
	struct client client;
	struct dns_query query;
};

enum ask_state { ASK_FREE, ASK_QUEUED, ASK_UDP, ASK_CONNECTING, ASK_WRITING, ASK_READING };
struct ask {
	enum ask_state state;
	int fd;
	uint32_t generation;
	uint16_t type, id;
	uint16_t waiters;           /* first of them */
	uint64_t turn;              /* in the queue: the least is next */
	char name[DNS_NAME];        /* as the client asked */
	char target[DNS_NAME];      /* where the chain has led to so far */
	unsigned int hops, attempt; /* attempt: counts resolvers, round after round */
	unsigned int first;         /* the resolver that was preferred when it began */
	unsigned int forged;
	uint32_t ttl;
	int64_t until, deadline; /* of all, of this try */
	size_t done;             /* bytes of the stream, length included */
	uint8_t *stream;         /* under way: 2 + DNS_STREAM bytes */
};

struct stream {
	int fd; /* -1: free */
	uint32_t generation;
	bool pending; /* a query is being answered */
	int64_t deadline, since;
	size_t have, out_len, out_done;
	uint8_t in[2 + DNS_MESSAGE], out[2 + DNS_REPLY];
};

struct names {
	const struct egress_policy *policy;
	struct names_host host;
	int udp, tcp, epoll, timer;
	struct in_addr address; /* that udp is bound to */
	uint32_t packet_mark;
	bool pin, paused;
	bool spent; /* more queries than a second may have */
	struct match *match;
	struct learned *learned;
	struct quota *quota;
	struct cache *cache;
	uint64_t closed; /* of learned, when the cache was last known to be right */
	struct bucket queries, asking;
	struct egress_address resolvers[MAX_RESOLVERS];
	unsigned int n_resolvers;
	unsigned int preferred; /* the resolver that answered last */
	int64_t now, next_grant_end, next_sweep;
	struct ask asks[MAX_ASKS];
	uint8_t *spare[MAX_UNDER_WAY]; /* streams of nobody: so many more may be under way */
	size_t n_spare, n_queued;
	/* None behind them was ever used: pages that need not be there. */
	size_t top_ask, top_stream;
	uint64_t turn;
	struct waiter waiters[MAX_WAITERS];
	struct stream streams[MAX_STREAMS];
	uint8_t buffer[DNS_MESSAGE];
	uint8_t reply[DNS_REPLY];
};

/* loop.c: descriptors in the epoll, and what an event is of. */
enum watched { WATCH_UDP, WATCH_TCP, WATCH_TIMER, WATCH_ASK, WATCH_STREAM };
int watch_add(struct names *n, int fd, uint32_t events, enum watched what, size_t index,
	      uint32_t generation);
int watch_change(struct names *n, int fd, uint32_t events, enum watched what, size_t index,
		 uint32_t generation);

/* serve.c */
void serve_query(struct names *n, const uint8_t *msg, size_t len, const struct client *c);
/* An ask is over; answer NULL: without one.  Its waiters are answered and freed. */
void serve_asked(struct names *n, struct ask *a, const struct dns_answer *answer);

/* upstream.c.  NULL: no place is left. */
struct ask *ask_start(struct names *n, const char *name, uint16_t type);
struct ask *ask_same(struct names *n, const char *name, uint16_t type);
/* Sends the first query when it is its turn; may end the ask at once. */
void ask_send(struct names *n, struct ask *a);
bool ask_any(const struct names *n);
/* Whether one of the queue begins as soon as a second has room for it. */
bool ask_due(const struct names *n);
void ask_event(struct names *n, struct ask *a, uint32_t events);
void ask_timers(struct names *n);

/* stream.c */
void stream_accept(struct names *n);
void stream_event(struct names *n, struct stream *s, uint32_t events);
void stream_reply(struct names *n, const struct client *c, const uint8_t *msg, size_t len);
void stream_timers(struct names *n);
void stream_drop(struct names *n, const struct client *c);

#endif
