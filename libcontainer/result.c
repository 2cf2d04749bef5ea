#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "store.h"

/* --- what ended it ------------------------------------------------------------------------ */

static bool ended_by(const struct result_facts *f, int sig)
{
	return f->exit.known && WIFSIGNALED(f->exit.status) && WTERMSIG(f->exit.status) == sig;
}

static bool never_ran(const struct result_facts *f)
{
	return f->failed;
}

/* Decided and written before it killed, with a look at the memory counter before that. */
static bool was_ended(const struct result_facts *f)
{
	return f->end.reason && !str_eq(f->end.reason, "exited") &&
	       !str_eq(f->end.reason, "warden-lost");
}

static bool ran_out_of_memory(const struct result_facts *f)
{
	return f->usage.oom_kills > 0 && (f->oom_ends_all || ended_by(f, SIGKILL));
}

static bool was_filtered(const struct result_facts *f)
{
	return f->filter_kills && ended_by(f, SIGSYS);
}

/* The kernel kills a sandbox whose warden is gone; who ended otherwise did so before. */
static bool lost_its_warden(const struct result_facts *f)
{
	return str_eq(f->end.reason, "warden-lost") ||
	       (f->warden_gone && !f->end.reason && (!f->exit.known || ended_by(f, SIGKILL)));
}

static bool is_unknown(const struct result_facts *f)
{
	return !f->exit.known;
}

static bool was_signalled(const struct result_facts *f)
{
	return WIFSIGNALED(f->exit.status);
}

static bool always(const struct result_facts *f)
{
	(void)f;
	return true;
}

/* What the warden calls the end of a lease; its status is timeout, its class says what time. */
#define LEASE "lease"

/* The first that holds. */
static const struct rule {
	bool (*holds)(const struct result_facts *f);
	const char *status; /* NULL: the word that the warden wrote */
} rules[] = {
	{never_ran,         "start-failed"},
        {was_ended,         NULL          },
	{ran_out_of_memory, "memory"      },
        {was_filtered,      "syscall"     },
	{lost_its_warden,   "warden-lost" },
        {is_unknown,        "unknown"     },
	{was_signalled,     "signal"      },
        {always,            "exited"      },
};

enum { BY_BRIG = 125, BY_TIME = 124, BY_SIGNAL = 128 };

static const struct word codes[] = {
	{"timeout",     BY_TIME            },
	{"cpu-time",    BY_TIME            },
	{"memory",      BY_SIGNAL + SIGKILL},
	{"output",      BY_SIGNAL + SIGXFSZ},
	{"syscall",     BY_SIGNAL + SIGSYS },
	{"violation",   BY_SIGNAL + SIGSYS },
	{"audit",       BY_BRIG            },
	{"warden-lost", BY_BRIG            },
	{"unknown",     BY_BRIG            },
	{NULL,          0		  },
};

int result_start_code(const struct err *why)
{
	enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

	if (!str_starts(why->msg, "exec"))
		return BY_BRIG;
	return why->code == ENOENT || why->code == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
}

static int code_of(const struct result_facts *f, const char *status)
{
	const struct word *w = word_find(codes, status);

	if (f->failed)
		return result_start_code(f->failed);
	if (w)
		return (int)w->value;
	return WIFSIGNALED(f->exit.status) ? BY_SIGNAL + WTERMSIG(f->exit.status)
					   : WEXITSTATUS(f->exit.status);
}

/* --- parts -------------------------------------------------------------------------------- */

enum { NS_PER_MS = 1000000 };

static const uint64_t *counted(struct arena *a, int64_t n)
{
	uint64_t *out;

	if (n < 0)
		return NULL;
	out = arena_new(a, sizeof(*out));
	*out = (uint64_t)n;
	return out;
}

static const uint64_t *in_ms(struct arena *a, int64_t ns)
{
	return counted(a, ns < 0 ? -1 : ns / NS_PER_MS);
}

static const uint64_t *unless_zero(struct arena *a, uint64_t n)
{
	return n && n <= INT64_MAX ? counted(a, (int64_t)n) : NULL;
}

static const int32_t *number(struct arena *a, int n)
{
	int32_t *out = arena_new(a, sizeof(*out));

	*out = n;
	return out;
}

