#include "specs/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, REQ = JSON_REQUIRED, BOOT_ID = 36 };

int lease_check_word(const char *name, const char *word, struct err *e)
{
	size_t n = word ? strlen(word) : 0;

	if (word && (n == 0 || n > LEASE_WORD_MAX))
		return err_msg(e, EINVAL, "%s: not of 1 to %d bytes", name, LEASE_WORD_MAX);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)word[i] <= ' ' || word[i] == 0x7f)
			return err_msg(e, EINVAL, "%s: a blank or control character in it", name);
	return 0;
}

static int check_boot_id(const char *s, struct err *e)
{
	if (strlen(s) != BOOT_ID || strspn(s, "0123456789abcdef-") != BOOT_ID)
		return err_msg(e, EINVAL, "bootId: no such thing");
	return 0;
}

static int check_lease(struct arena *a, void *object, struct err *e)
{
	const struct brig_lease *l = object;
	uint8_t ignored[SHA256_BYTES];

	(void)a;
	if (l->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", l->v);
	/* Its text is not repeated: it may be a token in the wrong place. */
	if (l->token && hex_read(l->token, ignored) < 0)
		return err_msg(e, EINVAL, "token: not a sha256 in hexadecimal digits");
	if (lease_check_word("holder", l->holder, e) < 0 ||
	    lease_check_word("key", l->key, e) < 0 || check_boot_id(l->boot_id, e) < 0)
		return -e->code;
	if (!l->generation)
		return err_msg(e, ERANGE, "generation: 0 does not fit");
	if (l->expires_ns < l->acquired_ns)
		return err_msg(e, EINVAL, "expiresNs: before acquiredNs");
	if (!l->ttl_ms || l->ttl_ms > LEASE_TTL_MAX_MS)
		return err_msg(e, ERANGE, "ttlMs: %" PRIu64 " does not fit", l->ttl_ms);
	if (l->spent && l->token)
		return err_msg(e, EINVAL, "spent: but somebody has it");
	return 0;
}

#define ROW_U64(n, m) ROW_NUM(brig_lease, n, m, REQ, JSON_U64, uint64_t)

static const struct json_field brig_lease_fields[] = {
	ROW_NUM(brig_lease, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_lease, "token", token, 0),
	ROW_STR(brig_lease, "holder", holder, 0),
	ROW_STR(brig_lease, "key", key, 0),
	ROW_U64("generation", generation),
	ROW_U64("acquiredNs", acquired_ns),
	ROW_U64("expiresNs", expires_ns),
	ROW_STR(brig_lease, "bootId", boot_id, REQ),
	ROW_U64("ttlMs", ttl_ms),
	ROW_BOOL(brig_lease, "spent", spent, 0),
};
TYPE_CLOSED(brig_lease, check_lease);

int lease_parse(struct arena *a, const char *json, size_t len, struct brig_lease *out,
		struct err *e)
{
	*out = (struct brig_lease){0};
	return json_read(a, &brig_lease_type_, json, len, LEASE_MAX_BYTES, out, e);
}

char *lease_print(struct arena *a, const struct brig_lease *l, size_t *len)
{
	return json_print_object(a, &brig_lease_type_, l, len);
}

uint64_t lease_left_ns(const struct brig_lease *l, uint64_t now_ns, const char *boot_id)
{
	/* Of another boot: nothing of that time runs. */
	if (!l->token || (boot_id && !str_eq(l->boot_id, boot_id)) || now_ns >= l->expires_ns)
		return 0;
	return l->expires_ns - now_ns;
}
