/* What becomes of a query: refused, answered here, or asked for. */
#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "names/internal.h"

enum {
	TTL_FLOOR = 60,
	TTL_CEILING = 3600,
	TTL_GRACE = 600, /* for who connects again to an address that he remembers */
	TTL_CLIENT = 300,
	TTL_LOCAL = 3600,
};

const char *const names_verdict_words[] = {
	[NAMES_ANSWERED] = "answered",   [NAMES_NOT_LISTED] = "not-listed",
	[NAMES_REBOUND] = "rebound",     [NAMES_LIMITED] = "limited",
	[NAMES_FAILED] = "failed",       [NAMES_TYPE_EMPTY] = "type-empty",
	[NAMES_MALFORMED] = "malformed", [NAMES_VERDICTS] = NULL,
};

/* How a query is decided, for everybody who has asked the same. */
struct outcome {
	enum names_verdict verdict;
	const struct egress_grant *grant;
	struct dns_reply reply;
};

static void tell(struct names *n, const struct client *c, const struct dns_query *q,
		 const struct outcome *o)
{
	const struct names_decision d = {
		.name = q->name,
		.type = q->type,
		.verdict = o->verdict,
		.grant = o->grant,
		.addresses = o->reply.addresses,
		.n_addresses = o->reply.n,
		.tcp = c->tcp,
	};

	if (n->host.decided)
		n->host.decided(n->host.ctx, &d);
}

/*
 * From the address that was asked, said each time: a socket that was bound while its namespace had
 * no address yet, and so no table of local ones, was bound to what the kernel took for a broadcast
 * address (__inet_dev_addr_type, net/ipv4/fib_frontend.c), and would answer from 127.0.0.1, which
 * nobody who has connected his socket hears.
 */
