/*
 * restore: a container whose processes, namespaces and mounts criu makes from images.  What is
 * brig's is made as create does: the id, the state, the cgroup with its limits.  criu is started
 * in that cgroup and in a mount namespace of its own, in which the root file system is a mount;
 * the restored process is brig's child.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/file.h"
#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "cgroup/text.h"
#include "container.h"
#include "criu/criu.h"
#include "delete.h"
#include "images.h"
#include "net/netdev.h"
#include "plan.h"
#include "run/foreground.h"
#include "run/hooks.h"
#include "run/notify.h"
#include "run/pidfile.h"
#include "status.h"
#include "store.h"

enum { MAX_NAMESPACES = 2 /* network and pid */ };

struct restore {
	const struct container_host *host;
	const struct container_restore_opts *opts;
	struct container_create_opts create;
	struct arena *arena;
	struct plan plan;
	struct images images;
	const char *stdio[IMAGES_STDIO]; /* names in the images, NULL: not the host's */
	struct images_mount *mounts;
	size_t n_mounts;
	struct brig_state state;
	struct cgroup *cgroup;
	struct criu criu;
	int inherit[IMAGES_STDIO + MAX_NAMESPACES];
	const char *inherit_names[IMAGES_STDIO + MAX_NAMESPACES];
	size_t n_inherit;
	int dir;            /* state directory, locked */
	int console_socket; /* connected, -1 */
	int master;         /* foreground terminal, -1 */
	pid_t pid;
	int pidfd;
	struct foreground foreground;
	bool in_foreground;
};

/* --- before anything is made -------------------------------------------------------------- */

/* criu creates no namespaces but those in the images; others it is told to join. */
static int open_namespaces(struct restore *c, struct err *e)
{
	const struct oci_linux *l = c->plan.config.linux_;

	for (size_t i = 0; l && i < l->n_namespaces && c->n_inherit < LEN(c->inherit); i++) {
		const char *name = images_external_ns(&l->namespaces[i]);

		if (!name)
			continue;
		int fd = open(l->namespaces[i].path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, errno, "namespace %s", l->namespaces[i].path);
		c->inherit[c->n_inherit] = fd;
		c->inherit_names[c->n_inherit++] = name;
	}
	return 0;
}

static int prepare(struct restore *c, struct err *e)
{
	const struct container_restore_opts *o = c->opts;
	const struct criu_needs needs = {.lazy_pages = o->criu.lazy_pages};
	struct plan_request req = {
		.host = c->host, .opts = &c->create, .id = o->criu.id, .run = true};
	int r = store_check_id(o->criu.id, e);

	if (r == 0)
		r = images_check(&o->criu, e);
	if (r == 0)
		r = plan_make(c->arena, &req, &c->plan, e);
	if (r == 0 && c->plan.level)
		r = err_msg(e, ENOTSUP,
			    "level %s: what criu makes is not held to a level: restore at custom "
			    "(--level custom)",
			    c->plan.level->policy.level.name);
	if (r == 0 && c->plan.egress)
		r = err_msg(e, ENOTSUP, "egress rules: a restored container would not have them");
	/* The socket of create and run: the images tell whether there was one. */
	if (r == 0 && c->plan.notify_host)
		c->plan.config.n_mounts--;
	if (r == 0 && !c->plan.privileged)
		r = err_msg(e, EPERM, "criu needs root");
	if (r == 0)
		r = criu_probe(c->arena, &needs, e);
	if (r == 0)
		r = images_open(&c->images, c->arena, &o->criu, false, "restore.log", e);
	if (r == 0)
		r = images_load_stdio(&c->images, c->stdio, e);
	for (int fd = 0; r == 0 && fd < IMAGES_STDIO; fd++)
		if (c->stdio[fd]) {
			c->inherit[c->n_inherit] = fd;
			c->inherit_names[c->n_inherit++] = c->stdio[fd];
		}
	return r < 0 ? r : open_namespaces(c, e);
}

/* --- steps -------------------------------------------------------------------------------- */

static bool has_console_socket(const void *ctx)
{
	return ((const struct restore *)ctx)->opts->console_socket;
}
static bool has_resctrl(const void *ctx)
{
	return ((const struct restore *)ctx)->plan.resctrl.group;
}

