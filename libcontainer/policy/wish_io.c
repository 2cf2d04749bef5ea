/* Rates of block devices as text: DEVICE:rbps=10M,wbps=1M,riops=100,wiops=50. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/wishes.h"

const char *const policy_io_words[POLICY_IO_RATES] = {"rbps", "wbps", "riops", "wiops"};

bool policy_io_is_number(const char *device, int64_t *major, int64_t *minor)
{
	size_t n = strcspn(device, ":");
	char head[16];
	uint32_t x, y;

	if (device[n] != ':' || n >= sizeof(head))
		return false;
	memcpy(head, device, n);
	head[n] = '\0';
	/* The kernel's dev_t: 12 and 20 bits. */
	if (!str_u32(head, &x) || !str_u32(device + n + 1, &y) || x >= 1 << 12 || y >= 1 << 20)
		return false;
	*major = x;
	*minor = y;
	return true;
}

static int take_rate(const char *value, bool bytes, uint64_t *out, struct err *e)
{
	/* Operations are 32 bits to the kernel, and v1 would take the low ones of more. */
	if (bytes ? wish_size(value, out, e) < 0 : !str_u64(value, out))
		return bytes ? -e->code : err_msg(e, EINVAL, "\"%.40s\" is no number", value);
	if (!*out)
		return err_msg(e, ERANGE, "0 is too little: 1 is the least");
	if (!bytes && *out > UINT32_MAX)
		return err_msg(e, ERANGE, "%.40s does not fit: %u is the most", value, UINT32_MAX);
	return 0;
}

/* rbps=10M */
static int take_word(const char *word, struct policy_io *out, struct err *e)
{
	const char *equals = strchrnul(word, '=');

	for (size_t i = 0; i < POLICY_IO_RATES; i++) {
		if (!*equals || strlen(policy_io_words[i]) != (size_t)(equals - word) ||
		    !str_starts(word, policy_io_words[i]))
			continue;
		if (out->rates[i])
			return err_msg(e, EINVAL, "%s: given twice", policy_io_words[i]);
		if (take_rate(equals + 1, i < POLICY_IO_RIOPS, &out->rates[i], e) < 0)
			return err_wrap(e, "%s", policy_io_words[i]);
		return 0;
	}
	return err_msg(e, EINVAL, "\"%.40s\" is none of rbps=, wbps=, riops=, wiops=", word);
}

int wish_io(struct arena *a, const char *text, struct policy_io *out, struct err *e)
{
	const char *colon = strrchr(text, ':');
	int64_t x, y;

	*out = (struct policy_io){.major = -1};
	if (!colon || colon == text)
		return err_msg(e, EINVAL, "\"%.80s\" is not DEVICE:rbps=10M,wiops=100", text);
	out->device = arena_strndup(a, text, (size_t)(colon - text));
	for (const char *word = colon + 1;; word++) {
		size_t n = strcspn(word, ",");

		if (take_word(arena_strndup(a, word, n), out, e) < 0)
			return err_wrap(e, "%.80s", out->device);
		word += n;
		if (!*word)
			break;
	}
	if (!strchr(out->device, '/') && !str_eq(out->device, "root") &&
	    !policy_io_is_number(out->device, &x, &y))
		return err_msg(e, EINVAL,
			       "\"%.40s\" is no device: MAJOR:MINOR, root or a path with a /",
			       out->device);
	return 0;
}
