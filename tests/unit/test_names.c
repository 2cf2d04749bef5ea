/* What the name service answers, and what it lets out: over real sockets, in a network namespace
 * of its own. */
#include "names_fixture.h"

/* --- scripts ------------------------------------------------------------------------------- */

static void one(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	if (q->type == ns_t_a)
		add_address(p, q->name, 30, "203.0.113.9");
	else
		add_address(p, q->name, 30, "2001:db8::9");
}
static void two(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	if (q->type == ns_t_a) {
		add_address(p, q->name, 86400, "203.0.113.20");
		add_address(p, q->name, 86400, "203.0.113.21");
	}
}
static void many(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	for (int i = 0; i < 40; i++) {
		char text[32];

		snprintf(text, sizeof(text), "203.0.113.%d", 100 + i);
		add_address(p, q->name, 10, text);
	}
}
static void failing(struct upstream_query *q)
{
	answer(q, ns_r_servfail);
}

/* Names of rebinding tests say what they resolve to. */
static const struct {
	const char *name;
	const char *addresses[4];
} rebinding[] = {
	{"private10.example.org",    {"10.1.2.3"}                },
	{"private172.example.org",   {"172.20.0.1"}              },
	{"private192.example.org",   {"192.168.1.1"}             },
	{"loopback.example.org",     {"127.0.0.1"}               },
	{"loopback53.example.org",   {"127.0.77.53"}             },
	{"metadata.example.org",     {"169.254.169.254"}         },
	{"zero.example.org",         {"0.0.0.0"}                 },
	{"multicast.example.org",    {"224.0.0.1"}               },
	{"broadcast.example.org",    {"255.255.255.255"}         },
	{"cgnat.example.org",        {"100.64.1.1"}              },
	{"host.example.org",         {"198.51.100.77"}           },
	{"loopback6.example.org",    {"::1"}                     },
	{"any6.example.org",         {"::"}                      },
	{"mapped.example.org",       {"::ffff:10.0.0.1"}         },
	{"mapped-local.example.org", {"::ffff:127.0.0.1"}        },
	{"nat64.example.org",        {"64:ff9b::a9fe:a9fe"}      },
	{"sixtofour.example.org",    {"2002:7f00:1::1"}          },
	{"ula.example.org",          {"fd00:ec2::254"}           },
	{"linklocal6.example.org",   {"fe80::1"}                 },
	{"multicast6.example.org",   {"ff02::1"}                 },
	{"host6.example.org",        {"2001:db8:77::1"}          },
	{"all-bad.example.org",      {"10.0.0.1", "127.0.0.1"}   },
	{"mixed.example.org",        {"10.0.0.1", "203.0.113.40"}},
};
static void rebind(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	for (size_t i = 0; i < LEN(rebinding); i++)
		for (size_t j = 0; strcmp(q->name, rebinding[i].name) == 0 && j < 4; j++)
			if (rebinding[i].addresses[j])
				add_address(p, q->name, 1, rebinding[i].addresses[j]);
}

static void private_db(struct upstream_query *q)
{
	struct packet *p = answer(q, ns_r_noerror);

	if (q->type == ns_t_a) {
		add_address(p, q->name, 30, "10.9.8.7");
		add_address(p, q->name, 30, "169.254.169.254");
		add_address(p, q->name, 30, "198.51.100.77");
	}
}

const struct scripted scripts[] = {
	{"api.example.org",   one       },
        {"db.corp",           private_db},
        {"two.example.org",   two       },
	{"many.example.org",  many      },
        {"fail.example.org",  failing   },
        {".example.org",      rebind    },
	{".wild.example.net", one       },
        {".deep.example.net", one       },
        {NULL,                NULL      },
};

/* The next lookup is one upstream. */
static void forget_answers(void)
{
	names_policy(service, &policy);
}

/* --- tests --------------------------------------------------------------------------------- */

