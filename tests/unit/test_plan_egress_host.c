/* The addresses of the host: the ones that getifaddrs(3) has, without loopback, each once. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "check.h"
#include "plan_egress_facts.h"

static struct err err;

static bool holds(const struct egress_address *list, size_t n, int family, const void *bytes)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == family && list[i].prefix == (family == 4 ? 32 : 128) &&
		    memcmp(list[i].bytes, bytes, family == 4 ? 4 : 16) == 0)
			return true;
	return false;
}

/* How many of libc's are there; those of the loopback must not be. */
static size_t of_libc(const struct egress_address *list, size_t n)
{
	struct ifaddrs *all = NULL;
	size_t found = 0;

	CHECK(getifaddrs(&all) == 0);
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *four = (const void *)i->ifa_addr;
		const struct sockaddr_in6 *six = (const void *)i->ifa_addr;
		bool there, loopback;

		if (!four || (four->sin_family != AF_INET && four->sin_family != AF_INET6))
			continue;
		if (four->sin_family == AF_INET) {
			there = holds(list, n, 4, &four->sin_addr);
			loopback = ntohl(four->sin_addr.s_addr) >> 24 == 127;
		} else {
			there = holds(list, n, 6, &six->sin6_addr);
			loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
		}
		CHECK(there == !loopback);
		found += there;
	}
	freeifaddrs(all);
	return found;
}

static bool sorted(const struct egress_address *list, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (list[i - 1].family > list[i].family ||
		    (list[i - 1].family == list[i].family &&
		     memcmp(list[i - 1].bytes, list[i].bytes, sizeof(list->bytes)) >= 0))
			return false;
	return true;
}

static void compare(struct arena *a, size_t least)
{
	const struct egress_address *list;
	size_t n;

	CHECK(plan_egress_host(a, &list, &n, &err) == 0);
	CHECK(n >= least && of_libc(list, n) >= n && sorted(list, n));
}

/* A link of two ends, the same address twice, more than one answer of a dump holds. */
static void many(struct arena *a)
{
	static const char script[] =
		"set -e; ip link set lo up; ip link add va type veth peer name vb\n"
		"ip addr add 192.0.2.1 peer 192.0.2.9 dev va; ip addr add 2001:db8::1 peer "
		"2001:db8::9 dev va\n"
		"ip addr add 198.51.100.7/24 dev va; ip addr add 198.51.100.7/25 dev vb\n"
		"for i in $(seq 200); do echo addr add 10.0.$i.1/24 dev vb; done | ip -batch -\n";
	const struct egress_address *list;
	const uint8_t own[] = {192, 0, 2, 1}, other[] = {192, 0, 2, 9};
	size_t n;

	CHECK(system(script) == 0); /* NOLINT: fixed words */
	compare(a, 203);
	CHECK(plan_egress_host(a, &list, &n, &err) == 0);
	CHECK(holds(list, n, 4, own) && !holds(list, n, 4, other));
}

int main(void)
{
	own_arena struct arena a = {0};

	compare(&a, 0);
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("# not root: what needs it was left out\n");
		return check_done();
	}
	compare(&a, 0); /* none at all */
	many(&a);
	return check_done();
}
