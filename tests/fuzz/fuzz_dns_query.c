#include <arpa/nameser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer never tells more than the question's own bytes, and never leaves its limit. */
static void check_reply(const struct dns_query *q, int rcode)
{
	static const struct egress_address some[DNS_ADDRESSES] = {
		{.family = 4, .prefix = 32, .bytes = {203, 0, 113, 9}}
        };
	uint8_t out[DNS_REPLY];
	const struct dns_reply r = {.rcode = rcode,
				    .negative = rcode != 0,
				    .ttl = 300,
				    .addresses = some,
				    .n = rcode ? 0 : DNS_ADDRESSES};
	size_t len = dns_reply_build(out, q->size, q, &r);

	if (len < 12 || len > q->size || memcmp(out + 12, q->question, q->question_len) != 0)
		abort();
	if (dns_reply_build(out, sizeof(out), q, &r) > sizeof(out))
		abort();
}

/* What is taken for a query is one that can be asked, and is read the same again. */
static void check_ask(const struct dns_query *q)
{
	uint8_t out[DNS_UDP_PLAIN];
	struct dns_query again;
	char name[DNS_NAME];

	memcpy(name, q->name, sizeof(name));
	if (q->name[0] && (!dns_host_name(name) || strcmp(name, q->name) != 0))
		abort();
	size_t len = dns_ask_build(out, sizeof(out), q->id, q->name, q->type);
	if (!len || dns_query_parse(out, len, &again) != 0 || strcmp(again.name, q->name) != 0 ||
	    again.type != q->type || again.id != q->id || again.size != DNS_UDP_PAYLOAD)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query q;
	/* A copy of exactly that size: the sanitizer sees each byte beyond it. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	int rcode = dns_query_parse(copy, size, &q);
	if (rcode != DNS_DROP)
		check_reply(&q, rcode);
	if (!rcode)
		check_ask(&q);
	free(copy);
	return 0;
}
