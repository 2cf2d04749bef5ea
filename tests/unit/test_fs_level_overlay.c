/* Missing mount points, and images that are overlays: made anew read-only, never written. */
#include "fs_level.h"

static void fill_image(const char *bundle)
{
	make_dir(bundle, "rootfs/home", 0751);
	make_dir(bundle, "rootfs/home/user", 0700);
	make_dir(bundle, "rootfs/run", 0755);
	make_file(bundle, "rootfs/home/user/file", "mine", 0600);
	make_file(bundle, "rootfs/etc/hosts", "", 0644);
	make_file("/mnt", "hosts", "of the engine", 0644);
	if (chown("/mnt/bundle/rootfs/home", 7, 8) < 0 ||
	    chown("/mnt/bundle/rootfs/home/user/file", 1000, 1000) < 0 ||
	    chmod("/mnt/bundle/rootfs", 0555) < 0 ||
	    symlink("/run", "/mnt/bundle/rootfs/varrun") < 0 ||
	    symlink("../run/resolve/stub.conf", "/mnt/bundle/rootfs/etc/resolv.conf") < 0 ||
	    symlink("../../../../home", "/mnt/bundle/rootfs/etc/out") < 0)
		perror("rootfs");
	remember_image();
}

static bool has_mode(const char *path, mode_t mode)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 07777) == mode;
}

static void guarded(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK((mount_flags("/") & want) == want);
	CHECK(mkdir("/x", 0755) < 0 && errno == EROFS);
	CHECK(owned("/", 0, 0) && has_mode("/", 0555));
	CHECK(owned("/home", 7, 8) && has_mode("/home", 0751));
	CHECK(owned("/home/user/file", 1000, 1000) && owned("/etc/marker", 0, 0));
	CHECK_STR(text_of("/etc/marker"), "image");
	CHECK_STR(text_of("/home/user/file"), "mine");
}

/* The image's place on the host is nobody's business. */
static bool tells_host_paths(void)
{
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "/mnt/") || strstr(line, "bundle"))
			return true;
	return !f;
}

static void missing_inside(void)
{
	guarded();
	CHECK(!tells_host_paths());
	CHECK(fs_type("/") == OVERLAYFS_SUPER_MAGIC);
	CHECK(fs_type("/workspace") == TMPFS_MAGIC && owned("/workspace", 0, 0));
	CHECK(fs_type("/home/deep/er") == TMPFS_MAGIC && owned("/home/deep", 0, 0));
	CHECK(has_mode("/home/deep", 0755));
	CHECK(fs_type("/run/inner") == TMPFS_MAGIC);
	CHECK_STR(text_of("/init"), "of the engine");
	CHECK_STR(text_of("/etc/resolv.conf"), "of the engine");
	CHECK(is_readonly("/run/resolve/stub.conf"));
	CHECK(fs_type("/home/missing") == TMPFS_MAGIC);
	CHECK(access("/srv/app", F_OK) == 0 && owned("/srv/app", 0, 0) && chdir("/srv/app") == 0);
	CHECK(mkdir("/srv/app/x", 0755) < 0 && errno == EROFS);
}