static void answer_udp(struct names *n, const struct client *c, size_t len)
{
	const struct in_pktinfo from = {.ipi_spec_dst = n->address};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(from))];
	} control = {.space = {0}};
	struct sockaddr_in to = c->from;
	struct iovec iov = {.iov_base = n->reply, .iov_len = len};
	struct msghdr m = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_IP;
	h->cmsg_type = IP_PKTINFO;
	h->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(h), &from, sizeof(from));
	/* A client that does not read loses its answers. */
	(void)!sendmsg(n->udp, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void conclude(struct names *n, const struct client *c, const struct dns_query *q,
		     const struct outcome *o)
{
	size_t len = dns_reply_build(n->reply, c->tcp ? sizeof(n->reply) : q->size, q, &o->reply);

	if (c->tcp)
		stream_reply(n, c, n->reply, len);
	else
		answer_udp(n, c, len);
	tell(n, c, q, o);
}

static struct outcome only_rcode(enum names_verdict verdict, const struct egress_grant *g,
				 int rcode)
{
	return (struct outcome){
		.verdict = verdict,
		.grant = g,
		.reply = {.rcode = rcode,
			  .negative = rcode == ns_r_nxdomain || rcode == ns_r_noerror}
        };
}

/* --- answered here ------------------------------------------------------------------------ */

static bool is_below(const char *name, const char *zone)
{
	return str_eq(name, zone) ||
	       (str_ends(name, zone) && name[strlen(name) - strlen(zone) - 1] == '.');
}

/* Names that are nobody's business outside, unless they are granted. */
static bool is_local(const char *name)
{
	return !strchr(name, '.') || is_below(name, "in-addr.arpa") || is_below(name, "ip6.arpa") ||
	       is_below(name, "localhost");
}

static struct outcome answer_localhost(const struct names *n, uint16_t type)
{
	static const struct egress_address four = {
		4, 32, {127, 0, 0, 1}
        };
	static const struct egress_address six = {6, 128, {[15] = 1}};
	struct outcome o = only_rcode(NAMES_ANSWERED, NULL, ns_r_noerror);

	if (type == ns_t_a)
		o.reply.addresses = &four;
	else if (type == ns_t_aaaa && n->policy->ipv6)
		o.reply.addresses = &six;
	if (!o.reply.addresses)
		return o;
	o.reply.n = 1;
	o.reply.negative = false;
	o.reply.ttl = TTL_LOCAL;
	return o;
}

static struct outcome not_listed(const struct names *n, const struct dns_query *q)
{
	if (is_below(q->name, "localhost"))
		return answer_localhost(n, q->type);
	return only_rcode(NAMES_NOT_LISTED, NULL,
			  n->policy->nxdomain || is_local(q->name) ? ns_r_nxdomain : ns_r_refused);
}

/* --- answered a moment ago ---------------------------------------------------------------- */

static void clear_when_closed(struct names *n)
{
	uint64_t closed = learned_closed(n->learned);

	if (n->closed != closed)
		cache_clear(n->cache);
	n->closed = closed;
}

static uint32_t ttl_of_client(uint32_t ttl)
{
	return ttl < TTL_CLIENT ? ttl : TTL_CLIENT;
}

/*
 * Nothing is opened again: an answer is kept for less than the time that its addresses stay open
 * beyond its time to live.
 */
static bool answer_kept(struct names *n, const struct client *c, const struct dns_query *q,
			const struct known_grant *k)
{
	struct outcome o = {.verdict = NAMES_ANSWERED, .grant = &k->grant};
	struct match_walk w = match_begin(n->match, q->name);

	clear_when_closed(n);
	if (!cache_get(n->cache, q->name, q->type, n->now, &o.reply))
		return false;
	o.reply.ttl = ttl_of_client(o.reply.ttl);
	for (const struct known_grant *g; (g = match_next(n->match, &w));)
		learned_again(n->learned, g, q->name, o.reply.addresses, o.reply.n);
	conclude(n, c, q, &o);
	return true;
}

static void keep(struct names *n, const struct ask *a, const struct outcome *o, uint32_t ttl)
{
	struct dns_reply r = o->reply;

	clear_when_closed(n);
	r.ttl = ttl;
	if (o->verdict == NAMES_ANSWERED)
		cache_put(n->cache, a->name, a->type, &r, n->now);
}

/* --- asked for ---------------------------------------------------------------------------- */

static bool same_client(const struct waiter *w, const struct client *c, const struct dns_query *q)
{
	return !w->client.tcp && !c->tcp && w->query.id == q->id &&
	       w->client.from.sin_port == c->from.sin_port &&
	       w->client.from.sin_addr.s_addr == c->from.sin_addr.s_addr;
}

/* -EALREADY: that one waits already, a client repeats itself. */
static int wait_for(struct names *n, struct ask *a, const struct client *c,
		    const struct dns_query *q)
{
	for (uint16_t i = a->waiters; i != NO_INDEX; i = n->waiters[i].next)
		if (same_client(&n->waiters[i], c, q))
			return -EALREADY;
	for (size_t i = 0; i < MAX_WAITERS; i++) {
		struct waiter *w = &n->waiters[i];

		if (w->used)
			continue;
		*w = (struct waiter){true, a->waiters, *c, *q};
		a->waiters = (uint16_t)i;
		return 0;
	}
	return -EAGAIN;
}

/*
 * No place to wait in.  Over UDP, silence: glibc, Go, musl and c-ares ask again after 2.5 to 5
 * seconds of it, but all except musl give up after one or two SERVFAIL, within a millisecond.
 */
static void turn_away(struct names *n, const struct client *c, const struct dns_query *q,
		      const struct known_grant *k)
{
	const struct outcome o = only_rcode(NAMES_LIMITED, &k->grant, ns_r_servfail);

	if (c->tcp)
		conclude(n, c, q, &o);
	else
		tell(n, c, q, &o);
}

static void ask_for(struct names *n, const struct client *c, const struct dns_query *q,
		    struct known_grant *k)
{
	if (!quota_take(n->quota, k, q->name, n->now)) {
		struct outcome o = only_rcode(NAMES_LIMITED, &k->grant, ns_r_refused);

		conclude(n, c, q, &o);
		return;
	}
	if (answer_kept(n, c, q, k))
		return;
	struct ask *a = ask_same(n, q->name, q->type);
	bool is_new = !a;
	if (is_new)
		a = ask_start(n, q->name, q->type);
	int ret = a ? wait_for(n, a, c, q) : -EAGAIN;
	if (ret == -EAGAIN)
		turn_away(n, c, q, k);
	else if (is_new)
		ask_send(n, a);
}

void serve_query(struct names *n, const uint8_t *msg, size_t len, const struct client *c)
{
	struct dns_query q;
	int rcode = dns_query_parse(msg, len, &q);
	struct outcome o;

	if (rcode == DNS_DROP) {
		const struct names_decision d = {
			.name = "", .verdict = NAMES_MALFORMED, .tcp = c->tcp};

		if (c->tcp)
			stream_drop(n, c);
		if (n->host.decided)
			n->host.decided(n->host.ctx, &d);
		return;
	}
	struct known_grant *k = rcode ? NULL : match_first(n->match, q.name);
	if (rcode)
		o = only_rcode(NAMES_MALFORMED, NULL, rcode);
	else if (!k)
		o = not_listed(n, &q);
	else if (q.type != ns_t_a && q.type != ns_t_aaaa)
		o = only_rcode(NAMES_TYPE_EMPTY, &k->grant, ns_r_noerror);
	else if (q.type == ns_t_aaaa && !n->policy->ipv6)
		o = only_rcode(NAMES_ANSWERED, &k->grant, ns_r_noerror);
	else {
		ask_for(n, c, &q, k);
		return;
	}
	conclude(n, c, &q, &o);
}

/* --- asked -------------------------------------------------------------------------------- */

/* Whether a grant lets an address through: the rules would refuse it, too. */
static bool may_reach(const struct egress_grant *g, enum egress_never never)
{
	if (never == EGRESS_NEVER_PRIVATE)
		return g->private_ && g->backing == EGRESS_BACKED;
	return never == EGRESS_NEVER_NOT;
}

/* An answer's addresses with what is known of them. */
struct found {
	struct egress_address addresses[DNS_ADDRESSES];
	enum egress_never never[DNS_ADDRESSES];
	bool reached[DNS_ADDRESSES]; /* some grant lets it through */
	size_t n;
};

static void find_addresses(const struct names *n, const struct dns_answer *answer, struct found *f)
{
	f->n = answer->n;
	for (size_t i = 0; i < f->n; i++) {
		f->addresses[i] = answer->addresses[i];
		f->never[i] = egress_never_of(n->policy, &f->addresses[i]);
		f->reached[i] = false;
	}
}

/* Opens the rules of every grant for this name; *first: the one that is told of. */
static int learn(struct names *n, const char *name, uint32_t ttl, struct found *f,
		 const struct egress_grant **first, struct err *e)
{
	uint32_t seconds = ttl < TTL_FLOOR ? TTL_FLOOR : ttl > TTL_CEILING ? TTL_CEILING : ttl;
	uint64_t ms = n->pin ? 0 : (seconds + TTL_GRACE) * 1000ULL;
	struct egress_address some[DNS_ADDRESSES];
	struct match_walk w = match_begin(n->match, name);

	learned_begin(n->learned);
	for (struct known_grant *k; (k = match_next(n->match, &w));) {
		size_t count = 0;

		if (!*first)
			*first = &k->grant;
		for (size_t i = 0; i < f->n; i++) {
			if (!may_reach(&k->grant, f->never[i]))
				continue;
			f->reached[i] = true;
			some[count++] = f->addresses[i];
		}
		const struct handed h = {name, some, count, ms, n->now};
		int ret = count ? learned_take(n->learned, k, &h, e) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

static struct outcome settle(struct names *n, const char *name, const struct dns_answer *answer,
			     struct found *f)
{
	const struct egress_grant *g = NULL;
	struct err e;

	find_addresses(n, answer, f);
	int ret = learn(n, name, answer->ttl, f, &g, &e);
	if (!g) /* revoked meanwhile */
		return only_rcode(NAMES_NOT_LISTED, NULL, ns_r_refused);
	if (ret) {
		log_debug("names: %s: %s", name, e.msg);
		return only_rcode(ret == -ENOSPC ? NAMES_LIMITED : NAMES_FAILED, g, ns_r_servfail);
	}
	if (answer->rcode == ns_r_nxdomain)
		return only_rcode(NAMES_ANSWERED, g, ns_r_nxdomain);
	size_t kept = 0;
	for (size_t i = 0; i < f->n; i++)
		if (f->reached[i])
			f->addresses[kept++] = f->addresses[i];
	if (!kept)
		return f->n ? only_rcode(NAMES_REBOUND, g, ns_r_refused)
			    : only_rcode(NAMES_ANSWERED, g, ns_r_noerror);
	return (struct outcome){
		.verdict = NAMES_ANSWERED,
		.grant = g,
		.reply = {.ttl = ttl_of_client(answer->ttl), .addresses = f->addresses, .n = kept}
        };
}

void serve_asked(struct names *n, struct ask *a, const struct dns_answer *answer)
{
	struct found f = {.n = 0};
	struct outcome o;

	if (answer) {
		o = settle(n, a->name, answer, &f);
		keep(n, a, &o, answer->ttl);
	} else {
		const struct known_grant *k = match_first(n->match, a->name);

		o = only_rcode(a->state == ASK_QUEUED ? NAMES_LIMITED : NAMES_FAILED,
			       k ? &k->grant : NULL, ns_r_servfail);
	}
	for (uint16_t i = a->waiters; i != NO_INDEX; i = n->waiters[i].next) {
		n->waiters[i].used = false;
		conclude(n, &n->waiters[i].client, &n->waiters[i].query, &o);
	}
	a->waiters = NO_INDEX;
}
