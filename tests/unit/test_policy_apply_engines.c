/* What engines really write, at standard and high: taken, cut, refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy_fixture.h"

#define DATA "tests/data/engines"

/* --- a recorded configuration ------------------------------------------------------------- */

/*
 * The pod whose /proc/PID/ns was recorded is gone: this process is in its place, with namespaces
 * that are not the host's.  Its parent ends when it does.
 */
static pid_t pod;

static void pod_main(int out)
{
	enum { NEW = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID };
	pid_t child = -1;

	if (unshare(NEW) == 0 || unshare(CLONE_NEWUSER | NEW) == 0)
		child = fork();
	if (child == 0) {
		(void)close(out);
		pause();
		_exit(0);
	}
	if (write(out, &child, sizeof(child)) != sizeof(child) || child < 0)
		_exit(1);
	_exit(waitpid(child, NULL, 0) != child);
}

static pid_t pod_start(void)
{
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid_t parent = fork();
	if (parent == 0)
		pod_main(ready[1]);
	(void)close(ready[1]);
	if (read(ready[0], &pod, sizeof(pod)) != sizeof(pod))
		pod = -1;
	(void)close(ready[0]);
	return parent;
}

/* A socket in the place of Docker's. */
static char dir[] = "/tmp/brig-test-engines-XXXXXX";

static void socket_make(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
}

static char *replaced(struct arena *a, const char *text, const char *what, const char *with)
{
	size_t n = strlen(what), extra = 0;

	for (const char *p = text; (p = strstr(p, what)); p += n)
		extra += strlen(with);
	char *out = arena_new(a, strlen(text) + extra + 1), *end = out;
	for (const char *p; (p = strstr(text, what)); text = p + n) {
		end = mempcpy(end, text, (size_t)(p - text));
		end = stpcpy(end, with);
	}
	stpcpy(end, text);
	return out;
}

/* "/proc/124/ns/net" and "/proc/43/exe" with another number. */
static char *with_pid(struct arena *a, char *text, const char *rest, pid_t pid)
{
	char *at = strstr(text, rest), *start = at;

	if (!at)
		return text;
	while (start > text && start[-1] >= '0' && start[-1] <= '9')
		start--;
	char *was = arena_printf(a, "/proc/%.*s/", (int)(at - start), start);
	return replaced(a, text, was, arena_printf(a, "/proc/%d/", pid));
}

static int load(struct arena *a, const char *name, struct oci_config *c, struct err *e)
{
	char *text;
	size_t len;

	if (file_read(a, AT_FDCWD, arena_printf(a, DATA "/%s.json", name), 1 << 20, &text, &len,
		      e) < 0)
		return -e->code;
	text = with_pid(a, text, "/ns/ipc", pod);
	text = with_pid(a, text, "/exe", getpid());
	text = replaced(a, text, "/var/lib/engine/docker/docker.sock",
			arena_printf(a, "%s/docker.sock", dir));
	return oci_config_parse(a, text, strlen(text), c, e);
}

/* --- one of them at a level --------------------------------------------------------------- */

struct result {
	struct oci_config before, c;
	struct policy p;
	struct policy_facts f;
	struct err e;
	int r;
};

static void begin(struct arena *a, const char *name, const char *level, struct result *out)
{
	*out = (struct result){.f = fixture_facts()};
	CHECK(load(a, name, &out->before, &out->e) == 0);
	CHECK(fixture_policy(a, level, false, &out->p, &out->e) == 0);
	out->c = out->before;
	/* As brig is started by such a Podman: root of a user namespace with 65537 ids. */
	out->f.nested = str_starts(name, "podman-rootless");
	out->f.own_ids = 65537;
}

static void apply(struct arena *a, const char *name, const char *level, struct result *out)
{
	begin(a, name, level, out);
	out->r = policy_apply(a, &out->p, &out->f, &out->c, &out->e);
}

static bool has(const struct oci_config *c, const char *dest, const char *word)
{
	const struct oci_mount *m = fixture_mount(c, dest);

	return m && within_has(m, word);
}

static size_t position(const struct oci_config *c, const char *dest)
{
	size_t i = 0;

	while (i < c->n_mounts && !str_eq(c->mounts[i].destination, dest))
		i++;
	return i;
}

