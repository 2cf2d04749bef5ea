/* Images that were made to lead the runtime astray: nothing outside may be touched. */
#include <sys/ioctl.h>

#include "fs_fixture.h"

static const struct oci_mount proc_and_dev[] = {
	MOUNT("/proc", "proc", "proc"),
	MOUNT("/dev", "tmpfs", "tmpfs", "mode=755"),
	MOUNT("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666"),
};

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

static void dev_is_absolute_link(const char *bundle)
{
	make_outside(bundle);
	link_at("/mnt/outside", "/mnt/bundle/rootfs/dev");
}

static void dev_is_relative_link(const char *bundle)
{
	make_outside(bundle);
	link_at("../../outside", "/mnt/bundle/rootfs/dev");
}

static void dev_is_link_inside(const char *bundle)
{
	make_outside(bundle);
	link_at("etc", "/mnt/bundle/rootfs/dev");
}

static void outside_untouched(void)
{
	struct stat st;

	CHECK_STR(text_of("/mnt/outside/ptmx"), "marker");
	CHECK(stat("/mnt/outside/ptmx", &st) == 0 && st.st_uid == 0 &&
	      (st.st_mode & 07777) == 0600);
	CHECK(access("/mnt/outside/null", F_OK) < 0 && access("/mnt/outside/fd", F_OK) < 0);
	CHECK(access("/mnt/bundle/rootfs/etc/null", F_OK) < 0);
	CHECK(access("/mnt/outside/console", F_OK) < 0);
}

static void test_dev_symlink(void)
{
	void (*const kinds[])(const char *) = {dev_is_absolute_link, dev_is_relative_link,
					       dev_is_link_inside};

	for (size_t i = 0; i < LEN(kinds); i++) {
		struct scenario s = {
			.prepare = kinds[i], .after = outside_untouched, .want_error = "/dev"};

		CHECK(scenario_passes(&s));
		s.userns = true;
		CHECK(scenario_passes(&s));
	}
}

static void proc_is_link(const char *bundle)
{
	(void)bundle;
	link_at("tmp", "/mnt/bundle/rootfs/proc");
	link_at("/tmp", "/mnt/bundle/rootfs/sys");
}

static void proc_is_file(const char *bundle)
{
	(void)rmdir("/mnt/bundle/rootfs/proc");
	make_file(bundle, "rootfs/proc", "", 0644);
}

static void test_proc_symlink(void)
{
	const struct oci_mount sys[] = {MOUNT("/sys", "sysfs", "sysfs")};
	struct scenario s = {
		.config = {.mounts = proc_and_dev, .n_mounts = 1},
		.prepare = proc_is_link,
		.want_error = "must be mounted on ordinary directory"
        };

	CHECK(scenario_passes(&s));
	s.prepare = proc_is_file;
	CHECK(scenario_passes(&s));
	s.prepare = proc_is_link;
	s.config.mounts = sys;
	CHECK(scenario_passes(&s));
}

static void escape_links(const char *bundle)
{
	make_outside(bundle);
	link_at("../../../..", "/mnt/bundle/rootfs/up");
	link_at("/", "/mnt/bundle/rootfs/slash");
	link_at("/nowhere", "/mnt/bundle/rootfs/dangling");
	link_at("/proc/self", "/mnt/bundle/rootfs/self");
	link_at("/mnt/outside", "/mnt/bundle/rootfs/out");
}

static void landed_inside(void)
{
	CHECK_STR(text_of("/sub/ptmx"), "marker");
	CHECK_STR(text_of("/mnt/deep/er/ptmx"), "marker");
}

static void made_at_target(void)
{
	CHECK_STR(text_of("/nowhere/x/ptmx"), "marker");
}

static void nothing_on_host(void)
{
	outside_untouched();
	CHECK(access("/sub", F_OK) < 0 && access("/mnt/sub", F_OK) < 0);
	CHECK(access("/mnt/deep", F_OK) < 0 && access("/mnt/bundle/nowhere", F_OK) < 0);
	CHECK(access("/nowhere", F_OK) < 0);
}

