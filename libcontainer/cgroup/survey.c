#include "cgroup/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"

/* More hierarchies than any kernel has controllers. */
enum { DIRS_MAX = 24 };

void cgroup_survey_close(struct cgroup_survey *s)
{
	for (size_t i = 0; i < s->n; i++) {
		own_close(&s->parents[i].fd);
		free(s->parents[i].path);
	}
	s->n = 0;
}

static int parent_of(struct cgroup_survey *s, const char *path, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->parents[i].len == len && memcmp(s->parents[i].path, path, len) == 0)
			return s->parents[i].fd;
	char *copy = strndup(path, len);
	int fd = copy ? open(copy, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0) {
		free(copy);
		return -1;
	}
	size_t at = s->n < SURVEY_PARENTS ? s->n++ : s->next++ % SURVEY_PARENTS;
	struct survey_parent *p = &s->parents[at];
	if (p->path) {
		own_close(&p->fd);
		free(p->path);
	}
	*p = (struct survey_parent){copy, len, fd};
	return fd;
}

static int open_near(void *ctx, struct cg_dir *d, const char *file)
{
	const char *slash = strrchr(d->path, '/');
	char path[NAME_MAX + 80];

	if (!slash || slash == d->path ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s", slash + 1, file) >= sizeof(path))
		return -EINVAL;
	int parent = parent_of(ctx, d->path, (size_t)(slash - d->path));
	int fd = parent < 0 ? -1 : openat(parent, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : fd;
}

static ssize_t peek_near(struct cgroup_survey *s, struct cg_dir *d, const char *file, char *buf,
			 size_t size)
{
	own_fd int fd = open_near(s, d, file);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, size - 1, 0);

	if (n < 0)
		return -1;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

/* A handle for the finders of this room, on the stack and with nothing open. */
static void as_cgroup(const struct cgroup_record *r, struct cg_dir dirs[DIRS_MAX],
		      struct cgroup *cg)
{
	*cg = (struct cgroup){.dirs = dirs};
	cg->layout = str_eq(r->layout, "v2")       ? CGROUP_V2
		     : str_eq(r->layout, "v1")     ? CGROUP_V1
		     : str_eq(r->layout, "hybrid") ? CGROUP_HYBRID
						   : CGROUP_NONE;
	for (size_t i = 0; i < r->n_dirs && cg->n_dirs < DIRS_MAX; i++)
		dirs[cg->n_dirs++] = (struct cg_dir){
			.hierarchy = r->dirs[i].hierarchy,
			.path = r->dirs[i].path,
			.ctrls = cg_ctrls(r->dirs[i].hierarchy, ","),
			.fd = -1,
			.tasks = -1,
		};
}

void cgroup_survey_usage(struct cgroup_survey *s, const struct cgroup_record *r, uint32_t meters,
			 struct cgroup_usage *out)
{
	struct cg_dir dirs[DIRS_MAX];
	struct cgroup_meters m;
	struct cgroup cg;

	as_cgroup(r, dirs, &cg);
	cg_meters_open(&cg, meters, open_near, s, &m);
	cgroup_meters_read(&m, out);
	cgroup_meters_close(&m);
}

bool cgroup_survey_frozen(struct cgroup_survey *s, const struct cgroup_record *r)
{
	struct cg_dir dirs[DIRS_MAX];
	struct cgroup cg;
	char text[32];

	as_cgroup(r, dirs, &cg);
	bool v2 = cg.layout == CGROUP_V2;
	struct cg_dir *d = v2 ? cg_unified(&cg) : cg_find(&cg, CG_FREEZER);
	return d &&
	       peek_near(s, d, v2 ? "cgroup.freeze" : "freezer.self_freezing", text, sizeof(text)) >
		       0 &&
	       strcmp(text, "1") == 0;
}

/* "12.34" as 1234; digits behind the second are dropped. */
static int64_t hundredths(const char *s)
{
	int64_t v = 0;
	int digits = -1;

	for (; *s && digits < 2; s++) {
		if (*s == '.') {
			digits = 0;
			continue;
		}
		if (v > INT32_MAX)
			return -1;
		v = v * 10 + (*s - '0');
		digits += digits >= 0;
	}
	for (digits = digits < 0 ? 0 : digits; digits < 2; digits++)
		v *= 10;
	return v;
}

static struct cgroup_stall stall(const struct cg_psi_line *l)
{
	if (!l->avg10 || l->total > INT64_MAX)
		return (struct cgroup_stall){-1, -1};
	return (struct cgroup_stall){hundredths(l->avg10), (int64_t)l->total};
}

void cgroup_pressure_parse(char *text, struct cgroup_pressure *out)
{
	struct cg_psi psi = {0};

	if (!cg_psi_parse(text, &psi))
		psi = (struct cg_psi){0};
	*out = (struct cgroup_pressure){stall(&psi.some), stall(&psi.full)};
}

void cgroup_survey_pressure(struct cgroup_survey *s, const struct cgroup_record *r,
			    struct cgroup_pressure out[PRESSURES])
{
	static const char *const files[PRESSURES] = {"cpu.pressure", "memory.pressure",
						     "io.pressure"};
	struct cg_dir dirs[DIRS_MAX], *d;
	struct cgroup cg;

	as_cgroup(r, dirs, &cg);
	d = cg_unified(&cg);
	for (int i = 0; i < PRESSURES; i++) {
		char text[512] = "";

		if (d && peek_near(s, d, files[i], text, sizeof(text)) < 0)
			text[0] = '\0';
		cgroup_pressure_parse(text, &out[i]);
	}
}
