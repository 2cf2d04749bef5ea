#include "cgroup/meters.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"

/* Longer than any of these files but the ones with a line for each block device: about 100 of
 * them on v1.  What does not fit is unknown: half a sum would be a wrong number. */
enum { TEXT_MAX = 16384 };

struct meter_file {
	enum cgroup_meter meter;
	enum cg_ctrl ctrl;
	const char *file;
};

/*
 * cpuacct.stat splits the exact total as the sampled ticks stand to each other, in ticks;
 * usage_user and usage_sys are the bare ticks, which miss whatever sleeps before each tick.  Where
 * cgroup2 is mounted beside v1 its cpu.stat, which needs no controller, tells the same in
 * microseconds.
 */
static const struct meter_file files_v1[] = {
	{METER_CPU,          CG_CPUACCT, "cpuacct.usage"                            },
	{METER_CPU_SPLIT,    CG_CPUACCT, "cpuacct.stat"                             },
	{METER_THROTTLED,    CG_CPU,     "cpu.stat"                                 },
	{METER_MEMORY,       CG_MEMORY,  "memory.usage_in_bytes"                    },
	{METER_MEMORY_PEAK,  CG_MEMORY,  "memory.max_usage_in_bytes"                },
	{METER_MEMORY_HITS,  CG_MEMORY,  "memory.failcnt"                           },
	{METER_SWAP_HITS,    CG_MEMORY,  "memory.memsw.failcnt"                     },
	{METER_OOM,          CG_MEMORY,  "memory.oom_control"                       },
	{METER_SWAP,         CG_MEMORY,  "memory.memsw.usage_in_bytes"              },
	{METER_PIDS,         CG_PIDS,    "pids.current"                             },
	{METER_PIDS_PEAK,    CG_PIDS,    "pids.peak"                                },
	{METER_PIDS_REFUSED, CG_PIDS,    "pids.events"                              },
	{METER_IO_BYTES,     CG_IO,      "blkio.throttle.io_service_bytes_recursive"},
	{METER_IO_COUNT,     CG_IO,      "blkio.throttle.io_serviced_recursive"     },
	{METER_MEMORY_LIMIT, CG_MEMORY,  "memory.limit_in_bytes"                    },
	{METER_PIDS_LIMIT,   CG_PIDS,    "pids.max"                                 },
	{METER_LIFE,         CG_CORE,    "cgroup.events"                            },
};

/* One file tells several: the other meters have none. */
static const struct meter_file files_v2[] = {
	{METER_CPU,          CG_CPU,    "cpu.stat"           },
	{METER_MEMORY,       CG_MEMORY, "memory.current"     },
	{METER_MEMORY_PEAK,  CG_MEMORY, "memory.peak"        },
	{METER_OOM,          CG_MEMORY, "memory.events"      },
	{METER_SWAP,         CG_MEMORY, "memory.swap.current"},
	{METER_SWAP_PEAK,    CG_MEMORY, "memory.swap.peak"   },
	{METER_PIDS,         CG_PIDS,   "pids.current"       },
	{METER_PIDS_PEAK,    CG_PIDS,   "pids.peak"          },
	{METER_PIDS_REFUSED, CG_PIDS,   "pids.events"        },
	{METER_IO_BYTES,     CG_IO,     "io.stat"            },
	{METER_MEMORY_LIMIT, CG_MEMORY, "memory.max"         },
	{METER_PIDS_LIMIT,   CG_PIDS,   "pids.max"           },
	{METER_LIFE,         CG_CORE,   "cgroup.events"      },
};

void cg_meters_open(const struct cgroup *cg, uint32_t set, cg_opener open_file, void *ctx,
		    struct cgroup_meters *out)
{
	bool v2 = cg->layout == CGROUP_V2;
	const struct meter_file *files = v2 ? files_v2 : files_v1;
	size_t n = v2 ? LEN(files_v2) : LEN(files_v1);

