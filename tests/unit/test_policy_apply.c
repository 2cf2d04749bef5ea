/* config.json within a level: what is refused, the process, limits, paths; on small documents. */
#include <errno.h>
#include <stdlib.h>

#include "policy_fixture.h"

/* --- what is refused ---------------------------------------------------------------------- */

static const struct {
	const char *top, *linux_, *error;
} refusals[] = {
	{MOUNT("/x",									"overlay",         "overlay",""), "",
	 "mounts[0] /x: overlay is refused: a file system of that type is the host's to mount"},
	{MOUNT("/x",									       "nfs",                "h:/x",""), "",
	 "mounts[0] /x: nfs is refused: a file system of that type is the host's to mount"},
	{MOUNT("/x","bind","/",""), "",
	 "mounts[0] /x: source / is refused: the root of the host"},
	{MOUNT("/x", "bind",                  "//usr/../.",""), "",
	 "mounts[0] /x: source //usr/../. is refused: the root of the host"},
	{MOUNT("/x",									      "none",												   "/proc/1","\"rbind\""), "",
	 "mounts[0] /x: source /proc/1 is refused: processes and switches of the host"},
	{MOUNT("/x",										 "",											 "/sys/kernel","\"bind\""), "",
	 "mounts[0] /x: source /sys/kernel is refused: switches of the host"},
	{MOUNT("/x",									      "bind",											     "/dev",""), "",
	 "mounts[0] /x: source /dev is refused: devices of the host"},
	{MOUNT("/dev/kmsg",									"bind",      "/dev/kmsg",""), "",
	 "mounts[0] /dev/kmsg: source /dev/kmsg is refused: devices of the host"},
	{MOUNT("/x",									       "bind",                        "/run/brig",""), "",
	 "mounts[0] /x: source /run/brig is refused: brig's state"},
	{MOUNT("/x","bind","/run/brig/one/config.json",""), "",
	 "mounts[0] /x: source /run/brig/one/config.json is refused: brig's state"},
	{MOUNT("/x",               "bind",				"/run",""), "",
	 "mounts[0] /x: source /run is refused: brig's own bookkeeping"},
	{MOUNT("/x",									   "bind","/var/log",""), "",
	 "mounts[0] /x: source /var/log is refused: brig's audit log"},
	{MOUNT("/x",										 "bind",										  "/run/brig-ids/lock",""), "",
	 "mounts[0] /x: source /run/brig-ids/lock is refused: brig's id pool"},
	{MOUNT("/dev",									      "bind",											     "/nonexistent",""), "",
	 "mounts[0] /dev: bind is refused: only a tmpfs of the sandbox's own may be there"},
	{MOUNT("/dev/./pts",									"tmpfs",     "x",""), "",
	 "mounts[0] /dev/./pts: tmpfs is refused: only a devpts of the sandbox's own may be there"},
	{MOUNT("/proc",									       "tmpfs",					    "x",""), "",
	 "mounts[0] /proc: tmpfs is refused: only a proc of the sandbox's own may be there"},
	{MOUNT("/sys",									     "bind",																			 "/nonexistent",																						    ""), "",
	 "mounts[0] /sys: bind is refused: only a sysfs of the sandbox's own may be there"},
	{MOUNT("/",         "tmpfs",                          "x",""), "", "mounts[0] /: tmpfs is refused: the root is root.path"},
	{MOUNT("/tmp",									   "",							  "x",				  "\"remount\",\"suid\""), "",
	 "mounts[0] /tmp: remount is refused: it would take back what was set for that mount"},
	{"",										 "\"netDevices\":{\"eth1\":{}}",
	 "linux.netDevices: eth1 is refused: a network device of the host"},
	{"",									      "\"devices\":[{\"path\":\"/dev/sda\",\"type\":\"b\",\"major\":8,\"minor\":0}]",
	 "linux.devices[0]: /dev/sda is refused: a device of the host beyond the default ones"},
	{"",									"\"devices\":[{\"path\":\"/etc/null\",\"type\":\"c\",\"major\":1,\"minor\":3}]",
	 "linux.devices[0]: /etc/null is refused: a device of the host beyond the default ones"},
	{"",									       "\"devices\":[{\"path\":\"/dev/mem\",\"type\":\"c\",\"major\":1,\"minor\":1}]",
	 "linux.devices[0]: /dev/mem is refused: a device of the host beyond the default ones"},
	{"","\"uidMappings\":[{\"containerID\":5,\"hostID\":0,\"size\":1}]",
	 "linux.uidMappings[0]: hostID 0 is refused: it is the host's root"},
};