static void test_missing(void)
{
	const struct oci_process process = {.cwd = "/srv/./app/"};
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs", "size=1m"),
		MOUNT("/home/deep/er", "tmpfs", "tmpfs"),
		MOUNT("/varrun/inner", "tmpfs", "tmpfs"),
		MOUNT("/init", "bind", "/mnt/hosts", "bind", "ro"),
		MOUNT("/etc/resolv.conf", "bind", "/mnt/hosts", "bind", "ro"),
		MOUNT("/etc/out/missing", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
		.late = true,
		.untouched = true,
		.prepare = fill_image,
		.inside = missing_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.no_pivot = true;
	CHECK(scenario_passes(&s));
}

/* Nothing is missing: what lies below a mount is made in that mount. */
static void covered_inside(void)
{
	CHECK(fs_type("/") == TMPFS_MAGIC);
	CHECK(owned("/tmp/a/b", 0, 0) && owned("/run/inner", 0, 0) && chdir("/tmp/a/b") == 0);
}

static void test_covered(void)
{
	const struct oci_process process = {.cwd = "/tmp/a/b"};
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/run", "tmpfs", "tmpfs"),
		MOUNT("/varrun/inner", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
		.late = true,
		.untouched = true,
		.prepare = fill_image,
		.inside = covered_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
}

/* Without rights on the host the child does all of it in its own user namespace. */
static void rootless_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK(fs_type("/") == OVERLAYFS_SUPER_MAGIC && (mount_flags("/") & want) == want);
	CHECK(owned("/", 0, 0) && owned("/etc/marker", 0, 0) && owned("/home", 0, 0));
	CHECK_STR(text_of("/etc/marker"), "image");
	CHECK(fs_type("/workspace") == TMPFS_MAGIC && owned("/workspace", 0, 0));
	CHECK(fs_type("/home/deep/er") == TMPFS_MAGIC && has_mode("/home", 0751));
	CHECK(chdir("/srv/app") == 0 && mkdir("/srv/app/x", 0755) < 0 && errno == EROFS);
}

static void image_exists(void)
{
	CHECK(access("/mnt/bundle/rootfs/workspace", F_OK) < 0);
	CHECK(access("/mnt/bundle/rootfs/home/deep", F_OK) < 0);
	CHECK(access("/mnt/bundle/rootfs/srv", F_OK) < 0);
}

static void test_rootless(void)
{
	const struct oci_process process = {.cwd = "/srv/app"};
	const struct oci_mount mounts[] = {
		MOUNT("/proc", "proc", "proc"),
		MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
		MOUNT("/workspace", "tmpfs", "tmpfs", "size=1m"),
		MOUNT("/home/deep/er", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
		.userns = true,
		.rootless = true,
		.untouched = true,
		.prepare = fill_image,
		.inside = rootless_inside,
		.after = image_exists,
	};

	CHECK(scenario_passes(&s));
}

/* What is mounted below the image stays in sight when the root becomes an overlay. */
static void mount_below(const char *bundle)
{
	fill_image(bundle);
	if (mount("tmpfs", "/mnt/bundle/rootfs/home/user", "tmpfs", 0, "mode=755") < 0 ||
	    mkdir("/mnt/bundle/rootfs/home/user/sub", 0755) < 0 ||
	    mount("tmpfs", "/mnt/bundle/rootfs/home/user/sub", "tmpfs", 0, "mode=755") < 0)
		perror("rootfs/home/user");
	make_file(bundle, "rootfs/home/user/file", "on top", 0644);
	make_file(bundle, "rootfs/home/user/sub/file", "deeper", 0644);
}

static void below_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK(fs_type("/") == OVERLAYFS_SUPER_MAGIC && fs_type("/workspace") == TMPFS_MAGIC);
	CHECK_STR(text_of("/home/user/file"), "on top");
	CHECK_STR(text_of("/home/user/sub/file"), "deeper");
	CHECK(owned("/home/user/file", 0, 0) && owned("/home/user/sub/file", 0, 0));
	CHECK((mount_flags("/home/user") & want) == want);
	CHECK((mount_flags("/home/user/sub") & want) == want);
}

static void test_below(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS, MOUNT("/workspace", "tmpfs", "tmpfs")};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = mount_below,
		.inside = below_inside,
	};

	CHECK(scenario_passes(&s));
}

/*
 * An engine's root: layers on a tmpfs, an upper one, options that decide how they read, and
 * names that need escapes.
 */
static void stack_overlay(const char *options, const char *target)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "lowerdir=/mnt/l/two\\:2\\,x:/mnt/l/one,upperdir=/mnt/l/up\\,per,workdir=/mnt/l/"
		 "work%s",
		 options);
	if (mount("overlay", target, "overlay", 0, text) < 0)
		perror(text);
}

static void fill_layers(void)
{
	static const char *const dirs[] = {"one",      "one/etc",    "one/home", "one/tmp",
					   "one/proc", "one/sys",    "two:2,x",  "two:2,x/etc",
					   "up,per",   "up,per/etc", "work"};

	make_dir("/mnt", "l", 0755);
	for (size_t i = 0; i < LEN(dirs); i++)
		make_dir("/mnt/l", dirs[i], 0755);
	make_file("/mnt/l", "one/etc/marker", "one", 0644);
	make_file("/mnt/l", "one/etc/gone", "gone", 0644);
	make_file("/mnt/l", "one/etc/low", "low", 0644);
	make_file("/mnt/l", "two:2,x/etc/marker", "two", 0644);
	make_file("/mnt/l", "two:2,x/etc/mid", "mid", 0644);
	make_file("/mnt/l", "up,per/etc/marker", "image", 0644);
	if (chown("/mnt/l/one/home", 7, 8) < 0 || mknod("/mnt/l/up,per/etc/gone", S_IFCHR, 0) < 0)
		perror("layers");
}

