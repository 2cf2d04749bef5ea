#include "fs/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { CPU_WORDS = FS_MAX_CPUS / 64, MAX_CPUINFO = 64 << 20, ONLINE_TEXT = 32 << 10 };

/* --- facts --------------------------------------------------------------------------------- */

static int read_cpus(struct arena *a, const char *list, uint64_t set[CPU_WORDS], struct err *e)
{
	if (!list) {
		char *text = arena_new(a, ONLINE_TEXT);
		ssize_t n =
			file_peek(AT_FDCWD, "/sys/devices/system/cpu/online", text, ONLINE_TEXT);

		if (n < 0)
			return err_set(e, (int)-n, "read /sys/devices/system/cpu/online");
		list = text;
	}
	if (!str_cpulist(list, set, FS_MAX_CPUS))
		return err_msg(e, EINVAL, "minimal /proc: \"%.100s\" is no list of CPUs", list);
	return 0;
}

static void take_cpus(struct arena *a, const uint64_t set[CPU_WORDS], unsigned int max,
		      struct fs_machine_facts *out)
{
	size_t total = 0;

	for (size_t i = 0; i < CPU_WORDS; i++)
		total += (size_t)__builtin_popcountll(set[i]);
	out->cpus = arena_array(a, total + 1, sizeof(*out->cpus));
	for (uint32_t cpu = 0; cpu < FS_MAX_CPUS; cpu++) {
		if (!(set[cpu / 64] >> cpu % 64 & 1))
			continue;
		if (!max || out->n_cpus < max)
			out->cpus[out->n_cpus++] = cpu;
		out->last_cpu = cpu;
	}
}

int fs_machine_facts(struct arena *a, const struct fs_machine *m, struct fs_machine_facts *out,
		     struct err *e)
{
	uint64_t set[CPU_WORDS], total, swap;
	struct sysinfo si;
	int r = read_cpus(a, m->cpus, set, e);

	if (r < 0)
		return r;
	*out = (struct fs_machine_facts){0};
	take_cpus(a, set, m->n_cpus, out);
	if (!out->n_cpus)
		return err_msg(e, EINVAL, "minimal /proc: no CPU is given");
	if (sysinfo(&si) < 0 || clock_gettime(CLOCK_REALTIME, &out->now) < 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &out->up) < 0)
		return err_set(e, errno, "minimal /proc: read memory and clocks");
	total = (uint64_t)si.totalram * si.mem_unit;
	swap = (uint64_t)si.totalswap * si.mem_unit;
	out->memory = m->memory && m->memory < total ? m->memory : total;
	/* Whose memory is limited without a word about swap gets none: nobody plans with it. */
	out->swap = m->swap ? (m->swap < swap ? m->swap : swap) : m->memory ? 0 : swap;
	return 0;
}

/* --- /proc --------------------------------------------------------------------------------- */

struct text {
	struct arena *a;
	char *at;
	size_t len, room;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
	for (;;) {
		va_list ap;

		va_start(ap, fmt);
		int n = vsnprintf(t->at + t->len, t->room - t->len, fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < t->room - t->len) {
			t->len += (size_t)n;
			return;
		}
		if (n < 0)
			return;
		size_t room = t->room * 2 + (size_t)n;
		char *bigger = arena_new(t->a, room);
		memcpy(bigger, t->at, t->len);
		t->at = bigger;
		t->room = room;
	}
}

static struct text text_new(struct arena *a)
{
	enum { FIRST_ROOM = 4096 };

	return (struct text){.a = a, .at = arena_new(a, FIRST_ROOM), .room = FIRST_ROOM};
}

/* Lines of cpuinfo that tell where a CPU is in the machine: where it is among those given. */
static const struct {
	const char *key;
	enum { IS_INDEX, IS_COUNT, IS_ZERO } value;
} placed[] = {
	{"processor",      IS_INDEX},
        {"physical id",    IS_ZERO },
        {"siblings",       IS_COUNT},
	{"core id",        IS_INDEX},
        {"cpu cores",      IS_COUNT},
        {"apicid",         IS_INDEX},
	{"initial apicid", IS_INDEX},
};

static void add_line(struct text *t, const char *line, size_t len, size_t index, size_t count)
{
	size_t key = 0;

	while (key < len && line[key] != '\t' && line[key] != ':')
		key++;
	for (size_t i = 0; i < LEN(placed); i++) {
		const char *colon = memchr(line, ':', len);

		if (strlen(placed[i].key) != key || memcmp(placed[i].key, line, key) != 0 || !colon)
			continue;
		add(t, "%.*s: %zu\n", (int)(colon - line), line,
		    placed[i].value == IS_INDEX   ? index
		    : placed[i].value == IS_COUNT ? count
						  : 0);
		return;
	}
	add(t, "%.*s\n", (int)len, line);
}

