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
	};

	(void)a;
	if (s->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", s->v);
	if (!*s->id || strchr(s->id, '/') || str_eq(s->id, ".") || str_eq(s->id, ".."))
		return err_msg(e, EINVAL, "id: \"%.*s\" is no container id", SHOWN, s->id);
	/* kill(-1) is everybody, kill(0) our own group: a wrong sign must not get that far. */
	if (s->pid < 0 || s->pid > PID_LIMIT)
		return err_msg(e, ERANGE, "pid: %lld does not fit", (long long)s->pid);
	if (s->warden_pid < 0 || s->warden_pid > PID_LIMIT)
		return err_msg(e, ERANGE, "wardenPid: %lld does not fit", (long long)s->warden_pid);
	for (size_t i = 0; i < LEN(dirs); i++)
		if (check_dir(dirs[i].name, dirs[i].path, e) < 0)
			return -e->code;
	return check_word("status", s->status, statuses, e);
}

static const struct json_field cgroup_dir_fields[] = {
	ROW_STR(cgroup_dir, "hierarchy", hierarchy, REQ),
	ROW_STR(cgroup_dir, "path", path, REQ),
	ROW_BOOL(cgroup_dir, "kept", kept, 0),
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
	ROW_NUM(brig_state, "wardenPid", warden_pid, 0, JSON_I64, int64_t),
	ROW_NUM(brig_state, "wardenStartTime", warden_start_time, 0, JSON_U64, uint64_t),
	ROW_BOOL(brig_state, "privatePidNamespace", private_pid_ns, REQ),
	ROW_SUB(brig_state, "cgroup", cgroup, cgroup_record, REQ),
	ROW_STR(brig_state, "resctrlGroup", resctrl_group, 0),
	ROW_STR(brig_state, "resctrlMonitor", resctrl_monitor, 0),
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
	struct json_out o;

	json_begin(&o, a, 0);
	json_print_type(&o, &brig_state_type_, s);
	return json_done(&o, len);
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
	if (!compact && s->level) {
		json_key(&o, "brig");
		json_object(&o);
		json_key_str(&o, "level", s->level);
		json_key_str(&o, "policy", s->digest ? s->digest : "");
		if (s->ended)
			json_key_str(&o, "ended", s->ended);
		json_key_bool(&o, "tainted", s->tainted);
		json_end_object(&o);
	}
	json_end_object(&o);
	return json_done(&o, len);
}
