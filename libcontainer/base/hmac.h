#ifndef BRIG_BASE_HMAC_H
#define BRIG_BASE_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

/* HMAC-SHA256, RFC 2104.  Nothing of the key is left on the stack. */
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[SHA256_BYTES]);

#endif