static bool is_cut(const struct policy *p, const char *field, const char *asked)
{
	const struct policy_decision *d = fixture_decision(p, field);

	return d && d->outcome == OUTCOME_CUT && d->reason && d->by == BY_LEVEL &&
	       str_eq(d->asked, asked);
}

/* --- all of them -------------------------------------------------------------------------- */

#define NO_PID                                                                                     \
	"linux.namespaces.pid: the host's (absent) is refused: the sandbox needs one of its own "  \
	"or a path"
#define NO_DEVICE(n, path)                                                                         \
	"linux.devices[" n "]: " path " is refused: a device of the host beyond the default ones"
#define NO_SOCKET "is refused: a socket: who is behind it works outside of the sandbox"
#define NO_HOOK   "is refused: hooks_allowed of brig.json does not name it"

/* How the error at a level ends; what is not here is taken at both.  NULL: taken. */
static const struct {
	const char *name, *standard, *high;
} refused[] = {
	{"cri-host-network-pause",   NO_PID,        NO_PID            },
	{"cri-privileged-container", NO_DEVICE("0", "/dev/autofs"),     NO_DEVICE("0", "/dev/autofs")},
	{"docker",            NULL,			 NO_HOOK				   },
	{"docker-host",                   NO_PID,        NO_PID},
	{"docker-init",                    NULL,                          NO_HOOK						     },
	{"docker-limits",                   NULL,       NO_HOOK},
	{"docker-none",                   NULL,                          NO_HOOK									  },
	{"docker-privileged",                   NO_DEVICE("0",       "/dev/autofs"),NO_DEVICE("0", "/dev/autofs")},
	{"docker-socket",            NO_SOCKET,      NO_SOCKET									     },
	{"docker-tty",            NULL,     NO_HOOK        },
	{"docker-volume",               NULL,             NO_HOOK                   },
	{"podman-device",            NO_DEVICE("0",       "/dev/fuse"),      NO_DEVICE("0", "/dev/fuse")},
	{"podman-host",            NO_PID, NO_PID},
	{"podman-privileged",              NO_DEVICE("0",                           "/dev/autofs"),                                 NO_DEVICE("0", "/dev/autofs")},
	{"podman-systemd",                    "source /sys/fs/cgroup/systemd is refused: switches of the host",
	 "source /sys/fs/cgroup/systemd is refused: switches of the host"                                },
};

static const char *expected(const char *name, bool high)
{
	for (size_t i = 0; i < LEN(refused); i++)
		if (str_eq(refused[i].name, name))
			return high ? refused[i].high : refused[i].standard;
	return NULL;
}

static void check_one(const char *name, const char *level)
{
	own_arena struct arena a = {0};
	const char *want = expected(name, str_eq(level, "high"));
	struct result x;

	apply(&a, name, level, &x);
	/* The checker sees that it was not within before. */
	CHECK(policy_within(&x.p, &x.f, &x.before) != NULL);
	if (want) {
		if (x.r != -EPERM || !str_ends(x.e.msg, want))
			fprintf(stderr, "%s at %s: \"%s\"\n", name, level, x.e.msg);
		CHECK(x.r == -EPERM && str_ends(x.e.msg, want));
		return;
	}
	CHECK_STR(x.e.msg, "");
	const char *why = policy_within(&x.p, &x.f, &x.c);
	if (x.r < 0 || why)
		fprintf(stderr, "%s at %s: %s %s\n", name, level, x.e.msg, why ? why : "");
	CHECK(x.r == 0 && !why);
	/* What is carried out is also a config.json, and stays as it is. */
	const char *first = within_print(&a, &x.c);
	struct oci_config again;
	CHECK(oci_config_parse(&a, first, strlen(first), &again, &x.e) == 0);
	CHECK(policy_apply(&a, &x.p, &x.f, &again, &x.e) == 0);
	CHECK_STR(within_print(&a, &again), first);
}

static void check_custom(const char *name)
{
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, name, "custom", &x);
	CHECK(x.r == 0 && x.p.n_decisions == 0);
	CHECK_STR(within_print(&a, &x.c), within_print(&a, &x.before));
}