static void listed(void)
{
	struct reply r = lookup("api.example.org", ns_t_a);

	CHECK(r.rcode == 0 && !r.soa && !r.edns);
	CHECK_STR(texts_of(&r), "203.0.113.9");
	CHECK(r.ttl == 30);
	CHECK(told.last == NAMES_ANSWERED && told.last_addresses == 1 &&
	      told.last_grant == EGRESS_ID_FIRST && !told.last_tcp);
	CHECK_STR(told.last_name, "api.example.org");
	CHECK(opened("203.0.113.9", IPPROTO_TCP, 443) == EGRESS_ID_FIRST);
	CHECK(!opened("203.0.113.9", IPPROTO_TCP, 80) && !opened("203.0.113.9", IPPROTO_UDP, 443));
	struct egress_address a = address("203.0.113.9");
	CHECK(element_of(&a, IPPROTO_TCP, 443)->timeout_ms == 660000);
	CHECK_STR(names_of_address(service, &a), "api.example.org");
	a = address("203.0.113.10");
	CHECK(!names_of_address(service, &a));

	r = lookup("api.example.org", ns_t_aaaa);
	CHECK(r.rcode == 0 && strcmp(texts_of(&r), "2001:db8::9") == 0);
	CHECK(opened("2001:db8::9", IPPROTO_TCP, 443) == EGRESS_ID_FIRST);

	/* Its own case comes back, upstream sees lower case, and only that. */
	forget_answers();
	size_t before = all_asked();
	r = lookup("aPi.EXAMPLE.oRg", ns_t_a);
	CHECK(r.n == 1 && memcmp(r.bytes + 12, "\3aPi\7EXAMPLE\3oRg", 16) == 0);
	CHECK_STR(told.last_name, "api.example.org");
	CHECK(all_asked() == before + 1 &&
	      strcmp(upstream.seen[before].name, "api.example.org") == 0);
	for (size_t i = 0; i <= before; i++)
		CHECK(upstream.seen[i].exact);

	/* Two grants for a name: both are opened; long TTLs are told shorter. */
	r = lookup("two.example.org", ns_t_a);
	CHECK_STR(texts_of(&r), "203.0.113.20 203.0.113.21");
	CHECK(r.ttl == 300);
	CHECK(opened("203.0.113.20", IPPROTO_TCP, 443) == EGRESS_ID_FIRST + 1 &&
	      opened("203.0.113.21", IPPROTO_TCP, 80) == EGRESS_ID_FIRST + 1 &&
	      opened("203.0.113.21", IPPROTO_UDP, 53) == EGRESS_ID_FIRST + 2);
	a = address("203.0.113.20");
	CHECK(element_of(&a, IPPROTO_TCP, 443)->timeout_ms == 4200000);
	r = lookup("two.example.org", ns_t_aaaa);
	CHECK(r.rcode == 0 && !r.n && r.soa && told.last == NAMES_ANSWERED);
}

static void sizes(void)
{
	struct packet q;
	struct reply r;

	/* 512 bytes without EDNS hold 28 addresses; with it all of them fit. */
	r = lookup("many.example.org", ns_t_a);
	CHECK(r.rcode == 0 && r.truncated && r.n == 29 && r.len <= 512);
	CHECK(opened("203.0.113.139", IPPROTO_TCP, 443));
	query_of(&q, "many.example.org", ns_t_a);
	with_edns(&q, 4096);
	r = exchange(&q, 5000);
	CHECK(r.rcode == 0 && !r.truncated && r.n == 40 && r.edns && r.len <= 1232);
	query_of(&q, "many.example.org", ns_t_a);
	with_edns(&q, 100);
	r = exchange(&q, 5000);
	CHECK(r.truncated && r.edns && r.len <= 512);
}

static void unlisted(void)
{
	static const char *const names[] = {
		"example.org",          "api.example.org.evil.example",
		"xapi.example.org",     "api.example.orgx",
		"x.api.example.org",    "wild.example.net",
		"a.b.wild.example.net", "awild.example.net",
		"deep.example.net",     "www.google.com",
	};
	size_t before = all_asked();
	struct reply r;

	for (size_t i = 0; i < LEN(names); i++) {
		r = lookup(names[i], ns_t_a);
		CHECK(r.rcode == ns_r_refused && !r.n && !r.soa);
		CHECK(told.last == NAMES_NOT_LISTED && strcmp(told.last_name, names[i]) == 0);
	}
	policy.nxdomain = true;
	r = lookup("www.google.com", ns_t_a);
	CHECK(r.rcode == ns_r_nxdomain && r.soa);
	policy.nxdomain = false;
	/* Names that nobody outside has to do with. */
	r = lookup("api", ns_t_a);
	CHECK(r.rcode == ns_r_nxdomain && r.soa && told.last == NAMES_NOT_LISTED);
	CHECK(lookup("", ns_t_a).rcode == ns_r_nxdomain);
	CHECK(lookup("9.113.0.203.in-addr.arpa", ns_t_ptr).rcode == ns_r_nxdomain);
	CHECK(lookup("1.0.ip6.arpa", ns_t_ptr).rcode == ns_r_nxdomain);
	r = lookup("localhost", ns_t_a);
	CHECK(r.rcode == 0 && strcmp(texts_of(&r), "127.0.0.1") == 0);
	r = lookup("x.localhost", ns_t_aaaa);
	CHECK(r.rcode == 0 && strcmp(texts_of(&r), "::1") == 0);
	CHECK(all_asked() == before);
}

