#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "criu/criu.h"
#include "delete.h"
#include "images.h"
#include "plan.h"
#include "run/notify.h"
#include "status.h"
#include "store.h"

struct checkpoint {
	const struct container_host *host;
	const struct container_checkpoint_opts *opts;
	struct arena *arena;
	int dir; /* state directory, locked */
	struct brig_state state;
	struct oci_config config; /* as it was at create */
	struct cgroup *cgroup;
	struct images images;
	int status_fd; /* -1: not wanted, or told already */
};

/* --- checks: nothing has been touched yet ------------------------------------------------- */

static int check_status_fd(const struct container_checkpoint_opts *o, struct err *e)
{
	int flags;

	if (o->status_fd < 0)
		return 0;
	flags = fcntl(o->status_fd, F_GETFL);
	if (flags < 0)
		return err_set(e, errno, "status-fd %d", o->status_fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return err_msg(e, EBADF, "status-fd %d: not open for writing", o->status_fd);
	return 0;
}

/* ADDRESS:PORT, an IPv6 address in brackets; the message criu_page_server_info. */
static int page_server(struct arena *a, const char *text, struct wire_out *out, struct err *e)
{
	enum { ADDRESS = 1, PORT = 2 };
	const char *colon = strrchr(text, ':'), *at = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint32_t port = 0;

	if (len > 1 && text[0] == '[' && colon[-1] == ']') {
		at++;
		len -= 2;
	} else if (len && memchr(text, ':', len)) {
		len = 0;
	}
	if (!len || !str_u32(colon + 1, &port) || port == 0 || port > 65535)
		return err_msg(e, EINVAL, "page-server: want ADDRESS:PORT, not %s", text);
	wire_str(out, ADDRESS, arena_strndup(a, at, len));
	wire_int(out, PORT, port);
	return 0;
}

static int check_opts(const struct container_checkpoint_opts *o, struct arena *a, struct err *e)
{
	struct wire_out ignored = {.arena = a};
	int r = images_check(&o->criu, e);

	if (r == 0)
		r = check_status_fd(o, e);
	if (r == 0 && o->page_server)
		r = page_server(a, o->page_server, &ignored, e);
	if (r == 0 && o->parent_path && *o->parent_path == '/')
		r = err_msg(e, EINVAL, "--parent-path must be relative to the image directory");
	return r;
}

static int load(struct checkpoint *c, struct err *e)
{
	char *text;
	size_t len;

	c->dir = store_open(c->host, c->opts->criu.id, STORE_LOCKED, e);
	if (c->dir < 0)
		return c->dir;
	if (store_load(c->dir, c->arena, &c->state, e) < 0 ||
	    cgroup_open(c->arena, &c->state.cgroup, &c->cgroup, e) < 0)
		return -e->code;
	if (!str_eq(c->state.level, "custom"))
		return err_msg(e, ENOTSUP, "level %s: a checkpoint could not be restored within it",
			       c->state.level);
	if (c->state.egress)
		return err_msg(e, ENOTSUP,
			       "egress rules: a restored container would not have them");
	enum status st = status_of(c->dir, &c->state, c->cgroup);
	if (st != STATUS_RUNNING && st != STATUS_PAUSED)
		return err_msg(e, EINVAL, "container cannot be checkpointed in %s state",
			       status_name(st));
	if (file_read(c->arena, c->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0)
		return -e->code;
	return oci_config_parse(c->arena, text, len, &c->config, e);
}

/* --- the request -------------------------------------------------------------------------- */

/* The directory that freezes all processes at once; without one criu stops them one by one. */
static const char *freezer(const struct cgroup_record *r)
{
	const char *unified = NULL;

	for (size_t i = 0; i < r->n_dirs; i++) {
		if (strstr(r->dirs[i].hierarchy, "freezer"))
			return r->dirs[i].path;
		if (!*r->dirs[i].hierarchy)
			unified = r->dirs[i].path;
	}
	return str_eq(r->layout, "v2") ? unified : NULL;
}

static int add_namespaces(struct checkpoint *c, struct wire_out *opts, struct err *e)
{
	const struct oci_linux *l = c->config.linux_;

	for (size_t i = 0; l && i < l->n_namespaces; i++) {
		const char *name = images_external_ns(&l->namespaces[i]);
		bool net = str_eq(l->namespaces[i].type, "network");
		char path[64];
		struct stat st;

		if (!name)
			continue;
		/* The container's own link: the path of the config may be gone by now. */
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)c->state.pid,
			 net ? "net" : "pid");
		if (stat(path, &st) < 0)
			return err_set(e, errno, "%s", path);
		wire_str(opts, CRIU_EXTERNAL,
			 arena_printf(c->arena, "%s[%llu]:%s", net ? "net" : "pid",
				      (unsigned long long)st.st_ino, name));
	}
	return 0;
}

static int add_masks(struct checkpoint *c, struct wire_out *opts, struct err *e)
{
	const struct oci_linux *l = c->config.linux_;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)c->state.pid);
	own_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, "%s", path);
	for (size_t i = 0; l && i < l->n_masked_paths; i++) {
		own_fd int fd = inroot_open(root, l->masked_paths[i], O_PATH, 0, NULL);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
			images_add_mount(c->arena, opts, l->masked_paths[i], IMAGES_MASK);
	}
	return 0;
}

