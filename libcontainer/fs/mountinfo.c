#include "fs/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"

static bool octal(const char *s)
{
	return s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
	       s[3] >= '0' && s[3] <= '7';
}

void mountinfo_unescape(char *s)
{
	char *to = s;

	while (*s)
		if (octal(s)) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	*to = '\0';
}

/* 36 35 98:0 /root /point rw,noatime master:1 - type source options (proc(5)) */
static bool parse(char *line, struct mountinfo_row *r)
{
	char *save = NULL, *words[5], *w = NULL;
	uint64_t id, parent;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < LEN(words); i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!words[i])
			return false;
	}
	if (!str_u64(words[0], &id) || !str_u64(words[1], &parent))
		return false;
	do
		w = strtok_r(NULL, " ", &save);
	while (w && !str_eq(w, "-"));
	r->id = (unsigned int)id;
	r->parent = (unsigned int)parent;
	r->root = words[3];
	r->point = words[4];
	r->type = w ? strtok_r(NULL, " ", &save) : NULL;
	w = r->type ? strtok_r(NULL, " ", &save) : NULL;
	r->super = w ? strtok_r(NULL, " ", &save) : NULL;
	mountinfo_unescape(r->root);
	mountinfo_unescape(r->point);
	return r->type != NULL;
}

int mountinfo_each(int (*row)(const struct mountinfo_row *r, void *ctx, struct err *e), void *ctx,
		   struct err *e)
{
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	own_free char *line = NULL;
	struct mountinfo_row r;
	size_t size = 0;

	if (!f)
		return err_set(e, errno, "open /proc/self/mountinfo");
	while (getline(&line, &size, f) > 0) {
		int end = parse(line, &r) ? row(&r, ctx, e) : 0;

		if (end)
			return end < 0 ? end : 0;
	}
	return 0;
}

int mountinfo_id(int fd, unsigned int *id, struct err *e)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return err_set(e, errno, "statx");
	if (!(stx.stx_mask & STATX_MNT_ID))
		return err_msg(e, ENOSYS, "the kernel does not tell mount ids (5.8 and later do)");
	*id = (unsigned int)stx.stx_mnt_id;
	return 0;
}
