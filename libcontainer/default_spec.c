#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "container.h"
#include "specs/json_print.h"

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

static void add_string(struct json_out *o, const char *s, size_t len)
{
	char word[128];

	snprintf(word, sizeof(word), "%.*s", (int)len, s);
	json_str(o, word);
}

/* A list from words with commas between them. */
static void strings(struct json_out *o, const char *key, const char *words)
{
	json_key(o, key);
	json_array(o);
	while (*words) {
		size_t n = strcspn(words, ",");

		add_string(o, words, n);
		words += n + (words[n] == ',');
	}
	json_end_array(o);
}

/* An object as a member; key NULL: as an item of a list. */
static void object(struct json_out *o, const char *key)
{
	if (key)
		json_key(o, key);
	json_object(o);
}

static void list(struct json_out *o, const char *key)
{
	json_key(o, key);
	json_array(o);
}

static void add_process(struct json_out *o)
{
	object(o, "process");
	json_key_bool(o, "terminal", true);
	object(o, "user");
	json_key_uint(o, "uid", 0);
	json_key_uint(o, "gid", 0);
	json_end_object(o);
	strings(o, "args", "sh");
	strings(o, "env", env);
	json_key_str(o, "cwd", "/");
	object(o, "capabilities");
	strings(o, "bounding", caps);
	strings(o, "effective", caps);
	strings(o, "permitted", caps);
	json_end_object(o);
	list(o, "rlimits");
	object(o, NULL);
	json_key_str(o, "type", "RLIMIT_NOFILE");
	json_key_uint(o, "hard", 1024);
	json_key_uint(o, "soft", 1024);
	json_end_object(o);
	json_end_array(o);
	json_key_bool(o, "noNewPrivileges", true);
	json_end_object(o);
}

static void add_mounts(struct json_out *o, unsigned int when)
{
	list(o, "mounts");
	for (size_t i = 0; i < LEN(mounts); i++) {
		const struct row *m = &mounts[i];

		if (!(m->when & when))
			continue;
		object(o, NULL);
		json_key_str(o, "destination", m->destination);
		json_key_str(o, "type", m->type);
		json_key_str(o, "source", m->source);
		if (*m->options)
			strings(o, "options", m->options);
		json_end_object(o);
	}
	json_end_array(o);
}

static void add_mapping(struct json_out *o, const char *name, unsigned int host)
{
	list(o, name);
	object(o, NULL);
	json_key_uint(o, "containerID", 0);
	json_key_uint(o, "hostID", host);
	json_key_uint(o, "size", 1);
	json_end_object(o);
	json_end_array(o);
}

/* No device at all but those that every container has. */
static void add_resources(struct json_out *o)
{
	object(o, "resources");
	list(o, "devices");
	object(o, NULL);
	json_key_bool(o, "allow", false);
	json_key_str(o, "access", "rwm");
	json_end_object(o);
	json_end_array(o);
	json_end_object(o);
}

static void add_linux(struct json_out *o, unsigned int when)
{
	object(o, "linux");
	if (when & ROOTLESS) {
		add_mapping(o, "uidMappings", geteuid());
		add_mapping(o, "gidMappings", getegid());
	} else {
		add_resources(o);
	}
	list(o, "namespaces");
	for (size_t i = 0; i < LEN(namespaces); i++) {
		if (!(namespaces[i].when & when))
			continue;
		object(o, NULL);
		json_key_str(o, "type", namespaces[i].type);
		json_end_object(o);
	}
	json_end_array(o);
	strings(o, "maskedPaths", masked);
	strings(o, "readonlyPaths", readonly);
	json_end_object(o);
}

char *container_default_spec(struct arena *a, bool rootless, bool cgroup2, const char *level)
{
	unsigned int when = (rootless ? ROOTLESS : ROOTFUL) | (cgroup2 ? CGROUP2 : 0U);
	struct json_out out, *o = &out;

	json_begin(o, a, 4);
	json_object(o);
	json_key_str(o, "ociVersion", "1.3.0");
	add_process(o);
	object(o, "root");
	json_key_str(o, "path", "rootfs");
	json_key_bool(o, "readonly", true);
	json_end_object(o);
	json_key_str(o, "hostname", "brig");
	add_mounts(o, when);
	add_linux(o, when);
	if (level) {
		object(o, "annotations");
		json_key_str(o, "dev.brig.level", level);
		json_end_object(o);
	}
	json_end_object(o);
	return json_done(o, NULL);
}
