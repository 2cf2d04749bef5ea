/* The file "ended": why a sandbox ended, as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"
#include "warden/internal.h"

enum { END_MAX_BYTES = 4096, FORMAT = 1, SHOWN = 64, MESSAGE_MAX = 256 };

struct end_file {
	int32_t v;
	const char *reason, *syscall, *arch, *class_, *name, *message;
	int64_t nr, count;
	uint64_t wall_ms, cpu_ms, output, passed, started_ns, ended_ns;
	bool tainted;
};

/* What becomes part of messages is no longer and of no other letters than the kernel's names. */
static int check_name(const char *key, const char *name, struct err *e)
{
	size_t n = name ? strlen(name) : 0;

	if (n > SHOWN || (n && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n))
		return err_msg(e, EINVAL, "%s: \"%.*s\" is no such name", key, SHOWN, name);
	return 0;
}

static int check_text(const char *key, const char *s, size_t most, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return err_msg(e, EINVAL, "%s: not of printable letters", key);
	return n > most ? err_msg(e, E2BIG, "%s: longer than %zu letters", key, most) : 0;
}

/* What a violation was is told of those that have no reason of their own. */
static int check_cause(const struct end_file *f, struct err *e)
{
	int c = violation_class_find(f->class_);

	if (str_eq(f->reason, "violation") != !!f->class_ || (f->name && !f->class_))
		return err_msg(e, EINVAL, "class: does not fit the reason");
	if (f->class_ &&
	    (c < 0 || c == VIOLATION_SYSCALL || c == VIOLATION_MEMORY || c == VIOLATION_MANUAL))
		return err_msg(e, EINVAL, "class: \"%.*s\" is no such word", SHOWN, f->class_);
	if (f->message && !str_eq(f->reason, "audit"))
		return err_msg(e, EINVAL, "message: does not fit the reason");
	int r = check_text("name", f->name, VIOLATION_NAME_MAX, e);
	return r < 0 ? r : check_text("message", f->message, MESSAGE_MAX, e);
}

static int check_end(struct arena *a, void *object, struct err *e)
{
	static const char *const reasons[] = {"timeout",     "lease",   "cpu-time",  "memory",
					      "output",      "syscall", "violation", "audit",
					      "warden-lost", "exited"};
	const struct end_file *f = object;
	bool known = false;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	for (size_t i = 0; i < LEN(reasons); i++)
		known = known || str_eq(f->reason, reasons[i]);
	if (!known)
		return err_msg(e, EINVAL, "reason: \"%.*s\" is no such word", SHOWN, f->reason);
	if (f->count < 0)
		return err_msg(e, ERANGE, "count: %lld does not fit", (long long)f->count);
	if (!f->tainted && (f->count > 0 || f->class_ || str_eq(f->reason, "syscall")))
		return err_msg(e, EINVAL, "tainted: does not fit count and reason");
	if (str_eq(f->reason, "syscall") && !f->count)
		return err_msg(e, EINVAL, "count: does not fit the reason");
	if (check_cause(f, e) < 0)
		return -e->code;
	int r = check_name("syscall", f->syscall, e);
	return r < 0 ? r : check_name("arch", f->arch, e);
}

