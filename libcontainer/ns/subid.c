#include "ns/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "ns/idpool.h"

enum { MAX_FILE = 16 << 20, MAX_FIELD = 256 };

/* --- /etc/passwd, /etc/subuid, /etc/subgid ------------------------------------------------ */

/* The next field of a line, without ':' and end of line; false: too long or no more of them. */
static bool next_field(const char **line, char out[MAX_FIELD])
{
	size_t n = strcspn(*line, ":\n");

	if (n >= MAX_FIELD)
		return false;
	memcpy(out, *line, n);
	out[n] = '\0';
	*line += n + ((*line)[n] == ':');
	return n;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

struct subid_range subid_find(const char *text, uid_t uid, const char *name)
{
	struct subid_range best = {0};

	for (const char *line = text; *line; line = next_line(line)) {
		const char *at = line;
		char who[MAX_FIELD], first[MAX_FIELD], count[MAX_FIELD];
		struct subid_range r;
		uint32_t id;

		if (!next_field(&at, who) || !next_field(&at, first) || !next_field(&at, count))
			continue;
		if (!str_eq(who, name) && (!str_u32(who, &id) || id != uid))
			continue;
		if (!str_u32(first, &r.first) || !str_u32(count, &r.count))
			continue;
		/* 0 is the host's root, the last id means none. */
		if (r.first && r.count <= UINT32_MAX - r.first && r.count > best.count)
			best = r;
	}
	return best;
}

static int name_of(struct arena *a, const char *etc, uid_t uid, const char **out, struct err *e)
{
	char *text;
	int r = file_read(a, AT_FDCWD, arena_printf(a, "%s/passwd", etc), MAX_FILE, &text, NULL, e);

	*out = NULL;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (const char *line = text; *line && !*out; line = next_line(line)) {
		const char *at = line;
		char name[MAX_FIELD], password[MAX_FIELD], number[MAX_FIELD];
		uint32_t id;

		if (!next_field(&at, name))
			continue;
		(void)next_field(&at, password); /* may be empty */
		if (next_field(&at, number) && str_u32(number, &id) && id == uid)
			*out = arena_strdup(a, name);
	}
	return 0;
}

static int range_of(struct arena *a, const char *etc, const char *file, uid_t uid, const char *name,
		    struct subid_range *out, struct err *e)
{
	char *text;
	int r = file_read(a, AT_FDCWD, arena_printf(a, "%s/%s", etc, file), MAX_FILE, &text, NULL,
			  e);

	*out = (struct subid_range){0};
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*out = subid_find(text, uid, name);
	return 0;
}

/* --- newuidmap ---------------------------------------------------------------------------- */

static bool in_path(struct arena *a, const char *program)
{
	const char *path = getenv("PATH");

	/* What posix_spawnp(3) takes without one. */
	for (const char *p = path ? path : "/bin:/usr/bin"; *p;) {
		size_t n = strcspn(p, ":");

		if (n && access(arena_printf(a, "%.*s/%s", (int)n, p, program), X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

int subid_read(struct arena *a, const char *etc, struct subid *out, struct err *e)
{
	uid_t uid = geteuid();
	const char *name;

	*out = (struct subid){0};
	if (name_of(a, etc, uid, &name, e) < 0 ||
	    range_of(a, etc, "subuid", uid, name, &out->uids, e) < 0 ||
	    range_of(a, etc, "subgid", uid, name, &out->gids, e) < 0)
		return -e->code;
	if (!out->uids.count || !out->gids.count)
		out->missing = arena_printf(a, "%s/%s has no range of user %u", etc,
					    out->uids.count ? "subgid" : "subuid", uid);
	else if (!in_path(a, "newuidmap") || !in_path(a, "newgidmap"))
		out->missing = "no newuidmap and newgidmap in PATH";
	else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		out->missing = "newuidmap gets no rights under no_new_privs";
	return 0;
}

/* --- the map ------------------------------------------------------------------------------ */

static bool has_line(const struct oci_id_mapping *m, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= m[i].container_id && id - m[i].container_id < m[i].size)
			return true;
	return false;
}

int subid_lines(struct arena *a, uint32_t own, const struct subid_range *r, bool all,
		const uint32_t *ids, size_t n, const struct oci_id_mapping **out, size_t *n_out,
		struct err *e)
{
	struct oci_id_mapping *m = arena_array(a, n + 2, sizeof(*m));
	uint32_t taken = 0; /* from the range's end */
	uint32_t most = IDPOOL_RANGE - 1;
	size_t k = 0;

	m[k++] = (struct oci_id_mapping){0, own, 1};
	/* Room for a line of each id is left at the end. */
	uint32_t room = r->count > n ? r->count - (uint32_t)n : 0;
	if (all && room)
		m[k++] = (struct oci_id_mapping){1, r->first, room < most ? room : most};
	for (size_t i = 0; i < n; i++) {
		if (has_line(m, k, ids[i]))
			continue;
		if (taken == r->count)
			return err_msg(e, EINVAL,
				       "process: user: %u is not mapped: the subordinate range of "
				       "user %u has %u ids",
				       ids[i], geteuid(), r->count);
		m[k++] = (struct oci_id_mapping){ids[i], r->first + r->count - ++taken, 1};
	}
	*out = m;
	*n_out = k;
	return k > IDMAP_MAX_LINES ? err_msg(e, EINVAL, "process: user: more than %d ids to map",
					     IDMAP_MAX_LINES)
				   : 0;
}
