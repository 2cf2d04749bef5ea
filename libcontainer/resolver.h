#ifndef BRIG_RESOLVER_H
#define BRIG_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/mnl.h"
#include "specs/egress.h"

/*
 * The process beside the warden of a sandbox with grants: the name service (names/names.h), the
 * kernel's log of connections, grants and revocations while it runs, and the counts at the end.
 * Forked by create when the network namespace is there, never executed anew, confined before it
 * reads the first byte: own system call filter, no file system, of capabilities at most
 * CAP_NET_ADMIN, which on what it has open reaches only the sandbox's rules.
 *
 *   create                                   resolver
 *     | inside_sockets (listeners, netlink)     |
 *     | fork (into the warden's pid namespace)  |
 *     | <-------- ready ----------------------  | confined, listening
 *     | pidfd to the warden: when it ends before the sandbox, the sandbox ends (warden-lost)
 *
 * Where it can be (struct resolver_early), it is forked before the sandbox, while another CPU is
 * free, and makes the sandbox's network itself:
 *
 *   create                                   resolver
 *     | fork                                    | loads libmnl
 *     | -- its network namespace, its init -->  | enters it
 *     | <-------- network ------------------    | where it makes a way out
 *     |                                         | sockets, rules
 *     | <-------- ready ----------------------  | as above
 *
 * It ends with the sandbox's init, whose pidfd it has, or when it is told to: then it drains the
 * log, reads the counters and writes the file "network" of the state directory (specs/network.h) by
 * rename; the warden waits for that a moment before it writes the result.
 */
struct resolver_sockets {
	int nft, log, udp, tcp; /* as in struct resolver_plan */
};
/* What it does before it is confined, each once, in this order, with all its maker's rights. */
struct resolver_early {
	void *ctx;
	int (*prepare)(void *ctx, struct err *e);            /* without the sandbox */
	int (*connect)(void *ctx, int netns, struct err *e); /* NULL: nothing */
	/* In it: its rules are in force when it returns. */
	int (*secure)(void *ctx, struct resolver_sockets *out, struct err *e);
};
struct resolver_plan {
	/* NULL: init, the sockets and upstream_* are there; else they are found out by it, the
	 * sandbox's owner is the caller's user namespace, and resolver_give follows. */
	const struct resolver_early *early;
	const struct egress_policy *policy;
	int dir;              /* state directory */
	int init;             /* pidfd of the sandbox's first process */
	int nft, log;         /* NETLINK_NETFILTER sockets of its namespace */
	int udp, tcp;         /* listeners, -1: no names */
	int upstream_netns;   /* -1: our own */
	int upstream_userns;  /* entered before, where ours has no right to that; -1: not needed */
	int flows;            /* where flow records go as JSON lines; -1: the state directory */
	int warden;           /* a socket on which flow records are told to it, too; -1: none */
	int pidns;            /* of the warden, that encloses it; -1: none */
	bool pin;             /* names/names.h */
	bool keeps_net_admin; /* false: the uid is that of the namespace's owner (rootless) */
	bool dies_with_maker; /* a foreground run */
	/* It ends when its maker says so (resolver_tell), who sees the end of the sandbox himself:
	 * only he knows whether anybody wants what it would write down. */
	bool waits_for_word;
	const struct mnl *mnl;
};
struct resolver {
	pid_t pid; /* 0: none */
	int pidfd;
	int link; /* on which it says that it is ready; -1 */
};
#define RESOLVER_NONE ((struct resolver){.pid = 0, .pidfd = -1, .link = -1})

/* Does not wait for it.  Descriptors of the plan stay the caller's. */
int resolver_start(const struct resolver_plan *p, struct resolver *out, struct err *e) MUST_CHECK;
/* What an early one waits for; both stay the caller's; init -1 with waits_for_word.  One that has
 * failed meanwhile says so when it is awaited. */
int resolver_give(const struct resolver *r, int netns, int init, struct err *e) MUST_CHECK;
/* Until an early one with a way out has made that; on failure it is killed. */
int resolver_await_network(struct resolver *r, struct err *e) MUST_CHECK;
/* Until it is confined and answers; on failure it is killed. */
int resolver_await(struct resolver *r, struct err *e) MUST_CHECK;
/* The sandbox has ended: it writes down what it saw, and ends. */
void resolver_tell(const struct resolver *r);
/* Kills it; its end is waited for by resolver_end, whoever has something to do until then. */
void resolver_kill(const struct resolver *r);
/* Kills it and waits for its end. */
void resolver_end(struct resolver *r);
/* Kills the one that answers in a state directory, whose maker was killed before he had written
 * down who it is. */
void resolver_end_unknown(int dir);
/* Closes what the caller has of it; it lives on. */
void resolver_leave(struct resolver *r);

/* The socket "egress" of the state directory, for grant and revoke. */
#define RESOLVER_SOCKET "egress"
/*
 * text: a grant as --egress takes it; *id: what the rules call it.  Errors are the resolver's own
 * words; EOPNOTSUPP: such a grant cannot be given to this sandbox, ESRCH: nobody answers.
 */
int resolver_grant(int dir, const char *text, uint32_t *id, struct err *e) MUST_CHECK;
/* text: a grant's text, or its target (everything granted to that name or address); *n: how many
 * grants that were.  ENOENT: none. */
int resolver_revoke(int dir, const char *text, uint32_t *n, struct err *e) MUST_CHECK;
/* Whether text means that grant. */
bool egress_is_meant(const struct egress_grant *g, const char *text);
/* The file "network", written at its end; -ENOENT.  Opens and reads only: for a confined warden. */
struct brig_network;
int resolver_network_read(struct arena *a, int dir, struct brig_network *out,
			  struct err *e) MUST_CHECK;

#endif