static void types(void)
{
	static const unsigned int empty[] = {ns_t_txt,  ns_t_mx,   ns_t_ns,    ns_t_ptr, ns_t_soa,
					     ns_t_any,  ns_t_srv,  ns_t_cname, 64,       65,
					     ns_t_axfr, ns_t_null, 0xffff};
	size_t before = all_asked();
	struct reply r;

	for (size_t i = 0; i < LEN(empty); i++) {
		r = lookup("api.example.org", empty[i]);
		CHECK(r.rcode == 0 && !r.n && r.soa && told.last == NAMES_TYPE_EMPTY);
		CHECK(lookup("evil.example", empty[i]).rcode == ns_r_refused);
	}
	policy.ipv6 = false;
	r = lookup("api.example.org", ns_t_aaaa);
	CHECK(r.rcode == 0 && !r.n && told.last == NAMES_ANSWERED);
	CHECK(lookup("localhost", ns_t_aaaa).n == 0);
	policy.ipv6 = true;
	CHECK(all_asked() == before);
}

static void not_resolved(void)
{
	struct reply r = lookup("fail.example.org", ns_t_a);

	CHECK(r.rcode == ns_r_servfail && !r.soa && told.last == NAMES_FAILED);
	CHECK(times_asked("fail.example.org") == 4); /* two servers, twice */
	r = lookup("nothing.example.com", ns_t_a);
	CHECK(r.rcode == ns_r_nxdomain && r.soa && told.last == NAMES_ANSWERED);
	forget_answers();
	told.fail = EIO;
	r = lookup("api.example.org", ns_t_a);
	CHECK(r.rcode == ns_r_servfail && !r.n && told.last == NAMES_FAILED);
	told.fail = ENOSPC;
	CHECK(lookup("api.example.org", ns_t_a).rcode == ns_r_servfail &&
	      told.last == NAMES_LIMITED);
	told.fail = 0;
}

static void rebound(void)
{
	for (size_t i = 0; i < LEN(rebinding); i++) {
		bool six = strchr(rebinding[i].addresses[0], ':');
		bool mixed = strstr(rebinding[i].name, "mixed");
		struct reply r = lookup(rebinding[i].name, six ? ns_t_aaaa : ns_t_a);

		if (mixed) {
			CHECK_STR(texts_of(&r), "203.0.113.40");
			CHECK(told.last == NAMES_ANSWERED);
		} else if (r.rcode != ns_r_refused || r.n || told.last != NAMES_REBOUND) {
			fprintf(stderr, "%s\n", rebinding[i].name);
			CHECK_STR("answered", "rebound");
		}
		for (int j = 0; j < 4 && rebinding[i].addresses[j]; j++)
			CHECK(!opened(rebinding[i].addresses[j], IPPROTO_TCP, 443) ||
			      strcmp(rebinding[i].addresses[j], "203.0.113.40") == 0);
	}
	/* A grant with the word private and somebody behind it reaches private addresses, never
	 * metadata nor the host. */
	struct reply r = lookup("db.corp", ns_t_a);
	CHECK_STR(texts_of(&r), "10.9.8.7");
	CHECK(opened("10.9.8.7", IPPROTO_TCP, 5432) && !opened("10.9.8.7", IPPROTO_TCP, 443));
	CHECK(!opened("198.51.100.77", IPPROTO_TCP, 5432));
	grants[7].backing = EGRESS_ASKED;
	names_policy(service, &policy);
	CHECK(lookup("db.corp", ns_t_a).rcode == ns_r_refused && told.last == NAMES_REBOUND);
	grants[7].backing = EGRESS_BACKED;
	names_policy(service, &policy);
}

/* --- what is no query ---------------------------------------------------------------------- */

