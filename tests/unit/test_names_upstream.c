/* Upstream servers that lie, are late, say too much or nothing at all. */
#include "names_fixture.h"

#include <malloc.h>

#define GOOD   "203.0.113.9"
#define FORGED "203.0.113.66"

static void good(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 30, GOOD);
}

/* --- forged answers ------------------------------------------------------------------------ */

static struct packet *forged(struct upstream_query *q, uint16_t id, const char *name,
			     unsigned int type, unsigned int class, unsigned int flags)
{
	struct packet *p = &q->send[q->send_n++];

	begin(p, id, flags, 1);
	add_question(p, name, type, class);
	add_address(p, q->name, 30, FORGED);
	return p;
}
/* All of them before the right one. */
static void liar(struct upstream_query *q)
{
	uint16_t swapped = (uint16_t)(q->id << 8 | q->id >> 8);

	forged(q, (uint16_t)(q->id + 1), q->name, q->type, ns_c_in, 0x8180);
	if (swapped != q->id) /* one of 256 is the right one */
		forged(q, swapped, q->name, q->type, ns_c_in, 0x8180);
	forged(q, q->id, "liar.example.net", q->type, ns_c_in, 0x8180);
	forged(q, q->id, "org", q->type, ns_c_in, 0x8180);
	forged(q, q->id, q->name, ns_t_aaaa, ns_c_in, 0x8180);
	forged(q, q->id, q->name, q->type, 3, 0x8180);
	forged(q, q->id, q->name, q->type, ns_c_in, 0x0180); /* no response */
	forged(q, q->id, q->name, q->type, ns_c_in, 0x9180); /* another opcode */
	forged(q, q->id, q->name, q->type, ns_c_in, 0x8180)->bytes[5] = 0;
	forged(q, q->id, q->name, q->type, ns_c_in, 0x8180)->bytes[5] = 2;
	forged(q, q->id, q->name, q->type, ns_c_in, 0x8180)->len = 11;
	forged(q, q->id, q->name, q->type, ns_c_in, 0x8180)->len = 20;
	good(q);
}
/* Somebody guesses ids: the right one is in it, too late. */
static void guesser(struct upstream_query *q)
{
	for (unsigned int i = 1; q->count == 1 && i < 30; i++)
		forged(q, (uint16_t)(q->id + i), q->name, q->type, ns_c_in, 0x8180);
	if (q->count == 1)
		forged(q, q->id, q->name, q->type, ns_c_in, 0x8180);
	else
		good(q);
}
/* From another address; then the right one. */
static void spoofer(struct upstream_query *q)
{
	struct packet *p = forged(q, q->id, q->name, q->type, ns_c_in, 0x8180);

	(void)!sendto(upstream.fds[1 - q->server], p->bytes, p->len, 0,
		      (const struct sockaddr *)&q->from, sizeof(q->from));
	q->send_n = 0;
	good(q);
}

static void forgeries(void)
{
	static const char *const names[] = {"liar.example.org", "guesser.example.org",
					    "spoofer.example.org"};

	for (size_t i = 0; i < LEN(names); i++) {
		struct reply r = lookup(names[i], ns_t_a);

		CHECK(r.rcode == 0);
		CHECK_STR(texts_of(&r), GOOD);
		CHECK(!opened(FORGED, IPPROTO_TCP, 443));
	}
	CHECK(times_asked("liar.example.org") == 1 && times_asked("guesser.example.org") == 2);
}

/* Ids and ports of all queries so far: nobody can foretell them. */
static void randomness(void)
{
	unsigned int same_id = 0, same_port = 0, steps = 0;

	for (size_t i = 1; i < upstream.n_seen; i++) {
		const struct seen *s = &upstream.seen[i], *before = s - 1;

		CHECK(s->exact);
		same_id += s->id == before->id;
		steps += s->id == (uint16_t)(before->id + 1);
		same_port += !s->tcp && s->port == before->port;
	}
	CHECK(upstream.n_seen > 30 && same_id < 3 && steps < 3 && same_port < 3);
}

/* --- chains -------------------------------------------------------------------------------- */

