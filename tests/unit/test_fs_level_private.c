/* Roots on a tmpfs of their own: a private copy of the image, and an empty one. */
#include <sys/xattr.h>

#include "fs_level.h"

static bool has_mode(const char *path, mode_t mode)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 07777) == mode;
}

static bool same_inode(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_nlink == 2;
}

static void fill_image(const char *bundle)
{
	const struct timespec old[2] = {
		{.tv_sec = 1000000000},
		{.tv_sec = 1000000000},
	};
	/* cap_net_raw, permitted and effective (capability.h: VFS_CAP_REVISION_2) */
	static const unsigned char caps[20] = {1, 0, 0, 2, 0, 0x20};

	make_dir(bundle, "rootfs/home", 0751);
	make_dir(bundle, "rootfs/home/user", 0700);
	make_file(bundle, "rootfs/home/user/file", "mine", 0600);
	make_file(bundle, "rootfs/bin/suid", "x", 04755);
	make_file(bundle, "rootfs/bin/ping", "x", 0755);
	make_file(bundle, "rootfs/home/foreign", "x", 0600);
	if (chown("/mnt/bundle/rootfs/home", 7, 8) < 0 ||
	    chown("/mnt/bundle/rootfs/home/user/file", 1000, 1000) < 0 ||
	    chown("/mnt/bundle/rootfs/home/foreign", 70000, 70000) < 0 ||
	    link("/mnt/bundle/rootfs/bin/suid", "/mnt/bundle/rootfs/home/user/hard") < 0 ||
	    symlink("/mnt/host", "/mnt/bundle/rootfs/home/link") < 0 ||
	    mknod("/mnt/bundle/rootfs/bin/null", S_IFCHR | 0666, makedev(1, 3)) < 0 ||
	    mkfifo("/mnt/bundle/rootfs/bin/fifo", 0666) < 0 ||
	    setxattr("/mnt/bundle/rootfs/bin/ping", "security.capability", caps, sizeof(caps), 0) <
		    0 ||
	    setxattr("/mnt/bundle/rootfs/bin/ping", "trusted.note", "x", 1, 0) < 0 ||
	    utimensat(AT_FDCWD, "/mnt/bundle/rootfs/etc/marker", old, 0) < 0 ||
	    utimensat(AT_FDCWD, "/mnt/bundle/rootfs/etc", old, 0) < 0)
		perror("rootfs");
	remember_image();
}

static void copy_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;
	struct stat st;
	char text[64] = "";

	CHECK(fs_type("/") == TMPFS_MAGIC && (mount_flags("/") & want) == want);
	CHECK(mkdir("/x", 0755) < 0 && errno == EROFS);
	CHECK(owned("/", 0, 0) && owned("/home", 7, 8) && has_mode("/home", 0751));
	CHECK(owned("/home/user/file", 1000, 1000) && owned("/home/foreign", 65534, 65534));
	CHECK_STR(text_of("/home/user/file"), "mine");
	CHECK(has_mode("/bin/suid", 04755) && same_inode("/bin/suid", "/home/user/hard"));
	CHECK(readlink("/home/link", text, sizeof(text) - 1) == 9);
	CHECK(access("/bin/null", F_OK) < 0 && access("/bin/fifo", F_OK) < 0);
	CHECK(stat("/etc/marker", &st) == 0 && st.st_mtime == 1000000000);
	CHECK(stat("/etc", &st) == 0 && st.st_mtime == 1000000000);
	CHECK(getxattr("/bin/ping", "security.capability", text, sizeof(text)) < 0 &&
	      errno == ENODATA);
	CHECK(fs_type("/workspace") == TMPFS_MAGIC && owned("/workspace", 0, 0));
	CHECK(chdir("/srv/app") == 0 && owned("/srv/app", 0, 0));
}

static void test_copy(void)
{
	const struct oci_process process = {.cwd = "/srv/app"};
	const struct oci_mount mounts[] = {LEVEL_MOUNTS, MOUNT("/workspace", "tmpfs", "tmpfs")};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
		.late = true,
		.untouched = true,
		.private_root = true,
		.tmpfs_size = 8 << 20,
		.tmpfs_inodes = 200,
		.prepare = fill_image,
		.inside = copy_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	/* ids of the host already: taken as they are */
	s.unmapped = true;
	s.inside = NULL;
	CHECK(scenario_passes(&s));
}

