#include "policy/apply.h"

#include <fnmatch.h>
#include <string.h>

#include "base/own.h"
#include "base/rlimit.h"
#include "base/str.h"

/* --- capabilities ------------------------------------------------------------------------- */

static bool has_word(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], word))
			return true;
	return false;
}

/* What a set keeps, and what is cut added to one list of all sets. */
struct cut_words {
	const char **v;
	size_t n;
};

static void cut_set(const struct apply *x, const char *const **set, size_t *n,
		    struct cut_words *cut)
{
	const char **kept = arena_array(x->a, *n + 1, sizeof(*kept));
	size_t used = 0;

	for (size_t i = 0; i < *n; i++) {
		const char *word = (*set)[i];

		if (has_word(x->l->capabilities, x->l->n_capabilities, word))
			kept[used++] = word;
		else if (!has_word(cut->v, cut->n, word))
			cut->v[cut->n++] = word;
	}
	*set = used ? kept : NULL;
	*n = used;
}

static void apply_capabilities(struct apply *x, struct oci_process *p)
{
	const struct oci_capabilities *old = p->capabilities;
	struct oci_capabilities *c = arena_new(x->a, sizeof(*c));
	struct cut_words cut = {0};

	if (!old || apply_on(x->l->all_capabilities))
		return;
	*c = *old;
	cut.v = arena_array(x->a,
			    c->n_bounding + c->n_effective + c->n_permitted + c->n_inheritable +
				    c->n_ambient,
			    sizeof(*cut.v));
	cut_set(x, &c->bounding, &c->n_bounding, &cut);
	cut_set(x, &c->effective, &c->n_effective, &cut);
	cut_set(x, &c->permitted, &c->n_permitted, &cut);
	cut_set(x, &c->inheritable, &c->n_inheritable, &cut);
	cut_set(x, &c->ambient, &c->n_ambient, &cut);
	p->capabilities = c;
	if (cut.n)
		apply_cut(x, "process.capabilities", apply_join(x->a, cut.v, cut.n, " "), "(none)",
			  "outside the level's capabilities");
}

/* --- resource limits ---------------------------------------------------------------------- */

static const struct level_limits *limits_of(const struct apply *x)
{
	return x->p->direct ? &x->l->direct : &x->l->engine;
}

/* The level's own limit; NULL: it has none. */
static const uint64_t *of_level(const struct apply *x, uint64_t resource)
{
	const struct level_limits *l = limits_of(x);

	return resource == RLIMIT_NOFILE ? l->nofile : resource == RLIMIT_FSIZE ? l->fsize : NULL;
}

/* How far this limit may go, and who says so. */
static uint64_t ceiling(const struct apply *x, uint64_t resource, const char **reason)
{
	const uint64_t *level = of_level(x, resource);
	uint64_t hard = x->f->hard[resource];

	*reason = "above the hard limit of the caller";
	/* A process that may have real time or go before others keeps them from running. */
	if (resource == RLIMIT_RTPRIO || resource == RLIMIT_NICE) {
		*reason = "priority over other processes of the host";
		return 0;
	}
	/* An engine's is the administrator's; in direct mode it is a wish. */
	if (x->p->direct && level && *level < hard) {
		*reason = "above the level's limit";
		return *level;
	}
	return hard;
}

static char *limit_text(struct arena *a, uint64_t soft, uint64_t hard)
{
	return arena_printf(a, "%llu:%llu", (unsigned long long)soft, (unsigned long long)hard);
}

static void cut_limit(struct apply *x, uint64_t resource, struct oci_rlimit *r)
{
	const char *reason;
	uint64_t most = ceiling(x, resource, &reason);
	struct oci_rlimit old = *r;

	if (r->hard > most)
		r->hard = most;
	if (r->soft > most)
		r->soft = most;
	if (r->soft != old.soft || r->hard != old.hard)
		apply_cut(x, arena_printf(x->a, "process.rlimits.%s", r->type),
			  limit_text(x->a, old.soft, old.hard), limit_text(x->a, r->soft, r->hard),
			  reason);
}

static bool has_limit(const struct oci_rlimit *list, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].type, type))
			return true;
	return false;
}

/* The level's own where config.json has none. */
static void add_limits(struct apply *x, struct oci_rlimit *list, size_t *n)
{
	static const char *const types[] = {"RLIMIT_NOFILE", "RLIMIT_FSIZE"};

	for (size_t i = 0; i < LEN(types); i++) {
		uint64_t resource = word_find(rlimit_words, types[i])->value;
		const uint64_t *level = of_level(x, resource);
		uint64_t limit = x->f->hard[resource];

		if (!level || has_limit(list, *n, types[i]))
			continue;
		if (*level < limit)
			limit = *level;
		list[(*n)++] = (struct oci_rlimit){types[i], limit, limit};
		apply_set(x, arena_printf(x->a, "process.rlimits.%s", types[i]),
			  limit_text(x->a, limit, limit), "default of the level");
	}
}

