/*
 * What the kernel has in a network namespace, as datagrams of its dumps: entries of connection
 * tracking, sockets, nf_tables, devices and what belongs to them.  The first byte picks which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/conntrack.h"
#include "net/dump.h"
#include "net/leftover.h"
#include "pool/network.h"
#include "pool/nft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(const char *part, size_t len, const char *whole, size_t size)
{
	return !part || (part >= whole && len <= size && part <= whole + size - len);
}

static int note_entry(uint16_t type, const void *payload, size_t len, void *ctx)
{
	static const struct egress_address zero = {.family = 4, .prefix = 32};
	struct conntrack_entry x;

	(void)type;
	(void)ctx;
	if (!conntrack_read(payload, len, &x))
		return 0;
	(void)conntrack_meets(&x, &zero); /* or not */
	if ((x.family != 4 && x.family != 6) || !is_within(x.tuple, x.tuple_len, payload, len) ||
	    !is_within(x.id, x.id_len, payload, len) ||
	    !is_within(x.zone, x.zone_len, payload, len))
		abort();
	return 0;
}

static int note_socket(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct leftover_socket x;

	(void)type;
	(void)ctx;
	(void)leftover_read(payload, len, &x); /* or not */
	return 0;
}

static void look(uint8_t which, const void *buf, size_t n)
{
	own_arena struct arena a = {0};
	struct network_seen network;
	struct nft_seen rules;
	bool changed = false;

	switch (which % 4) {
	case 0:
		(void)dump_parse(buf, n, note_entry, NULL, &changed);
		break;
	case 1:
		(void)dump_parse(buf, n, note_socket, NULL, &changed);
		break;
	case 2:
		pool_nft_parse(&a, buf, n, &rules);
		if (strlen(pool_nft_text(&a, &rules)) < strlen("rules "))
			abort();
		break;
	default:
		pool_network_parse(&a, buf, n, &network);
		if (!network.text || network.learned > network.neighbours)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	/* Exactly as long. */
	void *copy = malloc(size - 1);
	if (size > 1)
		memcpy(copy, data + 1, size - 1);
	look(data[0], copy, size - 1);
	free(copy);
	return 0;
}