static void take_exit(struct arena *a, const struct result_facts *f, struct brig_result *r)
{
	r->exit_code = r->signal = NULL;
	r->unknown = NULL;
	if (f->failed)
		return;
	if (!f->exit.known)
		r->unknown = f->exit.unknown ? f->exit.unknown : "nobody has looked";
	else if (WIFSIGNALED(f->exit.status))
		r->signal = number(a, WTERMSIG(f->exit.status));
	else
		r->exit_code = number(a, WEXITSTATUS(f->exit.status));
}

static void reason_of_call(struct arena *a, const struct result_facts *f, struct result_reason *r)
{
	int64_t *nr = arena_new(a, sizeof(*nr));

	if (f->end.count <= 0)
		return;
	*nr = f->end.nr;
	r->syscall = f->end.syscall;
	r->arch = f->end.arch;
	r->nr = nr;
	r->count = counted(a, f->end.count);
}

static void reason_of_violation(struct arena *a, const struct result_facts *f,
				struct result_reason *r)
{
	uint64_t count = 0;

	for (size_t i = 0; i < f->n_violations; i++)
		if (str_eq(f->violations[i].class_, f->end.class_))
			count += f->violations[i].count;
	r->class_ = f->end.class_;
	r->name = f->end.name;
	r->count = unless_zero(a, count);
}

static const struct result_reason *reason_of(struct arena *a, const struct result_facts *f,
					     const char *status)
{
	const struct cgroup_usage *u = &f->usage;
	struct result_reason *r = arena_new(a, sizeof(*r));

	r->class_ = status;
	if (str_eq(status, "memory")) {
		r->limit = counted(a, u->memory_limit);
		r->peak = counted(a, u->memory_peak);
		r->count = counted(a, u->oom_kills);
	} else if (str_eq(f->end.reason, LEASE)) {
		r->class_ = LEASE;
	} else if (str_eq(status, "timeout")) {
		r->limit = unless_zero(a, f->end.wall_ms);
	} else if (str_eq(status, "cpu-time")) {
		r->limit = unless_zero(a, f->end.cpu_ms);
		r->peak = in_ms(a, u->cpu_ns);
	} else if (str_eq(status, "output")) {
		r->limit = unless_zero(a, f->end.output);
	} else if (str_eq(status, "syscall")) {
		reason_of_call(a, f, r);
	} else if (str_eq(status, "violation")) {
		reason_of_violation(a, f, r);
	} else if (str_eq(status, "audit")) {
		r->message = f->end.message;
	} else if (f->failed) {
		r->message = arena_strdup(a, f->failed->msg);
	} else if (!str_eq(status, "warden-lost")) {
		return NULL; /* it ended by itself, or nobody knows */
	}
	return r;
}

static void take_limits(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	const struct cgroup_usage *u = &f->usage;
	const struct brig_network *n = f->network;
	size_t room = 1 + (n ? n->n_limits : 0);
	struct result_limit *l = arena_array(a, room, sizeof(*l));

	if (u->pids_refused > 0)
		l[out->n_limits++] = (struct result_limit){
			.name = "pids",
			.limit = counted(a, u->pids_limit),
			.count = (uint64_t)u->pids_refused,
		};
	for (size_t i = 0; n && i < n->n_limits; i++)
		l[out->n_limits++] = (struct result_limit){
			.name = n->limits[i].name,
			.limit = unless_zero(a, n->limits[i].limit),
			.count = n->limits[i].count,
		};
	out->limits = out->n_limits ? l : NULL;
}

/* Its limits stand among the others. */
static void take_network(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	struct brig_network *n;

	if (!f->network)
		return;
	n = arena_new(a, sizeof(*n));
	*n = *f->network;
	n->limits = NULL;
	n->n_limits = 0;
	out->network = n;
}

static void take_cpu(struct arena *a, const struct cgroup_usage *u, struct brig_result *out)
{
	struct result_cpu *c = arena_new(a, sizeof(*c));
	/* Counted in clock ticks (v1), of which a short life may see none: that is not 0. */
	bool split = u->user_ns > 0 || u->system_ns > 0 || u->cpu_ns <= 0;

	*c = (struct result_cpu){
		.total_ms = in_ms(a, u->cpu_ns),
		.user_ms = in_ms(a, split ? u->user_ns : -1),
		.system_ms = in_ms(a, split ? u->system_ns : -1),
		.throttled_ms = in_ms(a, u->throttled_ns),
	};
	if (c->total_ms || c->user_ms || c->system_ms || c->throttled_ms)
		out->cpu = c;
}

