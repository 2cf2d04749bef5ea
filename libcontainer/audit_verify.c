/* audit verify and key: the log as a whole, and what is known of sandboxes beside it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "audit/verify.h"
#include "audit_path.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "container.h"
#include "evidence.h"
#include "store.h"

enum { MAX_HEADS = 1 << 20, MAX_KEY = 256 };

int audit_path(struct arena *a, const struct container_host *h, const char **path, struct err *e)
{
	struct evidence v;

	if (*path)
		return 0;
	int r = evidence_of_host(a, h, &v, e);
	if (r == 0)
		*path = v.audit->path;
	return r;
}

/* --- what is kept elsewhere ----------------------------------------------------------------- */

static int read_text(struct arena *a, const char *name, size_t max, char **out, size_t *len,
		     struct err *e)
{
	if (str_eq(name, "-"))
		return file_read_fd(a, STDIN_FILENO, "standard input", max, out, len, e);
	return file_read(a, AT_FDCWD, name, max, out, len, e);
}

/* A line each; what else is in the file, as the records of an export, is passed over. */
static int read_heads(struct arena *a, const char *name, struct audit_verify *v, struct err *e)
{
	char *text, *line;
	size_t len, lines = 1, n = 0;
	int r = read_text(a, name, MAX_HEADS, &text, &len, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	struct audit_head *heads = arena_array(a, lines, sizeof(*heads));
	while ((line = strsep(&text, "\n"))) {
		if (!*line || str_starts(line, "{\"v\":1,"))
			continue;
		r = audit_head_parse(a, line, strlen(line), &heads[n++], e);
		if (r < 0)
			return err_wrap(e, "%s", name);
	}
	if (!n)
		return err_msg(e, EINVAL, "%s: there is no head in it", name);
	v->heads = heads;
	v->n_heads = n;
	return 0;
}

static int read_key(struct arena *a, const char *name, uint8_t out[SHA256_BYTES], struct err *e)
{
	char *text;
	size_t len;
	int r = read_text(a, name, MAX_KEY, &text, &len, e);

	if (r < 0)
		return r;
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	r = hex_read(text, out);
	explicit_bzero(text, len);
	return r < 0 ? err_msg(e, EINVAL, "%s: a key is 64 hexadecimal digits", name) : 0;
}

/* --- sandboxes ------------------------------------------------------------------------------ */

struct asked {
	const struct container_audit_check *check;
	const struct container_host *host;
	char boot[64];
};

/* Of another boot or another machine nothing can be said. */
static bool lives(void *ctx, const struct audit_life *l)
{
	const struct asked *q = ctx;
	own_arena struct arena scratch = {0};
	struct container_host host = *q->host;
	struct container_info info;
	struct err e;

	if (!str_eq(l->boot, q->boot))
		return true;
	if (l->root)
		host.root = l->root;
	if (container_state(&host, l->id, &scratch, &info, &e) < 0)
		return e.code != ENOENT;
	/* It is there; who watched it should have written its end, if it has one. */
	return !str_eq(info.status, "stopped") ||
	       !(str_eq(info.ended, "warden-lost") || str_eq(info.ended, "unknown"));
}

static void found(void *ctx, const struct audit_finding *f)
{
	const struct asked *q = ctx;

	if (q->check->found)
		q->check->found(q->check->ctx, f);
}

/* --- the verbs ------------------------------------------------------------------------------ */

static int write_down(const struct container_host *h, const struct audit_verdict *v, struct err *e)
{
	own_arena struct arena a = {0};
	struct evidence ev;
	struct json_out o;
	int r = evidence_of_host(&a, h, &ev, e);

	if (r < 0)
		return r;
	json_begin(&o, &a, 0);
	json_object(&o);
	json_key_str(&o, "verdict", v->worst ? v->worst->word : "intact");
	json_key_uint(&o, "records", v->records);
	json_key_uint(&o, "findings", v->findings);
	json_key_uint(&o, "seq", v->last.seq);
	json_key_str(&o, "hash", v->last.hash);
	json_end_object(&o);
	const struct audit_record rec = {
		.event = "AuditVerified",
		.action = "verify",
		.outcome = v->worst ? "failed" : "ok",
		.severity = v->worst ? "critical" : NULL,
		.data = json_done(&o, NULL),
	};
	r = evidence_write(&ev, &rec, e);
	evidence_close(&ev);
	return r;
}

int container_audit_verify(const struct container_host *h, const struct container_audit_check *c,
			   struct arena *a, struct audit_verdict *out, struct err *e)
{
	struct asked q = {.check = c, .host = h};
	uint8_t key[SHA256_BYTES];
	struct audit_verify v = {
		.path = c->path,
		.found = found,
		.ctx = &q,
		.most = c->most,
		.lives = lives,
	};
	int r = audit_path(a, h, &v.path, e);

	if (r == 0 && c->heads)
		r = read_heads(a, c->heads, &v, e);
	if (r == 0 && c->key)
		r = read_key(a, c->key, key, e);
	if (r < 0)
		return r;
	v.key = c->key ? key : NULL;
	/* Not to be read: then of no sandbox anything is said. */
	(void)!file_peek(AT_FDCWD, "/proc/sys/kernel/random/boot_id", q.boot, sizeof(q.boot));
	r = audit_verify(a, &v, out, e);
	explicit_bzero(key, sizeof(key));
	return r == 0 && c->record ? write_down(h, out, e) : r;
}

int container_audit_key(const struct container_host *h, const char *path, char hex[65],
			struct err *e)
{
	own_arena struct arena a = {0};
	struct evidence v;
	struct audit_log *log = NULL;
	int r = evidence_of_host(&a, h, &v, e);

	if (r < 0)
		return r;
	const struct audit_config c = {
		.path = path ? path : v.audit->path,
		.max_bytes = v.audit->max_bytes,
		.wait_ms = v.audit->wait_ms,
	};
	r = audit_open(&a, &c, &log, e);
	if (r == 0)
		r = audit_key_make(log, hex, e);
	audit_close(log);
	return r;
}
