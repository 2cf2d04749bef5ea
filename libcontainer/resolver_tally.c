#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "resolver_internal.h"

static struct tally_row *room_for(struct tally *t)
{
	struct tally_row *least = &t->rows[0];

	if (t->used < TALLY_ROWS)
		return &t->rows[t->used++];
	for (size_t i = 1; i < TALLY_ROWS; i++)
		if (t->rows[i].count < least->count)
			least = &t->rows[i];
	t->others += least->count;
	return least;
}

static bool same(const struct tally_row *a, const struct tally_row *b)
{
	return a->word == b->word && a->port == b->port && a->proto == b->proto &&
	       a->address.family == b->address.family &&
	       memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes)) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

static void count(struct tally *t, const struct tally_row *key)
{
	for (size_t i = 0; i < t->used; i++) {
		if (!same(&t->rows[i], key))
			continue;
		t->rows[i].count++;
		return;
	}
	struct tally_row *r = room_for(t);
	*r = *key;
	r->count = 1;
}

void tally_name(struct tally *t, const char *name, const char *word)
{
	struct tally_row key = {.word = word};

	snprintf(key.text, sizeof(key.text), "%s", name);
	count(t, &key);
}

void tally_place(struct tally *t, const struct egress_address *to, uint16_t port, uint8_t proto,
		 const char *name)
{
	struct tally_row key = {.address = *to, .port = port, .proto = proto};

	/* An address may have had several names in its time: they are several rows. */
	snprintf(key.text, sizeof(key.text), "%s", name ? name : "");
	count(t, &key);
}

static size_t most_frequent(const struct tally *t, const bool *taken)
{
	size_t most = 0;

	for (size_t i = 0; i < t->used; i++)
		if (!taken[i] && (taken[most] || t->rows[i].count > t->rows[most].count))
			most = i;
	return most;
}

/* By hand: qsort(3) of a larger array asks how much memory the machine has. */
size_t tally_top(const struct tally *t, const struct tally_row **out, size_t max, uint64_t *others)
{
	bool taken[TALLY_ROWS] = {false};
	size_t n = 0;

	for (; n < t->used && n < max; n++) {
		size_t most = most_frequent(t, taken);

		taken[most] = true;
		out[n] = &t->rows[most];
	}
	*others = t->others;
	for (size_t i = 0; i < t->used; i++)
		*others += taken[i] ? 0 : t->rows[i].count;
	return n;
}

const char *proto_text(struct arena *a, uint8_t proto)
{
	static const struct word words[] = {
		{"tcp",  IPPROTO_TCP   },
		{"udp",  IPPROTO_UDP   },
		{"icmp", IPPROTO_ICMP  },
		{"icmp", IPPROTO_ICMPV6},
		{NULL,   0             },
	};
	const char *name = word_name(words, proto);

	return name ? name : arena_printf(a, "%u", proto);
}

const char *place_text(struct arena *a, const struct egress_address *to, uint16_t port,
		       uint8_t proto)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(to->family == 6 ? AF_INET6 : AF_INET, to->bytes, text, sizeof(text));
	const char *word = proto_text(a, proto);
	if (!port)
		return arena_printf(a, "%s/%s", text, word);
	return arena_printf(a, to->family == 6 ? "[%s]:%u/%s" : "%s:%u/%s", text, port, word);
}
