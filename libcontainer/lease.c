/* The file lease.json, and who may use what it is about.  docs/pools.md */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"
#include "base/str.h"
#include "lease_audit.h"
#include "reuse.h"

enum { NS_PER_MS = 1000000 };

int lease_token(struct lease_token *out, struct err *e)
{
	uint8_t random[SHA256_BYTES] = {0};
	char digits[SHA256_HEX];

	if (getrandom(random, LEASE_TOKEN_DIGITS / 2, 0) != LEASE_TOKEN_DIGITS / 2)
		return err_set(e, errno, "random bytes for a token");
	hex_of(random, digits);
	memcpy(out->text, digits, LEASE_TOKEN_DIGITS);
	out->text[LEASE_TOKEN_DIGITS] = '\0';
	return 0;
}

/* --- the file ------------------------------------------------------------------------------- */

int lease_read(struct arena *a, int dir, struct brig_lease *out, struct err *e)
{
	char *text;
	size_t len;

	*out = (struct brig_lease){0};
	int r = file_read(a, dir, LEASE_FILE, LEASE_MAX_BYTES, &text, &len, e);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return lease_parse(a, text, len, out, e) < 0 ? err_wrap(e, LEASE_FILE) : 0;
}

int lease_write(int dir, const struct brig_lease *l, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text = lease_print(&a, l, &len);

	return file_replace(dir, LEASE_FILE, text, len, 0600, e);
}

uint64_t lease_valid_ns(const struct brig_lease *l)
{
	struct reuse_boot boot;
	struct err ignored;

	if (!l->v || !l->token)
		return 0;
	/* Where the boot cannot be told apart its times still can. */
	return lease_left_ns(l, reuse_now_ns(),
			     reuse_boot_id(&boot, &ignored) < 0 ? NULL : boot.id);
}

bool lease_is_of(const struct brig_lease *l, const char *token)
{
	char hex[SHA256_HEX];
	unsigned int differs = 0;

	if (!l->token || !token || strlen(token) != LEASE_TOKEN_DIGITS)
		return false;
	sha256_hex(token, LEASE_TOKEN_DIGITS, hex);
	for (size_t i = 0; i < SHA256_HEX; i++)
		differs |= (unsigned int)(hex[i] ^ l->token[i]);
	return !differs;
}

int lease_check_wish(const struct lease_wish *w, struct err *e)
{
	if (!w->ttl_ms || w->ttl_ms > LEASE_TTL_MAX_MS)
		return err_msg(e, ERANGE, "ttl: %" PRIu64 " ms is not above 0 and below a year",
			       w->ttl_ms);
	int r = lease_check_word("key", w->key, e);
	return r < 0 ? r : lease_check_word("holder", w->holder, e);
}

int lease_give(int dir, const struct lease_wish *w, const char *token, uint64_t generation,
	       const struct brig_state *audited, struct err *e)
{
	char hex[SHA256_HEX];
	struct reuse_boot boot;
	uint64_t now = reuse_now_ns();

	if (reuse_boot_id(&boot, e) < 0)
		return -e->code;
	sha256_hex(token, strlen(token), hex);
	const struct brig_lease l = {
		.v = 1,
		.token = hex,
		.holder = w->holder,
		.key = w->key,
		.generation = generation,
		.acquired_ns = now,
		.expires_ns = now + w->ttl_ms * NS_PER_MS,
		.boot_id = boot.id,
		.ttl_ms = w->ttl_ms,
	};
	if (audited && lease_note(audited, LEASE_ACQUIRED, &l, e) < 0)
		return -e->code;
	return lease_write(dir, &l, e);
}

/* What cannot be read is not needed for it. */
int lease_drop(struct arena *a, int dir, uint64_t generation, bool spent, struct err *e)
{
	struct reuse_boot boot;
	struct brig_lease l;
	struct err ignored;

	bool known = lease_read(a, dir, &l, &ignored) == 0;
	if (known && !l.v && !spent)
		return 0;
	if (!known || !l.v) {
		if (reuse_boot_id(&boot, e) < 0)
			return -e->code;
		l = (struct brig_lease){.v = 1, .generation = generation, .boot_id = boot.id};
		l.acquired_ns = l.expires_ns = reuse_now_ns();
		l.ttl_ms = 1;
	}
	l.token = NULL;
	l.spent = l.spent || spent;
	return lease_write(dir, &l, e);
}

int lease_carry(struct arena *a, int dir, uint64_t generation, struct err *e)
{
	struct brig_lease l;

	if (lease_read(a, dir, &l, e) < 0)
		return -e->code;
	if (!lease_valid_ns(&l))
		return 0;
	l.generation = generation;
	return lease_write(dir, &l, e);
}

/* --- who may -------------------------------------------------------------------------------- */

static int check_token(const struct container_host *h, const struct brig_lease *l,
		       const struct brig_state *s, enum lease_use use, struct err *e)
{
	uint64_t left = lease_valid_ns(l);

	if (left && !h->lease)
		return err_msg(e, ENOKEY, "container %s is leased: its token is needed (--lease)",
			       s->id);
	if (left && !lease_is_of(l, h->lease))
		return err_msg(e, ENOKEY, "container %s: this is not the token of its lease",
			       s->id);
	if (left)
		return 0;
	if (h->lease && lease_is_of(l, h->lease))
		return err_msg(e, EKEYEXPIRED, "container %s: the lease has run out", s->id);
	if (h->lease_given)
		return err_msg(e, ENOKEY, "container %s: there is no such lease", s->id);
	if (s->reuse && s->reuse->pool && use == LEASE_TO_USE)
		return err_msg(e, ENOKEY,
			       "container %s is of pool %s: it is used by lease only "
			       "(lease acquire)",
			       s->id, s->reuse->pool);
	return 0;
}

int lease_check(const struct container_host *h, int dir, const struct brig_state *s,
		enum lease_use use, enum container_answer *answer, struct err *e)
{
	own_arena struct arena a = {0};
	struct brig_lease l = {0};

	/* Most have none: not one file is looked for. */
	if (!h->lease_given && (!s->reuse || !s->reuse->pool))
		return 0;
	if (lease_read(&a, dir, &l, e) < 0)
		return err_wrap(e, "container %s", s->id);
	int r = check_token(h, &l, s, use, e);
	if (r < 0 && answer)
		*answer = ANSWER_NOT_ALLOWED;
	return r;
}

bool lease_refused(const struct err *e)
{
	return e->code == ENOKEY || e->code == EKEYEXPIRED;
}