static void take_memory(struct arena *a, const struct cgroup_usage *u, struct brig_result *out)
{
	struct result_memory *m = arena_new(a, sizeof(*m));
	struct result_pids *p = arena_new(a, sizeof(*p));

	*m = (struct result_memory){
		.peak = counted(a, u->memory_peak),
		.oom_kills = counted(a, u->oom_kills),
	};
	if (m->peak || m->oom_kills)
		out->memory = m;
	*p = (struct result_pids){.peak = counted(a, u->pids_peak)};
	if (p->peak)
		out->pids = p;
}

static void take_io(struct arena *a, const struct cgroup_usage *u, struct brig_result *out)
{
	struct result_io *io = arena_new(a, sizeof(*io));

	*io = (struct result_io){
		.read_bytes = counted(a, u->read_bytes),
		.write_bytes = counted(a, u->write_bytes),
		.reads = counted(a, u->reads),
		.writes = counted(a, u->writes),
	};
	if (io->read_bytes || io->write_bytes || io->reads || io->writes)
		out->io = io;
}

static void take_disk(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	struct result_disk *d = arena_new(a, sizeof(*d));

	*d = (struct result_disk){
		.bytes = counted(a, f->disk_bytes),
		.inodes = counted(a, f->disk_inodes),
		.size = f->disk_size > 0 ? counted(a, f->disk_size) : NULL,
	};
	if (d->bytes || d->inodes)
		out->disk = d;
}

static void take_process(struct arena *a, const struct rusage *ru, struct brig_result *out)
{
	enum { KILOBYTE = 1024 };
	struct result_process *p;

	if (!ru)
		return;
	p = arena_new(a, sizeof(*p));
	*p = (struct result_process){
		.max_rss = counted(a, (int64_t)ru->ru_maxrss * KILOBYTE),
		.voluntary_switches = counted(a, ru->ru_nvcsw),
		.forced_switches = counted(a, ru->ru_nivcsw),
	};
	out->process = p;
}

static void take_output(struct arena *a, const struct warden_end *end, struct brig_result *out)
{
	struct result_output *o;
	bool truncated = end->output || str_eq(end->reason, "output");

	if (!end->passed && !truncated)
		return;
	o = arena_new(a, sizeof(*o));
	*o = (struct result_output){
		.bytes = counted(a, (int64_t)(end->passed & INT64_MAX)),
		.truncated = truncated,
	};
	out->output = o;
}

static const char *taint_text(struct arena *a, const struct result_violation *v)
{
	return v->name ? arena_printf(a, "%s:%s", v->class_, v->name) : v->class_;
}

/* Of which there are no rows: the kernel killed the first process, or "ended" is all there is. */
static void take_calls(struct arena *a, const struct warden_end *end, struct brig_result *out)
{
	struct result_violation *v = arena_new(a, sizeof(*v));
	const char **taint = arena_array(a, 2, sizeof(*taint));

	*v = (struct result_violation){
		.class_ = "syscall",
		.name = end->syscall ? end->syscall : end->arch,
		.count = counted(a, end->count > 0 ? end->count : -1),
	};
	taint[0] = taint_text(a, v);
	out->violations = v;
	out->taint = taint;
	out->n_violations = out->n_taint = 1;
}

static void take_violations(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	struct result_violation *v = arena_array(a, f->n_violations + 1, sizeof(*v));
	const char **taint = arena_array(a, f->n_violations + 1, sizeof(*taint));

	if (!f->n_violations) {
		if (f->end.count > 0 || str_eq(out->status, "syscall"))
			take_calls(a, &f->end, out);
		return;
	}
	out->n_taint = 0;
	for (size_t i = 0; i < f->n_violations; i++) {
		const struct brig_violation *row = &f->violations[i];

		v[i] = (struct result_violation){
			.class_ = row->class_,
			.name = row->name,
			.response = row->response,
			.count = unless_zero(a, row->count),
			.first = row->first,
			.last = row->last,
		};
		if (row->taints)
			taint[out->n_taint++] = taint_text(a, &v[i]);
	}
	out->n_violations = f->n_violations;
	out->violations = v;
	out->taint = out->n_taint ? taint : NULL;
}

