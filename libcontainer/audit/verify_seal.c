#include "audit/verify_seal.h"

#include <string.h>

#include "base/hmac.h"
#include "base/str.h"

typedef unsigned long long ull;

/* Of `,"mac":"` and `"}`; between them are 64 digits. */
enum { MAC_HEAD = 8, MAC_DIGITS = 64, MAC_TAIL = 2 };
enum { MICROSECONDS = 1000 * 1000 };

static void evolve(uint8_t key[SHA256_BYTES])
{
	static const char label[] = "brig-evolve";
	uint8_t text[sizeof(label) - 1 + SHA256_BYTES];

	memcpy(text, label, sizeof(label) - 1);
	memcpy(text + sizeof(label) - 1, key, SHA256_BYTES);
	sha256(text, sizeof(text), key);
	explicit_bzero(text, sizeof(text));
}

void seal_begin(struct seal *s, struct report *report, struct audit_verdict *out,
		const uint8_t *key)
{
	*s = (struct seal){
		.report = report,
		.out = out,
		.first = key,
		.max_records = AUDIT_EPOCH_RECORDS,
		.max_seconds = AUDIT_EPOCH_SECONDS,
	};
	if (key)
		memcpy(s->key, key, sizeof(s->key));
}

void seal_restart(struct seal *s, uint64_t max_records, uint64_t max_seconds)
{
	s->keyed = false;
	s->from_start = true;
	s->epoch = 0;
	s->max_records = max_records ? max_records : AUDIT_EPOCH_RECORDS;
	s->max_seconds = max_seconds ? max_seconds : AUDIT_EPOCH_SECONDS;
}

void seal_end(struct seal *s)
{
	explicit_bzero(s->key, sizeof(s->key));
}

static void key_of(const struct seal *s, uint64_t epoch, uint8_t out[SHA256_BYTES])
{
	memcpy(out, s->first, SHA256_BYTES);
	for (uint64_t i = 0; i < epoch; i++)
		evolve(out);
}

static bool made_with(const uint8_t key[SHA256_BYTES], const char *line, size_t len,
		      const char *mac)
{
	uint8_t sum[SHA256_BYTES];
	char hex[SHA256_HEX];

	hmac_sha256(key, SHA256_BYTES, line, len - MAC_HEAD - MAC_DIGITS - MAC_TAIL, sum);
	hex_of(sum, hex);
	return str_eq(hex, mac);
}

/* The epoch whose key made it, of those there have been; -1: none. */
static int64_t maker(const struct seal *s, const char *line, size_t len, const char *mac)
{
	uint8_t key[SHA256_BYTES];
	uint64_t newest = s->newest < SEAL_MOST ? s->newest : SEAL_MOST;
	int64_t found = -1;

	key_of(s, 0, key);
	for (uint64_t i = 0; i <= newest && found < 0; i++) {
		if (made_with(key, line, len, mac))
			found = (int64_t)i;
		evolve(key);
	}
	explicit_bzero(key, sizeof(key));
	return found;
}

static void fault(struct point *p, enum damage d, const char *detail)
{
	p->seal = d;
	p->seal_detail = detail;
}

void seal_named(struct seal *s, const struct point *p, const char *digest)
{
	uint8_t sum[SHA256_BYTES];
	char hex[SHA256_HEX];

	s->keyed = true;
	if (!s->first)
		return;
	sha256(s->first, SHA256_BYTES, sum);
	hex_of(sum, hex);
	if (!str_starts(digest, "sha256:") || !str_eq(digest + strlen("sha256:"), hex))
		report_add(s->report, DAMAGE_MAC, p->line, p->seq,
			   "the log names another key than the one given");
}

static void check_mac(struct seal *s, const char *line, size_t len, const struct audit_record *r,
		      struct point *p)
{
	uint64_t epoch = *r->epoch;

	if (epoch > SEAL_MOST || (epoch < s->key_epoch && s->tries >= SEAL_TRIES))
		return; /* what a number costs is bounded; that it is wrong is told by its place */
	if (epoch < s->key_epoch) {
		s->tries++;
		key_of(s, epoch, s->key);
		s->key_epoch = epoch;
	}
	for (; s->key_epoch < epoch; s->key_epoch++)
		evolve(s->key);
	if (made_with(s->key, line, len, r->mac)) {
		s->out->checked++;
		p->vouched = true;
		return;
	}
	int64_t by = s->tries++ < SEAL_TRIES ? maker(s, line, len, r->mac) : -1;
	if (by > (int64_t)epoch)
		fault(p, DAMAGE_RESEALED, "somebody who had a later key made it anew");
	else if (by >= 0)
		fault(p, DAMAGE_EPOCH, "the key of an earlier epoch made its MAC");
	else
		fault(p, DAMAGE_MAC, "its MAC is not that of the key");
}

void seal_check(struct seal *s, const char *line, size_t len, const struct audit_record *r,
		struct point *p)
{
	p->epoch = r->epoch ? *r->epoch + 1 : 0;
	if (r->mac && r->epoch) {
		s->out->sealed++;
		if (!s->out->keyed_from)
			s->out->keyed_from = r->seq;
		if (s->first)
			check_mac(s, line, len, r, p);
	} else if (s->keyed) {
		fault(p, DAMAGE_MAC, "it has none, and the log has a key");
	}
}

static void new_epoch(struct seal *s, const struct point *p)
{
	s->epoch = p->epoch;
	s->records = 1;
	s->late = false;
	s->start = p->wall;
}

/* The same epoch as before: not for longer than one lasts. */
static void check_length(struct seal *s, const struct point *p)
{
	/* A second more: the key's time has no fraction. */
	uint64_t max = (s->max_seconds + 1) * MICROSECONDS;

	if (++s->records == s->max_records + 1)
		report_add(s->report, DAMAGE_EPOCH, p->line, p->seq,
			   "epoch %llu has more than %llu records", (ull)(p->epoch - 1),
			   (ull)s->max_records);
	if (!s->late && p->wall > s->start && p->wall - s->start > max) {
		report_add(s->report, DAMAGE_EPOCH, p->line, p->seq,
			   "epoch %llu lasts longer than %llu seconds", (ull)(p->epoch - 1),
			   (ull)s->max_seconds);
		s->late = true;
	}
}

void seal_follow(struct seal *s, const struct point *before, const struct point *p)
{
	if (!p->epoch)
		return;
	if (!s->epoch) {
		if (s->from_start && p->epoch != 1)
			report_add(s->report, DAMAGE_EPOCH, p->line, p->seq,
				   "the first one with a MAC is of epoch %llu, not 0",
				   (ull)(p->epoch - 1));
		new_epoch(s, p);
	} else if (p->epoch == s->epoch) {
		check_length(s, p);
	} else if (p->epoch < s->epoch) {
		report_add(s->report, DAMAGE_EPOCH, p->line, p->seq, "epoch %llu comes after %llu",
			   (ull)(p->epoch - 1), (ull)(s->epoch - 1));
	} else {
		if (p->epoch != s->epoch + 1 && before->seq)
			report_add(s->report, DAMAGE_EPOCH, p->line, p->seq,
				   "epoch %llu comes after %llu: some are left out",
				   (ull)(p->epoch - 1), (ull)(s->epoch - 1));
		new_epoch(s, p);
	}
}

void seal_done(struct seal *s)
{
	if (s->first && !s->out->sealed && s->out->records)
		report_add(s->report, DAMAGE_MAC, 0, 0,
			   "a key was given, and no record of the log has a MAC");
}
