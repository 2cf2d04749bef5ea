/*
 * What sandboxes use: state.json of each is read, then the kernel is asked, which is some 25 small
 * files each, whose opening is most of the time; those that have ended are asked how.
 */
#include "stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/text.h"
#include "result.h"
#include "stats_sums.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"
#include "watch.h"

/*
 * v1's counters of hits are rarely told (hits_v1 in cgroup/meters.c): not worth two files.  On v2
 * they come with the OOM kills.  The total of CPU time comes with its split.
 */
#define METERS_STATS                                                                               \
	(METERS_ALL &                                                                              \
	 ~(METER_BIT(METER_CPU) | METER_BIT(METER_MEMORY_HITS) | METER_BIT(METER_SWAP_HITS)))

/* One sandbox on the way. */
struct look {
	struct stats_sandbox out;
	struct brig_state state;
	int dir; /* its state directory; -1: state.json could not be read */
	enum status status;
	bool here;  /* not deleted meanwhile */
	bool ended; /* or so it seems */
};

/* What all looks share. */
struct ground {
	uint32_t meters;
	uint64_t own_network;
};

struct round {
	const struct container_host *host;
	struct ground ground;
	int root;
	struct look *looks;
	size_t n;
	_Atomic size_t next;
};

static void stats_unknown(struct stats_sandbox *s)
{
	*s = (struct stats_sandbox){0};
	cgroup_usage_unknown(&s->usage);
	for (int i = 0; i < PRESSURES; i++)
		s->pressure[i] = (struct cgroup_pressure){
			{-1, -1},
                        {-1, -1}
                };
}

/* --- what the state directory says ---------------------------------------------------------- */

