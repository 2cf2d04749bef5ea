#include "grant_held.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "evidence.h"
#include "specs/egress.h"
#include "specs/json_print.h"
#include "store.h"

enum { PERIOD = 100000, LEAST_QUOTA = 1000 };
#define NS_PER_S UINT64_C(1000000000)

/* --- the file ----------------------------------------------------------------------------- */

int grants_load(struct arena *a, int dir, struct grants *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, GRANTS_FILE, GRANTS_MAX_BYTES, &text, &len, e);

	if (r == -ENOENT) {
		*out = (struct grants){.rows = arena_array(a, 1, sizeof(*out->rows))};
		return 0;
	}
	if (r == 0)
		r = grants_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, GRANTS_FILE) : 0;
}

int grants_save(struct arena *a, int dir, const struct grants *g, struct err *e)
{
	size_t len;
	const char *text = grants_print(a, g, &len);

	return file_replace(dir, GRANTS_FILE, text, len, 0600, e);
}

void grants_drop(struct grants *g, size_t i)
{
	memmove(&g->rows[i], &g->rows[i + 1], (g->n - i - 1) * sizeof(*g->rows));
	g->n--;
}

uint64_t grant_now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static const char *ends_text(struct arena *a, uint64_t ends_ns)
{
	struct timespec now;
	char text[64];

	if (!ends_ns || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return NULL;
	int64_t real = (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
	clock_rfc3339_of(real + (int64_t)(ends_ns - grant_now_ns()), text, sizeof(text), 3);
	return arena_strdup(a, text);
}

/* When the kernel ends one of the network is not written down. */
static void show_network(struct arena *a, int dir, const struct oci_grant **out, size_t *n)
{
	struct egress_policy p;
	struct err ignored;
	char *text;
	size_t len;

	if (file_read(a, dir, STORE_EGRESS, STORE_EGRESS_MAX, &text, &len, &ignored) < 0 ||
	    egress_parse(a, text, len, &p, &ignored) < 0)
		return;
	struct oci_grant *list = arena_array(a, *n + p.n_grants + 1, sizeof(*list));
	if (*n)
		memcpy(list, *out, *n * sizeof(*list));
	for (size_t i = 0; i < p.n_grants; i++)
		list[(*n)++].grant = arena_printf(a, "network:%s", p.grants[i].text);
	*out = list;
}

void grants_show(struct arena *a, int dir, const struct brig_state *s, const struct oci_grant **out,
		 size_t *n)
{
	struct grants g;
	struct err ignored;

	*n = 0;
	*out = NULL;
	if (grants_load(a, dir, &g, &ignored) == 0 && g.n) {
		struct oci_grant *list = arena_array(a, g.n, sizeof(*list));

		for (size_t i = 0; i < g.n; i++)
			list[i] = (struct oci_grant){g.rows[i].text, g.rows[i].place,
						     ends_text(a, g.rows[i].ends_ns)};
		*out = list;
		*n = g.n;
	}
	if (s->egress)
		show_network(a, dir, out, n);
}

/* --- limits ------------------------------------------------------------------------------- */

int grant_config(struct arena *a, int dir, struct oci_config *out, struct err *e)
{
	char *text;
	size_t len;

	if (file_read(a, dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(a, text, len, out, e) < 0)
		return err_wrap(e, STORE_CONFIG);
	return 0;
}

static const struct oci_resources *resources_of(const struct oci_config *c)
{
	return c->linux_ ? c->linux_->resources : NULL;
}

int64_t grant_started_memory(const struct oci_config *c)
{
	const struct oci_resources *r = resources_of(c);

	return r && r->memory && r->memory->limit && *r->memory->limit > 0 ? *r->memory->limit : -1;
}

static uint64_t period_of(const struct oci_config *c)
{
	const struct oci_resources *r = resources_of(c);

	return r && r->cpu && r->cpu->period && *r->cpu->period ? *r->cpu->period : PERIOD;
}

int64_t grant_started_millis(const struct oci_config *c)
{
	const struct oci_resources *r = resources_of(c);

	return r && r->cpu && r->cpu->quota && *r->cpu->quota > 0
		       ? *r->cpu->quota * 1000 / (int64_t)period_of(c)
		       : -1;
}

/* Swap stays what it was: OCI's number is of both together. */
static void memory_of(const struct oci_config *c, int64_t value, struct oci_memory *out,
		      int64_t *swap)
{
	const struct oci_resources *r = resources_of(c);
	int64_t limit = grant_started_memory(c), both;

	if (limit < 0 || !r->memory->swap)
		return;
	*swap = *r->memory->swap;
	if (*swap > 0 && value < 0)
		*swap = -1;
	else if (*swap >= limit && !__builtin_add_overflow(value, *swap - limit, &both))
		*swap = both;
	out->swap = swap;
}

int grant_set_limit(struct arena *a, const struct brig_state *s, const struct oci_config *c,
		    enum grant_kind kind, int64_t value, struct err *e)
{
	uint64_t period = period_of(c);
	int64_t swap, quota = value < 0 ? -1 : value * (int64_t)period / 1000;
	struct oci_memory memory = {.limit = &value};
	struct oci_cpu cpu = {.quota = &quota, .period = &period};
	struct oci_resources r = {0};
	struct cgroup *cg;

	if (quota >= 0 && quota < LEAST_QUOTA)
		quota = LEAST_QUOTA;
	if (kind == GRANT_MEMORY) {
		memory_of(c, value, &memory, &swap);
		r.memory = &memory;
	} else {
		r.cpu = &cpu;
	}
	if (cgroup_open(a, &s->cgroup, &cg, e) < 0)
		return -e->code;
	int ret = cgroup_update(a, cg, &r, e);
	cgroup_close(cg);
	return ret;
}

/* --- taking back -------------------------------------------------------------------------- */

/* Its maker failed or was killed between writing it down and having mounted it. */
static int id_of(const struct grant_target *t, const struct grant_held *h, uint64_t *id,
		 struct err *e)
{
	*id = h->mount_id;
	if (*id)
		return 0;
	if (!str_starts(h->place, GRANT_AREA "/"))
		return -ENOENT;
	return grant_find_added(t, h->place + strlen(GRANT_AREA "/"), id, e);
}

static int take_mount(const struct grant_target *t, const struct grants *g,
		      const struct grant_held *h, struct err *e)
{
	uint64_t id;

	if (!h->place)
		return 0;
	if (t->ns < 0)
		return err_msg(
			e, EOPNOTSUPP,
			"%s: a plain user's sandbox: its mounts cannot be changed while it runs",
			h->text);
	int r = id_of(t, h, &id, e);
	if (r == 0)
		r = grant_detach(t, id, g->area, e);
	return r == -ENOENT ? 0 : r;
}

int grant_take_back(struct arena *a, int dir, const struct brig_state *s,
		    const struct grant_target *t, const struct grants *g, size_t i, struct err *e)
{
	const struct grant_held *h = &g->rows[i];
	struct oci_config config;
	struct brig_grant grant;

	if (grant_parse(a, h->text, &grant, e) < 0)
		return -e->code;
	switch (grant.kind) {
	case GRANT_READ:
	case GRANT_WRITE:
		return take_mount(t, g, h, e);
	case GRANT_MEMORY:
	case GRANT_CPU:
		if (!h->before)
			return err_msg(e, EOPNOTSUPP,
				       "%s: a limit of the start: there is nothing that it would "
				       "go back to",
				       h->text);
		if (grant_config(a, dir, &config, e) < 0)
			return -e->code;
		return grant_set_limit(a, s, &config, grant.kind, h->before, e);
	case GRANT_EXEC_DENY:
	case GRANT_EXEC_ALLOW:
	case GRANT_NETWORK:
	case GRANT_KINDS:
		break;
	}
	return err_msg(e, EOPNOTSUPP,
		       "%s: what may be executed is Landlock's, and not changed while it runs",
		       h->text);
}

/* --- audit -------------------------------------------------------------------------------- */

int grant_note(const struct brig_state *s, const char *event, const char *source,
	       const char *resource, const char *denied, struct err *e)
{
	own_arena struct arena a = {0};
	struct evidence v = evidence_of(s);
	struct audit_record r = {.event = event,
				 .action = "grant",
				 .resource = resource,
				 .source = source,
				 .outcome = denied ? "denied" : "ok"};
	struct json_out o;

	if (!v.audit)
		return 0;
	if (denied) {
		json_begin(&o, &a, 0);
		json_object(&o);
		json_key_str(&o, "reason", denied);
		json_end_object(&o);
		r.data = json_done(&o, NULL);
	}
	int w = evidence_write(&v, &r, e);
	evidence_close(&v);
	return w;
}
