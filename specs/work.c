#include "specs/work.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "specs/json_print.h"
#include "specs/runtime_check.h"
#include "specs/table.h"

enum { REQ = JSON_REQUIRED, STRINGS_MAX = 65536 };

static int check_work(struct arena *a, void *object, struct err *e)
{
	const struct brig_work *w = object;

	(void)a;
	if (w->n_args == 0 || !*w->args[0])
		return err_msg(e, EINVAL, "args: no program");
	if (w->cwd && w->cwd[0] != '/')
		return err_msg(e, EINVAL, "cwd: \"%.64s\" is not absolute", w->cwd);
	for (size_t i = 0; i < w->n_env; i++)
		/* Not the text: it may be a secret. */
		if (!strchr(w->env[i], '=') || w->env[i][0] == '=')
			return err_msg(e, EINVAL, "env[%zu]: not NAME=VALUE", i);
	return 0;
}

static const struct json_field oci_rlimit_fields[] = {
	ROW_STR(oci_rlimit, "type", type, REQ),
	ROW_NUM(oci_rlimit, "soft", soft, REQ, JSON_U64, uint64_t),
	ROW_NUM(oci_rlimit, "hard", hard, REQ, JSON_U64, uint64_t),
};
TYPE_CLOSED(oci_rlimit, check_rlimit);

static const struct json_field brig_work_fields[] = {
	ROW_STRS(brig_work, "args", args, n_args, REQ),
	ROW_STRS(brig_work, "env", env, n_env, 0),
	ROW_STR(brig_work, "cwd", cwd, 0),
	ROW_OBJS(brig_work, "rlimits", rlimits, n_rlimits, oci_rlimit),
};
TYPE_CLOSED(brig_work, check_work);

int work_parse(struct arena *a, const char *json, size_t len, struct brig_work *out, struct err *e)
{
	*out = (struct brig_work){0};
	return json_read(a, &brig_work_type_, json, len, WORK_MAX_BYTES, out, e);
}

char *work_print(struct arena *a, const struct brig_work *w, size_t *len)
{
	return json_print_object(a, &brig_work_type_, w, len);
}

/* --- bytes: three counts, then strings, each with its NUL: cwd, args, env, limits --------- */

struct head {
	uint32_t n_args, n_env, n_limits;
};

static size_t size_of(const char *const *list, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += strlen(list[i]) + 1;
	return size;
}

static char *put(char *to, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]) + 1;

		memcpy(to, list[i], len);
		to += len;
	}
	return to;
}

char *work_pack(struct arena *a, const struct brig_work *w, size_t *len)
{
	const struct head h = {(uint32_t)w->n_args, (uint32_t)w->n_env, (uint32_t)w->n_limits};

	*len = sizeof(h) + strlen(w->cwd) + 1 + size_of(w->args, w->n_args) +
	       size_of(w->env, w->n_env) + size_of(w->limits, w->n_limits);
	char *bytes = arena_new(a, *len), *p = bytes;
	memcpy(p, &h, sizeof(h));
	p = put(p + sizeof(h), &w->cwd, 1);
	p = put(p, w->args, w->n_args);
	p = put(p, w->env, w->n_env);
	(void)put(p, w->limits, w->n_limits);
	return bytes;
}

/* NULL: they are not all there. */
static const char *take(const char *p, const char *end, const char **list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *nul = p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL;

		if (!nul)
			return NULL;
		list[i] = p;
		p = nul + 1;
	}
	return p;
}

int work_unpack(struct arena *a, const char *bytes, size_t len, struct brig_work *out,
		struct err *e)
{
	struct head h;

	*out = (struct brig_work){0};
	if (len < sizeof(h))
		return err_msg(e, EBADMSG, "late work: cut short");
	memcpy(&h, bytes, sizeof(h));
	if (!h.n_args || h.n_args > STRINGS_MAX || h.n_env > STRINGS_MAX ||
	    h.n_limits > STRINGS_MAX)
		return err_msg(e, EBADMSG, "late work: %u arguments, %u variables, %u limits",
			       h.n_args, h.n_env, h.n_limits);
	const char **args = arena_array(a, (size_t)h.n_args + 1, sizeof(*args));
	const char **env = arena_array(a, (size_t)h.n_env + 1, sizeof(*env));
	const char **limits = arena_array(a, (size_t)h.n_limits + 1, sizeof(*limits));
	const char *p = bytes + sizeof(h), *end = bytes + len;
	p = take(p, end, &out->cwd, 1);
	p = p ? take(p, end, args, h.n_args) : NULL;
	p = p ? take(p, end, env, h.n_env) : NULL;
	p = p ? take(p, end, limits, h.n_limits) : NULL;
	if (p != end)
		return err_msg(e, EBADMSG, "late work: not as long as it says");
	out->args = args;
	out->n_args = h.n_args;
	out->env = env;
	out->n_env = h.n_env;
	out->limits = limits;
	out->n_limits = h.n_limits;
	return 0;
}
