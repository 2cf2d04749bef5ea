/* Queries as no library would ask them, and what is answered. */
#include "net.h"
#include "probe.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct query {
	const char *server, *port, *name, *hex;
	unsigned type, class, flags, questions, edns, ms;
	bool tcp;
};

static const struct {
	const char *name;
	unsigned type;
} types[] = {
	{"A",     1  },
        {"AAAA",  28 },
        {"TXT",   16 },
        {"MX",    15 },
        {"NS",    2  },
        {"PTR",   12 },
	{"HTTPS", 65 },
        {"SVCB",  64 },
        {"ANY",   255},
        {"SRV",   33 },
        {"CNAME", 5  },
        {"SOA",   6  },
};

static unsigned type_of(const char *text)
{
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
		if (!strcmp(types[t].name, text))
			return types[t].type;
	return (unsigned)strtoul(text, NULL, 0);
}

/* One word: tcp, KEY=VALUE, or the name. */
static void word(struct query *q, const char *text)
{
	const struct {
		const char *key;
		const char **string;
		unsigned *number;
	} keys[] = {
		{"server=",    &q->server, NULL         },
		{"port=",      &q->port,   NULL         },
		{"hex=",       &q->hex,    NULL         },
		{"type=",      NULL,       &q->type     },
		{"class=",     NULL,       &q->class    },
		{"flags=",     NULL,       &q->flags    },
		{"questions=", NULL,       &q->questions},
		{"edns=",      NULL,       &q->edns     },
		{"ms=",        NULL,       &q->ms       },
	};

	if (!strcmp(text, "tcp")) {
		q->tcp = true;
		return;
	}
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		size_t n = strlen(keys[k].key);

		if (strncmp(text, keys[k].key, n))
			continue;
		if (keys[k].string)
			*keys[k].string = text + n;
		else if (keys[k].number == &q->type)
			q->type = type_of(text + n);
		else
			*keys[k].number = (unsigned)strtoul(text + n, NULL, 0);
		return;
	}
	q->name = text;
}

static int words(struct query *q, int argc, char **argv)
{
	*q = (struct query){.server = "127.0.77.53",
			    .port = "53",
			    .type = 1,
			    .class = 1,
			    .flags = 0x100,
			    .questions = 1,
			    .ms = 9000};
	for (int i = 1; i < argc; i++)
		word(q, argv[i]);
	return q->name || q->hex ? 0 : 2;
}

static unsigned char *put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
	return p + 2;
}

/* Labels as they are written, of any length; \000 would be a byte. */
static unsigned char *put_name(unsigned char *p, const char *name)
{
	while (*name) {
		unsigned char *len = p++;

		for (; *name && *name != '.'; name++) {
			unsigned code = (unsigned char)*name;

			if (*name == '\\' && strlen(name) > 3) {
				code = (unsigned)((name[1] - '0') * 100 + (name[2] - '0') * 10 +
						  name[3] - '0');
				name += 3;
			}
			*p++ = (unsigned char)code;
		}
		*len = (unsigned char)(p - len - 1);
		name += *name == '.';
	}
	*p++ = 0;
	return p;
}

static size_t build(const struct query *q, unsigned id, unsigned char *m)
{
	unsigned char *p = m;

	if (q->hex) {
		for (const char *h = q->hex; h[0] && h[1]; h += 2)
			sscanf(h, "%2hhx", p++);
		return (size_t)(p - m);
	}
	p = put16(p, id);
	p = put16(p, q->flags);
	p = put16(p, q->questions);
	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, q->edns ? 1 : 0);
	for (unsigned i = 0; i < q->questions; i++) {
		p = put_name(p, q->name);
		p = put16(p, q->type);
		p = put16(p, q->class);
	}
	if (q->edns) {
		*p++ = 0;
		p = put16(p, 41);
		p = put16(p, q->edns);
		memset(p, 0, 6);
		p += 6;
	}
	return (size_t)(p - m);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* RCODE [tc] [ADDRESS/TTL]... in order of their text; another record is its type's number. */