static void engine_overlay(const char *bundle)
{
	(void)bundle;
	fill_layers();
	stack_overlay("", "/mnt/bundle/rootfs");
	make_dir(bundle, "rootfs/dev", 0755);
	make_file(bundle, "rootfs/etc/made", "by the engine", 0644);
	remember_image();
}

static void engine_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	CHECK(fs_type("/") == OVERLAYFS_SUPER_MAGIC && (mount_flags("/") & want) == want);
	CHECK(owned("/", 0, 0) && owned("/etc/marker", 0, 0) && owned("/home", 7, 8));
	CHECK(!tells_host_paths());
	CHECK_STR(text_of("/etc/marker"), "image");
	CHECK_STR(text_of("/etc/low"), "low");
	CHECK_STR(text_of("/etc/mid"), "mid");
	CHECK_STR(text_of("/etc/made"), "by the engine");
	CHECK(access("/etc/gone", F_OK) < 0 && errno == ENOENT);
	CHECK(mkdir("/etc/x", 0755) < 0 && errno == EROFS);
}

static void engine_missing_inside(void)
{
	engine_inside();
	CHECK(fs_type("/etc/missing/deep") == TMPFS_MAGIC && owned("/etc/missing", 0, 0));
	CHECK(fs_type("/workspace") == TMPFS_MAGIC);
}

static void test_engine_overlay(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
		MOUNT("/etc/missing/deep", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts) - 2},
		.late = true,
		.untouched = true,
		.prepare = engine_overlay,
		.inside = engine_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.config.n_mounts = LEN(mounts);
	s.inside = engine_missing_inside;
	CHECK(scenario_passes(&s));
}

static void overlay_with_mount(const char *bundle)
{
	engine_overlay(bundle);
	make_dir(bundle, "rootfs/vol", 0755);
	if (mount("tmpfs", "/mnt/bundle/rootfs/vol", "tmpfs", 0, "mode=755") < 0)
		perror("rootfs/vol");
	make_file(bundle, "rootfs/vol/file", "volume", 0644);
	remember_image();
}

static void overlay_mount_inside(void)
{
	const long want = ST_RDONLY | ST_NOSUID | ST_NODEV;

	engine_missing_inside();
	CHECK_STR(text_of("/vol/file"), "volume");
	CHECK(owned("/vol/file", 0, 0) && (mount_flags("/vol") & want) == want);
}

static void overlay_with_ramfs(const char *bundle)
{
	engine_overlay(bundle);
	make_dir(bundle, "rootfs/vol", 0755);
	if (mount("ramfs", "/mnt/bundle/rootfs/vol", "ramfs", 0, NULL) < 0)
		perror("rootfs/vol");
	remember_image();
}

static void test_mount_below_overlay(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
		MOUNT("/etc/missing/deep", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = overlay_with_mount,
		.inside = overlay_mount_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.prepare = overlay_with_ramfs;
	s.want_error =
		"/mnt/bundle/rootfs/vol, mounted below the image: set mount attributes and id";
	CHECK(scenario_passes(&s));
}

/* A bundle that lies on an overlay itself: a directory of it is the image. */
static void bundle_on_overlay(const char *bundle)
{
	(void)bundle;
	fill_layers();
	if (umount2("/mnt/bundle", MNT_DETACH) < 0 && errno != EINVAL)
		perror("/mnt/bundle");
	make_dir("/mnt/l", "one/rootfs", 0755);
	if (system("mv /mnt/l/one/etc /mnt/l/one/home /mnt/l/one/tmp /mnt/l/one/proc "
		   "/mnt/l/one/sys "
		   "/mnt/l/one/rootfs && mkdir /mnt/l/up,per/rootfs /mnt/l/two:2,x/rootfs && "
		   "mv /mnt/l/up,per/etc /mnt/l/up,per/rootfs/ && "
		   "mv /mnt/l/two:2,x/etc /mnt/l/two:2,x/rootfs/") != 0)
		perror("layers");
	stack_overlay("", "/mnt/bundle");
	make_dir("/mnt/bundle", "rootfs/dev", 0755);
	make_file("/mnt/bundle", "rootfs/etc/made", "by the engine", 0644);
	remember_image();
}

static void test_sub_of_overlay(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
		MOUNT("/etc/missing/deep", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts) - 2},
		.late = true,
		.untouched = true,
		.prepare = bundle_on_overlay,
		.inside = engine_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
	s.config.n_mounts = LEN(mounts);
	s.inside = engine_missing_inside;
	CHECK(scenario_passes(&s));
}