static void test_all(void)
{
	own_dir DIR *d = opendir(DATA);
	size_t n = 0;

	CHECK(d != NULL);
	for (struct dirent *f; d && (f = readdir(d));) {
		own_arena struct arena a = {0};

		if (!str_ends(f->d_name, ".json"))
			continue;
		char *name = arena_strndup(&a, f->d_name, strlen(f->d_name) - strlen(".json"));
		check_one(name, "standard");
		check_one(name, "high");
		check_custom(name);
		n++;
	}
	CHECK(n >= 36);
}

/* --- the clauses, each on what was recorded ----------------------------------------------- */

static void test_namespaces(void)
{
	static const char *const own[] = {"user", "cgroup"};
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, "podman", "standard", &x);
	for (size_t i = 0; i < LEN(own); i++) {
		const char *field = arena_printf(&a, "linux.namespaces.%s", own[i]);
		const struct policy_decision *d = fixture_decision(&x.p, field);

		CHECK(!x.before.linux_->n_namespaces || !fixture_namespace(&x.before, own[i]));
		CHECK(fixture_namespace(&x.c, own[i]) && !fixture_namespace(&x.c, own[i])->path);
		CHECK(d && d->outcome == OUTCOME_SET && str_eq(d->value, "own"));
	}
	/* The network is Podman's, by path. */
	CHECK(str_starts(fixture_namespace(&x.c, "network")->path, "/run/netns/"));
	apply(&a, "cri-shared-pid", "high", &x);
	CHECK(x.r == 0);
	CHECK_STR(fixture_namespace(&x.c, "pid")->path, arena_printf(&a, "/proc/%d/ns/pid", pod));
	CHECK_STR(fixture_namespace(&x.c, "ipc")->path, arena_printf(&a, "/proc/%d/ns/ipc", pod));
	CHECK_STR(fixture_namespace(&x.c, "uts")->path, arena_printf(&a, "/proc/%d/ns/uts", pod));
	/* Mappings that the engine gives are kept; in its own user namespace also its root's. */
	apply(&a, "podman-userns", "standard", &x);
	CHECK(x.c.linux_->uid_mappings == x.before.linux_->uid_mappings);
	CHECK(x.c.linux_->uid_mappings[0].host_id == 100000);
	begin(&a, "podman-rootless-keep-id", "standard", &x);
	x.f.nested = false;
	CHECK(policy_apply(&a, &x.p, &x.f, &x.c, &x.e) == -EPERM);
	CHECK_STR(x.e.msg, "linux.uidMappings[1]: hostID 0 is refused: it is the host's root");
}

static void test_binds(void)
{
	static const char *const files[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
					    "/dev/shm", "/run/.containerenv"};
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, "podman", "standard", &x);
	for (size_t i = 0; i < LEN(files); i++) {
		const struct oci_mount *m = fixture_mount(&x.c, files[i]);

		CHECK(m && str_eq(m->type, "bind") && within_has(m, "nosuid"));
		CHECK(m && within_has(m, "nodev") && !within_has(m, "ro"));
		const struct oci_mount *was = fixture_mount(&x.before, files[i]);
		CHECK(m && was && str_eq(m->source, was->source));
	}
	/* On brig's tmpfs on /run, and not below it. */
	CHECK(position(&x.c, "/run") < position(&x.c, "/run/.containerenv"));
	CHECK(position(&x.c, "/dev") < position(&x.c, "/dev/shm"));
	apply(&a, "podman-init", "high", &x);
	CHECK(has(&x.c, "/run/podman-init", "ro") && position(&x.c, "/run") < x.c.n_mounts);
	CHECK(position(&x.c, "/run") < position(&x.c, "/run/podman-init"));
	apply(&a, "docker-init", "standard", &x);
	CHECK(has(&x.c, "/sbin/docker-init", "ro"));
	/* Volumes stay as writable as they are; a recursive one in all its parts without devices.
	 */
	apply(&a, "cri-volume", "high", &x);
	CHECK(has(&x.c, "/data", "rw") && has(&x.c, "/data", "rnosuid"));
	CHECK(has(&x.c, "/data", "rnodev") && has(&x.c, "/cache", "rslave"));
	CHECK(has(&x.c, "/var/run/secrets/kubernetes.io/serviceaccount", "ro"));
	CHECK(has(&x.c, "/dev/termination-log", "rw"));
	CHECK(position(&x.c, "/dev") < position(&x.c, "/dev/termination-log"));
	CHECK_STR(x.c.linux_->rootfs_propagation, "rslave");
}

