#include "cpu/pin.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cpu/book.h"
#include "cpu/choose.h"

/* One claim on its way: what does not change over its attempts. */
struct claim {
	const struct pin_request *req;
	struct cpu_topology topology; /* exclusive only */
	struct cpu_set online;
	struct cpu_set list; /* of req->allowed; all CPUs without one */
};

/* --- what may be chosen from ----------------------------------------------------------------- */

static int read_list(struct claim *c, struct err *e)
{
	const char *text = c->req->allowed;
	own_arena struct arena scratch = {0};
	struct cpu_set missing;

	if (!text) {
		memset(&c->list, 0xff, sizeof(c->list));
		return 0;
	}
	if (!str_cpulist(text, c->list.bits, CPU_BITS))
		return err_msg(e, EINVAL, "cpuset \"%.100s\" is no list of CPUs", text);
	if (!cpu_count(&c->list))
		return err_msg(e, EINVAL, "cpuset \"%.100s\" has no CPU", text);
	missing = c->list;
	cpu_take_out(&missing, &c->online);
	if (cpu_count(&missing))
		return err_msg(e, EINVAL, "cpuset \"%.100s\": CPU %u is not there: online are %s",
			       text, cpu_next(&missing, 0), cpu_list(&scratch, &c->online));
	return 0;
}

/*
 * What the kernel would let a cpuset have now.  A partition (cgroup v2) of an exclusive sandbox
 * takes its CPUs out of everything above and of brig's own affinity; taken: all those are still
 * in *out, for they come back.
 */
static int read_allowed(const struct claim *c, const char *above, const struct cpu_set *taken,
			struct cpu_set *out, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct cpu_set bound;

	*out = c->list;
	if (!c->req->allowed && !cpu_own(out))
		return err_set(e, errno, "sched_getaffinity");
	cpu_keep(out, &c->online);
	cpu_unite(out, taken);
	if (above && str_cpulist(above, bound.bits, CPU_BITS) && cpu_count(&bound)) {
		cpu_unite(&bound, taken);
		/* A brig that is bound elsewhere says nothing about that cgroup. */
		if (!c->req->allowed && !cpu_overlap(out, &bound))
			*out = bound;
		cpu_keep(out, &bound);
	}
	cpu_keep(out, &c->online);
	cpu_keep(out, &c->list);
	if (cpu_count(out))
		return 0;
	return err_msg(e, EINVAL, "cpuset \"%.100s\": the cgroup above it only has CPUs %.100s",
		       c->req->allowed ? c->req->allowed : cpu_list(&scratch, &c->online),
		       above ? above : "");
}

/* --- one attempt, with the book open and locked ------------------------------------------------
 */

struct attempt {
	struct claim *claim;
	struct book *book;
	struct arena *scratch;
	struct cpu_set allowed, exclusive; /* exclusive: of others */
	const char *mems;                  /* of the cgroup above */
};

static bool is_own(const struct attempt *t, const struct book_entry *entry)
{
	return str_eq(entry->user, t->claim->req->user);
}

static int prepare(struct attempt *t, struct err *e)
{
	const struct pin_callbacks *host = &t->claim->req->host;
	const char *above = NULL;

	for (size_t i = 0; i < t->book->n; i++) {
		const struct book_entry *entry = &t->book->pages[i].entry;

		if (entry->exclusive && !is_own(t, entry))
			cpu_unite(&t->exclusive, &entry->cpus);
	}
	if (host->above)
		host->above(host->ctx, t->scratch, &above, &t->mems);
	return read_allowed(t->claim, above, &t->exclusive, &t->allowed, e);
}

/* A thread that came online after its core was given out is the owner's too. */
static void add_siblings(const char *sysfs, struct cpu_set *io)
{
	const struct cpu_set given = *io;
	struct cpu_set core;

	for (unsigned int i = cpu_next(&given, 0); i < CPU_BITS; i = cpu_next(&given, i + 1)) {
		cpu_siblings(sysfs, i, &core);
		cpu_unite(io, &core);
	}
}

static int choose_for_shared(struct attempt *t, struct cpu_set *out, struct err *e)
{
	const struct pin_request *req = t->claim->req;
	uint16_t *uses = arena_array(t->scratch, CPU_BITS, sizeof(*uses));
	const struct choose_shared how = {
		.allowed = &t->allowed,
		.uses = uses,
		.count = req->count,
		.siblings = cpu_smt_active(req->sysfs) ? cpu_siblings : NULL,
		.root = req->sysfs,
	};

	if (cpu_count(&t->exclusive)) {
		const char *all = cpu_list(t->scratch, &t->allowed);

		add_siblings(req->sysfs, &t->exclusive);
		cpu_take_out(&t->allowed, &t->exclusive);
		if (!cpu_count(&t->allowed))
			return err_msg(e, EBUSY,
				       "no free CPU: all of %.100s are given out exclusively", all);
	}
	for (size_t i = 0; i < t->book->n; i++) {
		const struct book_entry *entry = &t->book->pages[i].entry;

		if (is_own(t, entry))
			continue;
		for (unsigned int k = cpu_next(&entry->cpus, 0); k < CPU_BITS;
		     k = cpu_next(&entry->cpus, k + 1))
			uses[k] = (uint16_t)(uses[k] + (uses[k] < UINT16_MAX));
	}
	choose_shared(&how, out);
	return 0;
}

