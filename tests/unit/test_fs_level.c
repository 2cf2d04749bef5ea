/* The root of a level: built by the host's root, seen from the user namespace entered last. */
#include "fs_level.h"

static void fill_image(const char *bundle)
{
	make_dir(bundle, "rootfs/home", 0755);
	make_dir(bundle, "rootfs/home/user", 0700);
	make_dir(bundle, "rootfs/dev/pts", 0755);
	make_file(bundle, "rootfs/home/user/file", "mine", 0600);
	make_file(bundle, "rootfs/bin/suid", "x", 04755);
	if (chown("/mnt/bundle/rootfs/home/user", 1000, 1000) < 0 ||
	    chown("/mnt/bundle/rootfs/home/user/file", 1000, 1000) < 0 ||
	    mknod("/mnt/bundle/rootfs/bin/null", S_IFCHR | 0666, makedev(1, 3)) < 0)
		perror("rootfs");
	remember_image();
}

static void root_is_guarded(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK((mount_flags("/") & want) == want);
	CHECK(mkdir("/x", 0755) < 0 && errno == EROFS);
	CHECK(open("/bin/null", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(owned("/", 0, 0) && owned("/etc/marker", 0, 0) &&
	      owned("/home/user/file", 1000, 1000));
	CHECK_STR(text_of("/home/user/file"), "mine");
	CHECK_STR(text_of("/etc/marker"), "image");
}

static void mounts_are_owned(void)
{
	CHECK(owned("/dev", 0, 0) && owned("/dev/null", 0, 0) && owned("/dev/fd", 0, 0));
	CHECK(owned("/dev/shm", 0, 0) && owned("/tmp", 0, 0) && owned("/dev/mqueue", 0, 0));
	CHECK(owned("/dev/pts", 0, 0) && owned("/dev/pts/ptmx", 0, 0));
	CHECK(is_char("/dev/null", 1, 3) && access("/dev/null", R_OK | W_OK) == 0);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	(void)close(fd);
	CHECK(mkdir("/tmp/x", 0700) == 0 && owned("/tmp/x", 0, 0));
}

static void plain_inside(void)
{
	root_is_guarded();
	mounts_are_owned();
}

static void test_plain(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = fill_image,
		.inside = plain_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

static void make_volumes(const char *bundle)
{
	fill_image(bundle);
	make_dir("/mnt", "vol", 0755);
	make_dir("/mnt/vol", "sub", 0755);
	make_dir("/mnt/bundle/rootfs", "vol", 0755);
	make_dir("/mnt/bundle/rootfs", "ro", 0755);
	make_dir("/mnt/bundle/rootfs", "conf", 0755);
	make_file("/mnt/bundle/rootfs/etc", "hosts", "", 0644);
	if (mount("tmpfs", "/mnt/vol/sub", "tmpfs", 0, NULL) < 0)
		perror("/mnt/vol/sub");
	make_file("/mnt/vol", "file", "volume", 0640);
	make_file("/mnt/vol/sub", "file", "below", 0640);
	remember_image();
}

static void volumes_inside(void)
{
	const long guards = ST_NOSUID | ST_NODEV;

	CHECK(owned("/vol", 0, 0) && owned("/vol/file", 0, 0) && owned("/vol/sub/file", 0, 0));
	CHECK((mount_flags("/vol") & guards) == guards &&
	      (mount_flags("/vol/sub") & guards) == guards);
	CHECK_STR(text_of("/vol/sub/file"), "below");
	make_file("/vol", "made", "inside", 0600);
	/* a mount point in a volume is made for the sandbox too */
	CHECK(owned("/vol/deep", 0, 0) && owned("/vol/deep/mount", 0, 0));
	CHECK(owned("/conf", 7, 8) && owned("/ro", 0, 0));
	CHECK_STR(text_of("/etc/hosts"), "volume");
}

static void volume_is_roots(void)
{
	CHECK(owned("/mnt/vol/made", 0, 0) && owned("/mnt/vol/deep/mount", 0, 0));
	image_unchanged();
}

static void nothing_recorded(const struct fs *fs)
{
	size_t n = 9;

	(void)fs_recorded(fs, &n);
	CHECK(n == 0);
}

static void test_volumes(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/vol", "bind", "/mnt/vol", "rbind", "rw"),
		MOUNT("/vol/deep/mount", "tmpfs", "tmpfs"),
		MOUNT("/etc/hosts", "bind", "/mnt/vol/file", "bind"),
		MOUNT("/conf", "tmpfs", "tmpfs", "uid=7", "gid=8"),
		MOUNT("/ro", "tmpfs", "tmpfs", "gid=70000"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = make_volumes,
		.opened = nothing_recorded,
		.inside = volumes_inside,
		.after = volume_is_roots,
	};

	CHECK(scenario_passes(&s));
}

static void test_unmapped_user(void)
{
	const struct oci_mount mounts[] = {
		MOUNT("/tmp", "tmpfs", "tmpfs", "uid=70000"),
		MOUNT("/tmp", "tmpfs", "tmpfs", "uid=010"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = 1},
		.late = true,
		.untouched = true,
		.want_error = "mounts[0]: tmpfs on \"/tmp\": option \"uid=70000\": the sandbox's",
	};

	CHECK(scenario_passes(&s));
	s.config.mounts = &mounts[1];
	s.want_error = "not an id";
	CHECK(scenario_passes(&s));
}

/* ramfs cannot be id-mapped, and needs no device. */
static void make_ramfs(const char *bundle)
{
	make_volumes(bundle);
	make_dir("/mnt", "ram", 0755);
	if (mount("ramfs", "/mnt/ram", "ramfs", 0, NULL) < 0)
		perror("/mnt/ram");
	make_file("/mnt/ram", "file", "ram", 0644);
	make_dir("/mnt/ram", "sub", 0755);
	if (mount("tmpfs", "/mnt/ram/sub", "tmpfs", 0, NULL) < 0)
		perror("/mnt/ram/sub");
}

static void two_recorded(const struct fs *fs)
{
	size_t n = 0;
	const char *const *text = fs_recorded(fs, &n);

	CHECK(n == 2);
	CHECK(n == 2 &&
	      strstr(text[0], "mounts[0]: /mnt/ram on /ro: cannot be id-mapped: bound as it is"));
	CHECK(n == 2 &&
	      strstr(text[1], "/etc/hosts: cannot be id-mapped: bound as it is, made read-only"));
}

static void ramfs_inside(void)
{
	CHECK(owned("/ro/file", 65534, 65534) && owned("/etc/hosts", 65534, 65534));
	CHECK(is_readonly("/ro") && is_readonly("/ro/sub") && is_readonly("/etc/hosts"));
	CHECK_STR(text_of("/etc/hosts"), "ram");
}

static void test_unmappable(void)
{
	const struct oci_mount mounts[] = {
		MOUNT("/ro", "bind", "/mnt/ram", "rbind", "ro"),
		MOUNT("/etc/hosts", "bind", "/mnt/ram/file", "bind"),
		MOUNT("/dev", "tmpfs", "tmpfs", "mode=755"),
		MOUNT("/vol", "bind", "/mnt/ram", "bind"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = 3},
		.late = true,
		.untouched = true,
		.prepare = make_ramfs,
		.opened = two_recorded,
		.inside = ramfs_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.opened = NULL;
	s.config.n_mounts = 4;
	s.want_error = "/mnt/ram cannot be id-mapped";
	CHECK(scenario_passes(&s));
}

static void ramfs_root(const char *bundle)
{
	(void)bundle;
	if (mount("ramfs", "/mnt/bundle/rootfs", "ramfs", 0, NULL) < 0)
		perror("rootfs");
}

static void ramfs_below(const char *bundle)
{
	(void)bundle;
	if (mount("ramfs", "/mnt/bundle/rootfs/etc", "ramfs", 0, NULL) < 0)
		perror("rootfs/etc");
}

static void tmpfs_below(const char *bundle)
{
	if (mount("tmpfs", "/mnt/bundle/rootfs/etc", "tmpfs", 0, "mode=755") < 0)
		perror("rootfs/etc");
	make_file(bundle, "rootfs/etc/marker", "image", 0644);
}

static void below_inside(void)
{
	CHECK(owned("/etc/marker", 0, 0) && is_readonly("/etc"));
	CHECK((mount_flags("/etc") & (ST_NOSUID | ST_NODEV)) == (ST_NOSUID | ST_NODEV));
}

static void test_unmappable_root(void)
{
	const struct oci_mount dev = MOUNT("/dev", "tmpfs", "tmpfs", "mode=755");
	struct scenario s = {
		.config = {.mounts = &dev, .n_mounts = 1},
		.late = true,
		.untouched = true,
		.prepare = ramfs_root,
		.want_error = "cannot be id-mapped: put the image on ext4, xfs, btrfs or tmpfs, or "
			      "have it copied (root.private)",
	};

	CHECK(scenario_passes(&s));
	s.prepare = ramfs_below;
	s.want_error = "something mounted below /mnt/bundle/rootfs cannot be id-mapped";
	CHECK(scenario_passes(&s));
	s.prepare = tmpfs_below;
	s.want_error = NULL;
	s.inside = below_inside;
	CHECK(scenario_passes(&s));
}

/* The engine's own mapping: the image is stored with ids of the host. */
static void shift_image(const char *bundle)
{
	(void)bundle;
	if (system("chown -Rh 100000:100000 /mnt/bundle/rootfs") != 0)
		perror("chown");
}

static void shifted_inside(void)
{
	CHECK(owned("/", 0, 0) && owned("/etc/marker", 0, 0) && is_readonly("/"));
	mounts_are_owned();
}

static void test_mapped_by_engine(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.unmapped = true,
		.untouched = true,
		.prepare = shift_image,
		.inside = shifted_inside,
	};

	CHECK(scenario_passes(&s));
}

static void make_console(const struct fs_plan *p, struct fs *fs)
{
	int master = -1, slave = -1;
	struct stat st;
	struct err e;

	CHECK(fs_console(p, fs, NULL, 7, &master, &slave, &e) == 0);
	CHECK(fstat(slave, &st) == 0 && st.st_uid == MAPPED_ROOT + 7 &&
	      st.st_gid == MAPPED_ROOT + 5);
	CHECK(fs_console(p, fs, NULL, 70000, &master, &slave, &e) < 0);
	CHECK(strstr(e.msg, "user 70000 is not in the sandbox's user namespace"));
}

static void console_inside(void)
{
	CHECK(owned("/dev/console", 7, 5) && owned("/dev/pts/0", 7, 5));
}

static void test_console(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = fill_image,
		.before_enter = make_console,
		.inside = console_inside,
	};

	CHECK(scenario_passes(&s));
}

static void devices_inside(void)
{
	CHECK(is_char("/dev/fuse", 10, 229) && owned("/dev/fuse", 0, 44));
	CHECK(is_char("/dev/fuse2", 10, 229) && owned("/dev/fuse2", 0, 44));
}

static void test_devices(void)
{
	static const int64_t ten = 10, fuse = 229;
	static const uint32_t gid = 44, foreign = 70000;
	static const struct oci_device devices[] = {
		{"c", "/dev/fuse",  &ten, &fuse, NULL, NULL,     &gid},
		{"c", "/dev/fuse2", &ten, &fuse, NULL, &foreign, &gid},
	};
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts,   .n_mounts = LEN(mounts)  },
		.linux_ = {.devices = devices, .n_devices = LEN(devices)},
		.late = true,
		.untouched = true,
		.prepare = fill_image,
		.inside = devices_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (!can_run())
		return 0;
	test_plain();
	test_volumes();
	test_unmapped_user();
	test_unmappable();
	test_unmappable_root();
	test_mapped_by_engine();
	test_console();
	test_devices();
	return check_done();
}
