/*
 * reset: the next generation of a sandbox that can be used again.  docs/reuse.md
 *
 * Everything is decided before anything is destroyed.  What a generation was is not scrubbed: it
 * ends as by delete, and the next one is made as by create, in the same state directory.
 *
 *	journal    what a crash leaves
 *	destroy    the old generation, in part: it is destroyed again
 *	create     the new one, half made: it is destroyed, and made again
 *	verify     the new one, made and not looked at: the same
 *	(none)     one that may be started
 *
 * Nobody but reset and delete touches one that has a journal: start refuses it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "create.h"
#include "delete.h"
#include "evidence.h"
#include "lease.h"
#include "outcome.h"
#include "quarantine.h"
#include "reset.h"
#include "resolver.h"
#include "reuse.h"
#include "reuse_policy.h"
#include "specs/report.h"
#include "status.h"
#include "store.h"
#include "verify.h"
#include "volumes.h"
#include "warden/warden.h"

/* STRANGER_MS: a warden waits three seconds at most for how its sandbox ended. */
enum { KILL_WAIT_MS = 10000, WORDS_MS = 3000, PARKED_MS = 1000, STRANGER_MS = 4000 };

static int refuse(struct reset *r, enum container_answer answer)
{
	r->answer = answer;
	return 0;
}

/* --- the lock ------------------------------------------------------------------------------- */

static bool same_turn(const struct brig_state *a, const struct brig_state *b)
{
	if (!a->reuse || !b->reuse)
		return !a->reuse == !b->reuse;
	return a->reuse->generation == b->reuse->generation &&
	       (str_eq(a->reuse->journal, b->reuse->journal) ||
		(!a->reuse->journal && !b->reuse->journal));
}

/* What was seen before the lock was had must still hold behind it: of two who race one wins. */
static int lock(struct reset *r, struct err *e)
{
	struct brig_state seen;
	int s = store_open(r->host, r->opts->id, STORE_UNLOCKED, e);

	if (s == -EACCES)
		(void)refuse(r, ANSWER_NOT_ALLOWED);
	if (s < 0)
		return s;
	r->create.dir = r->dir = s;
	if (store_load(r->dir, r->arena, &seen, e) < 0 ||
	    reuse_check_owner(&seen, &r->answer, e) < 0)
		return -e->code;
	s = store_lock(r->dir, r->opts->id, e);
	if (s == -EBUSY)
		(void)refuse(r, ANSWER_BUSY);
	if (s < 0 || store_load(r->dir, r->arena, &r->state, e) < 0)
		return -e->code;
	if (same_turn(&seen, &r->state))
		return 0;
	(void)refuse(r, ANSWER_BUSY);
	return err_msg(e, ESTALE,
		       "container %s: another reset was first, it is generation %" PRIu64,
		       r->opts->id, r->state.reuse ? r->state.reuse->generation : 0);
}

/* --- whether it may ------------------------------------------------------------------------- */

static uint64_t seconds_since(uint64_t from_ns)
{
	uint64_t now = reuse_now_ns();

	return now > from_ns ? (now - from_ns) / 1000000000 : 0;
}

static const uint64_t *keep(struct arena *a, uint64_t n)
{
	uint64_t *p = arena_new(a, sizeof(*p));

	*p = n;
	return n ? p : NULL;
}

static void begin_report(struct reset *r, const char *op)
{
	const struct state_reuse *u = r->state.reuse;

	*r->report = (struct brig_report){
		.v = 1,
		.op = op,
		.id = r->state.id,
		.status = status_name(r->status),
		.from_gen = r->from,
		.gen = u->generation,
		.uses = r->uses,
		.max_uses = keep(r->arena, u->max_uses),
		.max_age_s = keep(r->arena, u->max_age_ms / 1000),
		.max_idle_s = keep(r->arena, u->max_idle_ms / 1000),
		.age_s = seconds_since(u->created_ns),
		.gen_age_s = seconds_since(u->generation_ns),
	};
	reset_tell_idle(r);
}

static bool has_started(const struct reset *r)
{
	return !str_eq(r->state.status, "creating") &&
	       (!str_eq(r->state.status, "created") || faccessat(r->dir, STORE_GO, F_OK, 0) == 0);
}

