/* Heads: what a log ends with, to be kept elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/own.h"
#include "specs/json_print.h"
#include "specs/table.h"

static int check_head(struct arena *a, void *object, struct err *e)
{
	const struct audit_head *h = object;
	uint8_t bytes[SHA256_BYTES];

	(void)a;
	if (strspn(h->log, "0123456789abcdef") != LOG_ID - 1 || h->log[LOG_ID - 1])
		return err_msg(e, EINVAL, "log: not 32 hexadecimal digits");
	if (!h->seq)
		return err_msg(e, EINVAL, "seq: not a number of a record");
	if (hex_read(h->hash, bytes) < 0)
		return err_msg(e, EINVAL, "hash: not 64 hexadecimal digits");
	return 0;
}

static const struct json_field audit_head_fields[] = {
	ROW_STR(audit_head, "log", log, JSON_REQUIRED),
	ROW_NUM(audit_head, "seq", seq, JSON_REQUIRED, JSON_U64, uint64_t),
	ROW_STR(audit_head, "hash", hash, JSON_REQUIRED),
	ROW_STR(audit_head, "ts", ts, JSON_REQUIRED),
};
TYPE_CLOSED(audit_head, check_head);

enum { MAX_HEAD = 4096 };

int audit_head_parse(struct arena *a, const char *json, size_t len, struct audit_head *out,
		     struct err *e)
{
	*out = (struct audit_head){0};
	int r = json_read(a, &audit_head_type_, json, len, MAX_HEAD, out, e);

	return r < 0 ? err_wrap(e, "head of an audit log") : 0;
}

char *audit_head_print(struct arena *a, const struct audit_head *h, size_t *len)
{
	return json_print_object(a, &audit_head_type_, h, len);
}

/* Between the two renames of a rotation there is no file of that name. */
static int open_read(const char *path, struct err *e)
{
	enum { TRIES = 20, WAIT_NS = 5000000 };

	for (int i = 0;; i++) {
		int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

		if (fd >= 0)
			return fd;
		if (errno != ENOENT || i == TRIES)
			return err_set(e, errno, "audit log %s: open", path);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = WAIT_NS},
				      NULL);
	}
}

int audit_head_read(struct arena *a, const char *path, struct audit_head *out, struct err *e)
{
	char id[LOG_ID];
	struct audit_tail t;
	struct stat st;
	own_fd int fd = open_read(path, e);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "audit log %s: stat", path);
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EINVAL, "audit log %s: no regular file", path);
	int r = audit_tail_read(a, fd, (uint64_t)st.st_size, path, NULL, &t, e);
	if (r == 0)
		r = audit_log_id(fd, path, id, e);
	if (r < 0)
		return r;
	*out = (struct audit_head){
		.log = arena_strdup(a, id),
		.seq = t.record.seq,
		.hash = arena_strdup(a, t.hash),
		.ts = t.record.ts,
	};
	return 0;
}