static void test_refusals(void)
{
	static const char *const levels[] = {"standard", "high"};

	for (size_t i = 0; i < LEN(refusals); i++)
		for (size_t k = 0; k < LEN(levels); k++) {
			own_made m = {0};

			make(&m, levels[k], refusals[i].top, refusals[i].linux_);
			CHECK(m.r == -EPERM);
			CHECK_STR(m.e.msg, refusals[i].error);
		}
}

static void test_refused_namespaces(void)
{
	static const struct {
		const char *namespaces, *error;
	} rows[] = {
		{"{\"type\":\"mount\"},{\"type\":\"network\"}",
		 "linux.namespaces.pid: the host's (absent) is refused: the sandbox needs one of "
		 "its own or a path"																	     },
		{"{\"type\":\"pid\"},{\"type\":\"network\"}",
		 "linux.namespaces.mount: the host's (absent) is refused: the sandbox needs one of "
		 "its own or a path"																	     },
		{"{\"type\":\"pid\"},{\"type\":\"mount\"}",
		 "linux.namespaces.network: the host's (absent) is refused: the sandbox needs one "
		 "of its own or a path"																	  },
		{"{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"network\",\"path\":"
		 "\"/proc/self/ns/net\"}",					"linux.namespaces.network: /proc/self/ns/net is refused: the host's namespace"},
		{BASE_NS ",{\"type\":\"ipc\",\"path\":\"/proc/self/ns/ipc\"}",
		 "linux.namespaces.ipc: /proc/self/ns/ipc is refused: the host's namespace"                                                                                      },
		{BASE_NS ",{\"type\":\"user\",\"path\":\"/proc/self/ns/user\"}",
		 "linux.namespaces.user: /proc/self/ns/user is refused: the host's namespace"                                                                                    },
		{"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"mount\",\"path\":\"/x\"}",
		 "linux.namespaces.mount: /x is refused: the root file system is made in a mount "
		 "namespace of its own"																	  },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_made m = {0};
		const char *text = arena_printf(
			&m.a, "{\"ociVersion\":\"1.2.0\",\"linux\":{\"namespaces\":[%s]}}",
			rows[i].namespaces);

		m.f = fixture_facts();
		CHECK(oci_config_parse(&m.a, text, strlen(text), &m.c, &m.e) == 0);
		CHECK(fixture_policy(&m.a, "standard", false, &m.p, &m.e) == 0);
		run(&m);
		CHECK(m.r == -EPERM);
		CHECK_STR(m.e.msg, rows[i].error);
	}
	own_made m = {0};
	static const bool no = false;
	read_config(&m, "standard", "", "");
	m.p.level.network.join = &no;
	run(&m);
	CHECK(m.r == 0); /* own is no joining */
	struct oci_namespace list[] = {
		{"pid",     NULL    },
                {"mount",   NULL    },
                {"network", "/run/x"}
        };
	struct oci_linux l = {.namespaces = list, .n_namespaces = LEN(list)};
	m.c.linux_ = &l;
	run(&m);
	CHECK_STR(m.e.msg, "linux.namespaces.network: /run/x is refused: the level joins no "
			   "network namespace");
}

static void test_refused_at_high(void)
{
	own_made fds = {0};
	own_made hook = {0};
	own_made listener = {0};
	own_made one = {0};
	struct oci_process p = {0};

	read_config(&fds, "high", "", "");
	fds.f.preserve_fds = 2;
	run(&fds);
	CHECK_STR(fds.e.msg, "preserve-fds: 2 is refused: descriptors of the caller (LISTEN_FDS "
			     "counts too) lead out of "
			     "the sandbox");
	make(&hook, "high", "\"hooks\":{\"poststop\":[{\"path\":\"/bin/x\"}]}", "");
	CHECK_STR(hook.e.msg, "hooks.poststop[0]: /bin/x is refused: hooks_allowed of brig.json "
			      "does not name it");
	make(&listener, "high", "",
	     "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/run/x\"}");
	CHECK_STR(listener.e.msg,
		  "linux.seccomp.listenerPath: /run/x is refused: the warden is the listener");
	/* exec: the same rule. */
	read_config(&one, "high", "", "");
	one.f.preserve_fds = 1;
	CHECK(policy_apply_process(&one.a, &one.p, &one.f, &p, &one.e) == -EPERM);
	/* All of it is taken at standard. */
	own_made m = {0};
	read_config(
		&m, "standard", "\"hooks\":{\"poststop\":[{\"path\":\"/bin/x\"}]}",
		"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/run/x\"}");
	m.f.preserve_fds = 2;
	run(&m);
	CHECK(m.r == 0 && m.c.hooks->n_poststop == 1);
}

