/* What was seen, as learned.json has it. */
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/confine.h"
#include "base/own.h"
#include "base/str.h"
#include "guard/level_filter.h"
#include "learn.h"
#include "specs/egress.h"
#include "specs/flow.h"
#include "specs/grant.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct learned_call *)a)->name,
		      ((const struct learned_call *)b)->name);
}

static const char *name_of(struct arena *a, int nr)
{
	const char *name = level_filter_syscall_name(nr);

	return name ? name : arena_printf(a, "%d", nr);
}

static void sum_calls(struct arena *a, const struct learn_seen *s, struct brig_learned *out)
{
	struct learned_call *calls = arena_array(a, LEARN_NUMBERS, sizeof(*calls));

	for (int i = 0; i < LEARN_NUMBERS; i++)
		if (s->calls[i])
			calls[out->n_calls++] = (struct learned_call){name_of(a, i), s->calls[i]};
	qsort(calls, out->n_calls, sizeof(*calls), by_name);
	out->calls = calls;
	out->total = s->total;
}

static void sum_denied(struct arena *a, const struct learn_seen *s, struct brig_learned *out)
{
	struct learned_denied *rows = arena_array(a, s->n_denied + 1, sizeof(*rows));

	for (size_t i = 0; i < s->n_denied; i++) {
		const struct learn_denied *d = &s->denied[i];
		bool own = d->arch == OWN_ARCH;
		bool failed = (d->action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

		rows[i] = (struct learned_denied){
			.name = own ? name_of(a, d->nr) : arena_printf(a, "%d", d->nr),
			.arch = own ? NULL : arena_printf(a, "0x%x", d->arch),
			.answer = failed ? learn_errno(a, (int)(d->action & SECCOMP_RET_DATA))
					 : "kill",
			.count = d->count,
		};
	}
	out->denied = rows;
	out->n_denied = s->n_denied;
}

static void sum_families(struct arena *a, const struct learn_seen *s, struct brig_learned *out)
{
	const char **names = arena_array(a, 129, sizeof(*names));

	for (unsigned int i = 0; i < 128; i++)
		if (s->families[i / 64] & UINT64_C(1) << (i % 64))
			names[out->n_families++] =
				learn_family(i) ? learn_family(i) : arena_printf(a, "%u", i);
	out->families = names;
}

static int by_address(const void *a, const void *b)
{
	const struct learned_address *x = a, *y = b;
	int r = strcmp(x->how, y->how);

	return r ? r : strcmp(x->to, y->to);
}

/* "connect 192.0.2.1:443" */
static void sum_addresses(struct arena *a, const struct learn_seen *s, struct brig_learned *out)
{
	struct learned_address *rows = arena_array(a, s->addresses.n + 1, sizeof(*rows));

	for (size_t i = 0; i < s->addresses.n; i++) {
		const struct learn_path *r = &s->addresses.rows[i];
		size_t word = strcspn(r->path, " ");

		rows[i] = (struct learned_address){
			.how = arena_strndup(a, r->path, word),
			.to = r->path + word + 1,
			.count = r->count,
		};
	}
	qsort(rows, s->addresses.n, sizeof(*rows), by_address);
	out->addresses = rows;
	out->n_addresses = s->addresses.n;
}

void learn_sum_up(struct arena *a, const struct learn_seen *s, struct brig_learned *out)
{
	struct learned_paths *p = &out->paths;

	out->v = LEARNED_VERSION;
	out->level = s->level;
	out->makes_code = s->makes_code;
	sum_calls(a, s, out);
	sum_denied(a, s, out);
	sum_families(a, s, out);
	sum_addresses(a, s, out);
	learn_paths_fold(a, &s->paths, LEARN_READ, &p->read, &p->n_read);
	learn_paths_fold(a, &s->paths, LEARN_WRITE, &p->write, &p->n_write);
	learn_paths_fold(a, &s->paths, LEARN_EXECUTE, &p->execute, &p->n_execute);
	learn_paths_fold(a, &s->paths, 0, &p->absent, &p->n_absent);
	p->more = s->paths.more;
	p->unread = s->unread;
}

/* --- names -------------------------------------------------------------------------------- */

static void take_flow(struct arena *a, const struct brig_flow *f, struct brig_learned *io)
{
	struct learned_name *rows = (struct learned_name *)(uintptr_t)io->names;
	const char *verdict = f->verdict ? f->verdict : f->event;
	const char *name = f->name;
	size_t room = io->n_names;

	if (!name && !f->to)
		return;
	if (!name)
		name = f->port ? arena_printf(a, strchr(f->to, ':') ? "[%s]:%u" : "%s:%u", f->to,
					      *f->port)
			       : f->to;

	for (size_t i = 0; i < io->n_names; i++)
		if (str_eq(rows[i].name, name) && str_eq(rows[i].verdict, verdict)) {
			rows[i].count++;
			return;
		}
	/* Full when the count has become a power of two. */
	if (!(room & (room - 1))) {
		rows = arena_array(a, 2 * room + 1, sizeof(*rows));
		if (room)
			memcpy(rows, io->names, room * sizeof(*rows));
		io->names = rows;
	}
	rows[io->n_names++] = (struct learned_name){name, verdict, 1};
}

/* By its canonical text, or because one of its names was asked for. */
static bool uses(const struct brig_flow *f, const struct egress_grant *g)
{
	return str_eq(f->grant, g->text) || (g->name && f->name && egress_name_matches(g, f->name));
}

/* Grants that nothing was asked of are not kept. */
struct asked_grants {
	struct egress_grant *parsed; /* of io->flags; text NULL: another option */
	bool *used;
};

static const char grant_option[] = "--grant ";

/* --egress GRANT, or --grant network:GRANT; NULL: none of them. */
static const char *network_of(struct arena *a, const char *flag)
{
	static const char egress[] = "--egress ";
	struct brig_grant g;
	struct err ignored;

	if (str_starts(flag, egress))
		return flag + strlen(egress);
	return str_starts(flag, grant_option) &&
			       grant_parse(a, flag + strlen(grant_option), &g, &ignored) == 0
		       ? g.network
		       : NULL;
}

static struct asked_grants grants_of(struct arena *a, const struct brig_learned *l)
{
	struct asked_grants g = {arena_array(a, l->n_flags + 1, sizeof(*g.parsed)),
				 arena_array(a, l->n_flags + 1, sizeof(*g.used))};
	struct err ignored;

	for (size_t i = 0; i < l->n_flags; i++) {
		const char *text = network_of(a, l->flags[i]);

		g.used[i] = !text || egress_grant_parse(a, text, &g.parsed[i], &ignored) < 0;
	}
	return g;
}

void learn_take_flows(struct arena *a, const char *text, struct brig_learned *io)
{
	enum { NAMES_MAX = 4096 };
	struct asked_grants g = grants_of(a, io);
	const char **flags = arena_array(a, io->n_flags + 1, sizeof(*flags));
	size_t n = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		struct brig_flow f;
		struct err ignored;

		if (flow_parse(a, text, len, &f, &ignored) == 0) {
			for (size_t i = 0; i < io->n_flags; i++)
				g.used[i] |= g.parsed[i].text && uses(&f, &g.parsed[i]);
			if (io->n_names < NAMES_MAX)
				take_flow(a, &f, io);
		}
		text += len + (text[len] == '\n');
	}
	for (size_t i = 0; i < io->n_flags; i++)
		if (g.used[i])
			flags[n++] = io->flags[i];
	io->flags = flags;
	io->n_flags = n;
}