static void is_malformed(const struct packet *q, int rcode)
{
	unsigned int before = told.verdicts[NAMES_MALFORMED];
	struct reply r = exchange(q, rcode == -2 ? 50 : 2000);

	CHECK(r.rcode == rcode && !r.n);
	CHECK(told.verdicts[NAMES_MALFORMED] == before + 1);
}

static void raw_name(const char *wire, size_t n, int rcode)
{
	struct packet q;

	begin(&q, 5, 0x0100, 1);
	add(&q, wire, n);
	add16(&q, ns_t_a);
	add16(&q, ns_c_in);
	is_malformed(&q, rcode);
}

static void bad_headers(void)
{
	struct packet q;

	query_of(&q, "api.example.org", ns_t_a);
	q.bytes[2] |= 0x80; /* a response */
	is_malformed(&q, -2);
	for (size_t n = 0; n < 12; n++) {
		query_of(&q, "api.example.org", ns_t_a);
		q.len = n;
		if (n)
			is_malformed(&q, -2);
	}
	for (unsigned int opcode = 1; opcode < 16; opcode++) {
		query_of(&q, "api.example.org", ns_t_a);
		q.bytes[2] |= (uint8_t)(opcode << 3);
		is_malformed(&q, ns_r_notimpl);
	}
	begin(&q, 9, 0x0100, 0);
	is_malformed(&q, ns_r_formerr);
	begin(&q, 9, 0x0100, 2);
	add_question(&q, "api.example.org", ns_t_a, ns_c_in);
	add_question(&q, "evil.example", ns_t_a, ns_c_in);
	is_malformed(&q, ns_r_formerr);
	begin(&q, 9, 0x0100, 0xffff);
	add_question(&q, "api.example.org", ns_t_a, ns_c_in);
	is_malformed(&q, ns_r_formerr);
	for (unsigned int class = 0; class < 256; class += 3) { /* 3: CH; 0, 254, 255 */
		query_of(&q, "api.example.org", ns_t_a);
		q.bytes[q.len - 1] = (uint8_t) class;
		is_malformed(&q, ns_r_notimpl);
	}
}

static void bad_sections(void)
{
	struct packet q;

	query_of(&q, "api.example.org", ns_t_a);
	add(&q, "x", 1); /* behind its end */
	is_malformed(&q, ns_r_formerr);
	query_of(&q, "api.example.org", ns_t_a);
	q.len--;
	is_malformed(&q, ns_r_formerr);
	query_of(&q, "api.example.org", ns_t_a);
	add_address(&q, "api.example.org", 1, "203.0.113.1");
	is_malformed(&q, ns_r_formerr);
	query_of(&q, "api.example.org", ns_t_a);
	with_edns(&q, 1232);
	with_edns(&q, 1232);
	is_malformed(&q, ns_r_formerr);
	query_of(&q, "api.example.org", ns_t_a);
	with_edns(&q, 1232);
	q.bytes[q.len - 5] = 1; /* version */
	is_malformed(&q, ns_r_badvers);
}

static void bad_names(void)
{
	char label[70];
	struct packet q;

	raw_name("\3api\7example\3org\300\14", 18, ns_r_formerr); /* a loop */
	raw_name("\300\14", 2, ns_r_formerr);                     /* to itself */
	raw_name("\300\0", 2, ns_r_formerr);                      /* into the header */
	raw_name("\377\377", 2, ns_r_formerr);                    /* out of it */
	raw_name("\100aaa", 4, ns_r_formerr);                     /* no such label type */
	raw_name("\3a\0i\7example\3org\0", 17, ns_r_formerr);     /* NUL */
	raw_name("\13api.example\3org\0", 17, ns_r_formerr);      /* a dot in a label */
	raw_name("\3a i\7example\3org\0", 17, ns_r_formerr);      /* blank */
	raw_name("\3a\\i\7example\3org\0", 17, ns_r_formerr);     /* backslash */
	raw_name("\3a\351i\7example\3org\0", 17, ns_r_formerr);   /* not ASCII */
	begin(&q, 0x0161, 0, 1); /* a pointer to the id, which is a label here */
	add(&q, "\300\0\0\1\0\1", 6);
	is_malformed(&q, ns_r_formerr);
	label[0] = 63;
	memset(label + 1, 'a', 63);
	label[64] = '\0';
	query_of(&q, "x", ns_t_a);
	q.len = 12;
	add(&q, label, 65);
	add(&q, "\0\1\0\1", 4);
	CHECK(exchange(&q, 2000).rcode == ns_r_nxdomain); /* 63: a name of one label */
	label[0] = 64;
	raw_name(label, 66, ns_r_formerr);
}

