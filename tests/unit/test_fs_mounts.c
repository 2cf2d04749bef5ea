/* Mount options, bind mounts, id maps, tmpfs, devices, propagation and the console, for real. */
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "fs_fixture.h"

#define DEFAULTS                                                                                   \
	MOUNT("/proc", "proc", "proc"), MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),     \
		MOUNT("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")

/* A volume with a file of uid 1234 and another file system below it. */
static void make_volume(const char *bundle)
{
	make_dir("/mnt", "vol", 0755);
	make_file("/mnt/vol", "file", "volume", 0644);
	make_dir("/mnt/vol", "sub", 0755);
	if (chown("/mnt/vol/file", 1234, 1234) < 0 ||
	    mount("tmpfs", "/mnt/vol/sub", "tmpfs", 0, NULL) < 0)
		perror("/mnt/vol");
	make_file("/mnt/vol/sub", "file", "below", 0644);
	make_file(bundle, "relative", "of the bundle", 0644);
}

static bool writable(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void binds_inside(void)
{
	CHECK_STR(text_of("/plain/file"), "volume");
	CHECK(access("/plain/sub/file", F_OK) < 0 && writable("/plain"));
	CHECK_STR(text_of("/tree/sub/file"), "below");
	CHECK(is_readonly("/tree") && !is_readonly("/tree/sub") && writable("/tree/sub"));
	CHECK(is_readonly("/allro") && is_readonly("/allro/sub"));
	CHECK((mount_flags("/allro/sub") & ST_NOEXEC) && (mount_flags("/allro") & ST_NOEXEC));
	CHECK_STR(text_of("/etc/new/deep/file"), "volume");
	CHECK_STR(text_of("/rel/file"), "of the bundle");
	CHECK((mount_flags("/flags") & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME)) ==
	      (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME));
	struct stat st;
	CHECK(stat("/etc/new/deep/file", &st) == 0 && S_ISREG(st.st_mode));
}