/* False: it was deleted meanwhile. */
static bool load(int root, struct arena *a, struct look *l)
{
	struct stats_sandbox *out = &l->out;
	own_fd int dir = openat(root, out->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct err e;

	if (dir < 0 && errno == ENOENT)
		return false;
	if (dir < 0) {
		out->error = arena_strdup(a, err_text(errno));
		return true;
	}
	if (store_load(dir, a, &l->state, &e) < 0) {
		if (e.code == ENOENT && faccessat(root, out->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		/* Its maker has not got that far yet, or was killed before it did. */
		if (e.code == ENOENT)
			out->status = status_name(store_is_locked(dir) ? STATUS_CREATING
								       : STATUS_STOPPED);
		out->error = arena_strdup(a, e.msg);
		return true;
	}
	out->level = l->state.level;
	out->created = l->state.created;
	out->disks = arena_array(a, l->state.n_disk + 1, sizeof(*out->disks));
	for (size_t i = 0; i < l->state.n_disk; i++)
		out->disks[i].path = l->state.disk[i];
	l->dir = take_fd(&dir);
	return true;
}

/* --- what the kernel says -------------------------------------------------------------------- */

/* A namespace that is brig's own is the host's: its traffic is not the sandbox's. */
static void look_at_network(const struct ground *g, int proc, struct stats_sandbox *out)
{
	char text[16384];
	struct stat st;

	if (file_peek(proc, "net/dev", text, sizeof(text)) < 0)
		return;
	net_counters_parse(text, &out->network);
	if (!out->network.devices || fstatat(proc, "ns/net", &st, 0) < 0)
		return;
	out->network_id = st.st_ino;
	out->has_network = st.st_ino != g->own_network;
}

static void look_at_disks(int proc, const struct brig_state *s, struct stats_sandbox *out)
{
	own_fd int root = s->n_disk ? openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	out->n_disks = s->n_disk;
	for (size_t i = 0; root >= 0 && i < s->n_disk; i++)
		out->disks[i].known = fs_disk_usage(root, s->disk[i], &out->disks[i].used);
}

/*
 * A process that v1's freezer holds is never told as sleeping: a file less for the usual one,
 * which sleeps.
 */
static bool is_frozen(struct cgroup_survey *survey, const struct cgroup_record *r, char state)
{
	if (state == 'S' && !str_eq(r->layout, "v2"))
		return false;
	return cgroup_survey_frozen(survey, r);
}

static void look_at(const struct ground *g, struct cgroup_survey *survey, struct look *l)
{
	struct stats_sandbox *out = &l->out;
	const struct brig_state *s = &l->state;
	char state = 0;

	own_fd int proc = process_open((pid_t)s->pid, s->start_time, &state);
	bool frozen = proc >= 0 && is_frozen(survey, &s->cgroup, state);
	l->status = status_from(l->dir, s, proc >= 0, frozen);
	out->status = status_name(l->status);
	/* With something to take off the total is the one that was counted then: v1's own. */
	cgroup_survey_usage(survey, &s->cgroup,
			    g->meters | (s->baseline ? METER_BIT(METER_CPU) : 0), &out->usage);
	watch_since(s->baseline, &out->usage);
	if (!(g->meters & METER_BIT(METER_SWAP)) && out->usage.memory >= 0)
		out->usage.swap = 0;
	if (proc < 0)
		return;
	out->pid = s->pid;
	cgroup_survey_pressure(survey, &s->cgroup, out->pressure);
	look_at_network(g, proc, out);
	look_at_disks(proc, s, out);
}

/* --- how it ended ---------------------------------------------------------------------------- */

/* Only what a warden wrote down, or did not live to write down, is worth the longer way. */
static bool may_have_ended(const struct look *l)
{
	return !str_eq(l->state.level, "custom") &&
	       (l->status == STATUS_STOPPED || faccessat(l->dir, WARDEN_ENDED, F_OK, 0) == 0);
}

static void take_ms(int64_t *ns, const uint64_t *ms)
{
	enum { NS_PER_MS = 1000000 };

	if (*ns < 0 && ms && *ms < INT64_MAX / NS_PER_MS)
		*ns = (int64_t)*ms * NS_PER_MS;
}

static void take(int64_t *v, const uint64_t *told)
{
	if (*v < 0 && told && *told <= INT64_MAX)
		*v = (int64_t)*told;
}

/* What it used is still in its cgroup, unless systemd has removed that. */
static void take_result(struct arena *a, int dir, struct stats_sandbox *out)
{
	struct brig_result r;
	struct err none;

	if (result_read(a, dir, &r, &none) < 0)
		return;
	out->ended = r.status;
	out->exit_code = r.exit_code;
	out->signal = r.signal;
	if (r.cpu) {
		take_ms(&out->usage.cpu_ns, r.cpu->total_ms);
		take_ms(&out->usage.user_ns, r.cpu->user_ms);
		take_ms(&out->usage.system_ns, r.cpu->system_ms);
		take_ms(&out->usage.throttled_ns, r.cpu->throttled_ms);
	}
	if (r.memory) {
		take(&out->usage.memory_peak, r.memory->peak);
		take(&out->usage.oom_kills, r.memory->oom_kills);
	}
	if (r.pids)
		take(&out->usage.pids_peak, r.pids->peak);
}

static void ask_end(const struct container_host *h, struct arena *a, struct stats_sandbox *out)
{
	struct container_info info;
	struct err ignored;

	if (container_state(h, out->id, a, &info, &ignored) < 0)
		return;
	out->ended = out->ended ? out->ended : info.ended;
	out->tainted = info.n_taint;
}

/* --- many of them ---------------------------------------------------------------------------- */

/* One arena cannot be used by two threads: each has its own, which joins the others in the end. */
struct worker {
	struct round *round;
	struct arena arena;
	struct cgroup_survey survey;
	bool extra; /* not the thread that asked */
	pthread_t thread;
};

static void look(struct worker *w, struct look *l)
{
	const struct round *r = w->round;

	l->here = load(r->root, &w->arena, l);
	if (!l->here || l->dir < 0)
		return;
	look_at(&r->ground, &w->survey, l);
	if (l->status == STATUS_STOPPED)
		take_result(&w->arena, l->dir, &l->out);
	l->ended = may_have_ended(l);
	own_close(&l->dir);
}

static void *work(void *ctx)
{
	enum { AT_ONCE = 8 };
	struct worker *w = ctx;
	struct round *r = w->round;

	/* A table of descriptors that is shared is locked at each open and close; nothing opened
	 * here is for another thread.  Not to be had: only slower. */
	if (w->extra)
		(void)!unshare(CLONE_FILES);
	for (size_t i; (i = atomic_fetch_add(&r->next, AT_ONCE)) < r->n;)
		for (size_t k = i; k < r->n && k < i + AT_ONCE; k++)
			look(w, &r->looks[k]);
	cgroup_survey_close(&w->survey);
	return NULL;
}

/* The kernel's work for one sandbox is long, and none of it waits: with many, more CPUs help. */
static void look_at_all(struct round *r, int64_t cpus, struct arena *a)
{
	enum { MAX_WORKERS = 4, WORTH_ONE = 24 };
	struct worker w[MAX_WORKERS];
	size_t n = 1;

	for (size_t i = 0; i < MAX_WORKERS; i++)
		w[i] = (struct worker){.round = r, .extra = i > 0};
	while (n < MAX_WORKERS && (int64_t)n < cpus && r->n / WORTH_ONE > n &&
	       pthread_create(&w[n].thread, NULL, work, &w[n]) == 0)
		n++;
	(void)work(&w[0]);
	for (size_t i = 0; i < n; i++) {
		if (i)
			(void)pthread_join(w[i].thread, NULL); /* of our own making: cannot fail */
		arena_adopt(a, &w[i].arena);
	}
}

static void look_all_round(struct round *r, const char *const *ids, size_t n, struct arena *a,
			   struct stats *out)
{
	r->looks = arena_array(a, n + 1, sizeof(*r->looks));
	r->n = n;
	for (size_t i = 0; i < n; i++) {
		stats_unknown(&r->looks[i].out);
		r->looks[i].out.id = ids[i];
		r->looks[i].dir = -1;
	}
	look_at_all(r, out->host.cpus, a);
	out->sandboxes = arena_array(a, n + 1, sizeof(*out->sandboxes));
	for (size_t i = 0; i < n; i++) {
		if (!r->looks[i].here)
			continue;
		if (r->looks[i].ended)
			ask_end(r->host, a, &r->looks[i].out);
		out->sandboxes[out->n++] = r->looks[i].out;
	}
}

/* --- the host ------------------------------------------------------------------------------- */

/* "MemTotal:       24684092 kB" */
static int64_t meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	unsigned long long kib;

	if (!p)
		return -1;
	kib = strtoull(p + strlen(key), NULL, 10);
	return kib > INT64_MAX / 1024 ? -1 : (int64_t)kib * 1024;
}

static void look_at_host(struct stats_host *out, struct ground *g)
{
	static const char *const files[PRESSURES] = {"/proc/pressure/cpu", "/proc/pressure/memory",
						     "/proc/pressure/io"};
	char text[8192];
	struct stat st;

	*out = (struct stats_host){
		.cpus = sysconf(_SC_NPROCESSORS_ONLN), .memory = -1, .memory_available = -1};
	*g = (struct ground){.meters = METERS_STATS};
	if (stat("/proc/self/ns/net", &st) == 0)
		g->own_network = st.st_ino;
	if (file_peek(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) > 0) {
		out->memory = meminfo(text, "MemTotal:");
		out->memory_available = meminfo(text, "MemAvailable:");
		/* Where there is nowhere to swap to nothing is swapped: a file less for each. */
		if (meminfo(text, "SwapTotal:") == 0)
			g->meters &= ~METER_BIT(METER_SWAP);
	}
	for (int i = 0; i < PRESSURES; i++) {
		if (file_peek(AT_FDCWD, files[i], text, sizeof(text)) < 0)
			text[0] = '\0';
		cgroup_pressure_parse(text, &out->pressure[i]);
	}
}

/* --- what is asked for ---------------------------------------------------------------------- */

int stats_of(const struct container_host *h, const char *const *ids, size_t n, struct arena *a,
	     struct stats *out, struct err *e)
{
	struct round r = {.host = h};

	*out = (struct stats){0};
	for (size_t i = 0; i < n; i++) {
		own_fd int dir = store_open(h, ids[i], STORE_UNLOCKED, e);

		if (dir < 0)
			return dir;
	}
	own_fd int root = store_root(h, false, e);
	if (root < 0)
		return root;
	clock_rfc3339(out->time, sizeof(out->time), 3);
	look_at_host(&out->host, &r.ground);
	r.root = root;
	look_all_round(&r, ids, n, a, out);
	return 0;
}

static bool is_id(const struct dirent *de)
{
	struct err ignored;

	return store_check_id(de->d_name, &ignored) == 0 &&
	       (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN);
}

int stats_all(const struct container_host *h, struct arena *a, struct stats *out, struct err *e)
{
	own_dir DIR *d = opendir(h->root);
	const char **ids = NULL;
	struct round r = {.host = h, .root = d ? dirfd(d) : -1};
	size_t n = 0;

	*out = (struct stats){.all = true};
	if (!d && (errno != ENOENT || h->root_given))
		return err_set(e, errno, "state root %s", h->root);
	clock_rfc3339(out->time, sizeof(out->time), 3);
	look_at_host(&out->host, &r.ground);
	if (d)
		ids = file_names(a, d, is_id, &n);
	look_all_round(&r, ids, n, a, out);
	stats_sum(a, out);
	return 0;
}