static int claim_id(void *ctx, struct err *e)
{
	struct restore *c = ctx;

	c->dir = store_create(c->host, c->opts->criu.id, e);
	return c->dir < 0 ? c->dir : 0;
}

static void release_id(void *ctx)
{
	struct restore *c = ctx;
	struct err e;

	if (store_remove(c->host, c->opts->criu.id, &e) < 0)
		log_warn("%s", e.msg);
	own_close(&c->dir);
}

static int connect_console(void *ctx, struct err *e)
{
	struct restore *c = ctx;

	c->console_socket = unix_connect(c->opts->console_socket, e);
	return c->console_socket < 0 ? err_wrap(e, "console socket") : 0;
}

static int save_first_state(void *ctx, struct err *e)
{
	struct restore *c = ctx;
	int r = plan_record(c->arena, &c->plan, c->dir, &c->state, e);

	return r < 0 ? r : store_save(c->dir, &c->state, e);
}

static void drop_cgroup(void *ctx)
{
	struct restore *c = ctx;
	struct err e;

	if (cgroup_destroy(c->cgroup, &e) < 0)
		log_warn("%s", e.msg);
	cgroup_close(c->cgroup);
	c->cgroup = NULL;
}

static int make_cgroup(void *ctx, struct err *e)
{
	struct restore *c = ctx;

	int r = cgroup_create(c->arena, c->plan.cgroup, &c->cgroup, e);

	if (r < 0 || c->plan.cgroup_attach)
		return r;
	r = store_claim(c->dir, e);
	if (r < 0)
		drop_cgroup(c);
	return r;
}

/* criu mounts what is in the images, on places that a fresh copy of the image may lack. */
static bool is_covered(const struct oci_config *c, size_t index)
{
	const char *dest = c->mounts[index].destination;

	for (size_t i = 0; i < c->n_mounts; i++) {
		const char *other = c->mounts[i].destination;
		size_t n = other ? strlen(other) : 0;

		if (i != index && n && str_starts(dest, other) && dest[n] == '/')
			return true;
	}
	return false;
}

static int make_mount_points(void *ctx, struct err *e)
{
	struct restore *c = ctx;
	const struct oci_config *cfg = &c->plan.config;
	const char *rootfs = c->state.rootfs;
	own_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_set(e, errno, "root file system %s", rootfs);
	for (size_t i = 0; i < cfg->n_mounts; i++) {
		const struct oci_mount *m = &cfg->mounts[i];
		struct stat st;

		if (is_covered(cfg, i))
			continue;
		bool file = images_is_bind(m) && m->source && stat(m->source, &st) == 0 &&
			    !S_ISDIR(st.st_mode);
		own_fd int fd = file ? inroot_mkfile(root, m->destination, e)
				     : inroot_mkdirs(root, m->destination, 0, e);
		if (fd < 0)
			return err_wrap(e, "mounts[%zu]", i);
	}
	if (notify_make_dir(c->dir, e) < 0)
		return -e->code;
	return images_mounts(c->arena, cfg, c->plan.bundle, rootfs, &c->mounts, &c->n_mounts, e);
}

/*
 * In criu's process.  criu wants the root to be a mount, whose parent is not covered; in a mount
 * namespace of its own that and all that criu mounts on the way ends with it.
 */
