#include "reuse_lower.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "pool/lower.h"

/* As many paths as a report shows. */
enum { SHOWN = 100 };

static const char *digest(struct arena *a, const char *text, size_t len)
{
	char hex[SHA256_HEX];

	sha256_hex(text, len, hex);
	return arena_printf(a, "sha256:%s", hex);
}

/* --- create -------------------------------------------------------------------------------- */

static int take_digests(struct arena *a, const char *rootfs, int dir, struct state_reuse *u,
			struct err *e)
{
	const char *text;
	size_t len;

	if (lower_list(a, rootfs, &text, &len, e) < 0)
		return err_wrap(e, "--digests");
	u->digests = digest(a, text, len);
	return file_replace(dir, REUSE_DIGESTS, text, len, 0600, e);
}

/* text is taken apart. */
static int check_packages(struct arena *a, const char *rootfs, char *text,
			  struct lower_packages *list, const char *const **differ, size_t *n,
			  struct err *e)
{
	if (lower_packages_parse(a, text, list, e) < 0)
		return -e->code;
	return lower_packages_check(a, rootfs, list, differ, n, e);
}

static int read_packages(struct arena *a, const char *path, char **text, size_t *len, struct err *e)
{
	if (file_read(a, AT_FDCWD, path, LOWER_PACKAGES_BYTES, text, len, e) < 0)
		return err_wrap(e, "--packages");
	if (strlen(*text) != *len)
		return err_msg(e, EINVAL, "--packages %s: a NUL in it", path);
	return 0;
}

int reuse_look_packages(struct arena *a, const char *path, struct err *e)
{
	struct lower_packages list;
	size_t len;
	char *text;

	if (read_packages(a, path, &text, &len, e) < 0)
		return -e->code;
	return lower_packages_parse(a, text, &list, e) < 0 ? err_wrap(e, "--packages %s", path) : 0;
}

static int take_packages(struct arena *a, const char *rootfs, const char *path, int dir,
			 struct state_reuse *u, struct err *e)
{
	struct lower_packages list;
	const char *const *differ;
	size_t len, n;
	char *text;

	if (read_packages(a, path, &text, &len, e) < 0)
		return -e->code;
	u->packages = digest(a, text, len);
	if (file_replace(dir, REUSE_PACKAGES, text, len, 0600, e) < 0)
		return -e->code;
	if (check_packages(a, rootfs, text, &list, &differ, &n, e) < 0)
		return err_wrap(e, "--packages %s", path);
	return n ? err_msg(e, EKEYREJECTED, "--packages %s: %zu of %zu files differ: %.200s", path,
			   n, list.n, differ[0])
		 : 0;
}

int reuse_take_lower(struct arena *a, const char *rootfs, bool digests, const char *packages,
		     int dir, struct state_reuse *u, struct err *e)
{
	if (packages && take_packages(a, rootfs, packages, dir, u, e) < 0)
		return -e->code;
	return digests ? take_digests(a, rootfs, dir, u, e) : 0;
}

/* --- verify -------------------------------------------------------------------------------- */

static void add_row(struct arena *a, struct brig_report *out, const char *name, uint64_t differ,
		    bool ok, const char *detail)
{
	const int64_t n = (int64_t)differ;

	report_add_check(a, out, name, ok || differ ? &n : NULL, ok, detail);
}

/* That it is the list of create is known by state.json. */
static char *read_list(struct arena *a, int dir, const char *name, size_t most, const char *sha)
{
	struct err ignored;
	char *text;
	size_t len;

	if (file_read(a, dir, name, most, &text, &len, &ignored) < 0 ||
	    !str_eq(digest(a, text, len), sha))
		return NULL;
	return text;
}

static void verify_digests(struct arena *a, const struct brig_state *s, int dir,
			   struct brig_report *out)
{
	const char *before = read_list(a, dir, REUSE_DIGESTS, LOWER_TEXT + 4096, s->reuse->digests);
	const char *now, *first;
	struct err why;
	size_t len;

	if (!before) {
		add_row(a, out, "lower_files", 0, false, "the list is not the one of create");
	} else if (lower_list(a, s->rootfs, &now, &len, &why) < 0) {
		add_row(a, out, "lower_files", 0, false, arena_strdup(a, why.msg));
	} else {
		uint64_t n = lower_compare(a, before, now, &first);

		add_row(a, out, "lower_files", n, n == 0, first);
	}
}

static void verify_packages(struct arena *a, const struct brig_state *s, int dir,
			    struct brig_report *out)
{
	struct report_packages *p = arena_new(a, sizeof(*p));
	char *text = read_list(a, dir, REUSE_PACKAGES, LOWER_PACKAGES_BYTES, s->reuse->packages);
	struct lower_packages list;
	struct err why;
	size_t n;

	if (!text) {
		add_row(a, out, "packages", 0, false, "the list is not the one of create");
	} else if (check_packages(a, s->rootfs, text, &list, &p->differ, &n, &why) < 0) {
		add_row(a, out, "packages", 0, false, arena_strdup(a, why.msg));
	} else {
		p->listed = list.n;
		p->n_differ = n < SHOWN ? n : SHOWN;
		out->packages = p;
		add_row(a, out, "packages", n, n == 0, n ? p->differ[0] : NULL);
	}
}

/* What has been looked at is not what nothing can tell. */
static void cover(struct arena *a, struct brig_report *out)
{
	const char **list = arena_array(a, out->n_not_covered + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < out->n_not_covered; i++)
		if (!str_starts(out->not_covered[i], "files of the root file system"))
			list[n++] = out->not_covered[i];
	out->not_covered = list;
	out->n_not_covered = n;
}

int reuse_verify_lower(struct arena *a, const struct brig_state *s, int dir,
		       struct brig_report *out, struct err *e)
{
	if (!s->reuse->digests && !s->reuse->packages)
		return err_msg(e, EOPNOTSUPP,
			       "verify --full: container %s has no list of its root's files "
			       "(create --digests, --packages)",
			       s->id);
	if (s->reuse->digests) {
		verify_digests(a, s, dir, out);
		cover(a, out);
	}
	if (s->reuse->packages)
		verify_packages(a, s, dir, out);
	for (size_t i = 0; i < out->n_checks; i++)
		out->clean = out->clean && out->checks[i].ok;
	return 0;
}