	*out = CGROUP_METERS_NONE;
	out->v2 = v2;
	if (v2 && set & (METER_BIT(METER_CPU_SPLIT) | METER_BIT(METER_THROTTLED)))
		set |= METER_BIT(METER_CPU);
	if (v2 && set & METER_BIT(METER_MEMORY_HITS))
		set |= METER_BIT(METER_OOM);
	if (v2 && set & METER_BIT(METER_IO_COUNT))
		set |= METER_BIT(METER_IO_BYTES);
	if (!v2 && set & METER_BIT(METER_CPU_SPLIT)) {
		struct cg_dir *d = cg_find(cg, CG_CORE);
		int fd = d ? open_file(ctx, d, "cpu.stat") : -1;

		out->fds[METER_CPU_SPLIT] = fd < 0 ? -1 : fd;
		set |= fd < 0 ? METER_BIT(METER_CPU) : 0;
	}
	for (size_t i = 0; i < n; i++) {
		const struct meter_file *f = &files[i];
		bool wanted = set & METER_BIT(f->meter) && out->fds[f->meter] < 0;
		struct cg_dir *d = wanted ? cg_find(cg, f->ctrl) : NULL;
		int fd = d ? open_file(ctx, d, f->file) : -1;

		if (fd >= 0)
			out->fds[f->meter] = fd;
	}
}

/* systemd removes a scope, with all that it has counted, as soon as it is empty. */
bool cgroup_is_fleeting(const struct cgroup *cg)
{
	return cg->manager == CGROUP_SYSTEMD;
}

static int open_in_dir(void *ctx, struct cg_dir *d, const char *file)
{
	(void)ctx;
	(void)cg_dirfd(d); /* without a descriptor files are opened by path */
	return cg_open_file(d, file, O_RDONLY);
}

void cgroup_meters_open(const struct cgroup *cg, uint32_t set, struct cgroup_meters *out)
{
	cg_meters_open(cg, set, open_in_dir, NULL, out);
}

void cgroup_meters_close(struct cgroup_meters *m)
{
	for (int i = 0; i < CGROUP_METERS; i++)
		own_close(&m->fds[i]);
}

/* The whole text without its last newline; false: not there, gone, or longer than the buffer. */
static bool text_of(const struct cgroup_meters *m, enum cgroup_meter which, char *buf, size_t size)
{
	ssize_t n = m->fds[which] < 0 ? -1 : pread(m->fds[which], buf, size, 0);

	if (n < 0 || (size_t)n >= size)
		return false;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return true;
}

void cgroup_usage_unknown(struct cgroup_usage *out)
{
	*out = (struct cgroup_usage){
		.cpu_ns = -1,
		.user_ns = -1,
		.system_ns = -1,
		.throttled_ns = -1,
		.throttled = -1,
		.memory = -1,
		.memory_peak = -1,
		.swap = -1,
		.swap_peak = -1,
		.oom_kills = -1,
		.memory_hits = -1,
		.pids = -1,
		.pids_peak = -1,
		.pids_refused = -1,
		.read_bytes = -1,
		.write_bytes = -1,
		.reads = -1,
		.writes = -1,
		.memory_limit = -1,
		.pids_limit = -1,
	};
}

void cgroup_usage_fill(struct cgroup_usage *io, const struct cgroup_usage *last)
{
#define FILL(member)                                                                               \
	if (io->member < 0)                                                                        \
		io->member = last->member;
	CGROUP_EACH_COUNTER(FILL)
	FILL(memory_limit)
	FILL(pids_limit)
#undef FILL
}

void cgroup_usage_join(struct cgroup_usage *io, const struct cgroup_usage *other)
{
#define LATER(member)                                                                              \
	if (io->member < other->member)                                                            \
		io->member = other->member;
	CGROUP_EACH_COUNTER(LATER)
#undef LATER
	cgroup_usage_fill(io, other);
}

static int64_t fits(uint64_t v)
{
	return v > INT64_MAX ? -1 : (int64_t)v;
}

/* A file of one number; -1 also for "max". */
static int64_t number_of(const struct cgroup_meters *m, enum cgroup_meter which)
{
	char text[64];
	uint64_t v;

	return text_of(m, which, text, sizeof(text)) && cg_limit(text, &v) ? fits(v) : -1;
}

static int64_t flat(const char *text, const char *key, uint64_t scale)
{
	uint64_t v, scaled;

	if (!cg_flat_get(text, key, &v) || __builtin_mul_overflow(v, scale, &scaled))
		return -1;
	return fits(scaled);
}

enum { NS_PER_US = 1000 };