static int enter_mount_namespace(void *ctx, struct err *e)
{
	const struct restore *c = ctx;
	const char *root = c->state.rootfs;

	/* A runtime that is killed leaves nothing half restored that goes on by itself. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* CRIU 3.17 does not restore it; this way every restored process is born with it. */
	if (c->plan.process.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_NO_NEW_PRIVS");
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "unshare mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_set(e, errno, "mount %s", root);
	return 0;
}

static int start_criu(void *ctx, struct err *e)
{
	struct restore *c = ctx;
	const struct criu_start s = {
		.inherit = c->inherit,
		.n_inherit = c->n_inherit,
		.prepare = enter_mount_namespace,
		.ctx = c,
	};

	int r = criu_start(&c->criu, c->arena, &s, e);

	if (r < 0)
		return r;
	r = images_enter(&c->images, c->criu.pid, e);
	if (r < 0)
		criu_end(&c->criu);
	return r;
}

static void end_criu(void *ctx)
{
	criu_end(&((struct restore *)ctx)->criu);
}

static int attach(void *ctx, struct err *e)
{
	struct restore *c = ctx;
	int r = cgroup_attach(c->cgroup, c->criu.pid, e);

	if (r == 0)
		r = store_claim(c->dir, e);
	if (r < 0)
		return r;
	c->state.cgroup = cgroup_get_record(c->arena, c->cgroup);
	return store_save(c->dir, &c->state, e);
}

static int apply_resctrl(void *ctx, struct err *e)
{
	struct restore *c = ctx;

	return resctrl_apply(&c->plan.resctrl, c->criu.pid, e);
}

static void drop_resctrl(void *ctx)
{
	struct restore *c = ctx;
	struct err e;

	if (resctrl_remove(c->state.resctrl_group, c->state.resctrl_monitor, &e) < 0)
		log_warn("%s", e.msg);
}

/* --- what criu tells meanwhile ------------------------------------------------------------ */

static int set_up_network(struct restore *c, pid_t pid, struct err *e)
{
	const struct oci_linux *l = c->plan.config.linux_;
	char path[64];

	if (!(c->plan.ns.make & CLONE_NEWNET))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	own_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	own_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter %s", path);
	int r = net_loopback_up(e);
	if (setns(own, CLONE_NEWNET) < 0)
		return err_set(e, errno, "leave %s", path);
	return r < 0 || !l->n_net_devices
		       ? r
		       : netdev_move(c->arena, l->net_devices, l->n_net_devices, ns, e);
}

static int namespaces_ready(struct restore *c, pid_t pid, struct err *e)
{
	const struct oci_hooks *h = c->plan.config.hooks;
	int r = set_up_network(c, pid, e);

	if (r < 0 || !h)
		return r;
	const struct hook_output keep = HOOK_OUTPUT_KEPT;

	c->state.pid = pid;
	const char *state = container_hook_state(c->arena, &c->state, "created");
	r = hooks_run("prestart", h->prestart, h->n_prestart, state, &keep, e);
	return r < 0 ? r
		     : hooks_run("createRuntime", h->create_runtime, h->n_create_runtime, state,
				 &keep, e);
}

static int take_console(struct restore *c, int *fd, struct err *e)
{
	if (*fd < 0)
		return err_msg(e, EBADMSG, "criu sent no terminal");
	if (c->console_socket >= 0)
		return fd_send(c->console_socket, "/dev/ptmx", sizeof("/dev/ptmx"), fd, 1,
			       c->opts->console_socket, e);
	if (!c->in_foreground)
		return err_msg(e, EINVAL,
			       "the container has a terminal: --console-socket is needed");
	if (c->master >= 0)
		return err_msg(e, EINVAL, "the container has more than one terminal of the host's");
	c->master = take_fd(fd);
	return foreground_console(&c->foreground, c->master, false, e);
}

/*
 * CRIU 3.17 restores the flags of every mount but the root's.  By a child: who enters a mount
 * namespace does not come back to the same root and working directory.
 */
static int seal_root(const struct restore *c, pid_t pid, struct err *e)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	char path[64];
	int status = 0;

	if (!c->plan.config.root->readonly)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	own_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_set(e, errno, "open %s", path);
	pid_t child = fork();
	if (child < 0)
		return err_set(e, errno, "fork");
	if (child == 0)
		_exit(setns(ns, CLONE_NEWNS) < 0 || mount_setattr(AT_FDCWD, "/", 0, &readonly,
								  sizeof(readonly)) < 0
			      ? errno
			      : 0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) || WEXITSTATUS(status))
		return err_set(e, WIFSIGNALED(status) ? EINTR : WEXITSTATUS(status),
			       "make the root read-only");
	return 0;
}

/* The processes exist and do not run yet: whoever looks for them by pid or state finds them. */
static int processes_ready(struct restore *c, pid_t pid, struct err *e)
{
	c->pidfd = sys_pidfd_open(pid, 0);
	if (c->pidfd < 0)
		return err_set(e, errno, "restored process %d", (int)pid);
	c->pid = pid;
	if (seal_root(c, pid, e) < 0)
		return -e->code;
	c->state.pid = pid;
	c->state.start_time = process_start_time(pid);
	c->state.status = "running";
	if (store_save(c->dir, &c->state, e) < 0)
		return -e->code;
	return c->opts->pid_file ? pidfile_write(c->opts->pid_file, pid, e) : 0;
}