size_t pin_exclusive_max(const struct cpu_topology *t, const uint32_t *max)
{
	size_t all = cpu_count(&t->online), smallest = t->n_doubts || !t->n_cores ? 1 : SIZE_MAX;

	if (max)
		return *max;
	for (size_t i = 0; i < t->n_cores; i++)
		smallest = t->cores[i].n < smallest ? t->cores[i].n : smallest;
	return all - smallest;
}

static int past_max(const struct attempt *t, int code, size_t more, struct err *e)
{
	const uint32_t *given = t->claim->req->exclusive_max;
	size_t max = pin_exclusive_max(&t->claim->topology, given);
	size_t now = cpu_count(&t->exclusive);

	return err_msg(e, code,
		       "no exclusive core: past cpu.exclusive_max, which is %zu CPU%s%s: %zu are "
		       "given out, %zu more are needed",
		       max, max == 1 ? "" : "s", given ? "" : " (all of the host but one core)",
		       now, more);
}

static int choose_for_exclusive(struct attempt *t, struct cpu_set *out, struct err *e)
{
	const struct claim *c = t->claim;
	size_t max = pin_exclusive_max(&c->topology, c->req->exclusive_max);
	struct cpu_set busy = {0};
	const struct choose_cores how = {
		.topology = &c->topology,
		.allowed = &t->allowed,
		.busy = &busy,
		.count = c->req->count,
	};

	/* First on an empty host: what is not possible there is not worth a wait. */
	int r = choose_cores(&how, out, e);
	if (r == 0 && cpu_count(out) > max)
		r = past_max(t, EINVAL, cpu_count(out), e);
	if (r < 0)
		return r;
	busy = t->exclusive;
	for (size_t i = 0; i < t->book->n; i++)
		if (!is_own(t, &t->book->pages[i].entry))
			cpu_unite(&busy, &t->book->pages[i].entry.cpus);
	r = choose_cores(&how, out, e);
	if (r == 0 && cpu_count(&t->exclusive) + cpu_count(out) > max)
		r = past_max(t, EBUSY, cpu_count(out), e);
	return r;
}

/* Entries of sandboxes that are dead; true: there were some. */
static bool drop_dead(struct book *b, const struct pin_request *req)
{
	bool dropped = false;
	struct err e;

	for (size_t i = b->n; req->host.is_dead && i-- > 0;) {
		const char *user = b->pages[i].entry.user;

		if (str_eq(user, req->user) || !req->host.is_dead(req->host.ctx, user))
			continue;
		log_debug("CPU reservations: %s is dead: its CPUs are free", user);
		if (book_remove(b, i, &e) < 0)
			log_warn("CPU reservations: %s", e.msg);
		else
			dropped = true;
	}
	return dropped;
}

static int choose(struct attempt *t, struct cpu_set *out, struct err *e)
{
	int r = prepare(t, e);

	if (r < 0)
		return r;
	return t->claim->req->kind == PIN_EXCLUSIVE ? choose_for_exclusive(t, out, e)
						    : choose_for_shared(t, out, e);
}

static void tell(struct arena *a, const struct attempt *t, const struct cpu_set *chosen,
		 struct pin_choice *out)
{
	const struct pin_request *req = t->claim->req;
	bool exclusive = req->kind == PIN_EXCLUSIVE;
	const char *need = req->count ? arena_printf(a, "quota of %u CPU%s", req->count,
						     req->count == 1 ? "" : "s")
				      : "no quota";
	struct cpu_nodes nodes = t->claim->topology.nodes;

	if (!exclusive)
		cpu_nodes_read(t->scratch, req->sysfs, &nodes);
	out->cpus = cpu_list(a, chosen);
	out->mems = cpu_mems(a, &nodes, chosen, t->mems);
	out->why = exclusive ? arena_printf(a, "%s: exclusive, %s", need,
					    choose_describe(a, &t->claim->topology, chosen))
			     : arena_printf(a, "%s: shared, the least used of %.200s", need,
					    cpu_list(t->scratch, &t->allowed));
}

/* Nothing is held when it returns. */
static int try_once(struct arena *a, struct claim *c, struct book *b, struct pin_choice *out,
		    struct err *e)
{
	own_arena struct arena scratch = {0};
	struct attempt t = {.claim = c, .book = b, .scratch = &scratch};
	struct book_entry entry = {.user = c->req->user,
				   .exclusive = c->req->kind == PIN_EXCLUSIVE};
	int r = book_lock(&scratch, b, e);