static void cpu_usec(const char *text, struct cgroup_usage *out)
{
	out->cpu_ns = flat(text, "usage_usec", NS_PER_US);
	out->user_ns = flat(text, "user_usec", NS_PER_US);
	out->system_ns = flat(text, "system_usec", NS_PER_US);
}

static void cpu_v1(const struct cgroup_meters *m, char *text, struct cgroup_usage *out)
{
	long hz = sysconf(_SC_CLK_TCK);
	uint64_t ns_per_tick = hz > 0 ? UINT64_C(1000000000) / (uint64_t)hz : 10000000;

	bool split = text_of(m, METER_CPU_SPLIT, text, TEXT_MAX);
	int64_t total = number_of(m, METER_CPU);

	if (split)
		cpu_usec(text, out);
	if (split && out->cpu_ns < 0) {
		out->user_ns = flat(text, "user", ns_per_tick);
		out->system_ns = flat(text, "system", ns_per_tick);
	}
	if (total >= 0)
		out->cpu_ns = total;
	if (text_of(m, METER_THROTTLED, text, TEXT_MAX)) {
		out->throttled = flat(text, "nr_throttled", 1);
		out->throttled_ns = flat(text, "throttled_time", 1);
	}
}

static void cpu_v2(const struct cgroup_meters *m, char *text, struct cgroup_usage *out)
{
	if (!text_of(m, METER_CPU, text, TEXT_MAX))
		return;
	cpu_usec(text, out);
	out->throttled = flat(text, "nr_throttled", 1);
	out->throttled_ns = flat(text, "throttled_usec", NS_PER_US);
}

/* What v1 writes where there is no limit: the largest count of pages, in bytes (page_counter.h). */
static int64_t limit_v1(int64_t bytes)
{
	long page = sysconf(_SC_PAGESIZE);

	return bytes < 0 || page <= 0 || bytes / page == INT64_MAX / page ? -1 : bytes;
}

/*
 * The limit of memory and swap together is charged first (try_charge_memcg), so where it is the
 * same as memory's, which is how swap is forbidden, memory.failcnt stays 0; and 6.18 leaves
 * memory.memsw.failcnt at 0 too.  There nothing counted does not say that nothing happened.
 */
static int64_t hits_v1(const struct cgroup_meters *m)
{
	int64_t memory = number_of(m, METER_MEMORY_HITS), both = number_of(m, METER_SWAP_HITS), sum;

	if (memory < 0 || both < 0)
		return memory;
	return __builtin_add_overflow(memory, both, &sum) || sum == 0 ? -1 : sum;
}

/* v1 counts memory and swap together, and the two files are read one after the other. */
static int64_t swap_v1(int64_t both, int64_t memory)
{
	if (both < 0 || memory < 0)
		return -1;
	return both > memory ? both - memory : 0;
}

static void memory(const struct cgroup_meters *m, char *text, struct cgroup_usage *out)
{
	bool told = text_of(m, METER_OOM, text, TEXT_MAX);

	if (told)
		out->oom_kills = flat(text, "oom_kill", 1);
	out->memory = number_of(m, METER_MEMORY);
	out->memory_peak = number_of(m, METER_MEMORY_PEAK);
	out->memory_limit = number_of(m, METER_MEMORY_LIMIT);
	out->swap = number_of(m, METER_SWAP);
	out->swap_peak = number_of(m, METER_SWAP_PEAK);
	if (m->v2) {
		out->memory_hits = told ? flat(text, "max", 1) : -1;
		return;
	}
	out->memory_hits = hits_v1(m);
	out->memory_limit = limit_v1(out->memory_limit);
	out->swap = swap_v1(out->swap, out->memory);
}

static void pids(const struct cgroup_meters *m, char *text, struct cgroup_usage *out)
{
	if (text_of(m, METER_PIDS_REFUSED, text, TEXT_MAX))
		out->pids_refused = flat(text, "max", 1);
	out->pids = number_of(m, METER_PIDS);
	out->pids_peak = number_of(m, METER_PIDS_PEAK);
	out->pids_limit = number_of(m, METER_PIDS_LIMIT);
}