/* One refusal does not hide the next one in `policy explain`. */
static void test_all_refusals_noted(void)
{
	own_made m = {0};

	make(&m, "high",
	     "\"hooks\":{\"poststop\":[{\"path\":\"/bin/x\"}]}," MOUNT("/x", "nfs", "x", ""),
	     "\"netDevices\":{\"eth1\":{}}");
	CHECK_STR(m.e.msg, "mounts[0] /x: nfs is refused: a file system of that type is the "
			   "host's to mount");
	decided(&m, "mounts[0] /x", OUTCOME_REFUSED, "nfs", "(none)");
	decided(&m, "linux.netDevices", OUTCOME_REFUSED, "eth1", "(none)");
	decided(&m, "hooks.poststop[0]", OUTCOME_REFUSED, "/bin/x", "(none)");
}

/* --- process ------------------------------------------------------------------------------ */

static const char process_json[] =
	"\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"a\"],\"cwd\":\"/\","
	"\"env\":[\"A=1\",\"GH_TOKEN=x\",\"db_password=y\",\"KEPT_SECRET=z\"],"
	"\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_SYS_ADMIN\"],"
	"\"effective\":[\"CAP_SYS_ADMIN\"],\"permitted\":[\"CAP_CHOWN\"],"
	"\"inheritable\":[\"CAP_NET_RAW\"],\"ambient\":[\"CAP_CHOWN\",\"CAP_BPF\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":9,\"hard\":9},"
	"{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":30000},"
	"{\"type\":\"RLIMIT_RTPRIO\",\"soft\":5,\"hard\":5},"
	"{\"type\":\"RLIMIT_NPROC\",\"soft\":7,\"hard\":8}],"
	"\"oomScoreAdj\":-500,\"apparmorProfile\":\"p\",\"selinuxLabel\":\"s\","
	"\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":4},"
	"\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":2}}";

static void test_process(void)
{
	own_made m = {0};

	make(&m, "standard", process_json, "");
	const struct oci_process *p = m.c.process;
	const struct oci_capabilities *c = p->capabilities;
	CHECK(c->n_bounding == 1 && c->n_effective == 0 && c->n_permitted == 1);
	CHECK(c->n_inheritable == 0 && c->n_ambient == 1);
	decided(&m, "process.capabilities", OUTCOME_CUT, "CAP_SYS_ADMIN CAP_NET_RAW CAP_BPF", NULL);
	CHECK(p->no_new_privileges && p->n_env == 4 && p->n_rlimits == 3);
	decided(&m, "process.noNewPrivileges", OUTCOME_SET, NULL, "true");
	decided(&m, "process.rlimits.RLIMIT_CORE", OUTCOME_CUT, "9:9", "1:1");
	decided(&m, "process.rlimits.RLIMIT_NOFILE", OUTCOME_CUT, "10:30000", "10:20000");
	decided(&m, "process.rlimits.RLIMIT_RTPRIO", OUTCOME_CUT, "5:5", "0:0");
	CHECK(!fixture_decision(&m.p, "process.rlimits.RLIMIT_NPROC"));
	decided(&m, "process.oomScoreAdj", OUTCOME_CUT, "-500", "0");
	CHECK(!p->scheduler && !p->io_priority);
	decided(&m, "process.scheduler.policy", OUTCOME_CUT, "SCHED_RR", "(none)");
	decided(&m, "process.ioPriority", OUTCOME_CUT, "IOPRIO_CLASS_RT", "(none)");
	CHECK_STR(p->apparmor_profile, "p");
	CHECK_STR(p->selinux_label, "s");
}

static void test_nice(void)
{
	static const struct oci_scheduler loud = {.policy = "SCHED_OTHER", .nice = -5},
					  quiet = {.policy = "SCHED_BATCH", .nice = 5};
	own_made m = {0};
	struct oci_process p = {.scheduler = &loud}, q = {.scheduler = &quiet};

	read_config(&m, "standard", "", "");
	CHECK(policy_apply_process(&m.a, &m.p, &m.f, &p, &m.e) == 0);
	CHECK(p.scheduler->nice == 0 && loud.nice == -5);
	CHECK(policy_apply_process(&m.a, &m.p, &m.f, &q, &m.e) == 0);
	CHECK(q.scheduler == &quiet);
}

