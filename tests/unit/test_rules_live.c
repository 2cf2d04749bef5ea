/* What changes while a sandbox runs: learned addresses, grants given and taken back, their end. */
#include "rules_fixture.h"

#include "net/egress.h"

static struct test_policy policy;
static int sock;

static struct rules_learned learned(const struct egress_grant *g, const char *address,
				    uint64_t timeout_ms, bool is_private)
{
	return (struct rules_learned){g, address_of(address), timeout_ms, is_private};
}

static int learn(const struct egress_grant *g, const char *address, uint64_t timeout_ms,
		 bool is_private)
{
	struct rules_learned l = learned(g, address, timeout_ms, is_private);

	return rules_learn(&mnl, sock, &l, 1, &err);
}

static void fresh(void)
{
	policy = (struct test_policy){0};
}

static void put(void)
{
	CHECK(install(sock, &policy, true) == 0);
	say("install");
}

static void names(void)
{
	fresh();
	struct egress_grant *g = add_name(&policy, "example.org", 443);
	struct egress_grant *near = add_name(&policy, "db.corp", 443);
	near->private_ = true;
	put();
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	CHECK(learn(g, "203.0.113.9", 60000, false) == 0);
	CHECK(learn(g, "2001:db8::2", 60000, false) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "2001:db8::2", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 80) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 443) == ECONNREFUSED);
	/* Not even when somebody has put them into the map. */
	CHECK(learn(g, "169.254.169.254", 60000, false) == 0);
	CHECK(learn(g, "10.9.9.9", 60000, false) == 0);
	CHECK(learn(g, "fd00:9::9", 60000, false) == 0);
	CHECK(tcp(BOX, FAR, "169.254.169.254", 443) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "10.9.9.9", 443) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "fd00:9::9", 443) == ECONNREFUSED);
	CHECK(learn(near, "10.9.9.9", 60000, true) == 0);
	CHECK(learn(near, "fd00:9::9", 60000, true) == 0);
	CHECK(learn(near, "169.254.169.254", 60000, true) == 0);
	CHECK(tcp(BOX, FAR, "10.9.9.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "fd00:9::9", 443) == 0);
	CHECK(tcp(BOX, FAR, "169.254.169.254", 443) == ECONNREFUSED);

	struct rules_learned l = learned(g, "203.0.113.9", 0, false);
	CHECK(rules_forget(&mnl, sock, &l, 1, &err) == 0);
	CHECK(rules_forget(&mnl, sock, &l, 1, &err) == 0); /* is not there */
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	say("names");
}

/* Time is set anew, and of two grants for one address the first one holds while it lives. */
static void timeouts(void)
{
	fresh();
	struct egress_grant *a = add_name(&policy, "a.example.org", 443);
	struct egress_grant *b = add_name(&policy, "b.example.org", 443);
	put();
	CHECK(learn(a, "203.0.113.9", 300, false) == 0);
	CHECK(learn(a, "203.0.113.9", 1200, false) == 0);
	CHECK(learn(b, "203.0.113.9", 500, false) == 0); /* a stays, for its time */
	usleep(700000);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(rules_revoke(&mnl, sock, b->id, &err) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0); /* it was a's */
	CHECK(rules_revoke(&mnl, sock, a->id, &err) == 0);
	CHECK(rules_revoke(&mnl, sock, a->id, &err) == 0); /* once more: no error */
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	CHECK(rules_grant(&mnl, sock, b->id, 0, &err) == 0);
	CHECK(learn(b, "203.0.113.9", 500, false) == 0); /* a is dead: b has it */
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	usleep(600000);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	CHECK(learn(b, "203.0.113.9", 0, false) == 0); /* it comes back after its end */
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	say("timeouts");
}

/* An established connection, both ends of which are ours. */
struct pair {
	int server, client, accepted;
};

static struct pair pair_open(const char *address, uint16_t port)
{
	struct pair p = {.server = listen_at(FAR, address, port), .accepted = -1};

	CHECK(connect_from(BOX, address, port, &p.client) == 0);
	if (ready(p.server, POLLIN, WAIT_MS))
		p.accepted = accept4(p.server, NULL, NULL, SOCK_CLOEXEC);
	CHECK(p.accepted >= 0);
	return p;
}

static void pair_close(struct pair *p)
{
	own_close(&p->server);
	own_close(&p->client);
	own_close(&p->accepted);
}

/* Whether a byte sent by the box arrives. */
static bool pair_works(const struct pair *p)
{
	char byte;

	return send(p->client, "x", 1, MSG_NOSIGNAL) == 1 && ready(p->accepted, POLLIN, WAIT_MS) &&
	       recv(p->accepted, &byte, 1, 0) == 1;
}

/* What the kernel says to who goes on sending. */
static bool pair_is_reset(const struct pair *p)
{
	for (int i = 0; i < 20; i++) {
		if (send(p->client, "x", 1, MSG_NOSIGNAL) < 0)
			return errno == ECONNRESET || errno == EPIPE || errno == ECONNREFUSED;
		usleep(10000);
	}
	return false;
}

static void established(void)
{
	fresh();
	struct egress_grant *g =
		add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	struct egress_grant *brief =
		add_cidr(&policy, "2001:db8::2", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	brief->ttl_ms = 700;
	put();
	struct pair p = pair_open("203.0.113.9", 443), six = pair_open("2001:db8::2", 443);
	struct rules_counts before, after;

	CHECK(pair_works(&p) && pair_works(&six));
	CHECK(rules_counts(&arena, &mnl, sock, &before, &err) == 0);
	CHECK(before.admitted == 2 && before.n_grants == 2);
	CHECK(rules_grant(&mnl, sock, g->id, 0, &err) == 0); /* lives on, and so does its count */
	CHECK(pair_works(&p));
	CHECK(rules_counts(&arena, &mnl, sock, &after, &err) == 0);
	CHECK(after.admitted == 2);
	for (size_t i = 0; i < after.n_grants; i++)
		for (size_t k = 0; k < before.n_grants; k++)
			if (after.grants[i].id == g->id && before.grants[k].id == g->id)
				CHECK(after.grants[i].packets > before.grants[k].packets);
	CHECK(rules_revoke(&mnl, sock, g->id, &err) == 0);
	CHECK(!pair_works(&p));
	CHECK(pair_is_reset(&p));
	usleep(800000); /* no process is needed for the end of the other */
	CHECK(!pair_works(&six));
	CHECK(pair_is_reset(&six));
	CHECK(rules_grant(&mnl, sock, g->id, 400, &err) == 0);
	pair_close(&p);
	pair_close(&six);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	usleep(500000);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	say("established");
}

/* CIDR grants that come and go, with maps that were not there before. */
static void addresses(void)
{
	fresh();
	add_cidr(&policy, "203.0.113.0/24", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	put();
	struct pair p = pair_open("203.0.113.9", 443);
	struct egress_grant *g =
		add_cidr(&policy, "198.51.100.5", IPPROTO_TCP, 80, 90, EGRESS_ASKED);
	add_cidr(&policy, "2001:db8::/32", IPPROTO_UDP, 53, 53, EGRESS_ASKED);
	add_cidr(&policy, "0.0.0.0/0", IPPROTO_ICMP, 0, 0, EGRESS_ASKED);
	add_name(&policy, "example.org", 22);
	for (int i = 0; i < 2; i++) { /* twice: nothing to do */
		CHECK(rules_set_addresses(&mnl, sock, &policy.p, &err) == 0);
		say("set addresses");
	}
	CHECK(tcp(BOX, FAR, "198.51.100.5", 80) == ECONNREFUSED); /* the id is not alive */
	for (size_t i = 1; i < policy.p.n_grants; i++)
		CHECK(rules_grant(&mnl, sock, policy.grants[i].id, 0, &err) == 0);
	CHECK(tcp(BOX, FAR, "198.51.100.5", 80) == 0);
	CHECK(udp(BOX, FAR, "2001:db8::2", 53));
	CHECK(tcp(BOX, FAR, "169.254.169.254", 80) == ECONNREFUSED);
	CHECK(learn(&policy.grants[4], "203.0.113.2", 0, false) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 22) == 0);
	CHECK(echo_answered("198.51.100.5"));
	CHECK(!echo_answered("10.9.9.9"));
	/* Another range and port for the same grant. */
	policy.ports[1] = (struct egress_ports){91, 92};
	g->address = address_of("198.51.100.0/24");
	policy.p.n_grants = 3;
	CHECK(rules_set_addresses(&mnl, sock, &policy.p, &err) == 0);
	CHECK(tcp(BOX, FAR, "198.51.100.5", 80) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "198.51.100.5", 91) == 0);
	CHECK(rules_revoke(&mnl, sock, policy.grants[3].id, &err) == 0);
	CHECK(!echo_answered("198.51.100.5"));
	CHECK(pair_works(&p));
	pair_close(&p);
	say("addresses");
}

static void full(void)
{
	struct rules_learned l;
	struct egress_address a = address_of("1.0.0.0");
	int r = 0, n = 0;

	fresh();
	l = learned(add_name(&policy, "many.example.org", 443), "1.0.0.0", 60000, false);
	put();
	for (; n < 5000 && r == 0; n++) {
		a.bytes[2] = (uint8_t)(n >> 8);
		a.bytes[3] = (uint8_t)n;
		l.address = a;
		r = rules_learn(&mnl, sock, &l, 1, &err);
	}
	CHECK(r == -ENOSPC && n == 4097);
	CHECK(strstr(err.msg, "nf_tables: ") == err.msg);
	err = (struct err){0};
	l.address.bytes[2] = 0; /* one that is there is not more */
	CHECK(rules_learn(&mnl, sock, &l, 1, &err) == 0);
	say("full");
}

int main(void)
{
	int r = fixture_open();

	if (r)
		return r;
	sock = netfilter_in(BOX);
	go(BOX);
	CHECK(egress_deny_all(&err) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	names();
	timeouts();
	established();
	addresses();
	full();
	arena_free(&arena);
	own_close(&sock);
	return check_done();
}
