#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "plan.h"
#include "pool/pool.h"
#include "reset.h"
#include "reuse.h"
#include "reuse_lower.h"
#include "reuse_policy.h"
#include "status.h"
#include "store.h"
#include "taint.h"
#include "touched.h"
#include "volumes.h"

enum { TAKEN_MAX = 4 << 20 };

/* --- what it is --------------------------------------------------------------------------- */

static int look_around(struct verify *v, struct pool_subject *s, struct verify_seen *out,
		       struct err *e)
{
	struct pool_shell *seen = arena_new(v->arena, sizeof(*seen));
	struct pool_look look = {0};
	const char *outside = NULL;
	int r = 0;

	if (v->shell)
		*seen = *v->shell;
	s->shell = seen;
	if (s->proc >= 0) {
		if (pool_look_begin(&look, (pid_t)v->state->pid, e) < 0)
			return -e->code;
		s->root = openat(s->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		outside = pool_fingerprint_outside(v->arena, s);
		pool_look_outside(v->arena, s, seen);
		r = pool_look_end(&look, e);
	}
	if (r == 0 && outside)
		v->text = pool_fingerprint(v->arena, outside, &look.seen);
	if (r == 0)
		pool_residue(v->arena, s, &look.seen, &out->checks, &out->n_checks);
	arena_adopt(v->arena, &look.arena);
	if (r < 0)
		return r;
	out->not_covered = pool_not_covered(v->arena, s, &out->n_not_covered);
	return 0;
}

/* No process: what is asked without one is asked. */
static int see(struct verify *v, struct verify_seen *out, struct err *e)
{
	char letter, hex[SHA256_HEX];
	const struct pool_home home = pool_home();
	struct pool_subject s = {
		.state = v->state,
		.directory = v->directory,
		.dir = v->dir,
		.proc = process_open((pid_t)v->state->pid, v->state->start_time, &letter),
		.root = -1,
		.plain_user = reuse_is_plain_users(v->state),
		.home = &home,
		.cgroups = v->shell ? v->shell->cgroups
				    : pool_cgroups_open(v->arena, &v->state->cgroup),
		.shell = v->shell,
	};

	*out = (struct verify_seen){0};
	v->text = NULL;
	int r = s.plain_user && s.proc >= 0 ? verify_see_as_owner(v, &s, out, e)
					    : look_around(v, &s, out, e);
	pool_cgroups_close(s.cgroups, &v->state->cgroup);
	own_close(&s.proc);
	own_close(&s.root);
	if (r < 0 || !v->text)
		return r;
	sha256_hex(v->text, strlen(v->text), hex);
	out->digest = arena_printf(v->arena, "sha256:%s", hex);
	return 0;
}

void verify_look_at_shell(struct verify *v)
{
	struct pool_shell *shell = arena_new(v->arena, sizeof(*shell));
	struct pool_subject s = {
		.state = v->state,
		.directory = v->directory,
		.dir = v->dir,
		.proc = -1,
		.root = -1,
	};

	/* Of a plain user's sandbox its owner looks at everything. */
	if (reuse_is_plain_users(v->state))
		return;
	s.cgroups = pool_cgroups_open(v->arena, &v->state->cgroup);
	pool_look_at_shell(v->arena, &s, shell);
	v->shell = shell;
}

int verify_take(struct verify *v, const char **out, struct err *e)
{
	struct verify_seen s;
	const char *unread;
	int r = see(v, &s, e);

	if (r == 0 && !s.digest)
		r = err_msg(e, ESRCH, "its first process has ended");
	if (r == 0 && pool_count_unreadable(v->arena, v->text, &unread))
		r = err_msg(e, EIO,
			    "it cannot be reused: what later generations are compared with cannot "
			    "be read: %s",
			    unread);
	if (r == 0)
		r = file_replace(v->dir, REUSE_TAKEN, v->text, strlen(v->text), 0600, e);
	*out = s.digest;
	return r;
}

/* --- whether it is what it was ------------------------------------------------------------- */

static const char *what_differs(struct verify *v)
{
	struct err ignored;
	char *before;

	if (file_read(v->arena, v->dir, REUSE_TAKEN, TAKEN_MAX, &before, NULL, &ignored) < 0)
		return "the text of generation 1 is gone";
	return pool_difference(v->arena, before, v->text);
}

static struct report_check unreadable(struct verify *v)
{
	static const int64_t none = 0;
	int64_t *n = arena_new(v->arena, sizeof(*n));
	const char *first;

