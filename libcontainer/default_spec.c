#include <string.h>
#include <unistd.h>

#include "container.h"

/*
 * The document of `spec`, value for value what callers know from runc's, so that what they
 * edit is where they look for it.
 */

/* Whom a row is for, as bits. */
enum { ROOTFUL = 1, ROOTLESS = 2, CGROUP2 = 4, ALWAYS = ROOTFUL | ROOTLESS };

/*
 * Rootless: group 5 has no mapping, and a sysfs cannot be mounted without a network namespace
 * of one's own.
 */
static const struct row {
	unsigned int when;
	const char *destination, *type, *source, *options;
} mounts[] = {
	{ALWAYS,   "/proc",          "proc",   "proc",   ""                                         },
	{ALWAYS,   "/dev",           "tmpfs",  "tmpfs",  "nosuid,strictatime,mode=755,size=65536k"  },
	{ROOTFUL,  "/dev/pts",       "devpts", "devpts",
	 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"                                  },
	{ROOTLESS, "/dev/pts",       "devpts", "devpts",
	 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"                                        },
	{ALWAYS,   "/dev/shm",       "tmpfs",  "shm",    "nosuid,noexec,nodev,mode=1777,size=65536k"},
	{ALWAYS,   "/dev/mqueue",    "mqueue", "mqueue", "nosuid,noexec,nodev"                      },
	{ROOTFUL,  "/sys",           "sysfs",  "sysfs",  "nosuid,noexec,nodev,ro"                   },
	{ROOTLESS, "/sys",           "none",   "/sys",   "rbind,nosuid,noexec,nodev,ro"             },
	{ALWAYS,   "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"          },
};

static const struct {
	unsigned int when;
	const char *type;
} namespaces[] = {
	{ALWAYS,   "pid"    },
        {ROOTFUL,  "network"},
        {ALWAYS,   "ipc"    },
        {ALWAYS,   "uts"    },
	{ALWAYS,   "mount"  },
        {CGROUP2,  "cgroup" },
        {ROOTLESS, "user"   },
};

static const char caps[] = "CAP_AUDIT_WRITE,CAP_KILL,CAP_NET_BIND_SERVICE";
static const char env[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin,TERM=xterm";
static const char masked[] =
	"/proc/acpi,/proc/asound,/proc/kcore,/proc/keys,/proc/latency_stats,/proc/timer_list,"
	"/proc/timer_stats,/proc/sched_debug,/sys/firmware,/proc/scsi,/sys/devices/virtual/tpm";
static const char readonly[] = "/proc/bus,/proc/fs,/proc/irq,/proc/sys,/proc/sysrq-trigger";

/* The text so far and how deep it is in. */
struct writer {
	struct arena *arena;
	char *text;
	unsigned int depth;
	bool first; /* nothing stands in this object or list yet */
};

/* A new line for one more member; name NULL: an item of a list. */
static void begin(struct writer *w, const char *name)
{
	static const char tabs[] = "\t\t\t\t\t\t\t\t";

	w->text = arena_printf(w->arena, "%s%s\n%.*s", w->text, w->first ? "" : ",", (int)w->depth,
			       tabs);
	if (name)
		w->text = arena_printf(w->arena, "%s\"%s\": ", w->text, name);
	w->first = false;
}

static void object(struct writer *w, const char *name, char bracket)
{
	begin(w, name);
	w->text = arena_printf(w->arena, "%s%c", w->text, bracket);
	w->depth++;
	w->first = true;
}

static void end(struct writer *w, char bracket)
{
	w->depth--;
	w->first = true;
	begin(w, NULL);
	w->text = arena_printf(w->arena, "%s%c", w->text, bracket);
}

static void literal(struct writer *w, const char *name, const char *value)
{
	begin(w, name);
	w->text = arena_printf(w->arena, "%s%s", w->text, value);
}

static void number(struct writer *w, const char *name, unsigned int n)
{
	literal(w, name, arena_printf(w->arena, "%u", n));
}

static void string(struct writer *w, const char *name, const char *s)
{
	literal(w, name, arena_printf(w->arena, "\"%s\"", s));
}

/* A list from words with commas between them. */
static void strings(struct writer *w, const char *name, const char *words)
{
	object(w, name, '[');
	while (*words) {
		size_t n = strcspn(words, ",");

		string(w, NULL, arena_strndup(w->arena, words, n));
		words += n + (words[n] == ',');
	}
	end(w, ']');
}

static void add_process(struct writer *w)
{
	object(w, "process", '{');
	literal(w, "terminal", "true");
	object(w, "user", '{');
	number(w, "uid", 0);
	number(w, "gid", 0);
	end(w, '}');
	strings(w, "args", "sh");
	strings(w, "env", env);
	string(w, "cwd", "/");
	object(w, "capabilities", '{');
	strings(w, "bounding", caps);
	strings(w, "effective", caps);
	strings(w, "permitted", caps);
	end(w, '}');
	object(w, "rlimits", '[');
	object(w, NULL, '{');
	string(w, "type", "RLIMIT_NOFILE");
	number(w, "hard", 1024);
	number(w, "soft", 1024);
	end(w, '}');
	end(w, ']');
	literal(w, "noNewPrivileges", "true");
	end(w, '}');
}

static void add_mounts(struct writer *w, unsigned int when)
{
	object(w, "mounts", '[');
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		const struct row *m = &mounts[i];

		if (!(m->when & when))
			continue;
		object(w, NULL, '{');
		string(w, "destination", m->destination);
		string(w, "type", m->type);
		string(w, "source", m->source);
		if (*m->options)
			strings(w, "options", m->options);
		end(w, '}');
	}
	end(w, ']');
}

static void add_mapping(struct writer *w, const char *name, unsigned int host)
{
	object(w, name, '[');
	object(w, NULL, '{');
	number(w, "containerID", 0);
	number(w, "hostID", host);
	number(w, "size", 1);
	end(w, '}');
	end(w, ']');
}

/* No device at all but those that every container has. */
static void add_resources(struct writer *w)
{
	object(w, "resources", '{');
	object(w, "devices", '[');
	object(w, NULL, '{');
	literal(w, "allow", "false");
	string(w, "access", "rwm");
	end(w, '}');
	end(w, ']');
	end(w, '}');
}

static void add_linux(struct writer *w, unsigned int when)
{
	object(w, "linux", '{');
	if (when & ROOTLESS) {
		add_mapping(w, "uidMappings", geteuid());
		add_mapping(w, "gidMappings", getegid());
	} else {
		add_resources(w);
	}
	object(w, "namespaces", '[');
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++) {
		if (!(namespaces[i].when & when))
			continue;
		object(w, NULL, '{');
		string(w, "type", namespaces[i].type);
		end(w, '}');
	}
	end(w, ']');
	strings(w, "maskedPaths", masked);
	strings(w, "readonlyPaths", readonly);
	end(w, '}');
}

char *container_default_spec(struct arena *a, bool rootless, bool cgroup2)
{
	unsigned int when = (rootless ? ROOTLESS : ROOTFUL) | (cgroup2 ? CGROUP2 : 0U);
	/* Quadratic in a text of three kilobytes, once, for a reader. */
	struct writer w = {.arena = a, .text = arena_strdup(a, "{"), .depth = 1, .first = true};

	string(&w, "ociVersion", "1.3.0");
	add_process(&w);
	object(&w, "root", '{');
	string(&w, "path", "rootfs");
	literal(&w, "readonly", "true");
	end(&w, '}');
	string(&w, "hostname", "brig");
	add_mounts(&w, when);
	add_linux(&w, when);
	end(&w, '}');
	return w.text;
}