/* Uses that start could not write down any more count, too. */
static void look(struct reset *r)
{
	const struct state_reuse *u = r->state.reuse;

	r->half_made = str_eq(u->journal, "create") || str_eq(u->journal, "verify");
	r->started = !r->half_made && has_started(r);
	r->uses = u->uses;
	if (r->started && !u->journal && str_eq(r->state.status, "created"))
		r->uses++;
	r->from = r->half_made ? u->generation - 1 : u->generation;
	r->status = status_of(r->dir, &r->state, r->cgroup);
}

void reset_report(struct reset *r, const char *op)
{
	look(r);
	begin_report(r, op);
}

static int check_generation(struct reset *r, struct err *e)
{
	if (!r->opts->expect_gen || *r->opts->expect_gen == r->from)
		return 0;
	(void)refuse(r, ANSWER_BUSY);
	return err_msg(e, ESTALE,
		       "container %s: generation %" PRIu64 " was expected, it is %" PRIu64,
		       r->opts->id, *r->opts->expect_gen, r->from);
}

static int check_retired(struct reset *r, struct err *e)
{
	struct state_reuse u = *r->state.reuse;

	u.uses = r->uses;
	const char *why = reuse_retired(r->arena, &u, true);
	if (!why && r->report->idle_s)
		why = reuse_idle(r->arena, &u);
	if (!why)
		return 0;
	(void)refuse(r, ANSWER_REFUSED);
	r->report->refused = why;
	return err_msg(e, EKEYREJECTED, "container %s is not to be used again: %s", r->opts->id,
		       why);
}

static int check_ended(struct reset *r, struct err *e)
{
	if (r->opts->kill || (r->status != STATUS_RUNNING && r->status != STATUS_PAUSED))
		return 0;
	(void)refuse(r, ANSWER_BUSY);
	return err_msg(e, EBUSY, "container %s is %s: reset does not end it without --kill",
		       r->opts->id, status_name(r->status));
}

static int check_may(struct reset *r, struct err *e)
{
	if (!r->state.reuse) {
		(void)refuse(r, ANSWER_REFUSED);
		return err_msg(e, EOPNOTSUPP,
			       "container %s was not made to be used again (create --reuse)",
			       r->opts->id);
	}
	if (cgroup_open(r->arena, &r->state.cgroup, &r->cgroup, e) < 0)
		return -e->code;
	reset_report(r, r->opts->check ? "check" : "reset");
	if (volumes_report(r->arena, r->dir, r->report, e) < 0)
		return -e->code;
	if (check_generation(r, e) < 0 || check_retired(r, e) < 0)
		return -e->code;
	return check_ended(r, e);
}

/* --- the plan ------------------------------------------------------------------------------- */

/* Of the caller's nothing is handed in: the streams least of all. */
static int plan(struct reset *r, struct err *e)
{
	struct create *c = &r->create;

	if (unsetenv("LISTEN_FDS") < 0 || unsetenv("NOTIFY_SOCKET") < 0)
		return err_set(e, errno, "environment");
	if (reuse_load_request(r->arena, r->host, r->opts->id, r->dir, &r->planned_host,
			       &r->planned, e) < 0)
		return -e->code;
	c->host = &r->planned_host;
	c->opts = &r->planned;
	c->before = &r->state;
	c->reuse = &r->next;
	c->cpus = r->state.reuse->cpus;
	if (create_plan(c, false, e) < 0 || reuse_check_cgroup(&r->state, &c->plan, e) < 0)
		return -e->code;
	if (str_eq(reuse_plan_digest(r->arena, &c->plan), r->state.reuse->plan))
		return 0;
	(void)refuse(r, ANSWER_REFUSED);
	r->report->refused = "what it is planned from has changed";
	return err_msg(
		e, EKEYREJECTED,
		"container %s: what it is planned from has changed since it was created: its "
		"level's file, brig.json%s or its root",
		r->opts->id, c->plan.egress ? ", the host's addresses" : "");
}

/* --- the end of a generation ------------------------------------------------------------------ */

/*
 * A warden writes what it saw, taint too, before the time of the end.  Then it only waits for the
 * exit status, which we have; when it is dead nobody writes here any more.
 */
