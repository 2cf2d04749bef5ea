#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"

#define ROOT "/sys/fs/cgroup"

enum { MAX_HIERARCHIES = 24, PROC_MAX = 1 << 20, MOUNTINFO_MAX = 64 << 20 };

static const struct word ctrl_words[] = {
	{"cpu",        CG_CPU     },
        {"cpuacct",    CG_CPUACCT },
        {"cpuset",     CG_CPUSET  },
	{"memory",     CG_MEMORY  },
        {"devices",    CG_DEVICES },
        {"freezer",    CG_FREEZER },
	{"io",         CG_IO      },
        {"blkio",      CG_IO      },
        {"pids",       CG_PIDS    },
	{"hugetlb",    CG_HUGETLB },
        {"net_cls",    CG_NET_CLS },
        {"net_prio",   CG_NET_PRIO},
	{"rdma",       CG_RDMA    },
        {"perf_event", CG_PERF    },
        {"misc",       CG_MISC    },
	{"dmem",       CG_DMEM    },
        {"cgroup",     CG_CORE    },
        {NULL,         0          },
};

uint32_t cg_ctrls(const char *list, const char *seps)
{
	uint32_t mask = 0;

	while (*list) {
		size_t n = strcspn(list, seps);
		char word[32];

		if (n < sizeof(word)) {
			memcpy(word, list, n);
			word[n] = '\0';
			const struct word *w = word_find(ctrl_words, word);
			if (w)
				mask |= CG_BIT(w->value);
		}
		list += n + (list[n] != '\0');
	}
	return mask;
}

const char *cg_ctrl_name(enum cg_ctrl c, bool v2)
{
	if (c == CG_IO && !v2)
		return "blkio";
	const char *name = word_name(ctrl_words, c);
	return name ? name : "?";
}

const char *cg_ctrl_names(struct cg_names *out, uint32_t mask, bool v2)
{
	size_t len = 0;

	out->text[0] = '\0';
	for (unsigned int c = 0; c < CG_N_CTRL && len < sizeof(out->text); c++)
		if (mask & CG_BIT(c))
			len += (size_t)snprintf(out->text + len, sizeof(out->text) - len, "%s%s",
						len ? ", " : "", cg_ctrl_name(c, v2));
	return out->text;
}

static bool is_fs(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == magic;
}

/* Where distributions mount a hierarchy; co-mounted ones also have a symlink per controller. */
static const char *usual_place(struct arena *a, const char *hierarchy)
{
	if (!hierarchy[0])
		return is_fs(ROOT "/unified", CGROUP2_SUPER_MAGIC) ? ROOT "/unified" : NULL;
	const char *name = str_starts(hierarchy, "name=") ? hierarchy + 5 : hierarchy;
	const char *path = arena_printf(a, ROOT "/%s", name);
	if (is_fs(path, CGROUP_SUPER_MAGIC))
		return path;
	size_t first = strcspn(name, ",");
	if (!name[first])
		return NULL;
	path = arena_printf(a, ROOT "/%.*s", (int)first, name);
	return is_fs(path, CGROUP_SUPER_MAGIC) ? path : NULL;
}

struct mount_table {
	struct cg_mountinfo *list;
	size_t n;
	bool loaded;
};

static int load_mounts(struct arena *a, struct mount_table *t, struct err *e)
{
	struct cg_mountinfo one;
	char *text, *rest;
	size_t n = 0;

	if (t->loaded)
		return 0;
	int r = file_read(a, AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	rest = text;
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	t->list = arena_array(a, n + 1, sizeof(*t->list));
	while (t->n <= n && cg_mountinfo_next(&rest, &one))
		t->list[t->n++] = one;
	t->loaded = true;
	return 0;
}

/* A mount of the hierarchy, best one of its root: a bind of some subdirectory is the last choice.
 */
static const char *search_mounts(const struct mount_table *t, const char *hierarchy)
{
	const char *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct cg_mountinfo *m = &t->list[i];

		if (m->v2 != !hierarchy[0] || (!m->v2 && !cg_options_have(m->options, hierarchy)))
			continue;
		/* A mount that another one hides cannot be reached by its path. */
		if (!is_fs(m->mountpoint, m->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
			continue;
		if (strcmp(m->root, "/") == 0)
			return m->mountpoint;
		if (!found)
			found = m->mountpoint;
	}
	return found;
}

static int probe_unified(struct arena *a, char *self, struct cgroup_host *out)
{
	struct cg_self line;

	out->layout = CGROUP_V2;
	out->mounts = arena_new(a, sizeof(*out->mounts));
	out->n_mounts = 1;
	out->mounts[0] = (struct cgroup_mount){"", ROOT, "/"};
	/* v1 lines can be there too: a private view where only cgroup2 is mounted. */
	while (cg_self_next(&self, &line))
		if (!line.hierarchy[0])
			out->mounts[0].own_path = line.path;
	return 0;
}

static enum cgroup_layout layout_of(const struct cgroup_host *h)
{
	size_t v1 = 0, v2 = 0;

	for (size_t i = 0; i < h->n_mounts; i++) {
		v2 += !h->mounts[i].hierarchy[0];
		v1 += cg_ctrls(h->mounts[i].hierarchy, ",") != 0;
	}
	if (v1)
		return v2 ? CGROUP_HYBRID : CGROUP_V1;
	if (v2)
		return CGROUP_V2;
	return h->n_mounts ? CGROUP_V1 : CGROUP_NONE;
}

static void keep_only_unified(struct cgroup_host *h)
{
	for (size_t i = 0; i < h->n_mounts; i++)
		if (!h->mounts[i].hierarchy[0])
			h->mounts[0] = h->mounts[i];
	h->n_mounts = 1;
}

/* Nearly always short: one read into a buffer that is there already. */
static int read_self(struct arena *a, char **out, struct err *e)
{
	static const char name[] = "/proc/self/cgroup";
	char text[4096];
	ssize_t n = file_peek(AT_FDCWD, name, text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)-n, "read %s", name);
	if ((size_t)n >= sizeof(text) - 2)
		return file_read(a, AT_FDCWD, name, PROC_MAX, out, NULL, e);
	*out = arena_strndup(a, text, (size_t)n);
	return 0;
}

int cgroup_host_probe(struct arena *a, struct cgroup_host *out, struct err *e)
{
	struct mount_table table = {0};
	struct cg_self line;
	char *self = NULL;

	memset(out, 0, sizeof(*out));
	int r = read_self(a, &self, e);
	if (r == -ENOENT)
		return 0; /* a kernel without cgroups: layout none */
	if (r < 0)
		return r;
	if (is_fs(ROOT, CGROUP2_SUPER_MAGIC))
		return probe_unified(a, self, out);
	out->mounts = arena_array(a, MAX_HIERARCHIES, sizeof(*out->mounts));
	while (out->n_mounts < MAX_HIERARCHIES && cg_self_next(&self, &line)) {
		const char *place = usual_place(a, line.hierarchy);

		if (!place) {
			r = load_mounts(a, &table, e);
			if (r < 0)
				return r;
			place = search_mounts(&table, line.hierarchy);
		}
		if (!place) {
			log_debug("cgroup hierarchy \"%s\" is not mounted", line.hierarchy);
			continue;
		}
		out->mounts[out->n_mounts++] =
			(struct cgroup_mount){line.hierarchy, place, line.path};
	}
	out->layout = layout_of(out);
	if (out->layout == CGROUP_V2)
		keep_only_unified(out);
	return 0;
}