/* nN.example.org: a chain of N in one answer, the last name has the address; in disorder. */
static void chain(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);
	int n = atoi(q->name + 1);
	char from[64], to[64];

	snprintf(to, sizeof(to), "h%d.cdn.example", n);
	add_address(p, to, 500, GOOD);
	for (int i = n; i > 0; i--) {
		snprintf(to, sizeof(to), "h%d.cdn.example", i);
		snprintf(from, sizeof(from), "h%d.cdn.example", i - 1);
		add_cname(p, i == 1 ? q->name : from, i == 2 ? 7 : 400, to);
	}
}
/* sN.example.org: one step an answer. */
static void steps(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);
	int n = atoi(q->name + 1);
	char to[64];

	snprintf(to, sizeof(to), "s%d.example.org", n - 1);
	if (n)
		add_cname(p, q->name, 100, to);
	else
		add_address(p, q->name, 100, GOOD);
}
static void self_loop(struct upstream_query *q)
{
	add_cname(answer(q, ns_r_noerror), q->name, 100, q->name);
}
static void two_loop(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_cname(p, q->name, 100, "x.example");
	add_cname(p, "x.example", 100, q->name);
}
static void odd_target(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_record(p, 6, q->name, ns_t_cname, 1, "\3a.b\0", 5);
}
static void no_data(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_cname(p, q->name, 100, "empty.cdn.example");
	add_record(p, 8, "cdn.example", ns_t_soa, 100, "\0\0aaaabbbbccccddddeeee", 22);
}
static void to_private(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_cname(p, q->name, 100, "internal.corp");
	add_address(p, "internal.corp", 100, "10.0.0.1");
}
static void chain_nxdomain(struct upstream_query *q)
{
	add_cname(answer(q, ns_r_nxdomain), q->name, 100, "gone.cdn.example");
}
/* Records of other names are not of this one. */
static void strangers(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_address(p, "other.example.org", 1, FORGED);
	add_record(p, 6, q->name, ns_t_a, 1, "\313\0\161", 3); /* too short */
	add_record(p, 8, q->name, ns_t_a, 1, "\313\0\161\102", 4);
	add_record(p, 10, q->name, ns_t_a, 1, "\313\0\161\102", 4);
}

static void chains(void)
{
	static const char *const failing[] = {"n9.example.org", "s9.example.org",
					      "selfloop.example.org", "twoloop.example.org",
					      "odd.example.org"};
	struct reply r = lookup("n1.example.org", ns_t_a);

	CHECK(r.ttl == 300);
	CHECK_STR(texts_of(&r), GOOD);
	r = lookup("n8.example.org", ns_t_a);
	CHECK(r.rcode == 0 && r.n == 1 && r.ttl == 7);
	r = lookup("s8.example.org", ns_t_a);
	CHECK(r.rcode == 0 && r.n == 1 && r.ttl == 100);
	CHECK(times_asked("s0.example.org") == 1);
	for (size_t i = 0; i < LEN(failing); i++) {
		r = lookup(failing[i], ns_t_a);
		CHECK(r.rcode == ns_r_servfail && !r.n && told.last == NAMES_FAILED);
	}
	r = lookup("nodata.example.org", ns_t_a);
	CHECK(r.rcode == 0 && !r.n && r.soa && !times_asked("empty.cdn.example"));
	CHECK(lookup("toprivate.example.org", ns_t_a).rcode == ns_r_refused);
	CHECK(told.last == NAMES_REBOUND);
	CHECK(lookup("gone.example.org", ns_t_a).rcode == ns_r_nxdomain);
	r = lookup("strangers.example.org", ns_t_a);
	CHECK(r.rcode == 0 && !r.n);
	CHECK(!opened(FORGED, IPPROTO_TCP, 443));
}

/* --- form ---------------------------------------------------------------------------------- */

static void pointer_loop(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);
	unsigned int here = (unsigned int)p->len;

	count_up(p, 6);
	add16(p, 0xc000 | here);
	add16(p, ns_t_a);
	add16(p, ns_c_in);
	add32(p, 30);
	add16(p, 4);
	add(p, "\313\0\161\102", 4);
}
static void behind_end(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_address(p, q->name, 30, FORGED);
	p->bytes[p->len - 5] = 200; /* rdlength */
}
static void more_promised(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_address(p, q->name, 30, FORGED);
	p->bytes[6] = 0xff;
}
static void rubbish(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	add_address(p, q->name, 30, FORGED);
	add(p, "rubbish", 7);
}
static void zero_ttl(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 0, "203.0.113.70");
}
static void big_ttl(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 0xffffffff, "203.0.113.71");
}
/* Each twice, or all different. */
static void hundred(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	for (int i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.%d", q->name[0] == 't' ? 101 + i / 2 : 1 + i);
		add_address(p, q->name, 30, text);
	}
}
static void huge_udp(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	while (p->len < 5000)
		add_address(p, q->name, 30, FORGED);
}