/* Sums over devices; a device that stands on another one counts beside it, as the kernel does. */
static void add(int64_t *sum, uint64_t v)
{
	int64_t s;

	if (*sum >= 0)
		*sum = __builtin_add_overflow(*sum, v, &s) ? -1 : s;
}

static void io_v1(const struct cgroup_meters *m, enum cgroup_meter which, char *text, int64_t *in,
		  int64_t *out)
{
	struct cg_io_iter it = {.text = text};
	struct cg_io io;

	if (!text_of(m, which, text, TEXT_MAX))
		return;
	*in = *out = 0;
	while (cg_blkio_next(&it, &io))
		if (strcmp(io.op, "Read") == 0)
			add(in, io.value);
		else if (strcmp(io.op, "Write") == 0)
			add(out, io.value);
}

static void io_v2(const struct cgroup_meters *m, char *text, struct cgroup_usage *out)
{
	const struct {
		const char *op;
		int64_t *sum;
	} rows[] = {
		{"rbytes", &out->read_bytes },
		{"wbytes", &out->write_bytes},
		{"rios",   &out->reads      },
		{"wios",   &out->writes     },
	};
	struct cg_io_iter it = {.text = text};
	struct cg_io io;

	if (!text_of(m, METER_IO_BYTES, text, TEXT_MAX))
		return;
	for (size_t i = 0; i < LEN(rows); i++)
		*rows[i].sum = 0;
	while (cg_io_stat_next(&it, &io))
		for (size_t i = 0; i < LEN(rows); i++)
			if (strcmp(io.op, rows[i].op) == 0)
				add(rows[i].sum, io.value);
}

void cgroup_meters_read(const struct cgroup_meters *m, struct cgroup_usage *out)
{
	char text[TEXT_MAX];

	cgroup_usage_unknown(out);
	/* First what is quickly read, and told nowhere else: it may be about to be removed. */
	pids(m, text, out);
	memory(m, text, out);
	if (m->v2) {
		cpu_v2(m, text, out);
		io_v2(m, text, out);
	} else {
		cpu_v1(m, text, out);
		io_v1(m, METER_IO_BYTES, text, &out->read_bytes, &out->write_bytes);
		io_v1(m, METER_IO_COUNT, text, &out->reads, &out->writes);
	}
}

int64_t cgroup_meters_cpu_ns(const struct cgroup_meters *m)
{
	char text[1024];

	if (!m->v2)
		return number_of(m, METER_CPU);
	return text_of(m, METER_CPU, text, sizeof(text)) ? flat(text, "usage_usec", NS_PER_US) : -1;
}

int64_t cgroup_meters_oom_kills(const struct cgroup_meters *m)
{
	char text[1024];

	return text_of(m, METER_OOM, text, sizeof(text)) ? flat(text, "oom_kill", 1) : -1;
}

int64_t cgroup_meters_pids_refused(const struct cgroup_meters *m)
{
	char text[1024];

	return text_of(m, METER_PIDS_REFUSED, text, sizeof(text)) ? flat(text, "max", 1) : -1;
}

/* Smaller than at the start: somebody has reset it, and nobody knows when. */
static void counter_since(int64_t *now, int64_t start)
{
	*now = *now < 0 || start < 0 || *now < start ? -1 : *now - start;
}

static void peak_since(int64_t *now, int64_t start)
{
	if (start < 0 || *now <= start)
		*now = -1;
}

void cgroup_usage_since(struct cgroup_usage *io, const struct cgroup_usage *start)
{
	counter_since(&io->cpu_ns, start->cpu_ns);
	counter_since(&io->user_ns, start->user_ns);
	counter_since(&io->system_ns, start->system_ns);
	counter_since(&io->throttled_ns, start->throttled_ns);
	counter_since(&io->throttled, start->throttled);
	counter_since(&io->oom_kills, start->oom_kills);
	counter_since(&io->memory_hits, start->memory_hits);
	counter_since(&io->pids_refused, start->pids_refused);
	counter_since(&io->read_bytes, start->read_bytes);
	counter_since(&io->write_bytes, start->write_bytes);
	counter_since(&io->reads, start->reads);
	counter_since(&io->writes, start->writes);
	peak_since(&io->memory_peak, start->memory_peak);
	peak_since(&io->swap_peak, start->swap_peak);
	peak_since(&io->pids_peak, start->pids_peak);
}
