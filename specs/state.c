#include "specs/state.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

/* include/linux/threads.h: no pid of any namespace is above it on 64 bit. */
enum { PID_LIMIT = 4 << 20, FORMAT = 1, SHOWN = 64 };

enum { REQ = JSON_REQUIRED };

static const char *const statuses[] = {"creating", "created", "running", "paused", "stopped", NULL};
static const char *const layouts[] = {"none", "v1", "hybrid", "v2", NULL};
static const char *const journals[] = {"destroy", "create", "verify", NULL};
static const char *const managers[] = {"cgroupfs", "systemd", "disabled", NULL};

static int check_word(const char *name, const char *s, const char *const *words, struct err *e)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return 0;
	return err_msg(e, EINVAL, "%s: \"%.*s\" is no such word", name, SHOWN, s);
}

/*
 * Directories named here are removed and processes found in them killed: no way out of a
 * directory by "..", which brig itself never writes.
 */
static int check_dir(const char *name, const char *path, struct err *e)
{
	if (!path)
		return 0;
	if (path[0] != '/')
		return err_msg(e, EINVAL, "%s: \"%.*s\" is not absolute", name, SHOWN, path);
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || !p[3])
			return err_msg(e, EINVAL, "%s: \"%.*s\" has a \"..\"", name, SHOWN, path);
	return 0;
}

static int check_cgroup_dir(struct arena *a, void *object, struct err *e)
{
	const struct cgroup_dir *d = object;

	(void)a;
	return check_dir("path", d->path, e);
}

static int check_cgroup(struct arena *a, void *object, struct err *e)
{
	struct cgroup_record *c = object;

	(void)a;
	/* Written before the cgroup was decided on: what a crash there leaves must be readable. */
	if (!c->layout)
		c->layout = "none";
	if (!c->manager)
		c->manager = "disabled";
	if (check_word("layout", c->layout, layouts, e) < 0)
		return -e->code;
	return check_word("manager", c->manager, managers, e);
}