static void test_file_systems(void)
{
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, "podman", "standard", &x);
	CHECK(x.c.root->readonly && !x.before.root->readonly);
	CHECK(is_cut(&x.p, "root.readonly", "false"));
	CHECK_STR(x.c.root->path, x.before.root->path);
	CHECK(has(&x.c, "/sys", "ro") && has(&x.c, "/sys/fs/cgroup", "ro"));
	CHECK(has(&x.c, "/dev/mqueue", "nosuid"));
	CHECK(has(&x.c, "/dev/pts", "gid=5") && has(&x.c, "/dev/pts", "max=64"));
	CHECK(!has(&x.c, "/dev/pts", "nodev"));
	CHECK(has(&x.c, "/dev", "size=65536k") && has(&x.c, "/dev", "nr_inodes=65536"));
	CHECK(has(&x.c, "/tmp", "size=268435456") && has(&x.c, "/tmp", "mode=1777"));
	CHECK(has(&x.c, "/run", "mode=755") && has(&x.c, "/workspace", "nodev"));
	CHECK(has(&x.c, "/var/tmp", "nr_inodes=65536"));
	/* high: ids are those needed, and /sys is brig's to make. */
	apply(&a, "podman", "high", &x);
	CHECK(!has(&x.c, "/dev/pts", "gid=5") && has(&x.c, "/dev/pts", "mode=0620"));
	CHECK(!fixture_mount(&x.c, "/sys") && !fixture_mount(&x.c, "/sys/fs/cgroup"));
	CHECK(is_cut(&x.p, "mounts[2] /sys", "sysfs"));
	CHECK(is_cut(&x.p, "mounts[10] /sys/fs/cgroup", "cgroup"));
	CHECK(fixture_mount(&x.c, "/proc") && has(&x.c, "/tmp", "size=134217728"));
	/* The config's own tmpfs win where the level has one, within its bounds. */
	apply(&a, "podman-limits", "standard", &x);
	CHECK(fixture_mount(&x.c, "/tmp") == &x.c.mounts[position(&x.c, "/tmp")]);
	CHECK(has(&x.c, "/tmp", "tmpcopyup") && has(&x.c, "/tmp", "size=268435456"));
	CHECK(has(&x.c, "/run", "tmpcopyup") && fixture_mount(&x.c, "/workspace"));
	apply(&a, "docker", "standard", &x);
	CHECK(has(&x.c, "/dev/shm", "size=67108864") && has(&x.c, "/dev/shm", "nr_inodes=65536"));
}

static void test_process(void)
{
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, "podman", "standard", &x);
	CHECK(x.c.process->capabilities->n_bounding == 7);
	CHECK(x.c.process->capabilities->n_effective == 7);
	CHECK(is_cut(&x.p, "process.capabilities",
		     "CAP_AUDIT_WRITE CAP_FSETID CAP_MKNOD CAP_NET_RAW CAP_SETFCAP CAP_SETPCAP "
		     "CAP_SYS_CHROOT"));
	CHECK(x.c.process->no_new_privileges && !x.before.process->no_new_privileges);
	CHECK(fixture_decision(&x.p, "process.noNewPrivileges"));
	apply(&a, "podman", "high", &x);
	CHECK(x.c.process->capabilities->n_bounding == 0);
	apply(&a, "podman-ulimit", "standard", &x);
	CHECK(x.c.process->rlimits[0].soft == 20000 && x.c.process->rlimits[0].hard == 20000);
	CHECK(is_cut(&x.p, "process.rlimits.RLIMIT_NOFILE", "2000000000:2000000000"));
	/* Kubernetes' pause asks for -998, which only a caller at or below it can give. */
	apply(&a, "cri-pause", "standard", &x);
	CHECK(*x.c.process->oom_score_adj == 0 && is_cut(&x.p, "process.oomScoreAdj", "-998"));
	begin(&a, "cri-pause", "standard", &x);
	x.f.oom_score_adj = -999;
	CHECK(policy_apply(&a, &x.p, &x.f, &x.c, &x.e) == 0);
	CHECK(*x.c.process->oom_score_adj == -998);
	/* Secrets that the config names are kept at standard. */
	apply(&a, "cri-container", "standard", &x);
	CHECK(env_get(x.c.process->env, "API_TOKEN") != NULL);
	apply(&a, "cri-container", "high", &x);
	CHECK(!env_get(x.c.process->env, "API_TOKEN") && is_cut(&x.p, "process.env", "API_TOKEN"));
	CHECK(env_get(x.c.process->env, "KUBERNETES_SERVICE_HOST") != NULL);
	apply(&a, "docker-tty", "standard", &x);
	CHECK(x.c.process->terminal);
}

