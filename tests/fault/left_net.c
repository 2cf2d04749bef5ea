// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is left of networks, in the network namespace of the test, which is a private one: devices,
 * namespaces, tables, sockets, address slots.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault.h"

/* The kernel cleans up behind all namespaces of the machine one after the other (cleanup_net). */
enum { CLEANUP_MS = 10000, ROUND_MS = 2 };

/* --- netlink ------------------------------------------------------------------------------ */

/* All objects of a kind; each is told by one attribute. */
struct kind {
	const char *what;
	int protocol;
	uint16_t type;
	size_t extra; /* of the family's own header */
	uint16_t name;
	bool is_number;
	bool (*is_left)(const char *name);
};

static bool is_of_sandbox(const char *name)
{
	return strncmp(name, "brg", 3) == 0;
}

static bool is_other_table(const char *name)
{
	return strcmp(name, "brig_host") != 0;
}

static const struct kind kinds[] = {
	{"device",            NETLINK_ROUTE,     RTM_GETLINK,                                  sizeof(struct ifinfomsg), IFLA_IFNAME,     false,
	 is_of_sandbox																	 },
 /* One that a device has or had its peer in: the number goes with the namespace. */
	{"network namespace", NETLINK_ROUTE,     RTM_GETNSID,                                  sizeof(struct rtgenmsg),  NETNSA_NSID,
	 true,																   NULL          },
	{"nft table",         NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
	 sizeof(struct nfgenmsg),											NFTA_TABLE_NAME, false, is_other_table},
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void take_object(const struct kind *k, const struct nlmsghdr *h, char **found)
{
	size_t at = NLMSG_SPACE(k->extra);

	while (at + NLA_HDRLEN <= h->nlmsg_len) {
		const struct nlattr *a = (const void *)((const char *)h + at);
		const char *name = (const char *)a + NLA_HDRLEN;
		char digits[16];
		int32_t number;

		if (a->nla_len < NLA_HDRLEN)
			return;
		at += NLA_ALIGN(a->nla_len);
		if ((a->nla_type & NLA_TYPE_MASK) != k->name)
			continue;
		if (k->is_number) {
			memcpy(&number, name, sizeof(number));
			snprintf(digits, sizeof(digits), "%d", number);
			name = digits;
		}
		if (!k->is_left || k->is_left(name))
			find(found, "left: %s %s", k->what, name);
	}
}

/* false: there is more to come. */
static bool take_answer(const struct kind *k, const char *data, size_t n, char **found)
{
	const struct nlmsghdr *h = (const void *)data;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return true;
		take_object(k, h, found);
	}
	return false;
}

static void find_kind(const struct kind *k, char **found)
{
	static _Alignas(struct nlmsghdr) char data[1 << 16];
	struct nlmsghdr h = {
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(k->extra),
		.nlmsg_type = k->type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, k->protocol);
	ssize_t n = -1;

	memset(data, 0, NLMSG_SPACE(k->extra));
	memcpy(data, &h, sizeof(h));
	if (fd >= 0 && send(fd, data, h.nlmsg_len, 0) > 0)
		do
			n = recv(fd, data, sizeof(data), 0);
		while (n > 0 && !take_answer(k, data, (size_t)n, found));
	if (n <= 0)
		find(found, "list of each %s: %s", k->what, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* --- sockets ------------------------------------------------------------------------------ */

/* Each of AF_UNIX that was made here, but those of sockets_open(). */
static void find_sockets(char **found)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "Num ", 4) != 0 && !strstr(line, ".sock"))
			find(found, "left: socket %s", line);
	}
	if (f)
		fclose(f);
}

/* --- address slots ------------------------------------------------------------------------ */

#define SLOTS "net-slots/slots" /* brig.json: egress.directory */

/* As libcontainer/net/slots.c writes it: a header, then such a record for each number. */
enum { SLOT_OWNED = 0x6f776e31, SLOT_FREED = 0x66726565 };
struct slot {
	uint32_t state;
	char owner[1020];
};

static void find_slots(char **found)
{
	struct slot s;
	FILE *f = fopen(SLOTS, "re");

	for (long i = -1; f && fread(&s, sizeof(s), 1, f) == 1; i++)
		if (i >= 0 && s.state == SLOT_OWNED)
			find(found, "left: address slot %ld of %.400s", i, s.owner);
	if (f)
		fclose(f);
}

void net_drop_void_claims(void)
{
	int fd = open(SLOTS, O_RDWR | O_CLOEXEC);
	struct slot s;
	off_t at = sizeof(s);

	for (; fd >= 0 && pread(fd, &s, sizeof(s), at) == sizeof(s); at += sizeof(s)) {
		if (s.state != SLOT_OWNED || access(s.owner, F_OK) == 0)
			continue;
		s = (struct slot){.state = SLOT_FREED};
		if (pwrite(fd, &s, sizeof(s), at) != sizeof(s))
			printf("# " SLOTS " stays\n");
	}
	if (fd >= 0)
		close(fd);
}

/* --- all ---------------------------------------------------------------------------------- */

void find_net_left(char **why)
{
	char *found = NULL;

	for (int ms = 0; ms < CLEANUP_MS; ms += ROUND_MS) {
		free(found);
		found = strdup("");
		for (size_t i = 0; i < N_KINDS; i++)
			find_kind(&kinds[i], &found);
		find_sockets(&found);
		find_slots(&found);
		if (!*found)
			break;
		nap_ms(ROUND_MS);
	}
	if (*found)
		find(why, "%.*s", (int)strlen(found) - 1, found);
	free(found);
}