static const char *time_of(struct arena *a, uint64_t ns, int64_t offset)
{
	char text[64];

	if (!ns)
		return NULL;
	clock_rfc3339_of((int64_t)ns + offset, text, sizeof(text), 3);
	return arena_strdup(a, text);
}

static void take_times(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	/* A warden that was late to hear of the start. */
	bool late = f->ended_ns && f->started_ns > f->ended_ns;

	if (f->failed)
		return;
	out->started = time_of(a, late ? 0 : f->started_ns, f->clock_offset_ns);
	out->ended = time_of(a, f->ended_ns, f->clock_offset_ns);
	if (f->started_ns && f->ended_ns && !late)
		out->wall_ms = in_ms(a, (int64_t)(f->ended_ns - f->started_ns));
}

static void take_context(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	struct result_ctx *c;

	if (!f->ctx.request && !f->ctx.principal)
		return;
	c = arena_new(a, sizeof(*c));
	*c = (struct result_ctx){f->ctx.request, f->ctx.principal};
	out->ctx = c;
}

/* --- all of it ---------------------------------------------------------------------------- */

static const char *status_of_end(const struct result_facts *f)
{
	const struct rule *r = rules;

	while (!r->holds(f))
		r++;
	if (!r->status && str_eq(f->end.reason, LEASE))
		return "timeout";
	return r->status ? r->status : f->end.reason;
}

const struct err *result_unstarted(struct err *e)
{
	(void)err_msg(e, ECANCELED, "it ended before its program was started");
	return e;
}

int result_code(const struct result_facts *f)
{
	return code_of(f, status_of_end(f));
}

static void take_end(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	out->status = status_of_end(f);
	out->code = code_of(f, out->status);
	out->reason = reason_of(a, f, out->status);
	take_exit(a, f, out);
	take_violations(a, f, out);
}

void result_compose(struct arena *a, const struct result_facts *f, struct brig_result *out)
{
	*out = (struct brig_result){
		.v = 1,
		.id = f->id,
		.generation = f->generation ? f->generation : 1,
		.level = f->level,
		.policy = f->digest,
	};
	take_end(a, f, out);
	take_context(a, f, out);
	take_limits(a, f, out);
	take_network(a, f, out);
	take_times(a, f, out);
	take_cpu(a, &f->usage, out);
	take_memory(a, &f->usage, out);
	take_io(a, &f->usage, out);
	take_disk(a, f, out);
	take_process(a, f->process, out);
	take_output(a, &f->end, out);
}

void result_learn(struct arena *a, const struct result_facts *f, struct brig_result *io)
{
	struct result_facts g = *f;

	if (!io->unknown || !f->exit.known)
		return;
	if (!str_eq(io->status, "unknown")) {
		take_exit(a, f, io);
		return;
	}
	g.end = (struct warden_end){0};
	g.warden_gone = false;
	cgroup_usage_unknown(&g.usage);
	if (io->memory && io->memory->oom_kills)
		g.usage.oom_kills = (int64_t)*io->memory->oom_kills;
	if (io->memory && io->memory->peak)
		g.usage.memory_peak = (int64_t)*io->memory->peak;
	take_end(a, &g, io);
}

int result_replace(int dir, const char *name, const char *text, size_t len, mode_t mode,
		   struct err *e)
{
	char tmp[NAME_MAX + 1];

	/* By the clock: a confined warden has no other number of its own. */
	if ((size_t)snprintf(tmp, sizeof(tmp), ".%s.%llx", name,
			     (unsigned long long)clock_monotonic_ns()) >= sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "result: %s", name);
	own_fd int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(e, errno, "result: create %s", tmp);
	int r = file_write_all(fd, text, len);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, tmp, 0);
	return r < 0 ? err_set(e, -r, "result: write %s", name) : 0;
}

int result_write(int dir, const struct brig_result *r, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text = result_print(&a, r, &len);

	return result_replace(dir, STORE_RESULT, text, len, 0600, e);
}

int result_read_at(struct arena *a, int dir, const char *name, struct brig_result *out,
		   struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, name, RESULT_MAX_BYTES, &text, &len, e);

	return r < 0 ? r : result_parse(a, text, len, out, e);
}

int result_read(struct arena *a, int dir, struct brig_result *out, struct err *e)
{
	return result_read_at(a, dir, STORE_RESULT, out, e);
}