static void end_warden(struct reset *r, bool has_words)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	own_fd int fd = process_pidfd(r->state.warden_pid, r->state.warden_start_time);
	struct warden_end end;
	struct err ignored;

	if (fd < 0)
		return;
	for (int ms = 0; has_words && ms < WORDS_MS && warden_presence(r->dir) == WARDEN_LISTENS;
	     ms++) {
		if (warden_end_read(r->arena, r->dir, &end, &ignored) < 0)
			break;
		/* One that reaps knows all of it at once, and writes the result. */
		if (end.ended_ns && (!r->create.plan.watch.warden.reaps ||
				     faccessat(r->dir, STORE_RESULT, F_OK, 0) == 0))
			break;
		(void)nanosleep(&pause, NULL);
	}
	(void)sys_pidfd_send_signal(fd, SIGKILL);
	warden_await_end(r->dir, WORDS_MS);
}

/*
 * A reset that was killed before it had written down who its warden is leaves one that ends with
 * what it watches, and writes a result then: it must not come to be the next generation's.
 */
static int await_stranger(const struct reset *r, struct err *e)
{
	warden_await_end(r->dir, STRANGER_MS);
	return warden_presence(r->dir) == WARDEN_LISTENS
		       ? err_msg(e, EBUSY, "container %s: a warden of its last reset does not end",
				 r->opts->id)
		       : 0;
}

/* Who wrote the result has told the audit log of it. */
static int tell_end(struct reset *r, struct err *e)
{
	if (r->opts->check || faccessat(r->dir, STORE_RESULT, F_OK, 0) == 0)
		return 0;
	evidence_tell_exit(&r->state, &r->result);
	return result_write(r->dir, &r->result, e);
}

static int end_program(struct reset *r, struct err *e)
{
	struct outcome o;
	int s = 0;

	outcome_open(&o, r->dir, &r->state, r->cgroup);
	if (r->status == STATUS_RUNNING || r->status == STATUS_PAUSED) {
		s = container_stop(&r->state, r->cgroup, e);
		if (s == 0)
			s = outcome_await(&o, KILL_WAIT_MS, e);
	}
	if (s == 0)
		reset_open_layers(r);
	if (s == 0 && !r->opts->check)
		end_warden(r, true);
	if (s == 0) {
		reset_tell_layers(r);
		outcome_tell(r->arena, &o, false, &r->result);
		r->has_result = true;
		s = tell_end(r, e);
	}
	outcome_close(&o);
	return s;
}

static int check_taint(struct reset *r, struct err *e)
{
	reset_taint(r->arena, r->dir, r->has_result ? &r->result : NULL, r->report);
	if (!r->report->n_taint)
		return 0;
	(void)refuse(r, ANSWER_REFUSED);
	(void)err_msg(e, EKEYREJECTED, "container %s is tainted (%s%s): it is not used again",
		      r->opts->id, r->report->taint[0], r->report->n_taint > 1 ? ", ..." : "");
	reset_keep_evidence(r, &r->state, r->from, e);
	return -e->code;
}

static int end_generation(struct reset *r, struct err *e)
{
	/* One that was cut short has told all of that before. */
	int s = r->started && !r->state.reuse->journal ? end_program(r, e) : 0;

	/* Taint says more than how much it used. */
	if (s == 0)
		s = check_taint(r, e);
	if (s == 0)
		s = reset_check_use(r, e);
	reset_close_layers(r);
	return s;
}

/* --- steps ------------------------------------------------------------------------------------ */

static int save_journal(struct reset *r, const char *word, struct err *e)
{
	struct state_reuse u = *r->state.reuse;
	struct brig_state s = r->state;

	u.journal = word;
	u.uses = r->uses;
	s.reuse = &u;
	return store_save(r->dir, &s, e);
}

static bool is_whole(const void *ctx)
{
	return !((const struct reset *)ctx)->half_made;
}

static int journal_destroy(void *ctx, struct err *e)
{
	struct reset *r = ctx;

	/* First: what its holder was given is never taken for clean. */
	int s = lease_carry(r->arena, r->dir, r->from + 1, e);
	return s < 0 ? s : save_journal(r, "destroy", e);
}