static void test_binds(void)
{
	const struct oci_mount mounts[] = {
		DEFAULTS,
		MOUNT("/plain", "bind", "/mnt/vol", "bind", "rw"),
		MOUNT("tree", NULL, "/mnt/vol", "rbind", "ro"),
		MOUNT("/allro", "none", "/mnt/vol", "rbind", "rro", "rnoexec"),
		MOUNT("/etc/new/deep/file", "bind", "/mnt/vol/file", "bind", "ro"),
		MOUNT("/rel/./x/../file", "bind", "relative", "bind", "unknown=1", "acl"),
		MOUNT("/flags", "bind", "/mnt/vol", "nosuid", "nodev", "noexec", "noatime"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.prepare = make_volume,
		.inside = binds_inside
        };

	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

static void mapped_inside(void)
{
	struct stat st;

	/* the container's map: ids of the file system seen as they are stored */
	CHECK(stat("/idmap/file", &st) == 0 && st.st_uid == 1234 && st.st_gid == 1234);
	CHECK(stat("/idmap/sub/file", &st) == 0 && st.st_uid == 65534);
	CHECK(stat("/ridmap/sub/file", &st) == 0 && st.st_uid == 0);
	/* without: not mapped */
	CHECK(stat("/raw/file", &st) == 0 && st.st_uid == 65534);
	/* a map of its own: 1234 is 101234 on the host, that is 1234 here; 5 more */
	CHECK(stat("/own/file", &st) == 0 && st.st_uid == 5 && st.st_gid == 5);
	int fd = open("/idmap/made", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	(void)close(fd);
	CHECK(mkdir("/raw/x", 0755) < 0);
}

static void made_by_root(void)
{
	struct stat st;

	CHECK(stat("/mnt/vol/made", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
}

static void test_idmapped(void)
{
	static const struct oci_id_mapping own[] = {
		{1234, MAPPED_ROOT + 5, 1}
        };
	const struct oci_mount mounts[] = {
		DEFAULTS,
		MOUNT("/raw", "bind", "/mnt/vol", "bind"),
		MOUNT("/idmap", "bind", "/mnt/vol", "rbind", "idmap"),
		MOUNT("/ridmap", "bind", "/mnt/vol", "rbind", "ridmap"),
		{"/own", "bind", "/mnt/vol", WORDS("bind"), 1, own, own, 1, 1},
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.userns = true,
		.prepare = make_volume,
		.inside = mapped_inside,
		.after = made_by_root
        };

	CHECK(scenario_passes(&s));
	s = (struct scenario){
		.config = {.mounts = &mounts[4], .n_mounts = 1},
		.prepare = make_volume,
		.want_error = "mounts[0]: option \"idmap\": neither"
        };
	CHECK(scenario_passes(&s));
}

static void fill_image(const char *bundle)
{
	make_dir(bundle, "rootfs/var", 0755);
	make_dir(bundle, "rootfs/var/copy", 01770);
	make_file(bundle, "rootfs/var/copy/file", "copied", 04711);
	make_dir(bundle, "rootfs/var/copy/dir", 0700);
	make_file(bundle, "rootfs/var/copy/dir/deep", "deeper", 0600);
	if (symlink("/etc/passwd", "/mnt/bundle/rootfs/var/copy/link") < 0 ||
	    mkfifo("/mnt/bundle/rootfs/var/copy/fifo", 0644) < 0 ||
	    mknod("/mnt/bundle/rootfs/var/copy/node", S_IFCHR | 0666, makedev(1, 3)) < 0 ||
	    chown("/mnt/bundle/rootfs/var/copy/dir/deep", 77, 78) < 0)
		perror("rootfs/var/copy");
}

static void tmpfs_inside(void)
{
	struct stat st;
	char link[32] = "";

	CHECK(fs_type("/var/copy") == TMPFS_MAGIC && is_readonly("/var/copy"));
	CHECK(stat("/var/copy", &st) == 0 && (st.st_mode & 07777) == 01770);
	CHECK_STR(text_of("/var/copy/file"), "copied");
	CHECK(stat("/var/copy/file", &st) == 0 && (st.st_mode & 07777) == 04711);
	CHECK(stat("/var/copy/dir", &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat("/var/copy/dir/deep", &st) == 0 && st.st_uid == 77 && st.st_gid == 78);
	CHECK(readlink("/var/copy/link", link, sizeof(link) - 1) == 11);
	CHECK(access("/var/copy/fifo", F_OK) < 0 && access("/var/copy/node", F_OK) < 0);
	CHECK(stat("/etc", &st) == 0 && (st.st_mode & 07777) == 0755); /* mode of the image's */
	CHECK(stat("/made", &st) == 0 && (st.st_mode & 07777) == 01777);
	CHECK(stat("/modes", &st) == 0 && (st.st_mode & 07777) == 0711 && st.st_uid == 9);
	/* made below a read-only tmpfs before it became read-only */
	CHECK(fs_type("/var/copy/inner") == TMPFS_MAGIC && !is_readonly("/var/copy/inner"));
	/* remounted */
	CHECK(is_readonly("/again") && (mount_flags("/again") & ST_NOEXEC));
	struct statfs sfs;
	CHECK(statfs("/again", &sfs) == 0 && sfs.f_blocks * (unsigned long)sfs.f_bsize == 1 << 20);
}

static void test_tmpfs(void)
{
	const struct oci_mount mounts[] = {
		DEFAULTS,
		MOUNT("/var/copy", "tmpfs", "tmpfs", "ro", "tmpcopyup"),
		MOUNT("/var/copy/inner", "tmpfs", "tmpfs"),
		MOUNT("/etc", "tmpfs", "tmpfs", "sync", "lazytime"),
		MOUNT("/made", "tmpfs", "tmpfs"),
		MOUNT("/modes", "tmpfs", "tmpfs", "mode=711,uid=9", "size=64k"),
		MOUNT("/again", "tmpfs", "tmpfs"),
		MOUNT("/again", "tmpfs", "tmpfs", "remount", "ro", "noexec", "size=1m"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.prepare = fill_image,
		.inside = tmpfs_inside
        };

	CHECK(scenario_passes(&s));
}

static void test_refusals(void)
{
	const struct {
		struct oci_mount mount;
		const char *error;
	} rows[] = {
		{MOUNT("/x",                       "tmpfs",        "tmpfs",                     "nonsense=1"),                                                  "Unknown parameter 'nonsense'"     },
		{MOUNT("/x",                       "nosuchfs",     "none"),                     "file system type nosuchfs"                                   },
		{MOUNT("/x",                          "bind", "/mnt/missing",                     "bind"),                                    "no such file or directory"                                   },
		{MOUNT("/x",                          "bind",           NULL,                     "bind"),                                              "source: missing"},
		{MOUNT("/x",                            NULL,           "y"),             "type: missing"							      },
		{MOUNT("",			    "tmpfs",                    "y"),                            "destination: missing"                                                      },
		{MOUNT("/", "tmpfs",               "y"),                            "mounting into / is prohibited"                        },
		{MOUNT("/a/../.",                                "tmpfs",                              "y"),                                      "mounting into / is prohibited"											      },
		{MOUNT("/proc/sys",             "tmpfs",  "y"),                      "inside /proc"                                                             },
		{MOUNT("//proc/./1/x",                    "bind",  "/mnt",                "bind"),                                          "inside /proc"                                   },
		{MOUNT("/proc",                          "tmpfs",          "y"),                   "not of type proc"                                               },
		{MOUNT("/proc",                         "bind",            "/mnt",                "bind"),                                      "not of type proc"                            },
		{MOUNT("/x",                         "sysfs",            "y",                   "tmpcopyup"),                                                      "option \"tmpcopyup\""                            },
		{MOUNT("/x",                         "tmpfs",             "y",   "idmap"), "only supported for bind"  },
		{MOUNT("/x",                        "tmpfs",                               "y",							  "slave",												      "slave", "slave", "slave", "slave"),
		 "option \"slave\""},
		{MOUNT("/etc/marker",                         "bind",                      "/mnt",                                                 "bind"),                                           "not a directory"                                         },
		{MOUNT("/etc/marker/x",                         "bind",                      "/mnt",                                                 "bind"),                                                    "not a directory"                             },
		{MOUNT("/etc",                       "tmpfs",                          "y",                          "remount",							       "nonsense"),                  "mounts[0]: error mounting"},
		{MOUNT("/nothing",                             "tmpfs",                                 "y", "remount"),							       "no such file or directory"},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct scenario s = {
			.config = {.mounts = &rows[i].mount, .n_mounts = 1},
			.want_error = rows[i].error
                };

		CHECK(scenario_passes(&s));
	}
	struct scenario s = {.root = {.path = "nowhere"}, .want_error = "rootfs: "};
	CHECK(scenario_passes(&s));
	s.root.path = "rootfs/etc/marker";
	CHECK(scenario_passes(&s));
}

static void make_readonly_image(const char *bundle)
{
	(void)bundle;
	if (mount("/mnt/bundle/rootfs", "/mnt/bundle/rootfs", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "/mnt/bundle/rootfs", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		perror("read-only rootfs");
}

static void test_readonly_image(void)
{
	const struct oci_mount mounts[] = {DEFAULTS, MOUNT("/missing", "tmpfs", "tmpfs")};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = 3},
                  .prepare = make_readonly_image
        };

	CHECK(scenario_passes(&s));
	s.config.n_mounts = 4;
	s.want_error = "make directory /missing: read-only file system";
	CHECK(scenario_passes(&s));
}

static void devices_inside(void)
{
	struct stat st;

	CHECK(is_char("/dev/fuse", 10, 229) && is_char("/srv/dev/zero", 1, 5));
	CHECK(stat("/dev/fuse", &st) == 0 && (st.st_mode & 07777) == 0640 && st.st_gid == 44);
	CHECK(stat("/dev/pipe", &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == 0666);
	CHECK(stat("/dev/null", &st) == 0 && (st.st_mode & 07777) == 0600);
}

static void test_devices(void)
{
	static const int64_t ten = 10, fuse = 229, one = 1, three = 3, five = 5;
	static const uint32_t mode = 0640, gid = 44, secret = 0600;
	static const struct oci_device devices[] = {
		{"c", "/dev/fuse",     &ten, &fuse,  &mode,   NULL, &gid},
		{"c", "/srv/dev/zero", &one, &five,  NULL,    NULL, NULL},
		{"p", "/dev/pipe",     NULL, NULL,   NULL,    NULL, NULL},
		{"c", "/dev/null",     &one, &three, &secret, NULL, NULL},
	};
	static const struct oci_device wrong[] = {
		{"c", "/etc/marker", &one, &five, NULL, NULL, NULL}
        };
	const struct oci_mount mounts[] = {DEFAULTS};
	struct scenario s = {
		.config = {.mounts = mounts,   .n_mounts = LEN(mounts)  },
		.linux_ = {.devices = devices, .n_devices = LEN(devices)},
		.inside = devices_inside
        };

	CHECK(scenario_passes(&s));
	s.linux_.devices = wrong;
	s.linux_.n_devices = 1;
	s.want_error = "/etc/marker exists and is not the device asked for";
	CHECK(scenario_passes(&s));
	s.userns = true; /* not covered with the host's node either */
	s.want_error = "/etc/marker";
	CHECK(scenario_passes(&s));
}

/* The optional fields of the mount on dir: "shared:5 master:1". */
static const char *propagation_of(const char *dir)
{
	static char line[4096], found[256];
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	char point[256];
	int at = 0;

	found[0] = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %255s %*s %n", point, &at) == 1 &&
		    strcmp(point, dir) == 0)
			snprintf(found, sizeof(found), "%.*s", (int)strcspn(line + at, "-"),
				 line + at);
	return found;
}

static void slaves_inside(void)
{
	CHECK(strstr(propagation_of("/"), "master:") && !strstr(propagation_of("/"), "shared:"));
	CHECK(strstr(propagation_of("/slave"), "master:"));
	CHECK(strstr(propagation_of("/shared"), "master:") &&
	      strstr(propagation_of("/shared"), "shared:"));
	CHECK_STR(propagation_of("/private"), "");
	CHECK_STR(propagation_of("/unbindable"), "unbindable ");
}

static void shared_inside(void)
{
	CHECK(strstr(propagation_of("/"), "shared:"));
	CHECK(strstr(propagation_of("/shared"), "shared:") &&
	      !strstr(propagation_of("/shared"), "master:"));
	CHECK(mkdir("/shared/new", 0755) == 0 &&
	      mount("tmpfs", "/shared/new", "tmpfs", 0, NULL) == 0);
	CHECK(mkdir("/newroot", 0755) == 0 && mount("tmpfs", "/newroot", "tmpfs", 0, NULL) == 0);
}

static void arrived_on_host(void)
{
	CHECK(strcmp(propagation_of("/mnt/vol/new"), "") != 0);
	CHECK_STR(propagation_of("/mnt/bundle/rootfs/newroot"), "");
}

static void private_inside(void)
{
	CHECK_STR(propagation_of("/"), "");
	CHECK_STR(propagation_of("/slave"), "");
}

static void unbindable_inside(void)
{
	CHECK_STR(propagation_of("/"), "unbindable ");
}

static void test_propagation(void)
{
	const struct oci_mount mounts[] = {
		DEFAULTS,
		MOUNT("/slave", "bind", "/mnt/vol", "rbind"),
		MOUNT("/shared", "bind", "/mnt/vol", "rbind", "rshared"),
		MOUNT("/private", "bind", "/mnt/vol", "rbind", "rprivate"),
		MOUNT("/unbindable", "bind", "/mnt/vol", "bind", "unbindable"),
	};
	const struct {
		const char *word;
		void (*inside)(void), (*after)(void);
		size_t n;
	} rows[] = {
		{NULL,         slaves_inside,     NULL,            LEN(mounts)},
		{"slave",      slaves_inside,     NULL,            LEN(mounts)},
		{"shared",     shared_inside,     arrived_on_host, LEN(mounts)},
		{"private",    private_inside,    NULL,            4          },
		{"unbindable", unbindable_inside, NULL,            4          },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct scenario s = {
			.config = {.mounts = mounts, .n_mounts = rows[i].n},
			.linux_ = {.rootfs_propagation = rows[i].word               },
			.prepare = make_volume,
			.inside = rows[i].inside,
			.after = rows[i].after
                };

		CHECK(scenario_passes(&s));
	}
	struct scenario s = {.linux_ = {.rootfs_propagation = "sideways"},
			     .want_error = "rootfsPropagation"};
	CHECK(scenario_passes(&s));
}

static void make_console(const struct fs_plan *p, struct fs *fs)
{
	static const struct oci_console_size size = {.height = 10, .width = 110};
	int master = -1, slave = -1;
	struct winsize ws;
	struct stat st;
	struct err e;

	CHECK(fs_console(p, fs, &size, 7, &master, &slave, &e) == 0);
	CHECK(ioctl(slave, TIOCGWINSZ, &ws) == 0 && ws.ws_row == 10 && ws.ws_col == 110);
	CHECK(fstat(slave, &st) == 0 && st.st_uid == 7 && (st.st_mode & 07777) == 0620);
	CHECK(fcntl(master, F_GETFD) == FD_CLOEXEC && fcntl(slave, F_GETFD) == FD_CLOEXEC);
}

static void console_inside(void)
{
	int master = -1, slave = -1;
	struct stat st, pts;
	struct err e;

	CHECK(stat("/dev/console", &st) == 0 && stat("/dev/pts/0", &pts) == 0);
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == pts.st_rdev && st.st_ino == pts.st_ino);
	CHECK(fs_pty_of_root(NULL, 0, &master, &slave, &e) == 0);
	CHECK(write(slave, "hi\n", 3) == 3 && access("/dev/pts/1", F_OK) == 0);
}

static void test_console(void)
{
	const struct oci_mount mounts[] = {DEFAULTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.root = {.readonly = true               },
		.before_enter = make_console,
		.inside = console_inside
        };

	CHECK(scenario_passes(&s));
	s.userns = true;
	CHECK(scenario_passes(&s));
	/* no devpts of its own: none is borrowed from elsewhere */
	s.config.n_mounts = 2;
	s.before_enter = NULL;
	s.inside = NULL;
	CHECK(scenario_passes(&s));
}

static void make_layers(const char *bundle)
{
	char name[200];

	make_dir("/mnt", "layers", 0755);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%0120d", i);
		make_dir("/mnt/layers", name, 0755);
	}
	snprintf(name, sizeof(name), "../layers/%0120d/file", 3);
	make_file(bundle, name, "lowest", 0644);
}

static void overlay_inside(void)
{
	CHECK(fs_type("/over") == OVERLAYFS_SUPER_MAGIC && is_readonly("/over"));
	CHECK_STR(text_of("/over/file"), "lowest");
}

static void test_long_options(void)
{
	char lower[700];

	snprintf(lower, sizeof(lower),
		 "lowerdir=/mnt/layers/%0120d:/mnt/layers/%0120d:/mnt/layers/%0120d:/mnt/layers/"
		 "%0120d",
		 0, 1, 2, 3);
	const struct oci_mount mounts[] = {
		DEFAULTS, MOUNT("/over", "overlay", "overlay", lower, "nodev", "ro")};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.prepare = make_layers,
		.inside = overlay_inside
        };

	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 0;
	}
	test_binds();
	test_idmapped();
	test_tmpfs();
	test_refusals();
	test_readonly_image();
	test_devices();
	test_propagation();
	test_console();
	test_long_options();
	return check_done();
}