static int print_answer(const unsigned char *m, size_t n)
{
	static const char *const codes[] = {"NOERROR",  "FORMERR", "SERVFAIL",
					    "NXDOMAIN", "NOTIMP",  "REFUSED"};
	static char rows[256][64];
	ns_msg h;
	ns_rr r;
	size_t count = 0;

	if (ns_initparse(m, (int)n, &h) < 0) {
		puts("garbage");
		return 1;
	}
	unsigned code = (unsigned)ns_msg_getflag(h, ns_f_rcode);
	for (int i = 0; i < ns_msg_count(h, ns_s_an) && count < 256; i++) {
		char text[INET6_ADDRSTRLEN] = "";

		if (ns_parserr(&h, ns_s_an, i, &r) < 0)
			break;
		if (ns_rr_type(r) == ns_t_a || ns_rr_type(r) == ns_t_aaaa)
			inet_ntop(ns_rr_type(r) == ns_t_a ? AF_INET : AF_INET6, ns_rr_rdata(r),
				  text, sizeof(text));
		if (text[0])
			snprintf(rows[count++], sizeof(rows[0]), "%s/%u", text, ns_rr_ttl(r));
		else
			snprintf(rows[count++], sizeof(rows[0]), "type%u", ns_rr_type(r));
	}
	qsort(rows, count, sizeof(rows[0]), by_text);
	fputs(code < 6 ? codes[code] : "rcode", stdout);
	if (ns_msg_getflag(h, ns_f_tc))
		fputs(" tc", stdout);
	for (size_t i = 0; i < count; i++)
		printf(" %s", rows[i]);
	putchar('\n');
	return 0;
}

static ssize_t receive(int fd, const struct query *q, unsigned char *m, size_t room)
{
	size_t have = 0, want = q->tcp ? 2 : 1;

	while (have < want) {
		if (!within(fd, POLLIN, (int)q->ms)) {
			errno = ETIMEDOUT;
			return -1;
		}
		ssize_t n = recv(fd, m + have, q->tcp ? want - have : room, 0);
		if (n <= 0)
			return n;
		if (!q->tcp)
			return n;
		have += (size_t)n;
		if (have == 2 && want == 2)
			want = 2 + (size_t)(m[0] << 8 | m[1]);
	}
	memmove(m, m + 2, have - 2);
	return (ssize_t)have - 2;
}

/*
 * A message that is not answered is told from a late answer by a second query, of a name nobody
 * has: its answer comes at once, and in order.
 */