static void forms(void)
{
	static const char *const failing[] = {"loop.example.org", "behind.example.org",
					      "promise.example.org", "rubbish.example.org",
					      "huge.example.org"};
	struct egress_address a;

	for (size_t i = 0; i < LEN(failing); i++) {
		struct reply r = lookup(failing[i], ns_t_a);

		CHECK(r.rcode == ns_r_servfail && !r.n && told.last == NAMES_FAILED);
	}
	CHECK(!opened(FORGED, IPPROTO_TCP, 443));
	struct reply r = lookup("zero.example.org", ns_t_a);
	a = address("203.0.113.70");
	CHECK(r.n == 1 && r.ttl == 0 && element_of(&a, IPPROTO_TCP, 443)->timeout_ms == 660000);
	r = lookup("big.example.org", ns_t_a);
	a = address("203.0.113.71");
	CHECK(r.n == 1 && r.ttl == 0 && element_of(&a, IPPROTO_TCP, 443)->timeout_ms == 660000);
	struct packet q;
	query_of(&q, "hundred.example.org", ns_t_a);
	with_edns(&q, 1232);
	r = exchange(&q, 5000);
	CHECK(r.rcode == 0 && !r.truncated && r.n == 64);
	CHECK(opened("192.0.2.64", IPPROTO_TCP, 443) && !opened("192.0.2.65", IPPROTO_TCP, 443));
	query_of(&q, "twice.example.org", ns_t_a);
	with_edns(&q, 1232);
	r = exchange(&q, 5000);
	CHECK(r.rcode == 0 && !r.truncated && r.n == 50);
}

/* --- truncated: TCP ------------------------------------------------------------------------ */

static void truncated(struct upstream_query *q)
{
	if (q->tcp)
		good(q);
	else
		answer(q, ns_r_noerror)->bytes[2] |= 2;
}
static void always_truncated(struct upstream_query *q)
{
	answer(q, ns_r_noerror)->bytes[2] |= 2;
}
static void huge_tcp(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	if (!q->tcp)
		p->bytes[2] |= 2;
	while (q->tcp && p->len < (q->count < 5 ? 17000 : 12000))
		add_address(p, q->name, 30, GOOD);
}
static void silent_tcp(struct upstream_query *q)
{
	if (!q->tcp)
		answer(q, ns_r_noerror)->bytes[2] |= 2;
}
static void liar_tcp(struct upstream_query *q)
{
	if (q->tcp)
		forged(q, (uint16_t)(q->id + 1), q->name, q->type, ns_c_in, 0x8180);
	else
		answer(q, ns_r_noerror)->bytes[2] |= 2;
}

static void over_tcp(void)
{
	struct reply r = lookup("tc.example.org", ns_t_a);

	CHECK(r.rcode == 0 && !r.truncated);
	CHECK_STR(texts_of(&r), GOOD);
	CHECK(times_asked("tc.example.org") == 2);
	CHECK(lookup("alwaystc.example.org", ns_t_a).rcode == ns_r_servfail);
	/* 17000 bytes are too many, 12000 are not. */
	r = lookup("hugetcp.example.org", ns_t_a);
	CHECK(r.rcode == 0 && r.n == 1);
	CHECK(lookup("silenttcp.example.org", ns_t_a).rcode == ns_r_servfail);
	CHECK(lookup("liartcp.example.org", ns_t_a).rcode == ns_r_servfail);
	CHECK(!opened(FORGED, IPPROTO_TCP, 443));
}

/* --- late, or never ------------------------------------------------------------------------ */

static void first_silent(struct upstream_query *q)
{
	if (q->server == 1)
		good(q);
}
static void second_silent(struct upstream_query *q)
{
	if (q->server == 0)
		good(q);
}

static void next_resolver(void)
{
	int64_t began = clock_monotonic_ms();
	struct reply r = lookup("second.example.org", ns_t_a); /* so that the first one is asked */

	r = lookup("first1.example.org", ns_t_a);
	int64_t took = clock_monotonic_ms() - began;
	CHECK(r.n == 1 && took >= 2000 && took < 4500);
	/* Who answered is asked first from then on. */
	began = clock_monotonic_ms();
	r = lookup("first2.example.org", ns_t_a);
	CHECK(r.n == 1 && clock_monotonic_ms() - began < 1000);
}