static void test_destination_symlinks(void)
{
	const struct oci_mount up[] = {MOUNT("/up/sub", "bind", "/mnt/outside", "rbind"),
				       MOUNT("/slash/mnt/deep/er", "bind", "/mnt/outside", "bind")};
	const struct oci_mount slash[] = {MOUNT("/slash", "bind", "/mnt/outside", "rbind")};
	const struct oci_mount dangling[] = {MOUNT("/dangling/x", "bind", "/mnt/outside", "bind")};
	const struct oci_mount into_proc[] = {
		MOUNT("/proc", "proc", "proc"),
		MOUNT("/self/attr", "bind", "/mnt/outside", "bind"),
	};
	const struct oci_mount over_proc[] = {
		MOUNT("/proc", "proc", "proc"),
		MOUNT("/slash/proc", "tmpfs", "tmpfs"),
	};
	struct scenario s = {
		.config = {.mounts = up, .n_mounts = 2},
		.prepare = escape_links,
		.inside = landed_inside,
		.after = nothing_on_host
        };

	CHECK(scenario_passes(&s));
	s.inside = NULL;
	s.config.n_mounts = 1;
	s.config.mounts = slash;
	s.want_error = "mounting into / is prohibited";
	CHECK(scenario_passes(&s));
	s.config.mounts = dangling;
	s.want_error = NULL;
	s.inside = made_at_target;
	CHECK(scenario_passes(&s));
	s.inside = NULL;
	s.config.n_mounts = 2;
	s.config.mounts = into_proc;
	s.want_error = "inside /proc";
	CHECK(scenario_passes(&s));
	s.config.mounts = over_proc;
	s.want_error = "not of type proc";
	CHECK(scenario_passes(&s));
}

static void null_is_link(const char *bundle)
{
	(void)bundle;
	link_at("/proc/sys/kernel/core_pattern", "/mnt/bundle/rootfs/dev/null");
}

static void mask_links(const char *bundle)
{
	link_at("/etc/marker", "/mnt/bundle/rootfs/etc/alias");
	make_dir(bundle, "rootfs/secret", 0755);
	make_file(bundle, "rootfs/secret/key", "secret", 0644);
}

static void masked_inside(void)
{
	CHECK(is_char("/etc/marker", 1, 3));
	CHECK_STR(text_of("/etc/marker"), "");
	CHECK(access("/secret/key", F_OK) < 0);
	CHECK(mkdir("/secret/x", 0755) < 0 && errno == EROFS);
}

static void test_masks(void)
{
	static const char *const masked[] = {"/etc/alias", "/secret", "/missing", "/etc/marker/x"};
	static const char *const magic[] = {"/proc/self/root/etc/marker"};
	struct scenario s = {
		.config = {.mounts = proc_and_dev, .n_mounts = 3                },
		.linux_ = {.masked_paths = masked, .n_masked_paths = LEN(masked)},
		.prepare = mask_links,
		.inside = masked_inside
        };

	CHECK(scenario_passes(&s));
	s.userns = true;
	CHECK(scenario_passes(&s));
	s.linux_.masked_paths = magic;
	s.linux_.n_masked_paths = 1;
	s.want_error = "too many levels of symbolic links";
	CHECK(scenario_passes(&s));
	/* a /dev/null of the image's is no device: refused, never used */
	s = (struct scenario){
		.config = {.mounts = proc_and_dev, .n_mounts = 1},
		.prepare = null_is_link,
		.want_error = "/dev/null exists and is not the device"
        };
	CHECK(scenario_passes(&s));
	s.userns = true;
	s.want_error = "/dev/null";
	CHECK(scenario_passes(&s));
}

static void console_is_link(const char *bundle)
{
	make_outside(bundle);
	link_at("/etc/marker", "/mnt/bundle/rootfs/dev/console");
}

static void console_fails(const struct fs_plan *p, struct fs *fs)
{
	int master = -1, slave = -1;
	struct err e;

	CHECK(fs_console(p, fs, NULL, 0, &master, &slave, &e) < 0);
	CHECK(master == -1 && slave == -1);
}

static void marker_kept(void)
{
	struct stat st;

	CHECK_STR(text_of("/etc/marker"), "image");
	CHECK(stat("/etc/marker", &st) == 0 && (st.st_mode & 07777) == 0644);
}

static void test_console_symlink(void)
{
	const struct oci_mount fake_pts[] = {
		MOUNT("/dev", "tmpfs", "tmpfs", "mode=755"),
		MOUNT("/dev/pts", "bind", "/mnt/outside", "rbind"),
	};
	struct scenario s = {.prepare = console_is_link,
			     .before_enter = console_fails,
			     .inside = marker_kept,
			     .after = outside_untouched};

	CHECK(scenario_passes(&s));
	s.config.mounts = fake_pts;
	s.config.n_mounts = LEN(fake_pts);
	CHECK(scenario_passes(&s));
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 0;
	}
	test_dev_symlink();
	test_proc_symlink();
	test_destination_symlinks();
	test_masks();
	test_console_symlink();
	return check_done();
}