static void test_kernel(void)
{
	own_arena struct arena a = {0};
	struct result x;

	apply(&a, "docker", "standard", &x);
	CHECK(x.c.linux_->n_sysctl == 2);
	CHECK(x.c.linux_->resources->pids->limit == 512);
	CHECK(!x.c.linux_->resources->memory->limit);
	CHECK(x.c.linux_->resources->n_devices == 9);
	CHECK(x.c.linux_->seccomp->n_syscalls == x.before.linux_->seccomp->n_syscalls);
	CHECK_STR(x.c.linux_->cgroups_path, x.before.linux_->cgroups_path);
	CHECK_STR(x.c.hostname, x.before.hostname);
	apply(&a, "cri-sysctls-pause", "high", &x);
	CHECK(x.c.linux_->n_sysctl == 1 &&
	      is_cut(&x.p, "linux.sysctl.net.ipv4.ping_group_range", "0 2147483647"));
	/* Limits of an engine stay, with the level's beside them. */
	apply(&a, "docker-limits", "standard", &x);
	CHECK(*x.c.linux_->resources->memory->limit == 64 << 20);
	CHECK(x.c.linux_->resources->pids->limit == 50);
	apply(&a, "podman", "standard", &x);
	CHECK(x.c.linux_->resources->pids->limit == 2048);
	apply(&a, "cri-privileged-pause", "standard", &x);
	CHECK(x.c.linux_->n_masked_paths > 10 && x.c.linux_->n_readonly_paths >= 5);
}

/* Docker's prestart hook, by /proc/PID/exe: this program is in the daemon's place. */
static void test_hook(void)
{
	own_arena struct arena a = {0};
	char self[PATH_MAX] = "";
	const char *allowed[] = {self, NULL};
	struct result x;

	apply(&a, "docker", "standard", &x);
	CHECK(x.r == 0 && x.c.hooks->n_prestart == 1);
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	begin(&a, "docker", "high", &x);
	x.p.admin.hooks_allowed = allowed;
	x.p.admin.n_hooks_allowed = 1;
	CHECK(policy_apply(&a, &x.p, &x.f, &x.c, &x.e) == 0);
	CHECK(x.c.hooks->n_prestart == 1);
	strcat(self, " (deleted)");
	begin(&a, "docker", "high", &x);
	x.p.admin.hooks_allowed = allowed;
	x.p.admin.n_hooks_allowed = 1;
	CHECK(policy_apply(&a, &x.p, &x.f, &x.c, &x.e) == -EPERM);
	CHECK(fixture_decision(&x.p, "hooks.prestart[0]")->outcome == OUTCOME_REFUSED);
}

int main(void)
{
	own_arena struct arena a = {0};
	pid_t parent = pod_start();

	CHECK(parent > 0 && pod > 0);
	CHECK(mkdtemp(dir) != NULL);
	const char *sock = arena_printf(&a, "%s/docker.sock", dir);
	socket_make(sock);
	test_all();
	test_namespaces();
	test_binds();
	test_file_systems();
	test_process();
	test_kernel();
	test_hook();
	CHECK(unlink(sock) == 0 && rmdir(dir) == 0);
	if (pod > 0)
		CHECK(kill(pod, SIGKILL) == 0 && waitpid(parent, NULL, 0) == parent);
	return check_done();
}
