#include "cmd/brig/globals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/command.h"

#define AT(member) offsetof(struct globals, member)

const struct opt global_options[] = {
	{"debug",          NULL, OPT_FLAG,   AT(debug),          NULL,     "log every step",                NULL,   NULL},
	{"log",            NULL, OPT_STRING, AT(log),            "DEST",
	 "write the log to a file (PATH or file:PATH), syslog:ID or journald:ID "
	 "instead of standard error",								       NULL,   NULL},
	{"log-format",     NULL, OPT_STRING, AT(log_format),     "FORMAT", "text or json",                  "text", NULL},
	{"log-level",      NULL, OPT_STRING, AT(log_level),      "LEVEL",  "error, warning, info or debug",
	 "info",												    NULL},
	{"root",           NULL, OPT_STRING, AT(root),           "DIR",
	 "directory of the containers' state (default: /run/brig, rootless "
	 "$XDG_RUNTIME_DIR/brig)",									  NULL,   NULL},
	{"systemd-cgroup", NULL, OPT_FLAG,   AT(systemd_cgroup), NULL,
	 "let systemd make the cgroups; cgroupsPath is slice:prefix:name",                                  NULL,   NULL},
	{"cgroup-manager", NULL, OPT_STRING, AT(manager),        "WORD",
	 "who makes the cgroups: cgroupfs, systemd or disabled",                                            NULL,   NULL},
	{"rootless",       NULL, OPT_STRING, AT(rootless),       "BOOL",
	 "whether missing rights on cgroups are no error: true, false or auto",                             "auto", NULL},
	{"level",          NULL, OPT_STRING, AT(level),          "LEVEL",
	 "security level: custom, standard, high or one of the administrator's",                            NULL,   NULL},
	{"system-config",  NULL, OPT_STRING, AT(system_config),  "FILE",
	 "the administrator's file instead of /etc/brig/brig.json",                                         NULL,   NULL},
	{"criu",           NULL, OPT_STRING, AT(criu),           "PATH",   NULL,                            NULL,   NULL},
	{"version",        "v",  OPT_FLAG,   AT(version),        NULL,     "print the version",             NULL,   NULL},
	{NULL,             NULL, OPT_FLAG,   0,                  NULL,     NULL,                            NULL,   NULL},
};

static int connect_socket(const char *path, int type, struct err *e)
{
	struct sockaddr_un {
		sa_family_t family;
		char path[108];
	} addr = {.family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.path, sizeof(addr.path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(e, errno, "log: connect %s", path);
	return take_fd(&fd);
}

/* syslog(3)'s socket; each line is one message. */
static int open_syslog(const char *id, struct err *e)
{
	(void)id; /* the lines carry no tag: the log has one form for every destination */
	return connect_socket("/dev/log", SOCK_DGRAM, e);
}

/* sd_journal_stream_fd(3) in its own words: identifier, unit, priority, and four switches. */
static int open_journal(const char *id, struct err *e)
{
	own_fd int fd = connect_socket("/run/systemd/journal/stdout", SOCK_STREAM, e);
	char head[256];

	if (fd < 0)
		return fd;
	int n = snprintf(head, sizeof(head), "%s\n\n6\n0\n0\n0\n0\n", id);
	if (n < 0 || (size_t)n >= sizeof(head) || strchr(id, '\n'))
		return err_msg(e, EINVAL, "log: invalid identifier");
	int r = file_write_all(fd, head, (size_t)n);
	if (r < 0)
		return err_set(e, -r, "log: write to the journal");
	return take_fd(&fd);
}

static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);

	if (fd < 0)
		return err_set(e, errno, "log: open %s", path);
	return fd;
}

static int open_log(const char *to, struct err *e)
{
	static const struct {
		const char *prefix;
		int (*open)(const char *what, struct err *e);
	} kinds[] = {
		{"file:",     open_file   },
		{"syslog:",   open_syslog },
		{"journald:", open_journal},
		{"",          open_file   },
	};
	size_t i = 0;

	while (!str_starts(to, kinds[i].prefix))
		i++;
	return kinds[i].open(to + strlen(kinds[i].prefix), e);
}

