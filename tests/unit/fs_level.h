#ifndef BRIG_TESTS_FS_LEVEL_H
#define BRIG_TESTS_FS_LEVEL_H

/* What the tests of a level's root share. */
#include "fs_fixture.h"

#define LEVEL_MOUNTS                                                                               \
	MOUNT("/proc", "proc", "proc", "nosuid", "nodev", "noexec"),                               \
		MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=64k"),                 \
		MOUNT("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620", \
		      "gid=5"),                                                                    \
		MOUNT("/dev/shm", "tmpfs", "tmpfs", "mode=1777"),                                  \
		MOUNT("/dev/mqueue", "mqueue", "mqueue"), MOUNT("/sys", "sysfs", "sysfs", "ro"),   \
		MOUNT("/tmp", "tmpfs", "tmpfs", "mode=1777", "size=1m")

/* The images of these tests are on a tmpfs, which can be id-mapped since Linux 6.3. */
static inline bool tmpfs_can_be_mapped(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	struct err e;
	own_fd int ns = idmap_userns(&fixture_idmap, &e);
	own_fd int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (ns < 0 || fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return false;
	own_fd int tree = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	attr.userns_fd = (uint64_t)ns;
	return mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0;
}

static inline bool can_run(void)
{
	if (geteuid() != 0)
		printf("skipped: needs root\n");
	else if (!tmpfs_can_be_mapped())
		printf("skipped: this kernel cannot id-map a tmpfs\n");
	else
		return true;
	return false;
}

static inline bool owned(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		perror(path);
		return false;
	}
	if (st.st_uid != uid || st.st_gid != gid)
		fprintf(stderr, "%s: %u:%u\n", path, st.st_uid, st.st_gid);
	return st.st_uid == uid && st.st_gid == gid;
}

/* What was in the image before, so that a write to it shows: names, modes, owners, times. */
static int image_before = -1;

static inline int image_state(void)
{
	static const char *const command =
		"cd /mnt/bundle/rootfs && find . -printf '%p %m %U %G %T@ %C@ %n %s\\n' | sort | "
		"cksum | cut -c1-9";
	FILE *f = popen(command, "r");
	char text[32] = "";
	int sum = f && fgets(text, sizeof(text), f) ? atoi(text) : -1;

	return f && pclose(f) == 0 ? sum : -1;
}

static inline void remember_image(void)
{
	image_before = image_state();
}

static inline void image_unchanged(void)
{
	CHECK(image_before > 0 && image_state() == image_before);
}

#endif
