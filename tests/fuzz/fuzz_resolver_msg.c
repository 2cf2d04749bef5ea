/* A message to or from a resolver: what it takes is terminated, printable and means one thing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "resolver_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct egress_grant g = {0};
	struct resolver_msg m;
	struct err e = {0};

	/* As long as a message: else the fuzzer has to find that out first. */
	uint8_t whole[sizeof(m)] = {0};
	memcpy(whole, data, size < sizeof(whole) ? size : sizeof(whole));
	if (resolver_msg_read(whole, size > sizeof(whole) ? size : sizeof(whole), &m, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	if (m.type < RESOLVER_GRANT || m.type > RESOLVER_REPLY ||
	    !memchr(m.text, '\0', sizeof(m.text)))
		abort();
	for (const char *c = m.text; *c; c++)
		if (*c < ' ' || *c > '~')
			abort();
	if (egress_grant_parse(&a, m.text, &g, &e) == 0 && !egress_is_meant(&g, g.text))
		abort();
	(void)egress_is_meant(&g, m.text);
	return 0;
}