/* Unknown words stay: the plan names them. */
static void apply_rlimits(struct apply *x, struct oci_process *p)
{
	struct oci_rlimit *list = arena_array(x->a, p->n_rlimits + 2, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *r = &p->rlimits[i];
		const struct word *w = word_find(rlimit_words, r->type ? r->type : "");

		if (w && w->value == RLIMIT_CORE) {
			apply_cut(x, "process.rlimits.RLIMIT_CORE",
				  limit_text(x->a, r->soft, r->hard), "1:1",
				  "a core handler of the host would read the sandbox's memory");
			continue;
		}
		list[n] = *r;
		if (w)
			cut_limit(x, w->value, &list[n]);
		n++;
	}
	add_limits(x, list, &n);
	p->rlimits = list;
	p->n_rlimits = n;
}

/* --- environment -------------------------------------------------------------------------- */

static bool drops_env(const struct apply *x)
{
	return str_eq(x->l->env.drop, "all") || (str_eq(x->l->env.drop, "direct") && x->p->direct);
}

static bool is_secret(const struct apply *x, const char *name)
{
	const struct level_env *l = &x->l->env;

	if (has_word(x->p->admin.env_allow, x->p->admin.n_env_allow, name))
		return false;
	for (size_t i = 0; i < l->n_patterns; i++)
		if (fnmatch(l->patterns[i], name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

/* Names only: a value is nothing for a record. */
static void apply_env(struct apply *x, struct oci_process *p)
{
	const char **env = arena_array(x->a, p->n_env + 1, sizeof(*env));
	size_t n = 0;

	if (!drops_env(x) || !p->n_env)
		return;
	for (size_t i = 0; i < p->n_env; i++) {
		const char *name = arena_strndup(x->a, p->env[i], strcspn(p->env[i], "="));

		if (is_secret(x, name))
			apply_cut(x, "process.env", name, "(dropped)",
				  "looks like a secret; env.allow of brig.json keeps it");
		else
			env[n++] = p->env[i];
	}
	p->env = env;
	p->n_env = n;
}

/* --- the rest ----------------------------------------------------------------------------- */

static void apply_no_new_privileges(struct apply *x, struct oci_process *p)
{
	if (p->no_new_privileges || !apply_on(x->l->no_new_privileges))
		return;
	p->no_new_privileges = true;
	apply_set(x, "process.noNewPrivileges", "true", "config.json does not ask for it");
}

/* The kernel's OOM killer would end somebody else's process first. */
static void apply_oom_score(struct apply *x, struct oci_process *p)
{
	int64_t *score = arena_new(x->a, sizeof(*score));

	if (!p->oom_score_adj || *p->oom_score_adj >= x->f->oom_score_adj)
		return;
	*score = x->f->oom_score_adj;
	apply_cut(x, "process.oomScoreAdj",
		  arena_printf(x->a, "%lld", (long long)*p->oom_score_adj),
		  arena_printf(x->a, "%lld", (long long)*score), "below the caller's");
	p->oom_score_adj = score;
}

static void apply_scheduler(struct apply *x, struct oci_process *p)
{
	static const char *const shared[] = {"SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"};
	const struct oci_scheduler *old = p->scheduler;
	struct oci_scheduler *s = arena_new(x->a, sizeof(*s));

	if (!old || !old->policy)
		return;
	if (!has_word(shared, LEN(shared), old->policy)) {
		apply_cut(x, "process.scheduler.policy", old->policy, "(none)",
			  "real time keeps others from the CPU");
		p->scheduler = NULL;
		return;
	}
	if (old->nice >= 0)
		return;
	*s = *old;
	s->nice = 0;
	apply_cut(x, "process.scheduler.nice", arena_printf(x->a, "%d", old->nice), "0",
		  "priority over other processes of the host");
	p->scheduler = s;
}

static void apply_io_priority(struct apply *x, struct oci_process *p)
{
	if (!p->io_priority || !str_eq(p->io_priority->class, "IOPRIO_CLASS_RT"))
		return;
	apply_cut(x, "process.ioPriority", p->io_priority->class, "(none)",
		  "real time keeps others from the disk");
	p->io_priority = NULL;
}

int apply_process(struct apply *x, struct oci_process *io, struct err *e)
{
	(void)e; /* nothing of a process is refused: the program works with less */
	apply_capabilities(x, io);
	apply_no_new_privileges(x, io);
	apply_rlimits(x, io);
	apply_oom_score(x, io);
	apply_env(x, io);
	apply_scheduler(x, io);
	apply_io_priority(x, io);
	return 0;
}
