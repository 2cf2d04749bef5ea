#ifndef BRIG_BASE_ERR_H
#define BRIG_BASE_ERR_H

/*
 * One error, fixed size, no heap: a child sends this very struct to its parent.
 *
 * Every fallible function returns 0 (or a value >= 0) on success and -errno on failure, and
 * takes a struct err * last, filled on failure only.  A message is lower case, has no full
 * stop and names the object: "mounts[2]: open /x: no such file or directory".
 */
struct err {
	int code;      /* errno value; never 0 once set */
	char msg[508]; /* always terminated, no newline */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/*
 * Fills *e and returns -code, so that callers write: return err_set(e, errno, "open %s", path);
 * The text of code is appended once.  Control characters in the message (they can come from
 * a config.json) are replaced by '?'.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, but the message is complete: the text of code is not appended. */
int err_msg(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "where: " before the message that is there; returns -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* strerror() with a small first letter, as Go callers of a runtime expect it. */
const char *err_text(int code);

#endif