/* --- options ------------------------------------------------------------------------------ */

static bool is_at_or_below(const char *path, const char *dir, size_t len)
{
	while (len > 1 && dir[len - 1] == '/')
		len--;
	return path && strncmp(path, dir, len) == 0 && (len == 1 || !path[len] || path[len] == '/');
}

static bool is_used(const struct learn_seen *s, const char *dir, size_t len)
{
	for (size_t i = 0; i < s->paths.n; i++)
		if (is_at_or_below(s->paths.rows[i].path, dir, len) ||
		    is_at_or_below(s->paths.rows[i].real, dir, len))
			return true;
	return false;
}

/* The place inside that an option names; NULL: none.  *len: of its path. */
static const char *place_of(struct arena *a, const char *flag, size_t *len)
{
	static const struct {
		const char *option;
		bool second; /* HOST[:PATH], else PATH[:SIZE] */
	} places[] = {
		{"--ro ",    true },
		{"--bind ",  true },
		{"--write ", false},
	};
	struct brig_grant g;
	struct err ignored;

	for (size_t k = 0; k < LEN(places); k++) {
		if (!str_starts(flag, places[k].option))
			continue;
		const char *at = flag + strlen(places[k].option), *colon = strchr(at, ':');

		if (places[k].second && colon)
			at = colon + 1;
		*len = strcspn(at, ":");
		return at;
	}
	if (!str_starts(flag, grant_option) ||
	    grant_parse(a, flag + strlen(grant_option), &g, &ignored) < 0 || !g.path)
		return NULL;
	*len = strlen(g.path);
	return g.path;
}

void learn_used_flags(struct arena *a, const struct learn_seen *s, struct brig_learned *io)
{
	const char **flags = arena_array(a, io->n_flags + 3, sizeof(*flags));
	size_t n = 0, len;

	flags[n++] = arena_printf(a, "--level %s", io->level);
	for (size_t i = 0; i < io->n_flags; i++) {
		const char *place = place_of(a, io->flags[i], &len);

		if (!place || is_used(s, place, len))
			flags[n++] = io->flags[i];
	}
	flags[n++] = "--seccomp " LEARN_SECCOMP;
	io->flags = flags;
	io->n_flags = n;
}
