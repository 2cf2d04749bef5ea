#ifndef BRIG_BASE_SHA256_H
#define BRIG_BASE_SHA256_H

#include <sha2.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* FIPS 180-4; the algorithm is libmd's. */
enum { SHA256_BYTES = 32, SHA256_HEX = 65 };

/* Of a text in memory. */
void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
/* As 64 hexadecimal digits, terminated. */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);

/* Of a text that comes in parts. */
struct sha256 {
	SHA2_CTX ctx;
};
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
/* The state is wiped: it may have been that of a key. */
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]);

/* Of what can be read from fd, most bytes of it, by way of a buffer of size bytes: its digits, and
 * how much it was.  -errno. */
int sha256_fd(int fd, uint64_t most, void *buffer, size_t size, char out[SHA256_HEX],
	      uint64_t *len) MUST_CHECK;

/* 32 bytes as 64 lower case digits, terminated, and back: -EINVAL if it is not that. */
void hex_of(const uint8_t bytes[SHA256_BYTES], char out[SHA256_HEX]);
int hex_read(const char *text, uint8_t out[SHA256_BYTES]) MUST_CHECK;

#endif
