#include "base/sha256.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void sha256_begin(struct sha256 *s)
{
	SHA256Init(&s->ctx);
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	if (len)
		SHA256Update(&s->ctx, data, len);
}

void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
	SHA256Final(out, &s->ctx);
	explicit_bzero(s, sizeof(*s));
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_end(&s, out);
}

static const char digits[] = "0123456789abcdef";

void hex_of(const uint8_t bytes[SHA256_BYTES], char out[SHA256_HEX])
{
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[SHA256_HEX - 1] = '\0';
}

int hex_read(const char *text, uint8_t out[SHA256_BYTES])
{
	uint8_t bytes[SHA256_BYTES] = {0};

	for (size_t i = 0; i < SHA256_HEX - 1; i++) {
		const char *d = text[i] ? strchr(digits, text[i]) : NULL;

		if (!d)
			return -EINVAL;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (d - digits));
	}
	if (text[SHA256_HEX - 1])
		return -EINVAL;
	memcpy(out, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes)); /* it may be a key */
	return 0;
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
	uint8_t sum[SHA256_BYTES];

	sha256(data, len, sum);
	hex_of(sum, out);
}

int sha256_fd(int fd, uint64_t most, void *buffer, size_t size, char out[SHA256_HEX], uint64_t *len)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	for (*len = 0; *len < most;) {
		ssize_t n = read(fd, buffer, most - *len < size ? most - *len : size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_add(&s, buffer, (size_t)n);
		*len += (uint64_t)n;
	}
	sha256_end(&s, sum);
	hex_of(sum, out);
	return 0;
}