static int check_state(struct arena *a, void *object, struct err *e)
{
	const struct brig_state *s = object;
	const struct {
		const char *name, *path;
	} dirs[] = {
		{"bundle",         s->bundle         },
		{"rootfs",         s->rootfs         },
		{"resctrlGroup",   s->resctrl_group  },
		{"resctrlMonitor", s->resctrl_monitor},
		{"idsDirectory",   s->ids_directory  },
		{"cpusDirectory",  s->cpus_directory },
		{"netDirectory",   s->net_directory  },
	};

	(void)a;
	if (s->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", s->v);
	if (!*s->id || strchr(s->id, '/') || str_eq(s->id, ".") || str_eq(s->id, ".."))
		return err_msg(e, EINVAL, "id: \"%.*s\" is no container id", SHOWN, s->id);
	/* kill(-1) is everybody, kill(0) our own group: a wrong sign must not get that far. */
	if (s->pid < 0 || s->pid > PID_LIMIT)
		return err_msg(e, ERANGE, "pid: %lld does not fit", (long long)s->pid);
	if (s->runner_pid < 0 || s->runner_pid > PID_LIMIT)
		return err_msg(e, ERANGE, "runnerPid: %lld does not fit", (long long)s->runner_pid);
	if (s->warden_pid < 0 || s->warden_pid > PID_LIMIT)
		return err_msg(e, ERANGE, "wardenPid: %lld does not fit", (long long)s->warden_pid);
	if (s->resolver_pid < 0 || s->resolver_pid > PID_LIMIT)
		return err_msg(e, ERANGE, "resolverPid: %lld does not fit",
			       (long long)s->resolver_pid);
	for (size_t i = 0; i < LEN(dirs); i++)
		if (check_dir(dirs[i].name, dirs[i].path, e) < 0)
			return -e->code;
	for (size_t i = 0; i < s->n_disk; i++)
		if (check_dir("disk", s->disk[i], e) < 0)
			return -e->code;
	return check_word("status", s->status, statuses, e);
}

static const struct json_field cgroup_dir_fields[] = {
	ROW_STR(cgroup_dir, "hierarchy", hierarchy, REQ),
	ROW_STR(cgroup_dir, "path", path, REQ),
	ROW_BOOL(cgroup_dir, "kept", kept, 0),
	ROW_NUM(cgroup_dir, "inode", inode, 0, JSON_U64, uint64_t),
};
TYPE(cgroup_dir, check_cgroup_dir);

static const struct json_field cgroup_record_fields[] = {
	ROW_STR(cgroup_record, "layout", layout, 0),
	ROW_STR(cgroup_record, "manager", manager, 0),
	ROW_STR(cgroup_record, "unit", unit, 0),
	ROW_BOOL(cgroup_record, "owned", owned, REQ),
	ROW_OBJS(cgroup_record, "dirs", dirs, n_dirs, cgroup_dir),
};
TYPE(cgroup_record, check_cgroup);

#define ROW_COUNTER(n, m) ROW_NUM(state_baseline, n, m, 0, JSON_I64, int64_t)

static const struct json_field state_baseline_fields[] = {
	ROW_COUNTER("cpuNs", cpu_ns),
	ROW_COUNTER("userNs", user_ns),
	ROW_COUNTER("systemNs", system_ns),
	ROW_COUNTER("throttledNs", throttled_ns),
	ROW_COUNTER("throttled", throttled),
	ROW_COUNTER("memoryPeak", memory_peak),
	ROW_COUNTER("swapPeak", swap_peak),
	ROW_COUNTER("oomKills", oom_kills),
	ROW_COUNTER("memoryHits", memory_hits),
	ROW_COUNTER("pidsPeak", pids_peak),
	ROW_COUNTER("pidsRefused", pids_refused),
	ROW_COUNTER("readBytes", read_bytes),
	ROW_COUNTER("writeBytes", write_bytes),
	ROW_COUNTER("reads", reads),
	ROW_COUNTER("writes", writes),
};
TYPE(state_baseline, NULL);

static int check_audit(struct arena *a, void *object, struct err *e)
{
	const struct state_audit *u = object;

	(void)a;
	return check_dir("path", u->path, e);
}

static const struct json_field state_audit_fields[] = {
	ROW_STR(state_audit, "path", path, REQ),
	ROW_STR(state_audit, "sync", sync, REQ),
	ROW_STR(state_audit, "argv", argv, REQ),
	ROW_STR(state_audit, "flows", flows, REQ),
	ROW_NUM(state_audit, "maxBytes", max_bytes, 0, JSON_U64, uint64_t),
	ROW_NUM(state_audit, "waitMs", wait_ms, 0, JSON_U32, uint32_t),
	ROW_BOOL(state_audit, "required", required, 0),
};
TYPE(state_audit, check_audit);

static int check_reuse(struct arena *a, void *object, struct err *e)
{
	const struct state_reuse *u = object;

	(void)a;
	if (!u->generation)
		return err_msg(e, ERANGE, "generation: 0 does not fit");
	return u->journal ? check_word("journal", u->journal, journals, e) : 0;
}

static int check_retire_on(struct arena *a, void *object, struct err *e)
{
	const struct state_retire_on *t = object;
	const uint32_t all[] = {t->memory, t->cpu, t->pids, t->disk};

	(void)a;
	for (size_t i = 0; i < LEN(all); i++)
		if (all[i] > 1000)
			return err_msg(e, ERANGE, "%u thousandths do not fit", all[i]);
	return 0;
}

#define ROW_PART(n, m) ROW_NUM(state_retire_on, n, m, 0, JSON_U32, uint32_t)

static const struct json_field state_retire_on_fields[] = {
	ROW_PART("memory", memory),
	ROW_PART("cpu", cpu),
	ROW_PART("pids", pids),
	ROW_PART("disk", disk),
};
TYPE(state_retire_on, check_retire_on);

#define ROW_U64(n, m) ROW_NUM(state_reuse, n, m, 0, JSON_U64, uint64_t)

static const struct json_field state_reuse_fields[] = {
	ROW_U64("generation", generation),
	ROW_U64("uses", uses),
	ROW_U64("resets", resets),
	ROW_U64("maxUses", max_uses),
	ROW_U64("maxAgeMs", max_age_ms),
	ROW_U64("maxIdleMs", max_idle_ms),
	ROW_SUB(state_reuse, "retireOn", retire_on, state_retire_on, 0),
	ROW_STR(state_reuse, "retired", retired, 0),
	ROW_STR(state_reuse, "digests", digests, 0),
	ROW_STR(state_reuse, "packages", packages, 0),
	ROW_U64("createdNs", created_ns),
	ROW_U64("generationNs", generation_ns),
	ROW_STR(state_reuse, "key", key, 0),
	ROW_STR(state_reuse, "journal", journal, 0),
	ROW_STR(state_reuse, "plan", plan, REQ),
	ROW_STR(state_reuse, "fingerprint", fingerprint, 0),
	ROW_NUM(state_reuse, "idsBase", ids_base, 0, JSON_U32, uint32_t),
	ROW_BOOL(state_reuse, "hooks", hooks, 0),
	ROW_STR(state_reuse, "cpus", cpus, 0),
	ROW_NUM(state_reuse, "netns", netns, 0, JSON_U64, uint64_t),
	ROW_STR(state_reuse, "pool", pool, 0),
	ROW_STR(state_reuse, "bootId", boot_id, 0),
};
TYPE(state_reuse, check_reuse);

static const struct json_field brig_state_fields[] = {
	ROW_NUM(brig_state, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_state, "ociVersion", oci_version, REQ),
	ROW_STR(brig_state, "id", id, REQ),
	ROW_STR(brig_state, "status", status, REQ),
	ROW_NUM(brig_state, "pid", pid, REQ, JSON_I64, int64_t),
	ROW_NUM(brig_state, "startTime", start_time, REQ, JSON_U64, uint64_t),
	ROW_STR(brig_state, "bundle", bundle, REQ),
	ROW_STR(brig_state, "rootfs", rootfs, REQ),
	ROW_STR(brig_state, "created", created, REQ),
	ROW_NUM(brig_state, "owner", owner, REQ, JSON_ID, uint32_t),
	ROW_STR(brig_state, "level", level, REQ),
	ROW_STR(brig_state, "digest", digest, 0),
	ROW_BOOL(brig_state, "lateUserNamespace", late_userns, 0),
	ROW_STR(brig_state, "idsDirectory", ids_directory, 0),
	ROW_NUM(brig_state, "idsSlot", ids_slot, 0, JSON_U32, uint32_t),
	ROW_STR(brig_state, "cpusDirectory", cpus_directory, 0),
	ROW_STR(brig_state, "netDirectory", net_directory, 0),
	ROW_NUM(brig_state, "netSlot", net_slot, 0, JSON_U32, uint32_t),
	ROW_STR(brig_state, "netDevice", net_device, 0),
	ROW_STRS(brig_state, "netAddresses", net_addresses, n_net_addresses, 0),
	ROW_STR(brig_state, "net", net, 0),
	ROW_STR(brig_state, "egress", egress, 0),
	ROW_BOOL(brig_state, "netnsBelow", netns_below, 0),
	ROW_NUM(brig_state, "resolverPid", resolver_pid, 0, JSON_I64, int64_t),
	ROW_NUM(brig_state, "resolverStartTime", resolver_start_time, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_state, "wardenPid", warden_pid, 0, JSON_I64, int64_t),
	ROW_NUM(brig_state, "wardenStartTime", warden_start_time, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_state, "startedNs", started_ns, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_state, "runnerPid", runner_pid, 0, JSON_I64, int64_t),
	ROW_BOOL(brig_state, "filterKills", filter_kills, 0),
	ROW_BOOL(brig_state, "oomEndsAll", oom_ends_all, 0),
	ROW_OBJ(brig_state, "baseline", baseline, state_baseline),
	ROW_OBJ(brig_state, "audit", audit, state_audit),
	ROW_OBJ(brig_state, "reuse", reuse, state_reuse),
	ROW_BOOL(brig_state, "auditCalls", audit_calls, 0),
	ROW_STR(brig_state, "ctxRequest", ctx_request, 0),
	ROW_STR(brig_state, "ctxPrincipal", ctx_principal, 0),
	ROW_BOOL(brig_state, "privatePidNamespace", private_pid_ns, REQ),
	ROW_SUB(brig_state, "cgroup", cgroup, cgroup_record, REQ),
	ROW_STR(brig_state, "resctrlGroup", resctrl_group, 0),
	ROW_STR(brig_state, "resctrlMonitor", resctrl_monitor, 0),
	ROW_STRS(brig_state, "disk", disk, n_disk, 0),
	ROW_MAP(brig_state, "annotations", annotations, n_annotations),
};
TYPE(brig_state, check_state);

const struct json_type *state_type(void)
{
	return &brig_state_type_;
}

int state_parse(struct arena *a, const char *json, size_t len, struct brig_state *out,
		struct err *e)
{
	*out = (struct brig_state){0};
	return json_read(a, &brig_state_type_, json, len, STATE_MAX_BYTES, out, e);
}

char *state_print(struct arena *a, const struct brig_state *s, size_t *len)
{
	return json_print_object(a, &brig_state_type_, s, len);
}

static void print_pid(struct json_out *o, const char *key, int64_t pid)
{
	if (!pid)
		return;
	json_key(o, key);
	json_object(o);
	json_key_int(o, "pid", pid);
	json_end_object(o);
}

static void print_network(struct json_out *o, const struct oci_state *s)
{
	if (!s->egress)
		return;
	json_key(o, "network");
	json_object(o);
	json_key_str(o, "net", s->net ? s->net : "");
	json_key_str(o, "egress", s->egress);
	json_key_str(o, "owner", s->netns_below ? "sandbox" : "runtime");
	print_pid(o, "resolver", s->resolver_pid);
	json_end_object(o);
}

void state_print_reuse(struct json_out *o, const struct state_reuse *u)
{
	if (!u)
		return;
	json_key(o, "reuse");
	json_object(o);
	json_key_uint(o, "generation", u->generation);
	json_key_uint(o, "uses", u->uses);
	json_key_uint(o, "resets", u->resets);
	if (u->max_uses)
		json_key_uint(o, "maxUses", u->max_uses);
	if (u->max_age_ms)
		json_key_uint(o, "maxAgeMs", u->max_age_ms);
	if (u->max_idle_ms)
		json_key_uint(o, "maxIdleMs", u->max_idle_ms);
	if (u->key)
		json_key_str(o, "key", u->key);
	if (u->pool)
		json_key_str(o, "pool", u->pool);
	if (u->retired)
		json_key_str(o, "retired", u->retired);
	if (u->journal) {
		json_key_str(o, "resetting", u->journal);
		json_key_str(o, "needs", "reset");
	}
	json_end_object(o);
}

static void print_level(struct json_out *o, const struct oci_state *s)
{
	json_key_str(o, "level", s->level);
	json_key_str(o, "policy", s->digest ? s->digest : "");
	if (s->ended)
		json_key_str(o, "ended", s->ended);
	if (s->code)
		json_key_int(o, "code", *s->code);
	print_pid(o, "warden", s->warden_pid);
	state_print_reuse(o, s->reuse);
}

static void print_text(struct json_out *o, const char *key, const char *s)
{
	if (s)
		json_key_str(o, key, s);
}

static void print_taint(struct json_out *o, const struct oci_state *s)
{
	json_key_bool(o, "tainted", s->n_taint);
	if (!s->n_taint)
		return;
	json_key(o, "taint");
	json_array(o);
	for (const struct taint_row *t = s->taint; t < s->taint + s->n_taint; t++) {
		json_object(o);
		json_key_str(o, "class", t->class_);
		print_text(o, "name", t->name);
		print_text(o, "reason", t->reason);
		if (t->count)
			json_key_uint(o, "count", t->count);
		print_text(o, "first", t->first);
		print_text(o, "last", t->last);
		print_text(o, "by", t->by);
		json_end_object(o);
	}
	json_end_array(o);
}

static void print_grants(struct json_out *o, const struct oci_state *s)
{
	if (!s->n_grants)
		return;
	json_key(o, "grants");
	json_array(o);
	for (size_t i = 0; i < s->n_grants; i++) {
		const struct oci_grant *g = &s->grants[i];

		json_object(o);
		json_key_str(o, "grant", g->grant);
		if (g->place)
			json_key_str(o, "place", g->place);
		if (g->ends)
			json_key_str(o, "ends", g->ends);
		json_end_object(o);
	}
	json_end_array(o);
}

static void print_brig(struct json_out *o, const struct oci_state *s)
{
	json_key(o, "brig");
	json_object(o);
	if (s->level)
		print_level(o, s);
	if (s->level || s->n_taint)
		print_taint(o, s);
	print_network(o, s);
	print_grants(o, s);
	json_end_object(o);
}

char *oci_state_print(struct arena *a, const struct oci_state *s, bool compact, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, compact ? 0 : 2);
	json_object(&o);
	json_key_str(&o, "ociVersion", s->oci_version);
	json_key_str(&o, "id", s->id);
	json_key_int(&o, "pid", s->pid);
	json_key_str(&o, "status", s->status);
	json_key_str(&o, "bundle", s->bundle);
	if (!compact) {
		json_key_str(&o, "rootfs", s->rootfs);
		json_key_str(&o, "created", s->created);
	}
	if (s->n_annotations) {
		json_key(&o, "annotations");
		json_map(&o, s->annotations, s->n_annotations);
	}
	if (!compact)
		json_key_str(&o, "owner", s->owner ? s->owner : "");
	if (!compact && (s->level || s->egress || s->n_taint))
		print_brig(&o, s);
	json_end_object(&o);
	return json_done(&o, len);
}
