#include "cpu/resctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#define ROOT "/sys/fs/resctrl"
enum { SCHEMATA_MAX = 16384 };

#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif

bool resctrl_is_mounted(void)
{
	struct statfs fs;

	return statfs(ROOT, &fs) == 0 && fs.f_type == RDTGROUP_SUPER_MAGIC;
}

static bool is_name(const char *s)
{
	return *s && !strchr(s, '/') && !strchr(s, '\n') && !str_eq(s, ".") && !str_eq(s, "..");
}

static int check_lines(const struct oci_intel_rdt *s, struct err *e)
{
	if (s->l3_cache_schema && strchr(s->l3_cache_schema, '\n'))
		return err_msg(e, EINVAL, "linux: intelRdt: l3CacheSchema: more than one line");
	if (s->mem_bw_schema &&
	    (strchr(s->mem_bw_schema, '\n') || !str_starts(s->mem_bw_schema, "MB:")))
		return err_msg(e, EINVAL, "linux: intelRdt: memBwSchema: not one line MB:...");
	for (size_t i = 0; i < s->n_schemata; i++)
		if (strchr(s->schemata[i], '\n'))
			return err_msg(e, EINVAL,
				       "linux: intelRdt: schemata[%zu]: more than one line", i);
	return 0;
}

static bool has_schemata(const struct oci_intel_rdt *s)
{
	return s->l3_cache_schema || s->mem_bw_schema || s->n_schemata;
}

int resctrl_plan_make(struct arena *a, const char *id, const struct oci_intel_rdt *s,
		      struct resctrl_plan *out, struct err *e)
{
	*out = (struct resctrl_plan){.spec = s};
	if (!s)
		return 0;
	if (!resctrl_is_mounted())
		return err_msg(e, ENODEV,
			       "linux: intelRdt: no resctrl file system is mounted on " ROOT);
	if (s->clos_id && !str_eq(s->clos_id, "/") && !is_name(s->clos_id))
		return err_msg(e, EINVAL, "linux: intelRdt: closID: \"%s\" is not a name",
			       s->clos_id);
	if (check_lines(s, e) < 0)
		return -e->code;
	out->own = !s->clos_id;
	out->may_make = out->own || has_schemata(s);
	out->group = str_eq(s->clos_id, "/")
			     ? ROOT
			     : arena_printf(a, ROOT "/%s", s->clos_id ? s->clos_id : id);
	if (s->enable_monitoring)
		out->monitor = arena_printf(a, "%s/mon_groups/%s", out->group, id);
	return 0;
}

/* One write for each line: the kernel reports an error for the first bad one of a write. */
static int write_schemata(int dir, const struct oci_intel_rdt *s, struct err *e)
{
	const char *two[] = {s->l3_cache_schema, s->mem_bw_schema};
	char line[4096];

	for (size_t i = 0; i < LEN(two) + s->n_schemata; i++) {
		const char *text = i < LEN(two) ? two[i] : s->schemata[i - LEN(two)];

		if (!text)
			continue;
		if ((size_t)snprintf(line, sizeof(line), "%s\n", text) >= sizeof(line))
			return err_set(e, E2BIG, "linux: intelRdt: schemata");
		if (file_poke(dir, "schemata", line, e) < 0)
			return err_wrap(e, "linux: intelRdt");
	}
	return 0;
}

/* Each line asked for must be among those that an existing class has. */
static int compare_schemata(int dir, const struct oci_intel_rdt *s, struct err *e)
{
	const char *two[] = {s->l3_cache_schema, s->mem_bw_schema};
	char have[SCHEMATA_MAX];

	if (file_peek(dir, "schemata", have, sizeof(have)) < 0)
		return err_set(e, EIO, "linux: intelRdt: read schemata");
	for (size_t i = 0; i < LEN(two) + s->n_schemata; i++) {
		const char *text = i < LEN(two) ? two[i] : s->schemata[i - LEN(two)];

		if (text && !strstr(have, text))
			return err_msg(
				e, EINVAL,
				"linux: intelRdt: closID: the class exists with other schemata");
	}
	return 0;
}

static int join_group(const char *path, pid_t pid, struct err *e)
{
	char text[16];
	own_fd int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set(e, errno, "linux: intelRdt: %s", path);
	snprintf(text, sizeof(text), "%d", (int)pid);
	if (file_poke(dir, "tasks", text, e) < 0)
		return err_wrap(e, "linux: intelRdt: %s", path);
	return 0;
}

static int fill_group(const struct resctrl_plan *p, bool made, struct err *e)
{
	own_fd int dir = open(p->group, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set(e, errno, "linux: intelRdt: %s", p->group);
	if (!has_schemata(p->spec))
		return 0;
	if (!made && p->spec->clos_id && !str_eq(p->spec->clos_id, "/"))
		return compare_schemata(dir, p->spec, e);
	return write_schemata(dir, p->spec, e);
}

int resctrl_apply(const struct resctrl_plan *p, pid_t pid, struct err *e)
{
	struct err ignored;
	bool made;

	if (!p->group)
		return 0;
	made = p->may_make && mkdir(p->group, 0755) == 0;
	if (p->may_make && !made && errno != EEXIST)
		return err_set(e, errno, "linux: intelRdt: make class %s", p->group);
	int r = fill_group(p, made, e);
	if (r == 0)
		r = join_group(p->group, pid, e);
	if (r == 0 && p->monitor && mkdir(p->monitor, 0755) < 0 && errno != EEXIST)
		r = err_set(e, errno, "linux: intelRdt: make %s", p->monitor);
	if (r == 0 && p->monitor)
		r = join_group(p->monitor, pid, e);
	if (r < 0)
		(void)!resctrl_remove(made ? p->group : NULL, p->monitor, &ignored);
	return r;
}

int resctrl_update(struct arena *a, const char *id, const struct oci_intel_rdt *s,
		   struct resctrl_before *before, struct err *e)
{
	struct resctrl_plan p;
	char have[SCHEMATA_MAX];
	int r = resctrl_plan_make(a, id, s, &p, e);

	if (r < 0 || !p.group || !has_schemata(s))
		return r;
	own_fd int dir = open(p.group, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "linux: intelRdt: %s", p.group);
	if (file_peek(dir, "schemata", have, sizeof(have)) < 0)
		return err_set(e, EIO, "linux: intelRdt: read schemata");
	before->dir = take_fd(&dir);
	before->schemata = arena_strdup(a, have);
	return write_schemata(before->dir, s, e);
}

/* Best effort: the kernel took these lines before. */
void resctrl_put_back(struct resctrl_before *before)
{
	char *save = NULL, text[SCHEMATA_MAX];
	struct err ignored;

	if (before->dir < 0)
		return;
	for (char *line = strtok_r(before->schemata, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		snprintf(text, sizeof(text), "%s\n", line);
		(void)!file_poke(before->dir, "schemata", text, &ignored);
	}
}

int resctrl_remove(const char *group, const char *monitor, struct err *e)
{
	if (monitor && rmdir(monitor) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s", monitor);
	if (group && rmdir(group) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s", group);
	return 0;
}
