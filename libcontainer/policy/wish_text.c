/* Values of annotations, documents and flags: text in, numbers out. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "policy/rank.h"
#include "policy/wishes.h"

int wish_duration(const char *text, uint64_t *ms, struct err *e)
{
	if (str_u64(text, ms) || str_duration(text, ms))
		return 0;
	return err_msg(e, EINVAL, "\"%.40s\" is no duration such as 90s, 1m30s or 1500 (ms)", text);
}

int wish_size(const char *text, uint64_t *bytes, struct err *e)
{
	int64_t n;

	if (!str_bytes(text, &n) || n < 0)
		return err_msg(e, EINVAL, "\"%.40s\" is no size such as 64Mi, 512M or 1048576",
			       text);
	*bytes = (uint64_t)n;
	return 0;
}

int wish_cpus(const char *text, double *cpus, struct err *e)
{
	enum { MOST = 1000000 };
	uint64_t whole = 0, part = 0, scale = 1;
	size_t digits = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && whole < MOST; p++, digits++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p) && scale < MOST; p++, digits++) {
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	bool thousandths = *p == 'm' && scale == 1;
	if (!digits || p[thousandths])
		return err_msg(e, EINVAL, "\"%.40s\" is no number of CPUs such as 2, 0.5 or 500m",
			       text);
	*cpus = (double)whole + (double)part / (double)scale;
	if (thousandths)
		*cpus /= 1000;
	if (*cpus <= 0 || *cpus > MOST)
		return err_msg(e, ERANGE, "\"%.40s\" CPUs do not fit", text);
	return 0;
}

int wish_write(struct arena *a, const char *text, struct policy_write *out, struct err *e)
{
	const char *path_end = strchrnul(text, ':');
	uint64_t bytes = 0;

	*out = (struct policy_write){.path = arena_strndup(a, text, (size_t)(path_end - text))};
	if (level_path_check(out->path, e) < 0)
		return -e->code;
	if (!*path_end)
		return 0;
	const char *size = path_end + 1, *size_end = strchrnul(size, ':');
	if (size_end != size) {
		uint64_t *n = arena_new(a, sizeof(*n));

		if (wish_size(arena_strndup(a, size, (size_t)(size_end - size)), &bytes, e) < 0)
			return err_wrap(e, "%s", out->path);
		*n = bytes;
		out->size = n;
	}
	if (*size_end && !str_eq(size_end, ":noexec"))
		return err_msg(e, EINVAL, "%s: \"%.40s\" is not noexec", out->path, size_end + 1);
	out->noexec = *size_end;
	return 0;
}