/* The block of a CPU: from its line "processor" to an empty line; NULL: there is none. */
static const char *find_block(const char *host, uint32_t cpu)
{
	for (const char *at = host; at; at = strstr(at, "\n\n")) {
		uint32_t number;

		at += strspn(at, "\n");
		if (sscanf(at, "processor\t: %" SCNu32, &number) == 1 && number == cpu)
			return at;
	}
	return NULL;
}

char *fs_machine_cpuinfo(struct arena *a, const char *host, const struct fs_machine_facts *f)
{
	struct text t = text_new(a);

	for (size_t i = 0; i < f->n_cpus; i++) {
		const char *line = find_block(host, f->cpus[i]);

		if (!line) /* offline at the moment, or no such line here: at least counted */
			add(&t, "processor\t: %zu\n", i);
		while (line && *line && *line != '\n') {
			size_t len = strcspn(line, "\n");

			add_line(&t, line, len, i, f->n_cpus);
			line += len + (line[len] == '\n');
		}
		add(&t, "\n");
	}
	return t.at;
}

/* Only as far as the last CPU that is told of: on a large host each block costs. */
static int read_cpuinfo(struct arena *a, uint32_t last, char **out, struct err *e)
{
	enum { CHUNK = 16 << 10 };
	own_fd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	size_t used = 0, room = CHUNK;
	char *text = arena_new(a, room + 1);
	const char *block;
	ssize_t n;

	if (fd < 0)
		return err_set(e, errno, "open /proc/cpuinfo");
	while ((n = read(fd, text + used, room - used)) != 0) {
		if (n < 0)
			return err_set(e, errno, "read /proc/cpuinfo");
		used += (size_t)n;
		text[used] = '\0';
		block = find_block(text, last);
		if (used > MAX_CPUINFO || (block && strstr(block, "\n\n")))
			break;
		if (room - used >= CHUNK / 2)
			continue;
		char *more = arena_new(a, room * 2 + 1);
		memcpy(more, text, used);
		text = more;
		room *= 2;
	}
	*out = text;
	return 0;
}

