#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"

/* Moving processes into the container's directories. */

static int write_pid(const struct cg_dir *d, const char *sub, pid_t pid, struct err *e)
{
	char path[PATH_MAX], text[16];
	const char *slash = sub[0] ? "/" : "";

	snprintf(text, sizeof(text), "%d", pid);
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s/cgroup.procs", d->path, slash, sub) >=
	    sizeof(path))
		return err_set(e, ENAMETOOLONG, "adding pid %d to cgroups", pid);
	int r = file_poke(AT_FDCWD, path, text, e);
	return r < 0 ? err_wrap(e, "error adding pid %d to cgroups", pid) : 0;
}

/*
 * A user may move no process from a login session to a unit of the user's own systemd: the
 * directory above both is root's (cgroup-v2.rst, Delegation Containment).  systemd may.
 */
static int move(const struct cgroup *cg, const struct cg_dir *d, const char *sub, pid_t pid,
		struct err *e)
{
	int r = write_pid(d, sub, pid, e);

	if ((r != -EACCES && r != -EPERM) || !cg->unit || cg->layout != CGROUP_V2)
		return r;
	return cg_systemd_attach(cg, sub, pid, e);
}

/* The container made sub-cgroups and gave them controllers: it takes no process itself. */
static bool passes_on(struct cg_dir *d)
{
	char text[256];
	int fd = cg_dirfd(d);

	return fd >= 0 && cg_has_children(fd) &&
	       cg_peek(d, "cgroup.subtree_control", text, sizeof(text)) > 0;
}

int cgroup_spawn_fd(const struct cgroup *cg)
{
	struct cg_dir *d = cg_unified(cg);
	bool by_systemd = cg->unit && cg->rootless;

	return !d || by_systemd || passes_on(d) ? -1 : cg_dirfd(d);
}

int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *e)
{
	/* Made by this command and not yet by systemd: the unit starts with the process. */
	if (cg->manager == CGROUP_SYSTEMD && cg->plan && !cg->n_dirs)
		return cg_systemd_start(cg, pid, e);
	for (size_t i = 0; i < cg->n_dirs; i++) {
		int r = cg->dirs[i].path ? move(cg, &cg->dirs[i], "", pid, e) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Where the container keeps its init, below its own directory: /a/ID/init.scope is init.scope. */
static const char *below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		size_t n = (size_t)(at - path);

		if (n <= len && memcmp(dir + len - n, path, n) == 0)
			return at + 1;
	}
	return NULL;
}

int cgroup_attach_beside(struct cgroup *cg, pid_t of, pid_t pid, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct cg_dir *d = cg_unified(cg);
	struct cg_self line;
	char name[64], *text;

	int r = cgroup_attach(cg, pid, e);
	if (r >= 0 || !d || !passes_on(d))
		return r;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", of);
	struct err why;
	if (file_read(&scratch, AT_FDCWD, name, 1 << 20, &text, NULL, &why) < 0)
		return r;
	while (cg_self_next(&text, &line)) {
		const char *sub = line.hierarchy[0] ? NULL : below(d->path, line.path);

		if (sub)
			return move(cg, d, sub, pid, e);
	}
	return r;
}

/* A path below the container's cgroup: no way out of it, and "." and "/" are the cgroup itself. */
static int clean_sub(const char *given, char *out, size_t size, struct err *e)
{
	size_t n = 0;

	out[0] = '\0';
	for (const char *p = given; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_msg(e, EINVAL, "bad sub cgroup path: %s", given);
		if (len && !(len == 1 && p[0] == '.')) {
			int r = snprintf(out + n, size - n, "%s%.*s", n ? "/" : "", (int)len, p);

			n += (size_t)r;
			if (n >= size)
				return err_msg(e, ENAMETOOLONG, "bad sub cgroup path: %s", given);
		}
		p += len + (p[len] == '/');
	}
	return 0;
}

enum { MAX_DIRS = 32 };

/* Sets subs[] of the directories that the words of ctrls name. */
static int choose(const struct cgroup *cg, const char *ctrls, size_t len, const char *path,
		  const char **subs, struct err *e)
{
	for (size_t at = 0; at <= len;) {
		size_t n = strcspn(ctrls + at, ",:");
		char word[64];
		bool found = false;

		snprintf(word, sizeof(word), "%.*s", (int)n, ctrls + at);
		for (size_t i = 0; i < cg->n_dirs && i < MAX_DIRS; i++) {
			const char *h = cg->dirs[i].hierarchy;
			bool fits = n && cg_options_have(h, word);

			fits |= n && str_starts(h, "name=") && strcmp(h + 5, word) == 0;
			if (fits)
				subs[i] = path;
			found |= fits;
		}
		if (!found)
			return err_msg(e, EINVAL, "unknown controller %s in sub-cgroup paths",
				       word);
		at += n + 1;
	}
	return 0;
}

int cgroup_attach_sub(struct cgroup *cg, const char *const *subs, size_t n, pid_t pid,
		      struct err *e)
{
	const char *chosen[MAX_DIRS] = {0};
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		const char *colon = cg->layout == CGROUP_V2 ? NULL : strchr(subs[i], ':');
		int r = 0;

		if (!colon && n > 1)
			return err_msg(
				e, EINVAL,
				"invalid --cgroup argument: %s (missing <controller>: prefix)",
				subs[i]);
		if (colon)
			r = choose(cg, subs[i], (size_t)(colon - subs[i]), colon + 1, chosen, e);
		if (r < 0)
			return r;
		for (size_t k = 0; !colon && k < MAX_DIRS; k++)
			chosen[k] = subs[i];
	}
	/* All words are checked before anything moves. */
	for (size_t i = 0; i < cg->n_dirs && i < MAX_DIRS; i++) {
		int r = clean_sub(chosen[i] ? chosen[i] : "", path, sizeof(path), e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < cg->n_dirs && i < MAX_DIRS; i++) {
		int r = clean_sub(chosen[i] ? chosen[i] : "", path, sizeof(path), e);

		/* runc: with one path for all, the hierarchies that lack it are no error on
		 * hybrid's cgroup2, which sub-cgroups of the engines do not exist in. */
		if (r >= 0 && chosen[i] && cg->layout == CGROUP_HYBRID && !cg->dirs[i].hierarchy[0])
			path[0] = '\0';
		if (r >= 0)
			r = move(cg, &cg->dirs[i], path, pid, e);
		if (r < 0)
			return r;
	}
	return 0;
}