static const struct json_field end_file_fields[] = {
	ROW_NUM(end_file, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(end_file, "reason", reason, JSON_REQUIRED),
	ROW_STR(end_file, "syscall", syscall, 0),
	ROW_STR(end_file, "arch", arch, 0),
	ROW_STR(end_file, "class", class_, 0),
	ROW_STR(end_file, "name", name, 0),
	ROW_STR(end_file, "message", message, 0),
	ROW_NUM(end_file, "nr", nr, 0, JSON_I64, int64_t),
	ROW_NUM(end_file, "count", count, 0, JSON_I64, int64_t),
	ROW_NUM(end_file, "wallMs", wall_ms, 0, JSON_U64, uint64_t),
	ROW_NUM(end_file, "cpuMs", cpu_ms, 0, JSON_U64, uint64_t),
	ROW_NUM(end_file, "output", output, 0, JSON_U64, uint64_t),
	ROW_NUM(end_file, "passed", passed, 0, JSON_U64, uint64_t),
	ROW_NUM(end_file, "startedNs", started_ns, 0, JSON_U64, uint64_t),
	ROW_NUM(end_file, "endedNs", ended_ns, 0, JSON_U64, uint64_t),
	ROW_BOOL(end_file, "tainted", tainted, 0),
};
TYPE(end_file, check_end);

int warden_end_parse(struct arena *a, const char *json, size_t len, struct warden_end *out,
		     struct err *e)
{
	struct end_file f = {0};
	int r = json_read(a, &end_file_type_, json, len, END_MAX_BYTES, &f, e);

	if (r < 0)
		return err_wrap(e, WARDEN_ENDED);
	*out = (struct warden_end){
		.reason = f.reason,
		.syscall = f.syscall,
		.arch = f.arch,
		.class_ = f.class_,
		.name = f.name,
		.message = f.message,
		.nr = f.nr,
		.count = f.count,
		.wall_ms = f.wall_ms,
		.cpu_ms = f.cpu_ms,
		.output = f.output,
		.passed = f.passed,
		.started_ns = f.started_ns,
		.ended_ns = f.ended_ns,
		.tainted = f.tainted,
	};
	return 0;
}

/* Limits: of the reason only; what is not known is left out. */
static void print_numbers(struct json_out *o, const struct warden_end *end)
{
	const struct {
		const char *reason, *key;
		uint64_t value;
	} numbers[] = {
		{"timeout",  "wallMs",    end->wall_ms   },
                {"cpu-time", "cpuMs",     end->cpu_ms    },
		{NULL,       "output",    end->output    },
                {NULL,       "passed",    end->passed    },
		{NULL,       "startedNs", end->started_ns},
                {NULL,       "endedNs",   end->ended_ns  },
	};

	for (size_t i = 0; i < LEN(numbers); i++)
		if (numbers[i].reason ? str_eq(end->reason, numbers[i].reason) : numbers[i].value)
			json_key_uint(o, numbers[i].key, numbers[i].value);
}

static const char *printable(struct arena *a, const char *s)
{
	char *out = arena_strndup(a, s, strnlen(s, MESSAGE_MAX));

	for (char *c = out; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	return out;
}

char *warden_end_print(struct arena *a, const struct warden_end *end, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_int(&o, "v", FORMAT);
	json_key_str(&o, "reason", end->reason);
	if (end->syscall)
		json_key_str(&o, "syscall", end->syscall);
	if (end->arch)
		json_key_str(&o, "arch", end->arch);
	if (end->class_)
		json_key_str(&o, "class", end->class_);
	if (end->name)
		json_key_str(&o, "name", end->name);
	if (end->message)
		json_key_str(&o, "message", printable(a, end->message));
	if (end->count > 0) {
		json_key_int(&o, "nr", end->nr);
		json_key_int(&o, "count", end->count);
	}
	print_numbers(&o, end);
	json_key_bool(&o, "tainted", end->tainted);
	json_end_object(&o);
	return json_done(&o, len);
}

int warden_end_read(struct arena *a, int dir, struct warden_end *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, WARDEN_ENDED, END_MAX_BYTES, &text, &len, e);

	if (r == -ENOENT) {
		*out = (struct warden_end){0};
		return 0;
	}
	return r < 0 ? r : warden_end_parse(a, text, len, out, e);
}

static const char room[] = WARDEN_ENDED ".room";

/* Best effort: some file systems reserve nothing. */
int warden_end_reserve(int dir)
{
	int fd = openat(dir, room, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, END_MAX_BYTES);
	return fd;
}

static bool use_room(int dir, int *fd, const char *text, size_t len)
{
	bool done = *fd >= 0 && file_write_all(*fd, text, len) == 0 &&
		    renameat(dir, room, dir, WARDEN_ENDED) == 0;

	own_close(fd);
	return done;
}

int warden_end_write(int dir, int *reserved, const struct warden_end *end, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text = warden_end_print(&a, end, &len);

	if (use_room(dir, reserved, text, len))
		return 0;
	return file_replace(dir, WARDEN_ENDED, text, len, 0600, e);
}
