#include <arpa/nameser.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers to api.example.org; the id is whatever the input has, so that most of it is looked at. */
static void parse(const uint8_t *msg, size_t size, uint16_t type)
{
	struct dns_answer a;
	uint16_t id = 0;
	char last[DNS_NAME];

	if (size > 1)
		id = (uint16_t)(msg[0] << 8 | msg[1]);
	int ret = dns_answer_parse(msg, size, id, "api.example.org", type, &a);

	if (ret) {
		if (ret != -EBADMSG && ret != -EPROTO)
			abort();
		return;
	}
	if (a.n > DNS_ADDRESSES || a.hops > DNS_CHAIN || a.ttl > INT32_MAX || (a.open && a.n))
		abort();
	memcpy(last, a.last, sizeof(last));
	if (!dns_host_name(last) || strcmp(last, a.last) != 0)
		abort();
	for (size_t i = 0; i < a.n; i++)
		if (a.addresses[i].family != (type == ns_t_a ? 4 : 6) ||
		    a.addresses[i].prefix != (type == ns_t_a ? 32 : 128))
			abort();
	/* Another id, name or type: never. */
	if (dns_answer_parse(msg, size, (uint16_t)(id + 1), "api.example.org", type, &a) !=
		    -EBADMSG ||
	    dns_answer_parse(msg, size, id, "api.example.com", type, &a) != -EBADMSG ||
	    dns_answer_parse(msg, size, id, "api.example.org", ns_t_txt, &a) != -EBADMSG)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly that size: the sanitizer sees each byte beyond it. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	parse(copy, size, ns_t_a);
	parse(copy, size, ns_t_aaaa);
	free(copy);
	return 0;
}