int globals_log(const struct globals *g, bool *to_file, struct err *e)
{
	static const struct word formats[] = {
		{"text", LOG_TEXT},
		{"json", LOG_JSON},
		{NULL,   0       },
	};
	static const struct word levels[] = {
		{"error",   LOG_LEVEL_ERROR},
                {"warn",    LOG_LEVEL_WARN },
                {"warning", LOG_LEVEL_WARN },
		{"info",    LOG_LEVEL_INFO },
                {"debug",   LOG_LEVEL_DEBUG},
                {NULL,      0              },
	};
	const struct word *format = word_find(formats, g->log_format);
	const struct word *level = word_find(levels, g->debug ? "debug" : g->log_level);
	int fd = -1;

	if (!format)
		return err_msg(e, EINVAL, "invalid log-format: %s", g->log_format);
	if (!level)
		return err_msg(e, EINVAL, "invalid log-level: %s", g->log_level);
	if (g->log && *g->log) {
		fd = open_log(g->log, e);
		if (fd < 0)
			return fd;
	}
	log_setup(fd, (enum log_format)format->value, (enum log_level)level->value);
	*to_file = fd >= 0;
	return 0;
}

/* root in a user namespace that somebody else made is a plain user to the host. */
static bool in_user_namespace(void)
{
	/* The identity of all ids, as the kernel prints it (user_namespaces(7)). */
	static const char initial[] = "         0          0 4294967295";
	char map[128];

	return file_peek(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) >= 0 &&
	       strcmp(map, initial) != 0;
}

static const char *default_root(struct arena *a)
{
	const char *dir = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");
	bool plain_user = geteuid() != 0;

	if (dir && *dir && !plain_user)
		plain_user = (!user || !str_eq(user, "root")) && in_user_namespace();
	if (dir && *dir && plain_user)
		return arena_printf(a, "%s/brig", dir);
	return "/run/brig";
}

static int read_manager(const struct globals *g, enum container_manager *out, struct err *e)
{
	static const struct word managers[] = {
		{"cgroupfs", MANAGER_CGROUPFS},
		{"systemd",  MANAGER_SYSTEMD },
		{"disabled", MANAGER_DISABLED},
		{NULL,       0               },
	};
	const char *name = g->manager ? g->manager : g->systemd_cgroup ? "systemd" : "cgroupfs";
	const struct word *w = word_find(managers, name);

	if (!w)
		return err_msg(e, EINVAL, "invalid cgroup-manager: %s", name);
	if (g->systemd_cgroup && w->value != MANAGER_SYSTEMD)
		return err_msg(e, EINVAL, "--systemd-cgroup contradicts --cgroup-manager %s", name);
	*out = (enum container_manager)w->value;
	return 0;
}

static int read_rootless(const char *word, enum container_rootless *out, struct err *e)
{
	bool yes;

	*out = ROOTLESS_AUTO;
	if (!*word || str_eq(word, "auto"))
		return 0;
	if (!opt_bool(word, &yes))
		return err_msg(e, EINVAL, "invalid rootless: %s", word);
	*out = yes ? ROOTLESS_TRUE : ROOTLESS_FALSE;
	return 0;
}

int globals_host(struct arena *a, const struct globals *g, struct container_host *out,
		 struct err *e)
{
	int r = read_manager(g, &out->manager, e);

	out->level = g->level;
	out->system_config = g->system_config;
	out->lease = getenv("BRIG_LEASE");
	out->lease = out->lease && *out->lease ? answer_take_token(a, out->lease) : NULL;
	(void)unsetenv("BRIG_LEASE"); /* it fails for a bad name only */
	if (r == 0)
		r = read_rootless(g->rootless, &out->rootless, e);
	if (r < 0)
		return r;
	if (g->system_config && access(g->system_config, R_OK) < 0)
		return err_set(e, errno, "system-config: %s", g->system_config);
	r = command_path(a, g->root, &out->root, e);
	out->root_given = out->root != NULL;
	if (r == 0 && !out->root)
		out->root = default_root(a);
	return r;
}
