#include "base/hmac.h"

#include <string.h>

enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[SHA256_BYTES])
{
	uint8_t pad[BLOCK] = {0};
	struct sha256 s;

	if (key_len > BLOCK)
		sha256(key, key_len, pad);
	else if (key_len)
		memcpy(pad, key, key_len);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= INNER;
	sha256_begin(&s);
	sha256_add(&s, pad, BLOCK);
	sha256_add(&s, data, len);
	sha256_end(&s, out);

	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= INNER ^ OUTER;
	sha256_begin(&s);
	sha256_add(&s, pad, BLOCK);
	sha256_add(&s, out, SHA256_BYTES);
	sha256_end(&s, out);
	explicit_bzero(pad, sizeof(pad));
}