	*n = (int64_t)pool_count_unreadable(v->arena, v->text, &first);
	return (struct report_check){
		.name = "unreadable",
		.value = n,
		.limit = &none,
		.ok = !*n,
		.detail = first,
	};
}

/* Rows of their own, so that what differs, and what nobody knows, is told. */
static void compare(struct verify *v, const struct verify_seen *s, struct brig_report *out)
{
	const char *first = v->state->reuse->fingerprint;
	bool *match = arena_new(v->arena, sizeof(*match));
	struct report_check *list = arena_array(v->arena, out->n_checks + 2, sizeof(*list));

	if (!s->digest)
		return;
	*match = str_eq(first, s->digest);
	out->fingerprint = s->digest;
	out->fingerprint_match = match;
	list[0] = (struct report_check){
		.name = "fingerprint",
		.ok = *match,
		.detail = *match ? NULL : what_differs(v),
	};
	list[1] = unreadable(v);
	if (out->n_checks)
		memcpy(list + 2, out->checks, out->n_checks * sizeof(*list));
	out->checks = list;
	out->n_checks += 2;
}

int verify_look(struct verify *v, struct brig_report *out, struct err *e)
{
	struct verify_seen s;
	int r = see(v, &s, e);

	if (r < 0)
		return r;
	out->checks = s.checks;
	out->n_checks = s.n_checks;
	out->not_covered = s.not_covered;
	out->n_not_covered = s.n_not_covered;
	volumes_check(v->arena, v->dir, out);
	touched_check(v->arena, v->dir, v->state, out);
	compare(v, &s, out);
	out->clean = s.digest;
	for (size_t i = 0; i < out->n_checks; i++)
		out->clean = out->clean && out->checks[i].ok;
	return 0;
}

void verify_tell_valid(struct arena *a, struct brig_report *out)
{
	struct report_valid *v = arena_new(a, sizeof(*v));

	v->generation = out->gen;
	out->valid_for = out->clean ? v : NULL;
}

const char *verify_findings(struct arena *a, const struct brig_report *r)
{
	const char *text = NULL;

	for (size_t i = 0; i < r->n_checks; i++)
		if (!r->checks[i].ok)
			text = text ? arena_printf(a, "%s, %s", text, r->checks[i].name)
				    : r->checks[i].name;
	return text ? text : "nothing to look at";
}

int verify_taint(struct verify *v, const char *findings, struct err *e)
{
	struct brig_taints t;
	char now[64];
	size_t len;

	if (v->text && file_replace(v->dir, REUSE_FOUND, v->text, strlen(v->text), 0600, e) < 0)
		return -e->code;
	if (taint_load(v->arena, v->dir, &t, e) < 0)
		return -e->code;
	struct brig_taint *rows = arena_array(v->arena, t.n_rows + 1, sizeof(*rows));
	if (t.n_rows)
		memcpy(rows, t.rows, t.n_rows * sizeof(*rows));
	/* As many as fit; one is enough. */
	if (t.n_rows == TAINT_ROWS)
		return 0;
	clock_rfc3339(now, sizeof(now), 3);
	rows[t.n_rows++] = (struct brig_taint){
		.class_ = "residue",
		.reason = findings,
		.time = now,
		.by = "reset",
	};
	t.rows = rows;
	const char *text = taints_print(v->arena, &t, &len);
	return file_replace(v->dir, TAINT_FILE, text, len, 0600, e);
}

/* --- the verb ------------------------------------------------------------------------------ */

static int verdict(struct brig_report *r, enum status st, const char *id,
		   enum container_answer *answer, struct err *e)
{
	*answer = ANSWER_REFUSED;
	if (r->n_taint)
		return err_msg(e, EKEYREJECTED, "container %s is tainted (%s)", id, r->taint[0]);
	if (st != STATUS_CREATED) {
		*answer = ANSWER_BUSY;
		return err_msg(e, EBUSY, "container %s is %s: only a parked one can be clean", id,
			       status_name(st));
	}
	return r->refused ? err_msg(e, EKEYREJECTED, "container %s: %s", id, r->refused)
			  : err_msg(e, EKEYREJECTED, "container %s is not clean", id);
}

static int verify_open(const struct container_host *h, const char *id, struct verify *v,
		       struct brig_state *s, struct brig_report *out, enum container_answer *answer,
		       struct err *e)
{
	struct cgroup *cg = NULL;
	struct reset r = {.host = h, .arena = v->arena, .dir = v->dir, .report = out};

	if (store_load(v->dir, v->arena, s, e) < 0 || reuse_check_owner(s, answer, e) < 0)
		return -e->code;
	if (!s->reuse) {
		*answer = ANSWER_REFUSED;
		return err_msg(e, EOPNOTSUPP,
			       "container %s was not made to be used again (create --reuse)", id);
	}
	if (cgroup_open(v->arena, &s->cgroup, &cg, e) < 0)
		return -e->code;
	r.state = *s;
	r.cgroup = cg;
	reset_report(&r, "verify");
	if (volumes_report(v->arena, v->dir, out, e) < 0) {
		cgroup_close(cg);
		return -e->code;
	}
	cgroup_close(cg);
	reset_taint(v->arena, v->dir, NULL, out);
	v->state = s;
	if (s->reuse->journal)
		out->refused = "its reset was cut short";
	else
		out->refused = reuse_retired(v->arena, s->reuse, false);
	if (!out->refused && out->idle_s)
		out->refused = reuse_idle(v->arena, s->reuse);
	return r.status;
}

int container_verify(const struct container_host *h, const struct container_verify_opts *o,
		     struct arena *a, struct brig_report *out, enum container_answer *answer,
		     struct err *e)
{
	const char *id = o->id;
	struct brig_state s;
	struct verify v = {.arena = a};

	*out = (struct brig_report){0};
	*answer = ANSWER_FAILED;
	own_fd int dir = store_open(h, id, STORE_LOCKED, e);
	if (dir == -EBUSY)
		*answer = ANSWER_BUSY;
	if (dir == -EACCES)
		*answer = ANSWER_NOT_ALLOWED;
	if (dir < 0)
		return dir;
	v.dir = dir;
	v.directory = arena_printf(a, "%s/%s", h->root, id);
	int st = verify_open(h, id, &v, &s, out, answer, e);
	if (st < 0)
		return st;
	if (s.reuse->journal) {
		*answer = ANSWER_BUSY;
		return err_msg(e, EBUSY,
			       "container %s: its reset was cut short: reset makes it whole, "
			       "delete removes it",
			       id);
	}
	if (verify_look(&v, out, e) < 0)
		return -e->code;
	if (o->full && reuse_verify_lower(a, &s, dir, out, e) < 0) {
		*answer = ANSWER_REFUSED;
		out->clean = false;
		return -e->code;
	}
	out->clean = out->clean && st == STATUS_CREATED && !out->n_taint && !out->refused;
	verify_tell_valid(a, out);
	return out->clean ? 0 : verdict(out, (enum status)st, id, answer, e);
}
