#include "cgroup/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/jsonbuf.h"
#include "cgroup/stats_read.h"
#include "cgroup/text.h"

/* The object as a whole, and cpu, cpuset and pids; stats_mem.c and stats_io.c have the rest. */

char *stats_text(const struct stats *st, enum cg_ctrl c, const char *file)
{
	enum { TEXT_MAX = 4 << 20 };
	struct cg_dir *d = cg_find(st->cg, c);
	struct err lost;
	char *text;

	if (!d)
		return NULL;
	(void)cg_dirfd(d); /* without a descriptor files are opened by path */
	own_fd int fd = cg_open_file(d, file, O_RDONLY);
	if (fd < 0 || file_read_fd(st->j.a, fd, file, TEXT_MAX, &text, NULL, &lost) < 0)
		return NULL;
	size_t n = strlen(text);
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

bool stats_u64(const struct stats *st, enum cg_ctrl c, const char *file, uint64_t *v)
{
	const char *text = stats_text(st, c, file);

	return text && cg_limit(text, v);
}

void stats_put_u64(struct stats *st, enum cg_ctrl c, const char *file, const char *key)
{
	uint64_t v;

	if (stats_u64(st, c, file, &v))
		put_u64(&st->j, key, v);
}

static void psi_line(struct json_out *j, const char *key, const struct cg_psi_line *l)
{
	if (!l->avg10)
		return;
	put_open(j, key, '{');
	put_number(j, "avg10", l->avg10);
	put_number(j, "avg60", l->avg60);
	put_number(j, "avg300", l->avg300);
	put_u64(j, "total", l->total);
	put_close(j, '}');
}

void stats_psi(struct stats *st, const char *file)
{
	/* Only cgroup2 has pressure files; beside v1 its directory holds the same processes. */
	char *text = cg_unified(st->cg) ? stats_text(st, CG_CORE, file) : NULL;
	struct cg_psi psi;

	if (!text || !cg_psi_parse(text, &psi))
		return;
	put_open(&st->j, "psi", '{');
	psi_line(&st->j, "some", &psi.some);
	psi_line(&st->j, "full", &psi.full);
	put_close(&st->j, '}');
}

static void numbers(struct stats *st, const char *key, const char *file)
{
	char *text = stats_text(st, CG_CPUACCT, file), *word;
	uint64_t v;

	if (!text)
		return;
	put_open(&st->j, key, '[');
	while ((word = strsep(&text, " ")))
		if (str_u64(word, &v))
			put_u64(&st->j, NULL, v);
	put_close(&st->j, ']');
}

static void cpu_usage_v1(struct stats *st)
{
	stats_put_u64(st, CG_CPUACCT, "cpuacct.usage", "total");
	numbers(st, "percpu", "cpuacct.usage_percpu");
	numbers(st, "percpu_kernel", "cpuacct.usage_percpu_sys");
	numbers(st, "percpu_user", "cpuacct.usage_percpu_user");
	stats_put_u64(st, CG_CPUACCT, "cpuacct.usage_sys", "kernel");
	stats_put_u64(st, CG_CPUACCT, "cpuacct.usage_user", "user");
}

/* cpu.stat: scale makes nanoseconds of v2's microseconds. */
static void from_cpu_stat(struct stats *st, const char *stat, const char *file_key, const char *key,
			  uint64_t scale)
{
	uint64_t v;

	if (stat && cg_flat_get(stat, file_key, &v))
		put_u64(&st->j, key, v * scale);
}

static void cpu(struct stats *st)
{
	const char *stat = stats_text(st, CG_CPU, "cpu.stat");

	put_open(&st->j, "cpu", '{');
	put_open(&st->j, "usage", '{');
	if (st->v2) {
		from_cpu_stat(st, stat, "usage_usec", "total", 1000);
		from_cpu_stat(st, stat, "system_usec", "kernel", 1000);
		from_cpu_stat(st, stat, "user_usec", "user", 1000);
	} else {
		cpu_usage_v1(st);
	}
	put_close(&st->j, '}');
	put_open(&st->j, "throttling", '{');
	from_cpu_stat(st, stat, "nr_periods", "periods", 1);
	from_cpu_stat(st, stat, "nr_throttled", "throttledPeriods", 1);
	from_cpu_stat(st, stat, st->v2 ? "throttled_usec" : "throttled_time", "throttledTime",
		      st->v2 ? 1000 : 1);
	put_close(&st->j, '}');
	stats_psi(st, "cpu.pressure");
	put_close(&st->j, '}');
}

/* "0-1,3" as a list of numbers. */
static void cpu_list(struct stats *st, const char *file, const char *key)
{
	enum { MAX_CPUS = 8192 };
	const char *text = stats_text(st, CG_CPUSET, file);
	uint64_t set[MAX_CPUS / 64];

	if (!text || !text[0] || !str_cpulist(text, set, MAX_CPUS))
		return;
	put_open(&st->j, key, '[');
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		if (set[i / 64] >> i % 64 & 1)
			put_u64(&st->j, NULL, i);
	put_close(&st->j, ']');
}

static void cpuset(struct stats *st)
{
	static const struct {
		const char *file, *key;
	} rows[] = {
		{"cpuset.cpu_exclusive",      "cpu_exclusive"     },
		{"cpuset.mem_hardwall",       "mem_hardwall"      },
		{"cpuset.mem_exclusive",      "mem_exclusive"     },
		{"cpuset.memory_migrate",     "memory_migrate"    },
		{"cpuset.memory_spread_page", "memory_spread_page"},
		{"cpuset.memory_spread_slab", "memory_spread_slab"},
		{"cpuset.memory_pressure",    "memory_pressure"   },
		{"cpuset.sched_load_balance", "sched_load_balance"},
	};
	int64_t level;

	put_open(&st->j, "cpuset", '{');
	cpu_list(st, "cpuset.cpus", "cpus");
	cpu_list(st, "cpuset.mems", "mems");
	for (size_t i = 0; i < LEN(rows); i++)
		stats_put_u64(st, CG_CPUSET, rows[i].file, rows[i].key);
	const char *text = stats_text(st, CG_CPUSET, "cpuset.sched_relax_domain_level");
	if (text && str_i64(text, &level))
		put_number(&st->j, "sched_relax_domain_level", text);
	put_close(&st->j, '}');
}

static void pids(struct stats *st)
{
	uint64_t max;

	put_open(&st->j, "pids", '{');
	stats_put_u64(st, CG_PIDS, "pids.current", "current");
	/* No limit is no member, as runc has it. */
	if (stats_u64(st, CG_PIDS, "pids.max", &max) && max != UINT64_MAX)
		put_u64(&st->j, "limit", max);
	put_close(&st->j, '}');
}

int cgroup_stats_json(struct arena *a, const struct cgroup *cg, char **out, struct err *e)
{
	struct stats st = {.cg = cg, .v2 = cg->layout == CGROUP_V2};

	(void)e; /* what cannot be read is left out */
	json_begin(&st.j, a, 0);
	put_open(&st.j, NULL, '{');
	cpu(&st);
	cpuset(&st);
	stats_memory(&st);
	pids(&st);
	stats_blkio(&st);
	stats_hugetlb(&st);
	put_open(&st.j, "intel_rdt", '{');
	put_close(&st.j, '}');
	put_open(&st.j, "network_interfaces", '[');
	put_close(&st.j, ']');
	put_close(&st.j, '}');
	*out = json_done(&st.j, NULL);
	return 0;
}
