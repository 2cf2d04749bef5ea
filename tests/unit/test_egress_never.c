/* What is never reached, by its own address or by the one that it carries. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/own.h"
#include "check.h"
#include "specs/egress.h"

static struct egress_address of(const char *text)
{
	struct egress_address a = {.family = strchr(text, ':') ? 6 : 4};
	char host[64];
	const char *slash = strchr(text, '/');

	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : 60, text);
	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, host, a.bytes) != 1)
		abort();
	a.prefix = (uint8_t)(slash ? atoi(slash + 1) : a.family == 6 ? 128 : 32);
	return a;
}

static void is(const char *text, enum egress_never want, const struct egress_policy *p)
{
	struct egress_address a = of(text);
	enum egress_never got = egress_never_of(p, &a);

	if (got != want)
		fprintf(stderr, "%s: %d, want %d\n", text, got, want);
	CHECK(got == want);
}

int main(void)
{
	static const char *const public[] = {
		"8.8.8.8",         "192.0.2.1",       "198.51.100.5",   "203.0.113.9",
		"2001:db8::1",     "2606:4700::1",    "::ffff:8.8.8.8", "64:ff9b::808:808",
		"2002:808:808::1", "100.63.255.255",  "100.128.0.1",    "172.32.0.1",
		"3fff::1",         "223.255.255.255", "0.0.0.0/0",      "::/0",
	};
	static const char *const private[] = {
		"10.0.0.1",
		"172.16.0.1",
		"192.168.1.1",
		"100.64.0.1",
		"198.18.0.1",
		"fc00::1",
		"fd12::1",
		"::ffff:10.0.0.1",
		"64:ff9b::a00:1",
		"2002:a00:1::",
		"10.0.0.0/8",
		"10.0.0.0/9",
		"2002:c0a8:0101::42",
		"64:ff9b::a00:0/104",
	};
	static const char *const always[] = {
		"127.0.0.1",
		"0.0.0.0",
		"169.254.169.254",
		"224.0.0.1",
		"255.255.255.255",
		"240.0.0.1",
		"100.100.100.200",
		"168.63.129.16",
		"192.0.0.192",
		"::",
		"::1",
		"::ffff:127.0.0.1",
		"::ffff:0:127.0.0.1",
		"::127.0.0.1",
		"::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe",
		"64:ff9b::7f00:1",
		"64:ff9b:1::1",
		"2002:7f00:1::",
		"2002:a9fe:a9fe::1",
		"2001:0:808:808::1",
		"fe80::1",
		"fec0::1",
		"ff02::1",
		"fd00:ec2::254",
		"100::1",
		"5f00::1",
	};
	const struct egress_address host[] = {of("203.0.113.2"), of("2001:db8::2")};
	const struct egress_address never[] = {of("198.51.100.0/24")};
	const struct egress_policy p = {
		.host = host, .n_host = LEN(host), .never = never, .n_never = LEN(never)};

	for (size_t i = 0; i < LEN(public); i++)
		is(public[i], EGRESS_NEVER_NOT, NULL);
	for (size_t i = 0; i < LEN(private); i++)
		is(private[i], EGRESS_NEVER_PRIVATE, NULL);
	for (size_t i = 0; i < LEN(always); i++)
		is(always[i], EGRESS_NEVER_ALWAYS, NULL);
	is("203.0.113.2", EGRESS_NEVER_ALWAYS, &p);
	is("203.0.113.3", EGRESS_NEVER_NOT, &p);
	is("::ffff:203.0.113.2", EGRESS_NEVER_ALWAYS, &p);
	is("64:ff9b::cb00:7102", EGRESS_NEVER_ALWAYS, &p);
	is("2001:db8::2", EGRESS_NEVER_ALWAYS, &p);
	is("198.51.100.77", EGRESS_NEVER_ALWAYS, &p);
	is("198.51.101.77", EGRESS_NEVER_NOT, &p);
	for (size_t i = 0; i < n_egress_never_rows; i++) {
		struct egress_address range;

		egress_never_range(&egress_never_rows[i], &range);
		CHECK(range.prefix > 0 && range.prefix <= (range.family == 4 ? 32 : 128));
		is(egress_never_rows[i].range,
		   strncmp(egress_never_rows[i].range, "::", 2) == 0 ? EGRESS_NEVER_ALWAYS
								     : egress_never_rows[i].kind,
		   NULL);
	}
	return check_done();
}
