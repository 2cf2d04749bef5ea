/* One record: what the log itself knows is filled in, the line is made, hashed and written. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/clock.h"
#include "base/hmac.h"

static const char genesis[] = "0000000000000000000000000000000000000000000000000000000000000000";

static uint64_t boot_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* since Linux 2.6.39 */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The line with its MAC and its end; the arena's. */
static char *finish(struct arena *a, const char *before, struct audit_record *r,
		    const struct audit_key *key, size_t *len)
{
	static const char mac_key[] = ",\"mac\":\"";
	size_t n = 0, at = strlen(before);
	uint8_t mac[SHA256_BYTES];

	r->epoch = key ? &key->epoch : NULL;
	r->mac = NULL;
	const char *text = audit_record_print(a, r, &n);
	char *line = arena_new(a, at + n + sizeof(mac_key) + SHA256_HEX + 4);
	memcpy(line, before, at);
	memcpy(line + at, text, n);
	at += n;
	if (key) {
		hmac_sha256(key->k, sizeof(key->k), text, n, mac);
		memcpy(line + at, mac_key, sizeof(mac_key) - 1);
		at += sizeof(mac_key) - 1;
		hex_of(mac, line + at);
		at += SHA256_HEX - 1;
		memcpy(line + at, "\"}", 2);
		at += 2;
	}
	line[at++] = '\n';
	*len = at;
	return line;
}

/*
 * One write: what is short is torn, and is left to who comes next.  So is what a kill leaves: the
 * kernel (generic_perform_write) stops at the end of a page when a fatal signal waits.
 */
static int put_line(const struct audit_log *l, int fd, const char *line, size_t len, struct err *e)
{
	ssize_t n;

	do
		n = write(fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "audit log %s: write", l->path);
	if ((size_t)n != len)
		return err_msg(e, ENOSPC, "audit log %s: %zd of %zu bytes were written", l->path, n,
			       len);
	return 0;
}

int audit_put_record(struct audit_log *l, int fd, struct audit_last *last, const char *before,
		     const struct audit_record *r, struct err *e)
{
	own_arena struct arena arena = {0};
	struct audit_record full = *r;
	struct audit_key key = {0};
	char ts[40];
	size_t len;

	if (last->keyed) {
		int bad = audit_key_for(l, last->seq + 1, &key, e);

		if (bad < 0)
			return bad;
	}
	clock_rfc3339(ts, sizeof(ts), 6);
	full.v = 1;
	full.seq = last->seq + 1;
	full.ts = ts;
	full.mono = boot_us();
	full.boot = l->boot[0] ? l->boot : NULL;
	full.writer = l->writer;
	full.prev = last->seq ? last->hash : genesis;
	if (!full.severity)
		full.severity = audit_event_find(r->event)->severity;
	const char *line = finish(&arena, before, &full, last->keyed ? &key : NULL, &len);
	audit_key_wipe(&key);

	int bad = put_line(l, fd, line, len, e);
	if (bad < 0)
		return bad;
	last->seq++;
	last->size += len;
	sha256_hex(line + strlen(before), len - strlen(before), last->hash);
	return 0;
}
