/* config.json within a level: mounts, their sources and owners; on small documents. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "policy_fixture.h"

static char dir[] = "/tmp/brig-test-apply-XXXXXX";

static const char *options(const struct made *m, const char *dest, struct arena *a)
{
	const struct oci_mount *o = fixture_mount(&m->c, dest);
	char *out = arena_printf(a, "%s", "");

	for (size_t i = 0; o && i < o->n_options; i++)
		out = arena_printf(a, "%s%s%s", out, i ? "," : "", o->options[i]);
	return o ? out : "(not mounted)";
}

/* Sources that are there: a socket, a device, a link to /proc, a default device. */
static void test_sources(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	own_arena struct arena a = {0};
	const char *link = arena_printf(&a, "%s/link", dir);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/socket", dir);
	CHECK(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	CHECK(symlink("/proc/self", link) == 0);
	const struct {
		const char *source, *error; /* how the error ends, NULL: taken */
	} rows[] = {
		{sa.sun_path,
		 "is refused: a socket: who is behind it works outside of the sandbox"},
		{link,           "is refused: processes and switches of the host"     },
		{dir,            NULL						 },
		{"/dev/null",    NULL						 },
		{"/dev/urandom", NULL						 },
		{"/dev/ptmx",    "is refused: devices of the host"                    },
		{"/nonexistent", NULL						 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_made m = {0};
		const char *mounts = arena_printf(
			&m.a,
			"\"mounts\":[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":"
			"\"%s\"}]",
			rows[i].source);

		make(&m, "standard", mounts, "");
		CHECK(rows[i].error ? str_ends(m.e.msg, rows[i].error) : m.r == 0);
	}
	/* nodev would make the node useless. */
	own_made m = {0};
	make(&m, "standard", MOUNT("/x", "bind", "/dev/null", ""), "");
	CHECK_STR(options(&m, "/x", &m.a), "nosuid");
	CHECK(unlink(sa.sun_path) == 0 && unlink(link) == 0);
}

/* Relative sources count from the bundle. */
static void test_relative_sources(void)
{
	own_made m = {0};
	own_made up = {0};

	read_config(&m, "standard", MOUNT("/x", "bind", "../../../../../../proc", ""), "");
	m.f.bundle = dir;
	run(&m);
	CHECK_STR(m.e.msg, "mounts[0] /x: source ../../../../../../proc is refused: processes and "
			   "switches of the host");
	read_config(&up, "standard", MOUNT("/x", "bind", "../../proc", ""), "");
	up.f.bundle = NULL;
	run(&up);
	CHECK(up.r == -EPERM);
}

/* --- mounts ------------------------------------------------------------------------------- */

static const struct {
	const char *level, *mount, *dest, *options;
} rewrites[] = {
	{"standard", MOUNT("/t",             "tmpfs",   "t",            "\"size=9g\",\"size=1m\""),                        "/t",
	 "nosuid,nodev,size=1m,nr_inodes=65536"																	      },
	{"standard", MOUNT("/v",             "bind",    "/nonexistent", "\"rbind\",\"suid\",\"dev\",\"rshared\""),
	 "/v",															       "rbind,nosuid,nodev,rnosuid,rnodev"             },
	{"high",     MOUNT("/v",             "bind",    "/nonexistent", "\"bind\",\"ro\",\"noexec\""),                     "/v",
	 "bind,ro,noexec,nosuid,nodev"																		       },
	{"standard", MOUNT("/t",             "tmpfs",   "t",            "\"size=0\",\"nr_inodes=50%\""),                   "/t",
	 "nosuid,nodev,size=268435456,nr_inodes=65536"																       },
	{"standard", MOUNT("/t",             "tmpfs",   "t",            "\"size=1m\",\"nr_inodes=9\",\"suid\",\"exec\""),
	 "/t",															       "size=1m,nr_inodes=9,exec,nosuid,nodev"         },
	{"high",     MOUNT("/t",             "tmpfs",   "t",            "\"size=1m\",\"size=9g\",\"nr_blocks=99999999\""), "/t",
	 "nosuid,nodev,size=134217728,nr_inodes=32768"																       },
	{"standard", MOUNT("/t",             "tmpfs",   "t",            "\"size=0x7fffffff\",\"gid=5\",\"uid=70000\""),    "/t",
	 "gid=5,nosuid,nodev,size=268435456,nr_inodes=65536"																 },
	{"high",     MOUNT("/t",             "tmpfs",   "t",            "\"gid=5\",\"mode=700\""),                         "/t",
	 "mode=700,nosuid,nodev,size=134217728,nr_inodes=32768"															      },
	{"standard", MOUNT("/dev",           "tmpfs",   "t",            "\"suid\",\"mode=755\""),                          "/dev",
	 "mode=755,nosuid,size=268435456,nr_inodes=65536"																    },
	{"standard", MOUNT("/dev/pts",       "devpts",  "d",            "\"gid=5\",\"max=9\""),                            "/dev/pts",
	 "gid=5,max=9,nosuid,noexec,newinstance,ptmxmode=0666"															       },
	{"high",     MOUNT("/dev/pts",       "devpts",  "d",            "\"gid=5\",\"max=999\",\"ptmxmode=0600\""),
	 "/dev/pts",															 "ptmxmode=0600,nosuid,noexec,newinstance,max=64"},
	{"standard", MOUNT("/sys",           "sysfs",   "s",            "\"rw\""),                                         "/sys",           "nosuid,nodev,noexec,ro"                        },
	{"standard", MOUNT("/sys",           "sysfs",   "s",            "\"ro\",\"rrw\""),                                 "/sys",
	 "ro,nosuid,nodev,noexec"																			    },
	{"standard", MOUNT("/sys/fs/cgroup", "cgroup2", "c",            "\"rw\""),                                         "/sys/fs/cgroup",
	 "nosuid,nodev,noexec,ro"																			    },
	{"standard", MOUNT("/sys/fs/cgroup", "cgroup",  "c",            ""),                                               "/sys/fs/cgroup",
	 "nosuid,nodev,noexec,ro"																			    },
	{"standard", MOUNT("/dev/mqueue",    "mqueue",  "m",            "\"suid\""),                                       "/dev/mqueue",
	 "nosuid,nodev,noexec"																			       },
	{"standard", MOUNT("/proc",          "proc",    "p",            "\"hidepid=2\",\"gid=70000\""),                    "/proc",
	 "hidepid=2,nosuid,nodev,noexec"																		     },
	{"high",     MOUNT("/proc",          "proc",    "p",            "\"hidepid=0\",\"subset=pid\",\"gid=0\""),         "/proc",
	 "nosuid,nodev,noexec"																			       },
	{"standard", MOUNT("/proc/cpuinfo",  "bind",    "/nonexistent", ""),                                               "/proc/cpuinfo",
	 "nosuid,nodev"																				      },
};

/* At that place is nothing of the config's, because it is cut, and nothing of brig's. */
static const struct {
	const char *level, *mount, *dest;
} cuts[] = {
	{"standard", MOUNT("/p",             "proc",    "p",            ""),       "/p"            },
	{"standard", MOUNT("/s",             "sysfs",   "s",            "\"ro\""), "/s"            },
	{"high",     MOUNT("/sys",           "sysfs",   "s",            "\"ro\""), "/sys"          },
	{"high",     MOUNT("/sys/fs/cgroup", "cgroup",  "c",            "\"ro\""), "/sys/fs/cgroup"},
	{"high",     MOUNT("/cg",            "cgroup2", "c",            "\"ro\""), "/cg"           },
	{"high",     MOUNT("/proc/cpuinfo",  "bind",    "/nonexistent", ""),       "/proc/cpuinfo" },
	{"high",     MOUNT("/sys/x",         "tmpfs",   "t",            ""),       "/sys/x"        },
	{"standard", MOUNT("/tmp/",          "bind",    "/nonexistent", "\"ro\""), "/tmp"          },
	{"standard", MOUNT("/var",           "bind",    "/nonexistent", "\"ro\""), "/var/tmp"      },
};

/* What config.json does not have. */
static const struct {
	const char *level, *dest, *options;
} own[] = {
	{"standard", "/proc",      "nosuid,noexec,nodev"                                           },
	{"standard", "/dev",       "nosuid,noexec,strictatime,mode=755,size=65536k,nr_inodes=65536"},
	{"standard", "/dev/pts",   "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64,gid=5"},
	{"high",     "/dev/pts",   "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64"      },
	{"high",     "/dev/shm",   "nosuid,noexec,nodev,mode=1777,size=65536k,nr_inodes=32768"     },
	{"high",     "/run",       "nosuid,nodev,mode=755,size=134217728,nr_inodes=32768"          },
	{"high",     "/workspace", "nosuid,nodev,mode=1777,size=134217728,nr_inodes=32768"         },
};

static void test_rewrites(void)
{
	for (size_t i = 0; i < LEN(rewrites); i++) {
		own_made m = {0};
		const char *got;

		make(&m, rewrites[i].level, rewrites[i].mount, "");
		CHECK_STR(m.e.msg, "");
		got = options(&m, rewrites[i].dest, &m.a);
		CHECK_STR(got, rewrites[i].options);
	}
	for (size_t i = 0; i < LEN(cuts); i++) {
		own_made m = {0};

		make(&m, cuts[i].level, cuts[i].mount, "");
		CHECK_STR(m.e.msg, "");
		CHECK(!fixture_mount(&m.c, cuts[i].dest));
	}
	for (size_t i = 0; i < LEN(own); i++) {
		own_made m = {0};

		make(&m, own[i].level, "", "");
		CHECK_STR(m.e.msg, "");
		CHECK_STR(options(&m, own[i].dest, &m.a), own[i].options);
	}
}

static void test_mount_decisions(void)
{
	own_made m = {0};

	make(&m, "standard", MOUNT("/v", "bind", "/nonexistent", "\"suid\"") ",\"hostname\":\"h\"",
	     "");
	decided(&m, "mounts[0] /v", OUTCOME_CUT, "suid", "nosuid,nodev");
	decided(&m, "mounts /tmp", OUTCOME_SET, NULL,
		"tmpfs: nosuid,nodev,mode=1777,size=268435456,nr_inodes=65536");
	own_made kept = {0};
	make(&kept, "standard", MOUNT("/v", "bind", "/nonexistent", "\"nosuid\",\"nodev\""), "");
	CHECK(!fixture_decision(&kept.p, "mounts[0]"));
}

/* Outer ones before inner ones; no place for them in the kernel's file systems. */
static void test_writable(void)
{
	static const char *const paths[] = {"/a/b/c", "/a", "/a/", "/z", "/a/b"};
	static const char *const order[] = {"/a", "/a/b", "/a/b/c", "/z"};
	static const char *const bad[] = {"/", "/proc/x", "/sys", "/dev/x", "/x/../dev"};
	own_made m = {0};
	size_t at = 0;

	read_config(&m, "standard", "", "");
	m.p.level.writable.paths = paths;
	m.p.level.writable.n_paths = LEN(paths);
	run(&m);
	CHECK(m.r == 0);
	for (size_t i = 0; i < m.c.n_mounts; i++)
		if (at < LEN(order) && str_eq(m.c.mounts[i].destination, order[at]))
			at++;
	CHECK(at == LEN(order));
	for (size_t i = 0; i < LEN(bad); i++) {
		own_made b = {0};

		read_config(&b, "standard", "", "");
		b.p.level.writable.paths = &bad[i];
		b.p.level.writable.n_paths = 1;
		run(&b);
		CHECK(b.r == -EPERM && str_starts(b.e.msg, "writable.paths: "));
	}
}

/* What is missing of /dev follows the config's /dev, and what the config has below it too. */
static void test_dev_order(void)
{
	static const char *const order[] = {"/a", "/dev", "/dev/pts", "/dev/shm", "/dev/log"};
	own_made m = {0};
	size_t at = 0;

	make(&m, "standard",
	     "\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"},"
	     "{\"destination\":\"/dev\",\"type\":\"tmpfs\"},"
	     "{\"destination\":\"/dev/log\",\"type\":\"bind\",\"source\":\"/nonexistent\"}]",
	     "");
	for (size_t i = 0; i < m.c.n_mounts; i++)
		if (at < LEN(order) && str_eq(m.c.mounts[i].destination, order[at]))
			at++;
	CHECK(at == LEN(order));
}

/* --- ids ---------------------------------------------------------------------------------- */

/* gid= stays exactly when the sandbox has the group. */
static void test_mapped_gid(void)
{
	static const struct {
		const char *level, *process, *linux_;
		bool rootless, kept;
		uint32_t own_ids;
	} rows[] = {
		{"standard", "",                        "",							      false, true,  0    },
		{"high",     "",                        "",							      false, false, 0    },
		{"high",     "\"gid\":5,",              "",							      false, true,  0    },
		{"high",     "\"additionalGids\":[5],", "",							      false, true,  0    },
		{"standard", "",                        "\"gidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":5}]",
		 false,													 false, 0    },
		{"standard", "",                        "\"gidMappings\":[{\"containerID\":0,\"hostID\":9,\"size\":6}]",
		 false,													 true,  0    },
		{"standard", "",                        "",							      true,  false, 1    },
		{"standard", "",                        "",							      true,  true,  65536},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		own_made m = {0};
		const char *top = arena_printf(
			&m.a,
			"\"process\":{\"user\":{%s\"uid\":0},\"args\":[\"a\"],\"cwd\":\"/\"},%s",
			rows[i].process, MOUNT("/dev/pts", "devpts", "d", "\"gid=5\""));

		read_config(&m, rows[i].level, top, rows[i].linux_);
		m.f.rootless = rows[i].rootless;
		m.f.own_ids = rows[i].own_ids;
		run(&m);
		CHECK(m.r == 0);
		CHECK(within_has(fixture_mount(&m.c, "/dev/pts"), "gid=5") == rows[i].kept);
	}
}

int main(void)
{
	CHECK(mkdtemp(dir) != NULL);
	test_sources();
	test_relative_sources();
	test_rewrites();
	test_mount_decisions();
	test_writable();
	test_dev_order();
	test_mapped_gid();
	CHECK(rmdir(dir) == 0);
	return check_done();
}
