/*
 * The lock file.  Its lock is held around each append; its one line, of fixed size and written in
 * place, says what was written last, so that nothing of the log is read for an append.  The line
 * is believed only where it agrees with the log's size and inode.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/own.h"

int audit_check_file(const struct audit_log *l, const struct stat *st, const char *name,
		     bool secret, struct err *e)
{
	const struct {
		bool wrong;
		const char *what;
	} checks[] = {
		{S_ISLNK(st->st_mode),        "is a symbolic link"          },
		{!S_ISREG(st->st_mode),       "is no regular file"          },
		{st->st_nlink != 1,           "has other names (hard links)"},
		{st->st_uid != l->uid,        "belongs to another user"     },
		{st->st_mode & 022,           "can be written by others"    },
		{secret && st->st_mode & 077, "can be read by others"       },
	};

	for (size_t i = 0; i < LEN(checks); i++)
		if (checks[i].wrong)
			return err_msg(e, EPERM, "audit log %s: %s %s", l->path, name,
				       checks[i].what);
	return 0;
}

/* --- The lock --------------------------------------------------------------------------- */

int audit_lock_open(struct audit_log *l, struct err *e)
{
	struct stat st;
	own_fd int fd = openat(l->dir, l->lock_name,
			       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd < 0)
		return err_set(e, errno, "audit log %s: open %s", l->path, l->lock_name);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "audit log %s: stat %s", l->path, l->lock_name);
	int r = audit_check_file(l, &st, l->lock_name, false, e);
	if (r < 0)
		return r;
	l->lock = take_fd(&fd);
	l->lock_dev = st.st_dev;
	l->lock_ino = st.st_ino;
	return 0;
}

static int64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* it is there */
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

/* Without LOCK_NB there would be no bound to it but a signal's, which is not ours to send. */
static int wait_for(struct audit_log *l, int64_t until, struct err *e)
{
	enum { FIRST_US = 50, LAST_US = 5000 };
	long sleep_us = FIRST_US;

	for (;;) {
		if (flock(l->lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, errno, "audit log %s: lock %s", l->path, l->lock_name);
		if (now_us() >= until)
			return err_msg(e, EAGAIN,
				       "audit log %s: others held the lock for %u milliseconds",
				       l->path, l->wait_ms);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0,
				      &(struct timespec){.tv_nsec = sleep_us * 1000}, NULL);
		sleep_us = sleep_us * 2 < LAST_US ? sleep_us * 2 : LAST_US;
	}
}

int audit_lock(struct audit_log *l, struct err *e)
{
	int64_t until = now_us() + (int64_t)l->wait_ms * 1000;
	struct stat st;

	for (;;) {
		int r = l->lock < 0 ? audit_lock_open(l, e) : 0;

		if (r == 0)
			r = wait_for(l, until, e);
		if (r < 0)
			return r;
		/* A lock on a file that has lost its name keeps nobody out. */
		if (fstatat(l->dir, l->lock_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == l->lock_ino && st.st_dev == l->lock_dev)
			return 0;
		own_close(&l->lock);
	}
}

void audit_unlock(struct audit_log *l)
{
	(void)flock(l->lock, LOCK_UN); /* closing it does the same */
}

/* --- The line --------------------------------------------------------------------------- */

enum { DIGITS = 20, LINE = 288 };
static const char magic[] = "brig-audit-lock/1";

/* Decimal, DIGITS wide. */
static void put_number(char *to, uint64_t n)
{
	for (size_t i = DIGITS; i-- > 0; n /= 10)
		to[i] = (char)('0' + n % 10);
}

static bool take_number(const char *from, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < DIGITS; i++)
		if (from[i] < '0' || from[i] > '9' || __builtin_mul_overflow(*n, 10, n) ||
		    __builtin_add_overflow(*n, (uint64_t)(from[i] - '0'), n))
			return false;
	return true;
}

/* Where its parts stand: after the word, and a blank before each word. */
static const struct part {
	const char *word;
	uint16_t width; /* DIGITS: a number */
	uint16_t at;
} parts[] = {
	{"log=",  LOG_ID - 1,     offsetof(struct audit_last, log) },
	{"seq=",  DIGITS,         offsetof(struct audit_last, seq) },
	{"hash=", SHA256_HEX - 1, offsetof(struct audit_last, hash)},
	{"size=", DIGITS,         offsetof(struct audit_last, size)},
	{"ino=",  DIGITS,         offsetof(struct audit_last, ino) },
	{"dev=",  DIGITS,         offsetof(struct audit_last, dev) },
};
static const char *const keyed_words[] = {" key=no ", " key=yes"};

bool audit_last_read(const struct audit_log *l, struct audit_last *out)
{
	static const char hex[] = "0123456789abcdef";
	char line[LINE + 1] = "", *p = line + sizeof(magic) - 1;
	uint64_t n;

	*out = (struct audit_last){0};
	if (pread(l->lock, line, LINE, 0) != LINE || line[LINE - 1] != '\n' ||
	    memcmp(line, magic, sizeof(magic) - 1))
		return false;
	for (size_t i = 0; i < LEN(parts); i++) {
		size_t word = strlen(parts[i].word);
		char *to = (char *)out + parts[i].at;

		if (*p++ != ' ' || memcmp(p, parts[i].word, word))
			return false;
		p += word;
		if (parts[i].width == DIGITS) {
			if (!take_number(p, &n))
				return false;
			memcpy(to, &n, sizeof(n));
		} else {
			memcpy(to, p, parts[i].width);
			if (strspn(to, hex) != parts[i].width)
				return false;
		}
		p += parts[i].width;
	}
	out->keyed = !memcmp(p, keyed_words[1], strlen(keyed_words[1]));
	return out->keyed || !memcmp(p, keyed_words[0], strlen(keyed_words[0]));
}

void audit_last_write(const struct audit_log *l, const struct audit_last *last)
{
	char line[LINE], *p = line;
	uint64_t n;

	memset(line, ' ', LINE);
	line[LINE - 1] = '\n';
	memcpy(p, magic, sizeof(magic) - 1);
	p += sizeof(magic) - 1;
	for (size_t i = 0; i < LEN(parts); i++) {
		size_t word = strlen(parts[i].word);
		const char *from = (const char *)last + parts[i].at;

		memcpy(++p, parts[i].word, word);
		p += word;
		if (parts[i].width == DIGITS) {
			memcpy(&n, from, sizeof(n));
			put_number(p, n);
		} else {
			memcpy(p, from, parts[i].width);
		}
		p += parts[i].width;
	}
	memcpy(p, keyed_words[last->keyed], strlen(keyed_words[last->keyed]));
	(void)!pwrite(l->lock, line, LINE, 0);
}