static int notified(void *ctx, const struct criu_reply *r, int given, struct err *e)
{
	own_fd int fd = given;

	if (str_eq(r->script, "setup-namespaces"))
		return namespaces_ready(ctx, r->pid, e);
	if (str_eq(r->script, "orphan-pts-master"))
		return take_console(ctx, &fd, e);
	if (str_eq(r->script, "post-restore"))
		return processes_ready(ctx, r->pid, e);
	return 0;
}

/* --- the request -------------------------------------------------------------------------- */

/* Where criu is now, each hierarchy on its own: the images name the places of the checkpoint. */
static int add_cgroup_roots(struct restore *c, struct wire_out *opts, struct err *e)
{
	enum { CTRL = 1, PATH = 2 };
	struct cg_self line;
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)c->criu.pid);
	if (file_read(c->arena, AT_FDCWD, path, 1 << 20, &text, NULL, e) < 0)
		return -e->code;
	while (cg_self_next(&text, &line)) {
		const char *at = line.hierarchy;

		do {
			struct wire_out root = {.arena = c->arena};
			size_t n = strcspn(at, ",");

			wire_str(&root, CTRL, arena_strndup(c->arena, at, n));
			wire_str(&root, PATH, line.path);
			wire_message(opts, CRIU_CG_ROOT, &root);
			at += n + (at[n] == ',');
		} while (*at);
	}
	return 0;
}

static void add_descriptors(const struct restore *c, struct wire_out *opts)
{
	enum { KEY = 1, FD = 2 };

	for (size_t i = 0; i < c->n_inherit; i++) {
		struct wire_out fd = {.arena = c->arena};

		wire_str(&fd, KEY, c->inherit_names[i]);
		wire_int(&fd, FD, CRIU_FIRST_FD + (int)i);
		wire_message(opts, CRIU_INHERIT_FD, &fd);
	}
}

static int add_namespaces(const struct restore *c, struct wire_out *opts, struct err *e)
{
	enum { NS = 1, NS_FILE = 2 };
	const struct oci_linux *l = c->plan.config.linux_;

	for (size_t i = 0; l && i < l->n_namespaces; i++) {
		const struct oci_namespace *ns = &l->namespaces[i];
		struct wire_out join = {.arena = c->arena};

		if (!ns->path || images_external_ns(ns))
			continue;
		if (str_eq(ns->type, "cgroup") || str_eq(ns->type, "mount"))
			return err_msg(e, ENOTSUP, "criu cannot join a %s namespace", ns->type);
		wire_str(&join, NS, ns->type);
		wire_str(&join, NS_FILE, ns->path);
		wire_message(opts, CRIU_JOIN_NS, &join);
	}
	return 0;
}

static int build(struct restore *c, struct wire_out *opts, struct err *e)
{
	images_common(&c->images, opts);
	wire_bool(opts, CRIU_EVASIVE_DEVICES, true);
	wire_bool(opts, CRIU_RST_SIBLING, true);
	wire_str(opts, CRIU_ROOT, c->state.rootfs);
	wire_str(opts, CRIU_LSM_PROFILE, c->opts->lsm_profile);
	wire_str(opts, CRIU_LSM_MOUNT_CONTEXT, c->opts->lsm_mount_context);
	add_descriptors(c, opts);
	for (size_t i = 0; i < c->n_mounts; i++)
		images_add_mount(c->arena, opts, c->mounts[i].key, c->mounts[i].source);
	images_add_mount(c->arena, opts, IMAGES_MASK, IMAGES_MASK);
	/* Nobody listens there: what it announces of itself was told before the checkpoint. */
	images_add_mount(c->arena, opts, NOTIFY_DIR,
			 arena_printf(c->arena, "%s/%s/" NOTIFY_STATE, c->host->root, c->state.id));
	return add_namespaces(c, opts, e) < 0 ? -e->code : add_cgroup_roots(c, opts, e);
}