char *fs_machine_stat(struct arena *a, const struct fs_machine_facts *f)
{
	static const char times[] = " 0 0 0 0 0 0 0 0 0 0\n";
	int64_t boot = f->now.tv_sec - f->up.tv_sec - (f->now.tv_nsec < f->up.tv_nsec);
	struct text t = text_new(a);

	add(&t, "cpu %s", times);
	for (size_t i = 0; i < f->n_cpus; i++)
		add(&t, "cpu%zu%s", i, times);
	add(&t, "intr 0\nctxt 0\nbtime %lld\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
	    (long long)boot);
	add(&t, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return t.at;
}

char *fs_machine_meminfo(struct arena *a, const struct fs_machine_facts *f)
{
	static const char *const none[] = {
		"Buffers",      "Cached",         "SwapCached",    "Active",         "Inactive",
		"Active(anon)", "Inactive(anon)", "Active(file)",  "Inactive(file)", "Unevictable",
		"Mlocked",      "Dirty",          "Writeback",     "AnonPages",      "Mapped",
		"Shmem",        "KReclaimable",   "Slab",          "SReclaimable",   "SUnreclaim",
		"KernelStack",  "PageTables",     "NFS_Unstable",  "Bounce",         "WritebackTmp",
		"Committed_AS", "VmallocUsed",    "AnonHugePages",
	};
	static const char *const pages[] = {"Total", "Free", "Rsvd", "Surp"};
	unsigned long long memory = f->memory >> 10, swap = f->swap >> 10;
	unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
	struct text t = text_new(a);

	add(&t, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n",
	    memory, memory, memory);
	for (size_t i = 0; i < LEN(none); i++)
		add(&t, "%s:%*s%8d kB\n", none[i], (int)(15 - strlen(none[i])), "", 0);
	add(&t, "SwapTotal:      %8llu kB\nSwapFree:       %8llu kB\nCommitLimit:    %8llu kB\n",
	    swap, swap, memory / 2 + swap);
	for (size_t i = 0; i < LEN(pages); i++)
		add(&t, "HugePages_%s:%*s0\n", pages[i], (int)(14 - strlen(pages[i])), "");
	/* A page table of the last but one level: as many entries as fit into a page. */
	add(&t, "Hugepagesize:   %8llu kB\nHugetlb:               0 kB\n", page / 8 * page >> 10);
	return t.at;
}

char *fs_machine_cgroups(struct arena *a, const char *host)
{
	static const char *const wanted[] = {"cpuset", "cpu", "cpuacct", "memory", "pids"};
	struct text t = text_new(a);

	add(&t, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	for (const char *line = host; line && *line; line = strchr(line, '\n')) {
		unsigned int hierarchy, cgroups, enabled;
		char name[32];

		line += *line == '\n';
		if (sscanf(line, "%31s %u %u %u", name, &hierarchy, &cgroups, &enabled) != 4)
			continue;
		for (size_t i = 0; i < LEN(wanted); i++)
			if (str_eq(name, wanted[i]))
				add(&t, "%s\t%u\t1\t%u\n", name, hierarchy, enabled);
	}
	return t.at;
}

/* --- the list ------------------------------------------------------------------------------ */

struct list {
	struct arena *a;
	struct fs_text *rows;
	size_t n;
};

static void put(struct list *l, const char *path, const char *text)
{
	l->rows[l->n++] = (struct fs_text){path, text, text ? strlen(text) : 0};
}

static void put_sysctl(struct list *l, const char *path, const char *preset)
{
	char value[64], full[128];

	snprintf(full, sizeof(full), "/%s", path);
	if (preset || file_peek(AT_FDCWD, full, value, sizeof(value)) >= 0)
		put(l, path, arena_printf(l->a, "%s\n", preset ? preset : value));
}

static char *cpu_list(struct arena *a, const struct fs_machine_facts *f)
{
	struct text t = text_new(a);

	for (size_t i = 0; i < f->n_cpus; i++)
		add(&t, "%s%" PRIu32, i ? "," : "", f->cpus[i]);
	add(&t, "\n");
	return t.at;
}

/*
 * Numbers as the scheduler's: hwloc, numactl and OpenMP compare them with sched_getaffinity(2),
 * tables for each CPU are made as large as "possible" and indexed by sched_getcpu(3).
 */
static void put_cpus(struct list *l, const struct fs_machine_facts *f)
{
	static const char dir[] = "sys/devices/system/cpu";
	const char *online = cpu_list(l->a, f);

	put(l, "sys/devices", NULL);
	put(l, "sys/devices/system", NULL);
	put(l, dir, NULL);
	put(l, "sys/devices/system/cpu/online", online);
	put(l, "sys/devices/system/cpu/present", online);
	put(l, "sys/devices/system/cpu/possible",
	    f->last_cpu ? arena_printf(l->a, "0-%" PRIu32 "\n", f->last_cpu) : "0\n");
	/* glibc before 2.35 counts the directories for _SC_NPROCESSORS_CONF */
	for (size_t i = 0; i < f->n_cpus; i++)
		put(l, arena_printf(l->a, "%s/cpu%" PRIu32, dir, f->cpus[i]), NULL);
}

static void put_proc(struct list *l, const struct fs_machine_facts *f, const char *cpuinfo)
{
	enum { MAX_CGROUPS = 4096 };
	char *cgroups = arena_new(l->a, MAX_CGROUPS);

	put(l, "proc/cpuinfo", cpuinfo);
	put(l, "proc/stat", fs_machine_stat(l->a, f));
	put(l, "proc/meminfo", fs_machine_meminfo(l->a, f));
	put(l, "proc/loadavg", "0.00 0.00 0.00 1/1 1\n");
	put(l, "proc/uptime",
	    arena_printf(l->a, "%lld.%02ld 0.00\n", (long long)f->up.tv_sec,
			 f->up.tv_nsec / 10000000));
	if (file_peek(AT_FDCWD, "/proc/cgroups", cgroups, MAX_CGROUPS) > 0)
		put(l, "proc/cgroups", fs_machine_cgroups(l->a, cgroups));
	put(l, "proc/sys", NULL);
	put(l, "proc/sys/vm", NULL);
	put_sysctl(l, "proc/sys/vm/overcommit_memory", NULL); /* glibc's malloc, jemalloc */
	put_sysctl(l, "proc/sys/vm/max_map_count", NULL);     /* ZGC */
	put(l, "proc/sys/net", NULL);
	put(l, "proc/sys/net/core", NULL);
	put_sysctl(l, "proc/sys/net/core/somaxconn", "4096"); /* Go; the preset since 5.4 */
}

int fs_machine_texts(struct arena *a, const struct fs_machine *m, const struct fs_text **out,
		     struct err *e)
{
	enum { FIXED_ROWS = 40 };
	struct fs_machine_facts f;
	struct list l = {.a = a};
	char *cpuinfo;
	int r = fs_machine_facts(a, m, &f, e);

	if (r < 0 || (r = read_cpuinfo(a, f.cpus[f.n_cpus - 1], &cpuinfo, e)) < 0)
		return r;
	l.rows = arena_array(a, FIXED_ROWS + f.n_cpus, sizeof(*l.rows));
	put(&l, "proc", NULL);
	put_proc(&l, &f, fs_machine_cpuinfo(a, cpuinfo, &f));
	put(&l, "sys", NULL);
	put_cpus(&l, &f);
	put(&l, "sys/fs", NULL);
	put(&l, "sys/fs/cgroup", NULL); /* for a mount of the container's own cgroup */
	*out = l.rows;
	return 0;
}