static int destroy(void *ctx, struct err *e)
{
	struct reset *r = ctx;

	/* One that never ran has nothing to tell; its warden is around it and takes it along. */
	if (!r->started)
		end_warden(r, false);
	if (r->half_made)
		resolver_end_unknown(r->dir);
	if (container_destroy_generation(r->host, r->dir, &r->state, e) < 0)
		return -e->code;
	/* Only now: it ends with what it watches. */
	if (r->half_made && await_stranger(r, e) < 0)
		return -e->code;
	/* That it was begun may have been told; nobody could tell how it ended. */
	if (r->half_made && r->state.audit && r->state.pid <= 0)
		evidence_tell(&r->state, "SandboxDestroyed", "reset", NULL);
	return 0;
}

static int forget(void *ctx, struct err *e)
{
	struct reset *r = ctx;

	return reuse_forget(r->dir, r->from, r->half_made, e);
}

/* Nothing of the old generation is left by now: what is could be found as well later. */
static void look_at_shell(struct create *c)
{
	struct reset *r = (struct reset *)((char *)c - offsetof(struct reset, create));

	c->state.pid = c->pid;
	verify_look_at_shell(&r->verify);
}

/* Its first state has the journal "create", its last one "verify". */
static int create(void *ctx, struct err *e)
{
	struct reset *r = ctx;

	r->next = *r->state.reuse;
	r->next.generation = r->from + 1;
	r->next.generation_ns = reuse_now_ns();
	r->next.uses = r->uses;
	r->next.journal = "create";
	r->verify = (struct verify){
		.arena = r->arena,
		.state = &r->create.state,
		.directory = create_directory(&r->create),
		.dir = r->dir,
	};
	r->create.meanwhile = look_at_shell;
	return create_again(&r->create, e);
}

/* Its last words: it closes our connection when nothing is left to do but to wait. */
static void await_parked(const struct create *c)
{
	struct pollfd p = {.fd = c->sync, .events = POLLIN};

	if (poll(&p, 1, PARKED_MS) <= 0)
		log_debug("the next generation does not wait yet");
}

static void tell_taint(struct reset *r, const char *findings)
{
	struct json_out o;

	json_begin(&o, r->arena, 0);
	json_object(&o);
	json_key_str(&o, "class", "residue");
	json_key_str(&o, "reason", findings);
	json_end_object(&o);
	evidence_tell(&r->create.state, "SandboxTainted", "reset", json_done(&o, NULL));
}

/* What happened to it since it was made is no residue, and the next reset makes another. */
static int disturbed(struct reset *r, enum verify_found found, struct err *e)
{
	if (found == VERIFY_ENDED)
		return err_msg(e, ESRCH, "the first process of its next generation has ended");
	(void)refuse(r, ANSWER_BUSY);
	return err_msg(e, ESTALE, "container %s: another command has changed its next generation",
		       r->opts->id);
}

/* Whatever is found: it is not started, and nobody takes it for clean again. */
static int verify(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	enum verify_found found;

	await_parked(&r->create);
	if (verify_look_again(&r->verify, r->report, &found, e) < 0)
		return -e->code;
	r->report->status = "created";
	r->report->gen = r->next.generation;
	if (found == VERIFY_CLEAN)
		return 0;
	if (found == VERIFY_ENDED || found == VERIFY_TOUCHED)
		return disturbed(r, found, e);
	const char *findings = verify_findings(r->arena, r->report);
	(void)refuse(r, ANSWER_REFUSED);
	if (verify_taint(&r->verify, findings, e) < 0)
		return -e->code;
	if (r->create.state.audit)
		tell_taint(r, findings);
	reset_tell_dirty(r);
	reset_taint(r->arena, r->dir, NULL, r->report);
	(void)err_msg(e, EKEYREJECTED, "container %s is not clean: %s", r->opts->id, findings);
	reset_keep_evidence(r, &r->create.state, r->next.generation, e);
	return -e->code;
}

static int journal_done(void *ctx, struct err *e)
{
	struct reset *r = ctx;

	r->next.journal = NULL;
	r->next.resets++;
	return store_save(r->dir, &r->create.state, e);
}

