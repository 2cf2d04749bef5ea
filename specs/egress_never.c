/*
 * From the IANA registries of special-purpose addresses, and where clouds have their metadata.  The
 * ranges for documentation (192.0.2.0/24, 2001:db8::/32 and so on) are left out: nobody is there.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "specs/egress.h"

#define LINK_LOCAL "link-local, metadata of clouds (RFC 3927)"

const struct egress_never_row egress_never_rows[] = {
	{"0.0.0.0/8",          EGRESS_NEVER_ALWAYS,  "this host (RFC 791)"                    },
	{"10.0.0.0/8",         EGRESS_NEVER_PRIVATE, "private network (RFC 1918)"             },
	{"100.64.0.0/10",      EGRESS_NEVER_PRIVATE, "shared address space (RFC 6598)"        },
	{"100.100.100.200/32", EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"127.0.0.0/8",        EGRESS_NEVER_ALWAYS,  "loopback (RFC 1122)"                    },
	{"168.63.129.16/32",   EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"169.254.0.0/16",     EGRESS_NEVER_ALWAYS,  LINK_LOCAL                               },
	{"172.16.0.0/12",      EGRESS_NEVER_PRIVATE, "private network (RFC 1918)"             },
	{"192.0.0.0/24",       EGRESS_NEVER_ALWAYS,  "protocol assignments (RFC 6890)"        },
	{"192.88.99.0/24",     EGRESS_NEVER_ALWAYS,  "6to4 relays (RFC 7526)"                 },
	{"192.168.0.0/16",     EGRESS_NEVER_PRIVATE, "private network (RFC 1918)"             },
	{"198.18.0.0/15",      EGRESS_NEVER_PRIVATE, "benchmarking networks (RFC 2544)"       },
	{"224.0.0.0/4",        EGRESS_NEVER_ALWAYS,  "multicast (RFC 5771)"                   },
	{"240.0.0.0/4",        EGRESS_NEVER_ALWAYS,  "reserved, broadcast (RFC 1112)"         },
	{"::/64",              EGRESS_NEVER_ALWAYS,  "loopback, IPv4-mapped and -translated"  },
	{"64:ff9b:1::/48",     EGRESS_NEVER_ALWAYS,  "local NAT64 (RFC 8215)"                 },
	{"100::/64",           EGRESS_NEVER_ALWAYS,  "discard (RFC 6666)"                     },
	{"2001::/23",          EGRESS_NEVER_ALWAYS,  "protocol assignments, Teredo (RFC 2928)"},
	{"5f00::/16",          EGRESS_NEVER_ALWAYS,  "segment routing (RFC 9602)"             },
	{"fc00::/7",           EGRESS_NEVER_PRIVATE, "private network (RFC 4193)"             },
	{"fd00:ec2::254/128",  EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"fd20:ce::254/128",   EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"fd00:42::42/128",    EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"fd00:c1::/64",       EGRESS_NEVER_ALWAYS,  "metadata of a cloud"                    },
	{"fe80::/10",          EGRESS_NEVER_ALWAYS,  "link-local (RFC 4291)"                  },
	{"fec0::/10",          EGRESS_NEVER_ALWAYS,  "site-local (RFC 3879)"                  },
	{"ff00::/8",           EGRESS_NEVER_ALWAYS,  "multicast (RFC 4291)"                   },
};
const size_t n_egress_never_rows = sizeof(egress_never_rows) / sizeof(egress_never_rows[0]);

void egress_never_range(const struct egress_never_row *row, struct egress_address *out)
{
	char text[INET6_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(row->range, '/');

	*out = (struct egress_address){.family = strchr(row->range, ':') ? 6 : 4};
	memcpy(text, row->range, (size_t)(slash - row->range));
	(void)inet_pton(out->family == 6 ? AF_INET6 : AF_INET, text, out->bytes); /* a constant */
	out->prefix = (uint8_t)strtoul(slash + 1, NULL, 10);
}

/* All of a within range. */
static bool within(const struct egress_address *range, const struct egress_address *a)
{
	size_t whole = range->prefix / 8;
	unsigned int rest = range->prefix % 8;

	if (range->family != a->family || a->prefix < range->prefix ||
	    memcmp(range->bytes, a->bytes, whole) != 0)
		return false;
	return !rest || (range->bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

/* IPv6 addresses with an IPv4 one inside, to whom a translator or relay sends the packet. */
static const struct carrier {
	struct egress_address range;
} carriers[] = {
	{{.family = 6, .prefix = 96, .bytes = {[10] = 0xff, [11] = 0xff}}}, /* mapped */
	{{.family = 6, .prefix = 96, .bytes = {0x00, 0x64, 0xff, 0x9b}}},   /* NAT64, RFC 6052 */
	{{.family = 6, .prefix = 16, .bytes = {0x20, 0x02}}},               /* 6to4, RFC 3056 */
};

static bool carried(const struct egress_address *a, struct egress_address *out)
{
	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		const struct egress_address *range = &carriers[i].range;

		if (!within(range, a))
			continue;
		*out = (struct egress_address){.family = 4, .prefix = 32};
		memcpy(out->bytes, a->bytes + range->prefix / 8, 4);
		if (a->prefix < range->prefix + 32)
			out->prefix = (uint8_t)(a->prefix - range->prefix);
		return true;
	}
	return false;
}

static bool in_list(const struct egress_address *list, size_t n, const struct egress_address *a)
{
	for (size_t i = 0; i < n; i++)
		if (within(&list[i], a))
			return true;
	return false;
}

enum egress_never egress_never_of(const struct egress_policy *p, const struct egress_address *a)
{
	enum egress_never kind = EGRESS_NEVER_NOT;
	struct egress_address v4;

	if (p && (in_list(p->host, p->n_host, a) || in_list(p->never, p->n_never, a)))
		return EGRESS_NEVER_ALWAYS;
	if (carried(a, &v4))
		return egress_never_of(p, &v4);
	for (size_t i = 0; i < n_egress_never_rows && kind != EGRESS_NEVER_ALWAYS; i++) {
		struct egress_address range;

		egress_never_range(&egress_never_rows[i], &range);
		if (within(&range, a))
			kind = egress_never_rows[i].kind > kind ? egress_never_rows[i].kind : kind;
	}
	return kind;
}