static void malformed(void)
{
	size_t before = all_asked();

	bad_headers();
	bad_sections();
	bad_names();
	CHECK(all_asked() == before);
}

/* Names of 253 characters are the longest, and nothing is cut. */
static void long_names(void)
{
	char name[300] = "";
	struct packet q;

	for (int i = 0; i < 5; i++)
		memcpy(name + 50 * i, "a2345678901234567890123456789012345678901234567890", 50);
	for (int i = 1; i < 5; i++)
		name[50 * i] = '.';
	memcpy(name + 249, ".org", 5);
	CHECK(strlen(name) == 253 && lookup(name, ns_t_a).rcode == ns_r_refused);
	CHECK_STR(told.last_name, name);
	memcpy(name + 249, "x.org", 6);
	query_of(&q, name, ns_t_a);
	is_malformed(&q, ns_r_formerr);
}

static void wildcards(void)
{
	struct reply r = lookup("a.wild.example.net", ns_t_a);
	char name[300];

	CHECK(r.n == 1 && told.last_grant == EGRESS_ID_FIRST + 4);
	CHECK(lookup("x.y.z.deep.example.net", ns_t_a).n == 1);
	/* 32 new ones a minute; those known go on, so do other types of them. */
	unsigned int answered = 1;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "x%d.wild.example.net", i);
		r = lookup(name, ns_t_a);
		answered += r.n == 1;
		CHECK(r.n == 1 || (r.rcode == ns_r_refused && told.last == NAMES_LIMITED));
		CHECK((r.n == 1) == (times_asked(name) == 1));
	}
	CHECK(answered == 32);
	CHECK(lookup("a.wild.example.net", ns_t_a).n == 1);
	CHECK(lookup("A.wild.example.net", ns_t_aaaa).n == 1);
	/* Another wildcard has its own. */
	CHECK(lookup("b.deep.example.net", ns_t_a).n == 1);
	/* Labels of 32 characters, not 33. */
	CHECK(lookup("a2345678901234567890123456789012.deep.example.net", ns_t_a).n == 1);
	CHECK(lookup("a23456789012345678901234567890123.deep.example.net", ns_t_a).rcode ==
	      ns_r_refused);
	CHECK(told.last == NAMES_LIMITED);
	CHECK(lookup("a23456789012345678901234567890123.x.deep.example.net", ns_t_a).rcode ==
	      ns_r_refused);
	CHECK(!times_asked("a23456789012345678901234567890123.deep.example.net"));
}

int main(void)
{
	static const char *const texts[] = {
		"api.example.org:443",    "two.example.org:80,443/tcp", "two.example.org:53/udp",
		"many.example.org:443",   "*.wild.example.net:443",     "**.deep.example.net:443",
		"fail.example.org:443",   "db.corp:5432 private",       "nothing.example.com:443",
		"private10.example.org",  "private172.example.org",     "private192.example.org",
		"loopback.example.org",   "loopback53.example.org",     "metadata.example.org",
		"zero.example.org",       "multicast.example.org",      "broadcast.example.org",
		"cgnat.example.org",      "host.example.org",           "loopback6.example.org",
		"any6.example.org",       "mapped.example.org",         "mapped-local.example.org",
		"nat64.example.org",      "sixtofour.example.org",      "ula.example.org",
		"linklocal6.example.org", "multicast6.example.org",     "host6.example.org",
		"all-bad.example.org",    "mixed.example.org",
	};
	static const struct egress_address host[] = {
		{4, 32,  {198, 51, 100, 77}                         },
		{6, 128, {0x20, 0x01, 0x0d, 0xb8, 0, 0x77, [15] = 1}},
	};

	enter_netns();
	start_upstream();
	policy = (struct egress_policy){.ipv6 = true, .host = host, .n_host = LEN(host)};
	set_grants(texts, LEN(texts));
	start_service(false);
	listed();
	sizes();
	unlisted();
	types();
	not_resolved();
	rebound();
	malformed();
	long_names();
	wildcards();
	CHECK(told.collisions == 0 && told.early == 0 && told.learns > 10);
	names_close(service);
	arena_free(&arena);
	return check_done();
}