/* An overlay whose lowest layer is on another overlay. */
static void overlay_on_overlay(const char *bundle)
{
	fill_layers();
	make_dir("/mnt", "base", 0755);
	stack_overlay("", "/mnt/base");
	make_dir("/mnt", "up2", 0755);
	make_dir("/mnt", "work2", 0755);
	make_dir("/mnt", "up2/dev", 0755);
	if (mount("overlay", "/mnt/bundle/rootfs", "overlay", 0,
		  "lowerdir=/mnt/base,upperdir=/mnt/up2,workdir=/mnt/work2") < 0)
		perror("second overlay");
	make_file(bundle, "rootfs/etc/made", "by the engine", 0644);
	remember_image();
}

static void test_overlay_on_overlay(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
		MOUNT("/etc/missing/deep", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = overlay_on_overlay,
		.inside = engine_missing_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
}

static void relative_overlay(const char *bundle)
{
	(void)bundle;
	fill_layers();
	if (chdir("/mnt/l") < 0 ||
	    mount("overlay", "/mnt/bundle/rootfs", "overlay", 0,
		  "lowerdir=one,upperdir=/mnt/l/up\\,per,workdir=work") < 0 ||
	    chdir("/") < 0)
		perror("relative overlay");
}

static void test_relative(void)
{
	struct scenario s = {
		.late = true,
		.untouched = true,
		.prepare = relative_overlay,
		.want_error = "layer one: a relative path",
	};

	CHECK(scenario_passes(&s));
}

static void metacopy_overlay(const char *bundle)
{
	fill_layers();
	make_dir("/mnt", "l/one/dir", 0755);
	make_file("/mnt", "l/one/dir/file", "moved", 0644);
	stack_overlay(",metacopy=on,redirect_dir=on", "/mnt/bundle/rootfs");
	make_dir(bundle, "rootfs/dev", 0755);
	make_file(bundle, "rootfs/etc/made", "by the engine", 0644);
	if (chmod("/mnt/bundle/rootfs/etc/low", 0600) < 0 ||
	    rename("/mnt/bundle/rootfs/dir", "/mnt/bundle/rootfs/renamed") < 0)
		perror("metacopy");
	remember_image();
}

static void metacopy_inside(void)
{
	engine_inside();
	CHECK(has_mode("/etc/low", 0600));
	CHECK_STR(text_of("/renamed/file"), "moved");
	CHECK(access("/dir", F_OK) < 0);
}

static void test_metacopy(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = metacopy_overlay,
		.inside = metacopy_inside,
	};

	CHECK(scenario_passes(&s));
}

/* The engine has mapped its overlay: it is one layer as it is. */
static void shifted_overlay(const char *bundle)
{
	fill_layers();
	stack_overlay("", "/mnt/bundle/rootfs");
	make_dir(bundle, "rootfs/dev", 0755);
	make_file(bundle, "rootfs/etc/made", "by the engine", 0644);
	if (system("chown -Rh 100000:100000 /mnt/bundle/rootfs") != 0 ||
	    chown("/mnt/bundle/rootfs/home", 100007, 100008) < 0)
		perror("chown");
	remember_image();
}

static void test_shifted_overlay(void)
{
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/workspace", "tmpfs", "tmpfs"),
		MOUNT("/etc/missing/deep", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.unmapped = true,
		.untouched = true,
		.prepare = shifted_overlay,
		.inside = engine_missing_inside,
		.after = image_unchanged,
	};

	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 0;
	}
	/* needs no id-mapped mount */
	test_shifted_overlay();
	if (!can_run())
		return check_done();
	test_missing();
	test_covered();
	test_rootless();
	test_below();
	test_engine_overlay();
	test_mount_below_overlay();
	test_sub_of_overlay();
	test_overlay_on_overlay();
	test_relative();
	test_metacopy();
	return check_done();
}
