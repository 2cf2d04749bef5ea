#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "cmd/brig/globals.h"
#include "cmd/brig/verbs.h"

struct spec_opts {
	const char *bundle, *level;
	bool rootless;
};

#define AT(member)    offsetof(struct spec_opts, member)
#define CGROUP2_MAGIC 0x63677270 /* linux/magic.h, CGROUP2_SUPER_MAGIC */

static const struct opt options[] = {
	{"bundle",   "b",  OPT_STRING, AT(bundle),   "DIR",
	 "where to write config.json (default: the working directory)", NULL, NULL},
	{"rootless", NULL, OPT_FLAG,   AT(rootless), NULL,
	 "for a container that a plain user can run",                   NULL, NULL},
	{"level",    NULL, OPT_STRING, AT(level),    "LEVEL",
	 "ask for this security level (an annotation)",                 NULL, NULL},
	{NULL,       NULL, OPT_FLAG,   0,            NULL,    NULL,     NULL, NULL},
};

static bool host_is_cgroup2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}

static int spec(struct command *c, struct err *e)
{
	static const char name[] = "config.json";
	const struct spec_opts *o = c->opts;
	const char *bundle = o->bundle && *o->bundle ? o->bundle : ".";
	own_fd int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "open %s", bundle);
	own_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_msg(e, EEXIST, "File %s exists. Remove it first", name);
	if (fd < 0)
		return err_set(e, errno, "create %s", name);
	const char *text =
		container_default_spec(c->arena, o->rootless, host_is_cgroup2(), o->level);
	int r = file_write_all(fd, text, strlen(text));
	return r < 0 ? err_set(e, -r, "write %s", name) : 0;
}

const struct verb verb_spec = {
	.name = "spec",
	.summary = "write a config.json to start from",
	.usage = "",
	.text = "   The file describes a shell in the directory rootfs of the bundle.\n",
	.options = options,
	.options_size = sizeof(struct spec_opts),
	.order = OPT_MIXED,
	.run = spec,
};
