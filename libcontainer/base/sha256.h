#ifndef BRIG_BASE_SHA256_H
#define BRIG_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 65 };

/* FIPS 180-4, of a text in memory. */
void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES]);
/* As 64 hexadecimal digits, terminated. */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);

#endif