static void kill_restored(struct restore *c)
{
	if (c->pid <= 0)
		return;
	(void)sys_pidfd_send_signal(c->pidfd, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	own_close(&c->pidfd);
	c->pid = 0;
}

static int request(void *ctx, struct err *e)
{
	struct restore *c = ctx;
	struct wire_out opts = {.arena = c->arena};
	const struct criu_call call = {
		.type = CRIU_RESTORE,
		.opts = &opts,
		.notify = notified,
		.ctx = c,
		.log = c->images.log,
	};
	int r = build(c, &opts, e);

	if (r == 0)
		r = criu_request(&c->criu, &call, e);
	if (r == 0 && c->pid <= 0)
		r = err_msg(e, EBADMSG, "criu did not tell of a restored process");
	criu_end(&c->criu);
	if (r < 0)
		kill_restored(c);
	return r;
}

static const struct step steps[] = {
	{"claim id",         NULL,               claim_id,          release_id,   STEP_PLAIN},
	{"console socket",   has_console_socket, connect_console,   NULL,         STEP_PLAIN},
	{"first state",      NULL,               save_first_state,  NULL,         STEP_NAMED},
	{"cgroup",           NULL,               make_cgroup,       drop_cgroup,  STEP_NAMED},
	{"mount points",     NULL,               make_mount_points, NULL,         STEP_PLAIN},
	{"start criu",       NULL,               start_criu,        end_criu,     STEP_NAMED},
	{"attach to cgroup", NULL,               attach,            NULL,         STEP_NAMED},
	{"resctrl",          has_resctrl,        apply_resctrl,     drop_resctrl, STEP_NAMED},
	{"restore",          NULL,               request,           NULL,         STEP_PLAIN},
};

/* --- the verb ----------------------------------------------------------------------------- */

static int wait_for_end(struct restore *c, int *code, struct err *e)
{
	int status = 0;

	/* Others may work on it while it runs. */
	own_close(&c->dir);
	int r = foreground_wait(&c->foreground, c->pid, c->pidfd, c->master, &status, e);
	foreground_end(&c->foreground);
	if (r < 0)
		return r;
	*code = foreground_exit_code(status);
	struct err gone;
	c->dir = store_open(c->host, c->opts->criu.id, STORE_LOCKED, &gone);
	if (c->dir < 0) /* somebody deleted it meanwhile */
		return 0;
	c->state.pid = 0;
	return container_destroy(c->host, c->dir, &c->state, e);
}

static void restore_done(struct restore *c)
{
	foreground_end(&c->foreground);
	images_close(&c->images);
	for (size_t i = 0; i < c->n_inherit; i++)
		if (c->inherit[i] >= IMAGES_STDIO)
			own_close(&c->inherit[i]);
	cgroup_close(c->cgroup);
	own_close(&c->dir);
	own_close(&c->console_socket);
	own_close(&c->master);
	own_close(&c->pidfd);
}

int container_restore(const struct container_host *h, const struct container_restore_opts *o,
		      int *code, struct err *e)
{
	own_arena struct arena a = {0};
	struct restore c = {
		.host = h,
		.opts = o,
		.create = {.id = o->criu.id,
			   .bundle = o->bundle,
			   .console_socket = o->console_socket,
			   .detach = o->detach},
		.arena = &a,
		.images = {.dir = -1, .work = -1  },
		.criu = {.sock = -1,         .output = -1        },
		.dir = -1,
		.console_socket = -1,
		.master = -1,
		.pidfd = -1,
		.foreground = {.signals = -1,.tty = -1},
		.in_foreground = !o->detach,
	};
	int r = prepare(&c, e);

	*code = 0;
	if (r == 0 && c.in_foreground && !o->no_subreaper &&
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = err_set(e, errno, "become a subreaper");
	if (r == 0 && c.in_foreground)
		r = foreground_begin(&c.foreground, e);
	if (r == 0)
		r = steps_run("restore", steps, LEN(steps), &c, e);
	if (r < 0)
		images_discard(&c.images);
	if (r == 0 && c.in_foreground)
		r = wait_for_end(&c, code, e);
	restore_done(&c);
	return r;
}