/* none, direct, all; the administrator's list; names alone in the record. */
static void test_env(void)
{
	static const char *const allow[] = {"KEPT_SECRET"};
	static const struct {
		const char *level;
		bool direct;
		size_t n;
	} rows[] = {
		{"standard", false, 4},
		{"standard", true,  2},
		{"high",     false, 2},
		{"high",     true,  2},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_made m = {0};

		read_config(&m, rows[i].level, process_json, "");
		m.p.direct = rows[i].direct;
		m.p.admin.env_allow = allow;
		m.p.admin.n_env_allow = 1;
		run(&m);
		CHECK(m.c.process->n_env == rows[i].n);
		CHECK(env_get(m.c.process->env, "A") && env_get(m.c.process->env, "KEPT_SECRET"));
		if (rows[i].n == 4)
			continue;
		decided(&m, "process.env", OUTCOME_CUT, "GH_TOKEN", "(dropped)");
		CHECK(m.c.process->env[m.c.process->n_env] == NULL);
	}
}

/* exec: the same rules for one more process. */
static void test_exec(void)
{
	own_made m = {0};
	struct oci_process p;

	read_config(&m, "high", process_json, "");
	p = *m.c.process;
	CHECK(policy_apply_process(&m.a, &m.p, &m.f, &p, &m.e) == 0);
	CHECK(p.capabilities->n_bounding == 0 && p.no_new_privileges && p.n_env == 1);
	CHECK(!within_process(&m.p, &m.f, &p) && within_process(&m.p, &m.f, m.c.process));
}

/* --- resources ---------------------------------------------------------------------------- */

static int64_t value(const int64_t *n)
{
	return n ? *n : INT64_MIN;
}

static void test_limits(void)
{
	static const struct {
		const char *resources;
		bool direct;
		int64_t memory, swap, pids;
	} rows[] = {
		{"{}",					  false, INT64_MIN, INT64_MIN, 512 },
		{"{\"pids\":{\"limit\":-1}}",                   false, INT64_MIN, INT64_MIN, 512 },
		{"{\"pids\":{\"limit\":9}}",                    false, INT64_MIN, INT64_MIN, 9   },
		{"{\"pids\":{\"limit\":9999}}",                 false, INT64_MIN, INT64_MIN, 9999},
		{"{\"memory\":{\"limit\":4096}}",               false, 4096,      INT64_MIN, 512 },
		{"{\"memory\":{\"limit\":4096,\"swap\":9000}}", false, 4096,      9000,      512 },
		{"{}",					  true,  1 << 30,   1 << 30,   512 },
		{"{\"pids\":{\"limit\":9999}}",                 true,  1 << 30,   1 << 30,   512 },
		{"{\"memory\":{\"limit\":4096}}",               true,  4096,      4096,      512 },
		{"{\"memory\":{\"limit\":4096,\"swap\":9000}}", true,  4096,      4096,      512 },
		{"{\"memory\":{\"limit\":-1}}",                 true,  1 << 30,   1 << 30,   512 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_made m = {0};
		struct oci_memory none = {0};

		read_config(&m, "standard", "",
			    arena_printf(&m.a, "\"resources\":%s", rows[i].resources));
		m.p.direct = rows[i].direct;
		run(&m);
		const struct oci_resources *r = m.c.linux_->resources;
		const struct oci_memory *mem = r->memory ? r->memory : &none;
		CHECK(value(mem->limit) == rows[i].memory);
		CHECK(value(mem->swap) == rows[i].swap);
		CHECK(r->pids && r->pids->limit == rows[i].pids);
	}
}

static void test_nofile_default(void)
{
	own_made m = {0};
	own_made high = {0};

	read_config(&m, "standard",
		    "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":"
		    "{\"uid\":0,\"gid\":0}}",
		    "");
	m.p.direct = true;
	run(&m);
	CHECK(m.c.process->n_rlimits == 1 && m.c.process->rlimits[0].hard == 20000);
	read_config(&high, "high", process_json, "");
	high.p.direct = true;
	run(&high);
	decided(&high, "process.rlimits.RLIMIT_NOFILE", OUTCOME_CUT, "10:30000", "10:1024");
}

static void test_linux(void)
{
	own_made m = {0};

	make(&m, "standard", "",
	     "\"rootfsPropagation\":\"rshared\",\"sysctl\":{\"net/ipv4/ping_group_range\":\"0 1\","
	     "\"kernel.shmmax\":\"1\",\"net.ipv4.tcp_keepalive_time\":\"3\",\"vm.x\":\"1\"},"
	     "\"resources\":{\"memory\":{\"disableOOMKiller\":true},\"cpu\":{\"shares\":5,"
	     "\"realtimeRuntime\":9},\"devices\":[{\"allow\":true,\"type\":\"b\",\"major\":8,"
	     "\"access\":\"rw\"}]},\"maskedPaths\":[\"/proc/kcore\",\"/mine\"],"
	     "\"devices\":[{\"path\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":3}],"
	     "\"cgroupsPath\":\"/x\",\"personality\":{\"domain\":\"LINUX\"}");
	const struct oci_linux *l = m.c.linux_;
	CHECK_STR(m.e.msg, "");
	CHECK_STR(l->rootfs_propagation, "private");
	decided(&m, "linux.rootfsPropagation", OUTCOME_CUT, "rshared", "private");
	CHECK(l->n_sysctl == 2 && str_eq(l->sysctl[0].key, "net/ipv4/ping_group_range"));
	decided(&m, "linux.sysctl.kernel.shmmax", OUTCOME_CUT, "1", "(none)");
	decided(&m, "linux.sysctl.vm.x", OUTCOME_CUT, "1", "(none)");
	decided(&m, "linux.resources.memory.disableOOMKiller", OUTCOME_CUT, "true", "false");
	decided(&m, "linux.resources.cpu.realtimeRuntime", OUTCOME_CUT, "9", "(none)");
	decided(&m, "linux.resources.devices[0]", OUTCOME_CUT, "allow b 8:* rw", "(none)");
	CHECK(*l->resources->cpu->shares == 5 && !l->resources->cpu->realtime_runtime);
	CHECK(within_listed(l->masked_paths, l->n_masked_paths, "/mine"));
	CHECK(l->n_devices == 1 && l->personality && str_eq(l->cgroups_path, "/x"));
	decided(&m, "linux.maskedPaths", OUTCOME_SET, NULL, NULL);
	decided(&m, "root.readonly", OUTCOME_CUT, "false", "true");
}

