/* Images made to lead the runtime astray, at a level: nothing outside and nothing in the image. */
#include <linux/fs.h>

#include "fs_level.h"

static void link_at(const char *target, const char *path)
{
	(void)rmdir(path); /* the fixture may have made a directory there */
	if (symlink(target, path) < 0)
		perror(path);
}

static void make_outside(const char *bundle)
{
	(void)bundle;
	make_dir("/mnt", "outside", 0755);
	make_file("/mnt/outside", "ptmx", "marker", 0600);
}

static void outside_untouched(void)
{
	struct stat st;

	CHECK_STR(text_of("/mnt/outside/ptmx"), "marker");
	CHECK(stat("/mnt/outside/ptmx", &st) == 0 && st.st_uid == 0 &&
	      (st.st_mode & 07777) == 0600);
	CHECK(stat("/mnt/outside", &st) == 0 && st.st_uid == 0 && st.st_nlink == 2);
	CHECK(system("test \"$(ls /mnt/outside)\" = ptmx") == 0);
	CHECK(access("/sub", F_OK) < 0 && access("/nowhere", F_OK) < 0);
	CHECK(access("/mnt/sub", F_OK) < 0 && access("/mnt/bundle/nowhere", F_OK) < 0);
	image_unchanged();
}

static void links(const char *bundle)
{
	make_outside(bundle);
	link_at("../../../..", "/mnt/bundle/rootfs/up");
	link_at("/", "/mnt/bundle/rootfs/slash");
	link_at("/nowhere", "/mnt/bundle/rootfs/dangling");
	link_at("/mnt/outside", "/mnt/bundle/rootfs/out");
	link_at("../../mnt/outside/x", "/mnt/bundle/rootfs/etc/out");
	link_at("loop2", "/mnt/bundle/rootfs/loop1");
	link_at("loop1", "/mnt/bundle/rootfs/loop2");
	link_at("/missing/../etc/marker", "/mnt/bundle/rootfs/twisted");
	link_at("/proc/1/root/mnt/outside", "/mnt/bundle/rootfs/magic");
	remember_image();
}

static void landed_inside(void)
{
	CHECK(fs_type("/sub/dir") == TMPFS_MAGIC && owned("/sub", 0, 0));
	CHECK(fs_type("/mnt/outside/deep") == TMPFS_MAGIC && fs_type("/nowhere/x") == TMPFS_MAGIC);
	CHECK(access("/mnt/outside/ptmx", F_OK) < 0);
	CHECK_STR(text_of("/mnt/outside/x"), "marker");
	CHECK(access("/mnt/outside/cwd", F_OK) == 0);
}

static void test_links(void)
{
	const struct oci_process process = {.cwd = "/out/cwd"};
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/up/sub/dir", "tmpfs", "tmpfs"),
		MOUNT("/out/deep", "tmpfs", "tmpfs"),
		MOUNT("/dangling/x", "tmpfs", "tmpfs"),
		MOUNT("/etc/out", "bind", "/mnt/outside/ptmx", "bind", "ro"),
	};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
		.late = true,
		.untouched = true,
		.prepare = links,
		.inside = landed_inside,
		.after = outside_untouched,
	};

	CHECK(scenario_passes(&s));
}

static void test_refused_links(void)
{
	const struct {
		struct oci_mount mount;
		const char *error;
	} rows[] = {
		{MOUNT("/loop1/x",            "tmpfs", "tmpfs"), "too many levels of symbolic links"},
		{MOUNT("/slash",              "tmpfs", "tmpfs"), "mounting into / is prohibited"    },
		{MOUNT("/twisted",            "tmpfs", "tmpfs"), "mounts[1]: error mounting"        },
		{MOUNT("/etc/marker/x",       "tmpfs", "tmpfs"), "not a directory"                  },
		{MOUNT("/magic/../x/../../y", "none",  "none"),  "file system type none"            },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct oci_mount mounts[] = {
			MOUNT("/dev", "tmpfs", "tmpfs", "mode=755"),
			rows[i].mount,
		};
		struct scenario s = {
			.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
			.late = true,
			.untouched = true,
			.prepare = links,
			.after = outside_untouched,
			.want_error = rows[i].error,
		};

		CHECK(scenario_passes(&s));
	}
}

static void dev_is_link(const char *bundle)
{
	make_outside(bundle);
	link_at("/mnt/outside", "/mnt/bundle/rootfs/dev");
	remember_image();
}

static void dev_is_relative_link(const char *bundle)
{
	make_outside(bundle);
	link_at("../../outside", "/mnt/bundle/rootfs/dev");
	remember_image();
}