static int ask(int argc, char **argv)
{
	static unsigned char m[65538], a[65538];
	static unsigned next;
	char verb[] = "dns", name[] = "chaser.invalid", *follow[] = {verb, name, NULL};
	struct query q, chaser;
	unsigned id = (unsigned)getpid() + next++;

	if (words(&q, argc, argv) || words(&chaser, 2, follow))
		return 2;
	union address to = address_of(q.server, q.port);
	int fd = socket(to.any.sa_family, q.tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	size_t n = build(&q, id, m + 2);

	put16(m, (unsigned)n);
	if (connect(fd, &to.any, address_size(&to)) ||
	    send(fd, q.tcp ? m : m + 2, q.tcp ? n + 2 : n, MSG_NOSIGNAL) < 0) {
		verdict(-1);
		close(fd);
		return 1;
	}
	bool odd = q.hex || q.questions != 1 || q.flags & 0xf800;
	if (odd && !q.tcp) {
		size_t c = build(&chaser, (id + 0x5555) & 0xffff, m + 2);

		(void)!send(fd, m + 2, c, 0);
	}
	ssize_t got = receive(fd, &q, a, sizeof(a));
	int saved = errno;
	close(fd);
	if (got <= 0) {
		puts(!got ? "closed" : saved == ETIMEDOUT ? "silence" : strerrorname_np(saved));
		return 1;
	}
	if (odd && (unsigned)(a[0] << 8 | a[1]) == ((id + 0x5555) & 0xffff)) {
		puts("dropped");
		return 1;
	}
	return print_answer(a, (size_t)got);
}

/* Asks once by UDP and waits; the length of the answer, or -1. */
static ssize_t lookup(const struct query *q, unsigned id, unsigned char *a, size_t room)
{
	unsigned char m[1024];
	union address to = address_of(q->server, q->port);
	int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
	size_t n = build(q, id, m);
	ssize_t got = -1;

	if (!connect(fd, &to.any, address_size(&to)) && send(fd, m, n, 0) == (ssize_t)n)
		got = receive(fd, q, a, room);
	close(fd);
	return got;
}

/* COUNT PORT NAME: look it up, connect to what was told; all as fast as it goes */
static int lookup_connect(int argc, char **argv)
{
	static unsigned char a[4096];
	char *as[] = {argv[0], argv[3], NULL}, text[INET_ADDRSTRLEN];
	int refused = 0, done = 0;
	struct query q;
	ns_msg h;
	ns_rr r;

	(void)argc;
	words(&q, 2, as);
	for (int i = atoi(argv[1]); i > 0; i--) {
		ssize_t got = lookup(&q, (unsigned)i, a, sizeof(a));

		if (got <= 0 || ns_initparse(a, (int)got, &h) < 0 ||
		    ns_parserr(&h, ns_s_an, 0, &r) < 0) {
			puts("no-answer");
			return 1;
		}
		inet_ntop(AF_INET, ns_rr_rdata(r), text, sizeof(text));
		union address to = address_of(text, argv[2]);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, &to.any, sizeof(to.v4)))
			refused++;
		else
			done++;
		close(fd);
	}
	printf("connected %d refused %d\n", done, refused);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double us_between(const struct timespec *from, const struct timespec *until)
{
	return (double)(until->tv_sec - from->tv_sec) * 1e6 +
	       (double)(until->tv_nsec - from->tv_nsec) / 1e3;
}

/* COUNT NAME and words: the median time of a lookup in microseconds */
static int time_lookups(int argc, char **argv)
{
	static unsigned char a[4096];
	static double took[4096];
	struct timespec from, until;
	struct query q;
	int n = atoi(argv[1]);

	if (n < 1 || n > 4096 || words(&q, argc - 1, argv + 1))
		return 2;
	for (int i = 0; i < n; i++) {
		clock_gettime(CLOCK_MONOTONIC, &from);
		if (lookup(&q, (unsigned)i, a, sizeof(a)) <= 0) {
			puts("no-answer");
			return 1;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		took[i] = us_between(&from, &until);
	}
	qsort(took, (size_t)n, sizeof(took[0]), by_time);
	printf("%.1f\n", took[n / 2]);
	return 0;
}

/* COUNT ZONE and words: n0.ZONE and on; how many have an address, the median in microseconds */
static int look_up_many(int argc, char **argv)
{
	static unsigned char a[4096];
	static double took[4096];
	struct timespec from, until;
	int n = atoi(argv[1]), answered = 0;
	char name[256];
	struct query q;
	ns_msg h;

	if (n < 1 || n > 4096 || words(&q, argc - 1, argv + 1))
		return 2;
	const char *zone = q.name;
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%d.%s", i, zone);
		q.name = name;
		clock_gettime(CLOCK_MONOTONIC, &from);
		ssize_t got = lookup(&q, (unsigned)i, a, sizeof(a));
		clock_gettime(CLOCK_MONOTONIC, &until);
		answered += got > 0 && ns_initparse(a, (int)got, &h) == 0 &&
			    ns_msg_count(h, ns_s_an) > 0;
		took[i] = us_between(&from, &until);
	}
	qsort(took, (size_t)n, sizeof(took[0]), by_time);
	printf("answered %d %.1f\n", answered, took[n / 2]);
	return 0;
}

const struct verb dns_verbs[] = {
	{"dns",     1, ask,            "NAME and words: see dns.c"                                },
	{"race",    3, lookup_connect, "COUNT PORT NAME"                                          },
	{"lookups", 2, time_lookups,   "COUNT NAME: median microseconds"                          },
	{"names",   2, look_up_many,   "COUNT ZONE: n0.ZONE and on; how many, median microseconds"},
	{NULL,      0, NULL,           NULL						       },
};