	if (r < 0)
		return r;
	r = choose(&t, &entry.cpus, e);
	if (r == -EBUSY && drop_dead(b, c->req)) {
		t = (struct attempt){.claim = c, .book = b, .scratch = &scratch};
		r = choose(&t, &entry.cpus, e);
	}
	if (r == 0)
		r = book_save(&scratch, b, &entry, e);
	if (r == 0)
		tell(a, &t, &entry.cpus, out);
	book_unlock(b);
	return r;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

/*
 * A release is seen at once; that a sandbox has died, or its state directory has gone, only by
 * looking again, less and less often.
 */
struct wait {
	int inotify;
	uint64_t until;
	int pause;
};

static struct wait wait_begin(const struct pin_request *req)
{
	enum { FIRST_PAUSE = 20 };
	struct wait w = {.inotify = -1,
			 .until = (uint64_t)clock_monotonic_ms() + req->wait_ms,
			 .pause = FIRST_PAUSE};

	if (!req->wait_ms)
		return w;
	w.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* Where there is none (limits of the user), the pauses do. */
	if (w.inotify >= 0)
		(void)!inotify_add_watch(w.inotify, req->directory, IN_DELETE);
	return w;
}

/* False: the time is over. */
static bool wait_more(struct wait *w)
{
	enum { LONGEST_PAUSE = 1000 };
	char events[4096];
	uint64_t now = (uint64_t)clock_monotonic_ms();

	if (now >= w->until)
		return false;
	struct pollfd p = {.fd = w->inotify, .events = POLLIN};
	int ms = w->until - now < (uint64_t)w->pause ? (int)(w->until - now) : w->pause;
	if (poll(&p, 1, ms) > 0)
		while (read(w->inotify, events, sizeof(events)) > 0)
			; /* which file it was does not matter */
	w->pause = w->pause * 2 < LONGEST_PAUSE ? w->pause * 2 : LONGEST_PAUSE;
	return true;
}

static int claim(struct arena *a, struct claim *c, struct book *b, struct pin_choice *out,
		 struct err *e)
{
	const struct pin_request *req = c->req;
	int r = book_open(b, req->directory, true, e);

	if (r < 0)
		return r;
	struct wait w = wait_begin(req);
	for (;;) {
		r = try_once(a, c, b, out, e);
		if (r != -EBUSY || !req->wait_ms)
			break;
		if (req->host.interrupted && req->host.interrupted(req->host.ctx)) {
			r = err_msg(e, EINTR, "interrupted while waiting for CPUs");
			break;
		}
		if (!wait_more(&w)) {
			const struct err last = *e;

			r = err_msg(e, EBUSY, "%.460s (waited for it)", last.msg);
			break;
		}
	}
	own_close(&w.inotify);
	return r;
}

static int read_host(struct arena *a, struct claim *c, struct err *e)
{
	if (c->req->kind == PIN_SHARED)
		return cpu_online(c->req->sysfs, &c->online, e);
	int r = cpu_topology_read(a, c->req->sysfs, &c->topology, e);
	c->online = c->topology.online;
	return r;
}

int pin_claim(struct arena *a, const struct pin_request *req, struct pin_choice *out, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct claim c = {.req = req};
	struct book b;

	if (req->user[0] != '/' || strchr(req->user, '\n') || strlen(req->user) >= PATH_MAX)
		return err_msg(e, EINVAL, "CPU reservations: \"%s\" is no absolute path",
			       req->user);
	if (read_host(&scratch, &c, e) < 0 || read_list(&c, e) < 0)
		return -e->code;
	int r = claim(a, &c, &b, out, e);
	book_close(&b);
	return r;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

int pin_release(const char *directory, const char *user, struct err *e)
{
	struct book b;
	int r = book_open(&b, directory, false, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = book_lock_only(&b, e);
	if (r == 0)
		r = book_forget(&b, user, e);
	book_close(&b);
	return r < 0 ? err_wrap(e, "CPU reservations: %s", directory) : 0;
}

int pin_count(const char *directory, struct pin_counts *out, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct cpu_set exclusive = {0};
	struct book b;
	int r = book_open(&b, directory, false, e);

	*out = (struct pin_counts){0};
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = book_read(&scratch, &b, e);
	book_close(&b);
	for (size_t i = 0; r == 0 && i < b.n; i++) {
		const struct book_entry *entry = &b.pages[i].entry;

		out->sandboxes++;
		out->exclusive_sandboxes += entry->exclusive;
		if (entry->exclusive)
			cpu_unite(&exclusive, &entry->cpus);
	}
	out->exclusive_cpus = cpu_count(&exclusive);
	return r;
}