static void proc_is_link(const char *bundle)
{
	make_outside(bundle);
	link_at("/mnt/outside", "/mnt/bundle/rootfs/proc");
	remember_image();
}

static void test_dev_and_proc(void)
{
	const struct {
		void (*prepare)(const char *bundle);
		const char *error;
	} rows[] = {
		{dev_is_link,          "/dev"                     },
		{dev_is_relative_link, "/dev"                     },
		{proc_is_link,         "mounted on ordinary direc"},
	};
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct scenario s = {
			.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
			.late = true,
			.untouched = true,
			.prepare = rows[i].prepare,
			.after = outside_untouched,
			.want_error = rows[i].error,
		};

		CHECK(scenario_passes(&s));
	}
}

/* /dev/console and /dev/null of the image lie below brig's own /dev. */
static void dev_content(const char *bundle)
{
	make_outside(bundle);
	link_at("/mnt/outside/ptmx", "/mnt/bundle/rootfs/dev/console");
	link_at("/mnt/outside/ptmx", "/mnt/bundle/rootfs/dev/null");
	link_at("/mnt/outside/ptmx", "/mnt/bundle/rootfs/dev/ptmx");
	remember_image();
}

static void make_console(const struct fs_plan *p, struct fs *fs)
{
	int master = -1, slave = -1;
	struct err e;

	CHECK(fs_console(p, fs, NULL, 0, &master, &slave, &e) == 0);
}

static void own_dev_inside(void)
{
	CHECK(is_char("/dev/null", 1, 3) && owned("/dev/null", 0, 0));
	CHECK(owned("/dev/console", 0, 5) && fs_type("/dev") == TMPFS_MAGIC);
}

static void test_dev_content(void)
{
	const struct oci_mount mounts[] = {LEVEL_MOUNTS};
	struct scenario s = {
		.config = {.mounts = mounts, .n_mounts = LEN(mounts)},
		.late = true,
		.untouched = true,
		.prepare = dev_content,
		.before_enter = make_console,
		.inside = own_dev_inside,
		.after = outside_untouched,
	};

	CHECK(scenario_passes(&s));
}

/* Somebody swaps a directory of the image and a symlink to the outside, all the time. */
static pid_t swapper;

static void start_swapping(const char *bundle)
{
	make_outside(bundle);
	make_dir(bundle, "rootfs/a", 0755);
	make_dir(bundle, "rootfs/a/b", 0755);
	link_at("/mnt/outside", "/mnt/bundle/rootfs/l");
	link_at("../../outside", "/mnt/bundle/rootfs/m");
	swapper = fork();
	while (swapper == 0) {
		(void)renameat2(AT_FDCWD, "/mnt/bundle/rootfs/a", AT_FDCWD, "/mnt/bundle/rootfs/l",
				RENAME_EXCHANGE);
		(void)renameat2(AT_FDCWD, "/mnt/bundle/rootfs/a", AT_FDCWD, "/mnt/bundle/rootfs/m",
				RENAME_EXCHANGE);
	}
}

static void stop_swapping(void)
{
	CHECK(kill(swapper, SIGKILL) == 0 && waitpid(swapper, NULL, 0) == swapper);
	CHECK(system("test \"$(ls /mnt/outside)\" = ptmx") == 0);
	CHECK(system("test \"$(ls -d /mnt/bundle/rootfs/*/* | grep -c /new)\" = 0") == 0);
	CHECK_STR(text_of("/mnt/outside/ptmx"), "marker");
	CHECK(system("grep -c 'mnt/outside' /proc/self/mountinfo >/dev/null") != 0);
}

static void test_swaps(void)
{
	const struct oci_process process = {.cwd = "/a/b/cwd"};
	const struct oci_mount mounts[] = {
		LEVEL_MOUNTS,
		MOUNT("/a/new/x", "tmpfs", "tmpfs"),
		MOUNT("/a/b/new", "tmpfs", "tmpfs"),
		MOUNT("/l/new", "bind", "/mnt/outside/ptmx", "bind", "ro"),
	};

	for (int i = 0; i < 40; i++) {
		/* An error is a good end too; which one is chance. */
		struct scenario s = {
			.config = {.mounts = mounts, .n_mounts = LEN(mounts), .process = &process},
			.late = true,
			.untouched = true,
			.may_fail = true,
			.prepare = start_swapping,
			.after = stop_swapping,
		};

		CHECK(scenario_passes(&s));
	}
}

int main(void)
{
	if (!can_run())
		return 0;
	test_links();
	test_refused_links();
	test_dev_and_proc();
	test_dev_content();
	test_swaps();
	return check_done();
}
