#include "policy/apply.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"

/*
 * Limits.  In direct mode the level's hold, made smaller by wishes.  An engine's are the
 * administrator's and stay; the level fills in what is absent.
 */

static const int64_t *number(struct apply *x, int64_t n)
{
	int64_t *out = arena_new(x->a, sizeof(*out));

	*out = n;
	return out;
}

static char *text(struct apply *x, const int64_t *n)
{
	return n ? arena_printf(x->a, "%lld", (long long)*n) : NULL;
}

/*
 * What holds of a config's limit (NULL or below 1: none) and the level's.  A decision is noted
 * for what changes.
 */
static const int64_t *choose(struct apply *x, const char *field, const int64_t *asked,
			     const int64_t *level)
{
	bool given = asked && *asked > 0;

	if (!level || *level <= 0 || (given && (!x->p->direct || *asked <= *level)))
		return asked;
	if (asked)
		apply_cut(x, field, given ? text(x, asked) : "unlimited", text(x, level),
			  "above the level's limit");
	else
		apply_set(x, field, text(x, level), "default of the level");
	return number(x, *level);
}

/* OCI's swap is memory and swap together. */
static void choose_swap(struct apply *x, const struct level_limits *d, struct oci_memory *m)
{
	const char *field = "linux.resources.memory.swap";
	int64_t most;

	if (!d->swap || *d->swap < 0 || !m->limit || *m->limit <= 0 ||
	    __builtin_add_overflow(*m->limit, *d->swap, &most))
		return;
	if (m->swap && *m->swap > 0 && (!x->p->direct || *m->swap <= most))
		return;
	const int64_t *limit = number(x, most);
	if (m->swap)
		apply_cut(x, field, text(x, m->swap), text(x, limit), "above the level's limit");
	else
		apply_set(x, field, text(x, limit), "default of the level");
	m->swap = limit;
}

static void apply_memory(struct apply *x, const struct level_limits *d, struct oci_resources *r)
{
	struct oci_memory *m = arena_new(x->a, sizeof(*m));
	bool given = r->memory;

	if (given)
		*m = *r->memory;
	m->limit = choose(x, "linux.resources.memory.limit", m->limit, d->memory);
	choose_swap(x, d, m);
	if (apply_on(m->disable_oom_killer)) {
		apply_cut(x, "linux.resources.memory.disableOOMKiller", "true", "false",
			  "a sandbox out of memory ends");
		m->disable_oom_killer = NULL;
	}
	if (given || m->limit || m->swap)
		r->memory = m;
}

static void apply_pids(struct apply *x, const struct level_limits *d, struct oci_resources *r)
{
	struct oci_pids *p = arena_new(x->a, sizeof(*p));
	const int64_t *limit =
		choose(x, "linux.resources.pids.limit", r->pids ? &r->pids->limit : NULL, d->pids);

	if (!limit)
		return;
	p->limit = *limit;
	r->pids = p;
}

static void apply_realtime(struct apply *x, struct oci_resources *r)
{
	struct oci_cpu *c = arena_new(x->a, sizeof(*c));

	if (!r->cpu || !r->cpu->realtime_runtime || *r->cpu->realtime_runtime == 0)
		return;
	*c = *r->cpu;
	apply_cut(x, "linux.resources.cpu.realtimeRuntime", text(x, c->realtime_runtime), "(none)",
		  "real time keeps others from the CPU");
	c->realtime_runtime = NULL;
	c->realtime_period = NULL;
	r->cpu = c;
}

/* --- device rules ------------------------------------------------------------------------- */

/*
 * The device nodes of every container; their numbers are the kernel's (devices.txt).  ptmx and
 * the terminals are there by the container's own devpts.
 */
static const struct {
	int64_t major, minor;
	bool node;
} default_devices[] = {
	{1,   3,  true }, /* null */
	{1,   5,  true }, /* zero */
	{1,   7,  true }, /* full */
	{1,   8,  true }, /* random */
	{1,   9,  true }, /* urandom */
	{5,   0,  true }, /* tty */
	{5,   2,  false}, /* ptmx */
	{136, -1, false}, /* terminals */
};

bool apply_is_default_device(int64_t major, int64_t minor)
{
	for (size_t i = 0; i < LEN(default_devices); i++)
		if (default_devices[i].node && default_devices[i].major == major &&
		    default_devices[i].minor == minor)
			return true;
	return false;
}

static bool is_deny_all(const struct oci_device_cgroup *d)
{
	return !d->allow && (!d->type || str_eq(d->type, "a")) && !d->major && !d->minor;
}

static bool is_default_rule(const struct oci_device_cgroup *d)
{
	return d->allow && str_eq(d->type, "c") && d->major && d->minor &&
	       apply_is_default_device(*d->major, *d->minor);
}

static char *rule_text(struct apply *x, const struct oci_device_cgroup *d)
{
	char *major = text(x, d->major), *minor = text(x, d->minor);

	return arena_printf(x->a, "%s %s %s:%s %s", d->allow ? "allow" : "deny",
			    d->type ? d->type : "a", major ? major : "*", minor ? minor : "*",
			    d->access ? d->access : "rwm");
}

/* m is there because brig itself makes the nodes in that cgroup. */
static void apply_rules(struct apply *x, struct oci_resources *r)
{
	struct oci_device_cgroup *list = arena_array(x->a, LEN(default_devices) + 1, sizeof(*list));

	if (apply_on(x->l->devices))
		return;
	for (size_t i = 0; i < r->n_devices; i++)
		if (r->devices[i].allow && !is_deny_all(&r->devices[i]) &&
		    !is_default_rule(&r->devices[i]))
			apply_cut(x, arena_printf(x->a, "linux.resources.devices[%zu]", i),
				  rule_text(x, &r->devices[i]), "(none)",
				  "only the default devices can be used");
	list[0] = (struct oci_device_cgroup){.allow = false, .access = "rwm"};
	for (size_t i = 0; i < LEN(default_devices); i++)
		list[i + 1] = (struct oci_device_cgroup){
			.allow = true,
			.type = "c",
			.major = number(x, default_devices[i].major),
			.minor = default_devices[i].minor < 0 ? NULL
							      : number(x, default_devices[i].minor),
			.access = "rwm",
		};
	r->devices = list;
	r->n_devices = LEN(default_devices) + 1;
}

int apply_resources(struct apply *x, struct err *e)
{
	const struct level_limits *d = x->p->direct ? &x->l->direct : &x->l->engine;
	struct oci_resources *r = arena_new(x->a, sizeof(*r));

	(void)e; /* cut only */
	if (x->linux_->resources)
		*r = *x->linux_->resources;
	apply_memory(x, d, r);
	apply_pids(x, d, r);
	apply_realtime(x, r);
	apply_rules(x, r);
	x->linux_->resources = r;
	return 0;
}