static int add_mounts(struct checkpoint *c, struct wire_out *opts, struct err *e)
{
	struct images_mount *m;
	size_t n;

	if (images_mounts(c->arena, &c->config, c->state.bundle, c->state.rootfs, &m, &n, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n; i++)
		images_add_mount(c->arena, opts, m[i].dest, m[i].key);
	if (faccessat(c->dir, NOTIFY_STATE, F_OK, 0) == 0)
		images_add_mount(c->arena, opts, NOTIFY_DIR, NOTIFY_DIR);
	return add_masks(c, opts, e);
}

static int check_parent(struct checkpoint *c, struct err *e)
{
	const char *parent = c->opts->parent_path;
	struct stat st;

	if (!parent)
		return 0;
	if (fstatat(c->images.dir, parent, &st, 0) < 0)
		return err_set(e, errno, "invalid --parent-path: %s/%s", c->opts->criu.image_path,
			       parent);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "invalid --parent-path: %s", parent);
	return 0;
}

/*
 * A restore reads images as root of the container's user namespace.  criu makes them readable for
 * everybody, so the directory is what protects them: that root's group may enter it, no more.
 */
static int share_images(struct checkpoint *c, struct err *e)
{
	const struct oci_linux *l = c->config.linux_;

	for (size_t i = 0; c->images.made && l && i < l->n_gid_mappings; i++) {
		if (l->gid_mappings[i].container_id != 0)
			continue;
		if (fchown(c->images.dir, (uid_t)-1, l->gid_mappings[i].host_id) < 0 ||
		    fchmod(c->images.dir, 0710) < 0)
			return err_set(e, errno, "image directory");
	}
	return 0;
}

static int build(struct checkpoint *c, struct wire_out *opts, struct err *e)
{
	const struct container_checkpoint_opts *o = c->opts;

	images_common(&c->images, opts);
	wire_int(opts, CRIU_PID, c->state.pid);
	wire_bool(opts, CRIU_LEAVE_RUNNING, o->leave_running);
	wire_str(opts, CRIU_FREEZE_CGROUP, freezer(&c->state.cgroup));
	wire_str(opts, CRIU_PARENT_IMG, o->parent_path);
	wire_bool(opts, CRIU_TRACK_MEM, o->parent_path || o->pre_dump);
	if (o->page_server) {
		struct wire_out ps = {.arena = c->arena};

		if (page_server(c->arena, o->page_server, &ps, e) < 0)
			return -e->code;
		wire_message(opts, CRIU_PAGE_SERVER, &ps);
	}
	if (add_namespaces(c, opts, e) < 0)
		return -e->code;
	if (o->pre_dump)
		return 0;
	if (add_mounts(c, opts, e) < 0 || share_images(c, e) < 0)
		return -e->code;
	return images_save_stdio(&c->images, (pid_t)c->state.pid, opts, e);
}

static int notified(void *ctx, const struct criu_reply *r, int fd, struct err *e)
{
	struct checkpoint *c = ctx;

	(void)e;
	own_close(&fd);
	if (!str_eq(r->script, "status-ready") || c->status_fd < 0)
		return 0;
	if (write(c->status_fd, "", 1) < 0)
		log_warn("status-fd %d: %s", c->status_fd, err_text(errno));
	own_close(&c->status_fd);
	return 0;
}

static int dump(struct checkpoint *c, struct err *e)
{
	const struct criu_start plain = {0};
	struct wire_out opts = {.arena = c->arena};
	struct criu_call call = {
		.type = c->opts->pre_dump ? CRIU_SINGLE_PRE_DUMP : CRIU_DUMP,
		.opts = &opts,
		.notify = notified,
		.ctx = c,
		.log = c->images.log,
	};
	struct criu criu;
	int r = build(c, &opts, e);

	if (r == 0)
		r = criu_start(&criu, c->arena, &plain, e);
	if (r < 0) {
		(void)unlinkat(c->images.dir, IMAGES_DESCRIPTORS, 0);
		images_discard(&c->images);
		return r;
	}
	r = criu_request(&criu, &call, e);
	criu_end(&criu);
	return r;
}

static int checkpoint(struct checkpoint *c, struct err *e)
{
	const struct container_checkpoint_opts *o = c->opts;
	const struct criu_needs needs = {.mem_track = o->pre_dump || o->parent_path,
					 .lazy_pages = o->criu.lazy_pages};
	int r = load(c, e);

	if (r == 0)
		r = check_opts(o, c->arena, e);
	if (r == 0 && !plan_is_privileged())
		r = err_msg(e, EPERM, "criu needs root");
	if (r == 0)
		r = criu_probe(c->arena, &needs, e);
	if (r == 0)
		r = images_open(&c->images, c->arena, &o->criu, true, "dump.log", e);
	if (r < 0)
		return r;
	r = check_parent(c, e);
	if (r < 0) {
		images_discard(&c->images);
		return r;
	}
	r = dump(c, e);
	if (r < 0 || o->leave_running || o->pre_dump)
		return r;
	return container_destroy(c->host, c->dir, &c->state, e);
}

int container_checkpoint(const struct container_host *h, const struct container_checkpoint_opts *o,
			 struct err *e)
{
	own_arena struct arena a = {0};
	struct checkpoint c = {
		.host = h,
		.opts = o,
		.arena = &a,
		.dir = -1,
		.images = {.dir = -1, .work = -1},
		.status_fd = o->status_fd,
	};
	int r = checkpoint(&c, e);

	images_close(&c.images);
	cgroup_close(c.cgroup);
	own_close(&c.dir);
	return r;
}
