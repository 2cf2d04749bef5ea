#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "criu/criu.h"
#include "images.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { DESCRIPTORS_MAX = 64 * 1024, MOUNTINFO_MAX = 16 << 20 };

/* The mount that a process's descriptor is on; 0: not told. */
static unsigned int mount_of(pid_t pid, int fd)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	const char *at = strstr(text, "mnt_id:");
	return at ? (unsigned int)strtoul(at + strlen("mnt_id:"), NULL, 10) : 0;
}

static bool has_mount(const char *mountinfo, unsigned int id)
{
	for (const char *line = mountinfo; line && *line;) {
		if (strtoul(line, NULL, 10) == id)
			return true;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

/* What criu calls descriptor fd of pid: a pipe by its link, a file of the host's by where it is. */
static const char *describe(struct arena *a, pid_t pid, int fd, const char *mountinfo)
{
	char path[64], link[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0 || stat(path, &st) < 0)
		return "";
	link[n] = '\0';
	unsigned int mount = mount_of(pid, fd);
	bool file = S_ISREG(st.st_mode) || S_ISCHR(st.st_mode);
	if (!file || *link != '/' || !mount || has_mount(mountinfo, mount))
		return arena_strdup(a, link);
	return arena_printf(a, "file[%x:%llx]", mount, (unsigned long long)st.st_ino);
}

int images_save_stdio(const struct images *im, pid_t pid, struct wire_out *opts, struct err *e)
{
	const char *names[IMAGES_STDIO];
	struct json_out o;
	char path[64], *mountinfo;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	if (file_read(im->arena, AT_FDCWD, path, MOUNTINFO_MAX, &mountinfo, NULL, e) < 0)
		return -e->code;
	for (int fd = 0; fd < IMAGES_STDIO; fd++) {
		names[fd] = describe(im->arena, pid, fd, mountinfo);
		if (str_starts(names[fd], "file["))
			wire_str(opts, CRIU_EXTERNAL, names[fd]);
	}
	json_begin(&o, im->arena, 0);
	json_strs(&o, names, IMAGES_STDIO);
	char *text = json_done(&o, &len);
	return file_replace(im->dir, IMAGES_DESCRIPTORS, text, len, 0600, e);
}

struct stdio {
	const char *const *names;
	size_t n;
};
static const struct json_field stdio_fields[] = {
	ROW_STRS(stdio, "names", names, n, JSON_REQUIRED),
};
TYPE(stdio, NULL);

int images_load_stdio(const struct images *im, const char *names[IMAGES_STDIO], struct err *e)
{
	struct stdio s = {0};
	char *text;

	if (file_read(im->arena, im->dir, IMAGES_DESCRIPTORS, DESCRIPTORS_MAX, &text, NULL, e) < 0)
		return err_wrap(e, "no images of a checkpoint");
	/* The document is a bare list, as runc writes it. */
	text = arena_printf(im->arena, "{\"names\":%s}", text);
	if (json_read(im->arena, &stdio_type_, text, strlen(text), DESCRIPTORS_MAX + 64, &s, e) < 0)
		return err_wrap(e, IMAGES_DESCRIPTORS);
	for (size_t i = 0; i < IMAGES_STDIO; i++) {
		const char *name = i < s.n ? s.names[i] : "";
		bool external = str_starts(name, "pipe:[") || str_starts(name, "file[");

		names[i] = external ? name : NULL;
	}
	return 0;
}