/* Two questions at once whose first resolver is silent: as of A and AAAA of one name. */
static void both_move_on(void)
{
	own_fd int fd = client(SOCK_DGRAM);
	struct packet q[2];
	uint8_t buf[512];

	CHECK(lookup("second.example.org", ns_t_a).n == 1); /* so that the first one is asked */
	query_of(&q[0], "first3.example.org", ns_t_a);
	query_of(&q[1], "first4.example.org", ns_t_a);
	for (size_t i = 0; i < LEN(q); i++)
		CHECK(send(fd, q[i].bytes, q[i].len, 0) == (ssize_t)q[i].len);
	for (size_t i = 0; i < LEN(q); i++)
		CHECK(work_until(fd, 4500) && recv(fd, buf, sizeof(buf), 0) > 12 &&
		      !(buf[3] & 0xf));
	int64_t began = clock_monotonic_ms();
	CHECK(lookup("first5.example.org", ns_t_a).n == 1);
	CHECK(clock_monotonic_ms() - began < 1000);
}

/* Resolvers by IPv6, one that nobody is at (refused at once), none at all. */
static void other_resolvers(void)
{
	static const struct egress_address others[] = {
		{4, 32,  {127, 0, 0, 12}                                  },
		{6, 128, {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 11}},
	};
	int64_t began = clock_monotonic_ms();

	names_close(service);
	start_service_at(false, others, LEN(others));
	CHECK(lookup("liar.example.org", ns_t_a).n == 1);
	CHECK(lookup("tc.example.org", ns_t_a).n == 1);
	CHECK(clock_monotonic_ms() - began < 1000);
	names_close(service);
	start_service_at(false, NULL, 0);
	CHECK(lookup("liar.example.org", ns_t_a).rcode == ns_r_servfail);
	CHECK(told.last == NAMES_FAILED);
}

int main(void)
{
	/* Beside the wildcard, which has 32 names a minute. */
	static const char *const texts[] = {
		"liar.example.org", "guesser.example.org", "spoofer.example.org",
		"n1.example.org",   "n8.example.org",      "n9.example.org",
		"s8.example.org",   "s9.example.org",      "*.example.org:443",
	};

	enter_netns();
	start_upstream();
	policy = (struct egress_policy){.ipv6 = true};
	set_grants(texts, LEN(texts));
	start_service(false);
	size_t used = mallinfo2().uordblks;
	forgeries();
	chains();
	forms();
	over_tcp();
	next_resolver();
	both_move_on();
	randomness();
	CHECK(mallinfo2().uordblks == used);
	CHECK(told.collisions == 0 && told.early == 0);
	other_resolvers();
	names_close(service);
	arena_free(&arena);
	return check_done();
}

const struct scripted scripts[] = {
	{"liar.example.org",      liar            },
	{"guesser.example.org",   guesser         },
	{"spoofer.example.org",   spoofer         },
	{"n1.example.org",        chain           },
	{"n8.example.org",        chain           },
	{"n9.example.org",        chain           },
	{"s0.example.org",        steps           },
	{"s1.example.org",        steps           },
	{"s2.example.org",        steps           },
	{"s3.example.org",        steps           },
	{"s4.example.org",        steps           },
	{"s5.example.org",        steps           },
	{"s6.example.org",        steps           },
	{"s7.example.org",        steps           },
	{"s8.example.org",        steps           },
	{"s9.example.org",        steps           },
	{"selfloop.example.org",  self_loop       },
	{"twoloop.example.org",   two_loop        },
	{"odd.example.org",       odd_target      },
	{"nodata.example.org",    no_data         },
	{"toprivate.example.org", to_private      },
	{"gone.example.org",      chain_nxdomain  },
	{"strangers.example.org", strangers       },
	{"loop.example.org",      pointer_loop    },
	{"behind.example.org",    behind_end      },
	{"promise.example.org",   more_promised   },
	{"rubbish.example.org",   rubbish         },
	{"huge.example.org",      huge_udp        },
	{"zero.example.org",      zero_ttl        },
	{"big.example.org",       big_ttl         },
	{"hundred.example.org",   hundred         },
	{"twice.example.org",     hundred         },
	{"tc.example.org",        truncated       },
	{"alwaystc.example.org",  always_truncated},
	{"hugetcp.example.org",   huge_tcp        },
	{"silenttcp.example.org", silent_tcp      },
	{"liartcp.example.org",   liar_tcp        },
	{"first1.example.org",    first_silent    },
	{"first2.example.org",    first_silent    },
	{"first3.example.org",    first_silent    },
	{"first4.example.org",    first_silent    },
	{"first5.example.org",    first_silent    },
	{"second.example.org",    second_silent   },
	{NULL,		    NULL            },
};