static bool makes_net(const void *ctx)
{
	return create_makes_net(&((const struct reset *)ctx)->create);
}

static int begin_net(void *ctx, struct err *e)
{
	return create_begin_net(&((struct reset *)ctx)->create, e);
}

static const struct step steps[] = {
	{"begin network",      makes_net,        begin_net,                NULL, STEP_NAMED},
	{"journal destroy",    is_whole,         journal_destroy,          NULL, STEP_NAMED},
	{"destroy",            NULL,             destroy,                  NULL, STEP_NAMED},
	{"remove link",        reset_has_veth,   reset_remove_link,        NULL, STEP_NAMED},
	{"forget connections", reset_has_veth,   reset_forget_connections, NULL, STEP_NAMED},
	{"scrub sockets",      reset_joins,      reset_scrub_sockets,      NULL, STEP_NAMED},
	{"scrub connections",  reset_joins,      reset_scrub_connections,  NULL, STEP_NAMED},
	{"scrub neighbours",   reset_joins,      reset_scrub_neighbours,   NULL, STEP_NAMED},
	{"scrub routes",       reset_joins,      reset_scrub_routes,       NULL, STEP_NAMED},
	{"scrub metrics",      reset_joins,      reset_scrub_metrics,      NULL, STEP_NAMED},
	{"forget",             NULL,             forget,                   NULL, STEP_NAMED},
	{"wipe",               volumes_has_wipe, volumes_wipe,             NULL, STEP_PLAIN},
	{"create",             NULL,             create,                   NULL, STEP_NAMED},
	{"verify",             NULL,             verify,                   NULL, STEP_PLAIN},
	{"audit",              reset_is_audited, reset_tell_audit,         NULL, STEP_NAMED},
	{"journal done",       NULL,             journal_done,             NULL, STEP_NAMED},
};

static void tell_done(struct reset *r, uint64_t since_ns)
{
	uint64_t us = (clock_monotonic_ns() - since_ns) / 1000;

	r->report->gen_age_s = 0;
	verify_tell_valid(r->arena, r->report);
	reset_tell_changes(r);
	r->report->idle_s = arena_new(r->arena, sizeof(*r->report->idle_s));
	r->report->ms = arena_printf(r->arena, "%" PRIu64 ".%03" PRIu64, us / 1000, us % 1000);
}

static int run(struct reset *r, struct err *e)
{
	uint64_t since = clock_monotonic_ns();

	if (r->opts->keep_evidence) {
		r->evidence = quarantine_open(r->opts->keep_evidence, e);
		if (r->evidence < 0)
			return r->evidence;
	}
	if (lock(r, e) < 0 ||
	    lease_check(r->host, r->dir, &r->state, LEASE_TO_RESET, &r->answer, e) < 0 ||
	    check_may(r, e) < 0 || plan(r, e) < 0 || reset_check_joined(r, e) < 0)
		return -e->code;
	/* What would become of it, without the end of what runs. */
	if (r->opts->check && (r->status == STATUS_RUNNING || r->status == STATUS_PAUSED))
		return check_taint(r, e);
	int s = end_generation(r, e);
	if (s < 0 || r->opts->check)
		return s;
	if (steps_run("reset", steps, LEN(steps), r, e) < 0)
		return -e->code;
	tell_done(r, since);
	return 0;
}

int container_reset(const struct container_host *h, const struct container_reset_opts *o,
		    struct arena *a, struct brig_report *out, enum container_answer *answer,
		    struct err *e)
{
	const struct container_create_opts none = {.id = o->id};
	struct reset r = {.host = h,
			  .opts = o,
			  .arena = a,
			  .dir = -1,
			  .netns = -1,
			  .report = out,
			  .evidence = -1};

	*out = (struct brig_report){0};
	*e = (struct err){0};
	*answer = ANSWER_FAILED;
	int s = create_init(&r.create, h, &none, a, e);
	if (s == 0)
		s = run(&r, e);
	/* It was, but it cannot be started. */
	if (s < 0)
		out->clean = false;
	own_close(&r.evidence);
	cgroup_close(r.cgroup);
	own_close(&r.netns);
	create_done(&r.create); /* the directory, too */
	*answer = r.answer;
	return s;
}