static void big_file(const char *bundle)
{
	make_dir(bundle, "rootfs/usr", 0755);
	make_file(bundle, "rootfs/usr/big", "x", 0644);
	if (truncate("/mnt/bundle/rootfs/usr/big", 1L << 40) < 0)
		perror("big");
	remember_image();
}

static void many_files(const char *bundle)
{
	char name[64];

	make_dir(bundle, "rootfs/usr", 0755);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "rootfs/usr/%d", i);
		make_file(bundle, name, "", 0644);
	}
}

static void deep_dirs(const char *bundle)
{
	own_fd int at = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int next = openat(at, "rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 200 && next >= 0; i++) {
		own_close(&at);
		at = next;
		CHECK(mkdirat(at, "d", 0755) == 0);
		next = openat(at, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	(void)close(next);
}

static void wait_to_end(const char *bundle)
{
	sigset_t set;

	(void)bundle;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGTERM) == 0);
}

static void test_bounds(void)
{
	const struct {
		void (*prepare)(const char *bundle);
		const char *error;
	} rows[] = {
		{big_file,    "at most 1048576 bytes and 50 inodes): usr/big: copy: no space left"},
		{many_files,  ": usr/"							    },
		{deep_dirs,   "/d/d/d: directories nested deeper than"                            },
		{wait_to_end, "interrupted by a signal"                                           },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct scenario s = {
			.late = true,
			.untouched = true,
			.private_root = true,
			.tmpfs_size = 1 << 20,
			.tmpfs_inodes = 50,
			.prepare = rows[i].prepare,
			.want_error = rows[i].error,
		};

		if (rows[i].prepare == deep_dirs)
			s.tmpfs_inodes = 1000;
		CHECK(scenario_passes(&s));
	}
}

static void empty_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK(fs_type("/") == TMPFS_MAGIC && (mount_flags("/") & want) == want);
	CHECK(owned("/", 0, 0) && has_mode("/", 0755));
	CHECK(mkdir("/x", 0755) < 0 && errno == EROFS);
	CHECK(access("/bin", F_OK) < 0 && access("/etc/marker", F_OK) < 0);
	CHECK_STR(text_of("/usr/etc/marker"), "image");
	/* the host's own files: not mapped, what only its root may read stays closed */
	CHECK((mount_flags("/usr") & want) == want && owned("/usr", 65534, 65534));
	CHECK((mount_flags("/usr/sub") & want) == want);
	CHECK(open("/usr/secret", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(owned("/data", 0, 0) && mkdir("/data/x", 0755) == 0);
	CHECK(chdir("/workspace") == 0 && mkdir("/workspace/x", 0755) == 0);
	CHECK(is_char("/dev/null", 1, 3) && owned("/dev/null", 0, 0));
}

static void host_files(const char *bundle)
{
	fill_image(bundle);
	make_file(bundle, "rootfs/secret", "of root", 0600);
	make_dir(bundle, "rootfs/sub", 0755);
	make_dir("/mnt", "data", 0755);
	if (mount("tmpfs", "/mnt/bundle/rootfs/sub", "tmpfs", 0, NULL) < 0)
		perror("rootfs/sub");
	remember_image();
}

static void test_empty(void)
{
	const struct oci_process process = {.cwd = "/workspace"};
	const struct oci_mount mounts[] = {
		MOUNT("/usr", "bind", "/mnt/bundle/rootfs", "rbind", "rro", "brig.unmapped"),
		MOUNT("/data", "bind", "/mnt/data", "bind", "rw"),
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts,     .n_mounts = LEN(mounts), .process = &process},
		.root = {.path = "/"},
		.late = true,
		.untouched = true,
		.tmpfs_root = true,
		.tmpfs_inodes = 100,
		.prepare = host_files,
		.inside = empty_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (!can_run())
		return 0;
	test_copy();
	test_bounds();
	test_empty();
	return check_done();
}
