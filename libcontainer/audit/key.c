/*
 * The key file: two slots of SLOT bytes, one of which is filled.  A key that evolves is written
 * to the other one and to the disk before the old one is overwritten with blanks: a crash leaves
 * one of them or both, of which the later one counts and the other one is overwritten then.
 * Written in place, because a file that is replaced leaves its key in a free block of the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/own.h"

/* SLOT: a sector, which a disk writes whole or not at all. */
enum { SLOT = 512, SLOTS = 2, NONE = -1 };
static const char text_format[] = "brig-audit-key/1 epoch=%llu seq=%llu time=%lld first=%s key=%s";

void audit_key_wipe(struct audit_key *k)
{
	explicit_bzero(k, sizeof(*k));
}

/* --- A slot ----------------------------------------------------------------------------- */

/* What it says, if it is just what it would be written as. */
static bool slot_read(const char *slot, struct audit_key *out)
{
	char again[SLOT + 1], text[SLOT + 1], key[SHA256_HEX];
	unsigned long long epoch, seq;
	long long t;
	bool ok;

	memcpy(text, slot, SLOT);
	text[SLOT] = '\0';
	ok = sscanf(text, "brig-audit-key/1 epoch=%llu seq=%llu time=%lld first=%64s key=%64s",
		    &epoch, &seq, &t, out->first, key) == 5 &&
	     hex_read(key, out->k) == 0;
	if (ok) {
		out->epoch = epoch;
		out->seq = seq;
		out->time = t;
		int n = snprintf(again, sizeof(again), text_format, epoch, seq, t, out->first, key);

		ok = n > 0 && n < SLOT && !memcmp(again, text, (size_t)n);
		explicit_bzero(again, sizeof(again));
	}
	explicit_bzero(text, sizeof(text));
	explicit_bzero(key, sizeof(key));
	return ok;
}

static int slot_put(const struct audit_log *l, int fd, int slot, const struct audit_key *k,
		    struct err *e)
{
	char text[SLOT], key[SHA256_HEX];

	memset(text, ' ', SLOT);
	if (k) {
		hex_of(k->k, key);
		int n = snprintf(text, SLOT, text_format, (unsigned long long)k->epoch,
				 (unsigned long long)k->seq, (long long)k->time, k->first, key);
		text[n] = ' ';
		explicit_bzero(key, sizeof(key));
	}
	text[SLOT - 1] = '\n';
	ssize_t n = pwrite(fd, text, SLOT, (off_t)slot * SLOT);
	explicit_bzero(text, sizeof(text));
	if (n != SLOT)
		return err_set(e, n < 0 ? errno : ENOSPC, "audit log %s: write %s", l->path,
			       l->key_name);
	if (l->sync != AUDIT_SYNC_NONE && fdatasync(fd) < 0)
		return err_set(e, errno, "audit log %s: sync %s", l->path, l->key_name);
	return 0;
}

/* --- The file --------------------------------------------------------------------------- */

static int key_open(const struct audit_log *l, int flags, struct err *e)
{
	struct stat st;
	own_fd int fd = openat(l->dir, l->key_name,
			       O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags, 0600);

	if (fd < 0 && errno == ENOENT)
		return err_msg(e, ENOKEY, "audit log %s: it has a key, but there is no %s", l->path,
			       l->key_name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "audit log %s: open %s", l->path, l->key_name);
	int bad = audit_check_file(l, &st, l->key_name, true, e);
	return bad < 0 ? bad : take_fd(&fd);
}

/* The later of its keys.  *other: a slot that holds another one still, NONE. */
static int key_read(const struct audit_log *l, int fd, struct audit_key *out, int *slot, int *other,
		    struct err *e)
{
	char text[SLOTS * SLOT] = "";
	struct audit_key keys[SLOTS] = {0};
	bool there[SLOTS];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	for (int i = 0; i < SLOTS; i++)
		there[i] = n >= (i + 1) * SLOT && slot_read(text + (ptrdiff_t)i * SLOT, &keys[i]);
	explicit_bzero(text, sizeof(text));
	*slot = there[1] && (!there[0] || keys[1].epoch > keys[0].epoch);
	*other = there[0] && there[1] ? !*slot : NONE;
	*out = keys[*slot];
	explicit_bzero(keys, sizeof(keys));
	if (!there[0] && !there[1])
		return err_msg(e, EBADMSG, "audit log %s: there is no key in %s", l->path,
			       l->key_name);
	return 0;
}

static void evolve(struct audit_key *k, uint64_t seq, int64_t now)
{
	static const char what[] = "brig-evolve";
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, what, sizeof(what) - 1);
	sha256_add(&s, k->k, sizeof(k->k));
	sha256_end(&s, k->k);
	k->epoch++;
	k->seq = seq;
	k->time = now;
}

/*
 * Each epoch has a record at least, so that epochs follow each other in the log without a gap: not
 * when the last who evolved it was killed before it wrote.  A clock set back ends an epoch, too;
 * and one that began later than seq is of records that are no longer there.
 */
static bool is_due(const struct audit_key *k, uint64_t seq, int64_t now)
{
	int64_t age = now - k->time;

	if (k->seq >= seq)
		return k->seq > seq;
	return seq - k->seq >= AUDIT_EPOCH_RECORDS || age >= AUDIT_EPOCH_SECONDS || age < 0;
}

static int64_t now_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* it is there */
	return ts.tv_sec;
}

int audit_key_for(const struct audit_log *l, uint64_t seq, struct audit_key *out, struct err *e)
{
	own_fd int fd = key_open(l, 0, e);
	int64_t now = now_seconds();
	int slot, other;

	if (fd < 0)
		return fd;
	int bad = key_read(l, fd, out, &slot, &other, e);
	if (bad == 0 && other != NONE)
		bad = slot_put(l, fd, other, NULL, e);
	if (bad == 0 && is_due(out, seq, now)) {
		evolve(out, seq, now);
		bad = slot_put(l, fd, !slot, out, e);
		if (bad == 0)
			bad = slot_put(l, fd, slot, NULL, e);
	}
	if (bad < 0)
		audit_key_wipe(out);
	return bad;
}

int audit_key_create(const struct audit_log *l, uint64_t seq, struct audit_key *out, struct err *e)
{
	own_fd int fd = key_open(l, O_CREAT, e);

	if (fd < 0)
		return fd;
	*out = (struct audit_key){.seq = seq, .time = now_seconds()};
	if (getrandom(out->k, sizeof(out->k), 0) != sizeof(out->k))
		return err_set(e, errno, "audit log %s: random bytes", l->path);
	sha256_hex(out->k, sizeof(out->k), out->first);
	int bad = slot_put(l, fd, 1, NULL, e);
	if (bad == 0)
		bad = slot_put(l, fd, 0, out, e);
	if (bad == 0 && l->sync != AUDIT_SYNC_NONE)
		(void)fdatasync(l->dir); /* some file systems have no such thing for a directory */
	if (bad < 0)
		audit_key_wipe(out);
	return bad;
}