static void test_speculation_flag(void)
{
	own_made m = {0};

	make(&m, "high", "",
	     "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":"
	     "[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"]}");
	CHECK(m.r == 0 && m.c.linux_->seccomp->n_flags == 1);
	CHECK_STR(m.c.linux_->seccomp->flags[0], "SECCOMP_FILTER_FLAG_LOG");
}

/* The config that was read stays as it was; custom changes nothing. */
static void test_copy(void)
{
	own_made m = {0};
	own_made custom = {0};

	read_config(&m, "high", process_json, "\"rootfsPropagation\":\"shared\"");
	const struct oci_config before = m.c;
	const char *text = within_print(&m.a, &before);
	run(&m);
	CHECK(m.r == 0);
	CHECK_STR(within_print(&m.a, &before), text);
	read_config(&custom, "custom", process_json, "");
	text = within_print(&custom.a, &custom.c);
	CHECK(policy_apply(&custom.a, &custom.p, &custom.f, &custom.c, &custom.e) == 0);
	CHECK_STR(within_print(&custom.a, &custom.c), text);
	CHECK(custom.p.n_decisions == 0);
}

static void test_facts(void)
{
	struct policy_facts f = {.rootless = true, .state_root = "/s"};
	struct rlimit now;
	struct err e = {0};

	CHECK(policy_facts_read(&f, &e) == 0);
	CHECK(f.rootless && str_eq(f.state_root, "/s") && f.own_ids == 1);
	CHECK(getrlimit(RLIMIT_NPROC, &now) == 0 && f.hard[RLIMIT_NPROC] == now.rlim_max);
	CHECK(f.hard[RLIMIT_NOFILE] > 0 && f.hard[RLIMIT_NOFILE] != RLIM_INFINITY);
	CHECK(f.oom_score_adj >= -1000 && f.oom_score_adj <= 1000);
}

int main(void)
{
	test_refusals();
	test_refused_namespaces();
	test_refused_at_high();
	test_all_refusals_noted();
	test_process();
	test_nice();
	test_env();
	test_exec();
	test_limits();
	test_nofile_default();
	test_linux();
	test_speculation_flag();
	test_copy();
	test_facts();
	return check_done();
}
