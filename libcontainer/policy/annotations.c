/* The annotations dev.brig.*: requests of a tenant, so they only narrow. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/wishes.h"

#define PREFIX "dev.brig."

static int64_t *keep_i64(struct arena *a, uint64_t n)
{
	int64_t *p = arena_new(a, sizeof(*p));

	*p = n > INT64_MAX ? INT64_MAX : (int64_t)n;
	return p;
}

static uint64_t *keep_u64(struct arena *a, uint64_t n)
{
	uint64_t *p = arena_new(a, sizeof(*p));

	*p = n;
	return p;
}

static int read_word(struct arena *a, const char *text, void *to, struct err *e)
{
	(void)a;
	if (!*text)
		return err_msg(e, EINVAL, "empty");
	*(const char **)to = text;
	return 0;
}

static int read_bool(struct arena *a, const char *text, void *to, struct err *e)
{
	bool *b = arena_new(a, sizeof(*b));

	*b = str_eq(text, "true");
	if (!*b && !str_eq(text, "false"))
		return err_msg(e, EINVAL, "\"%.40s\" is not true or false", text);
	*(const bool **)to = b;
	return 0;
}

static int read_size(struct arena *a, const char *text, void *to, struct err *e)
{
	uint64_t n;
	int r = wish_size(text, &n, e);

	*(const int64_t **)to = keep_i64(a, r < 0 ? 0 : n);
	return r;
}

static int read_disk(struct arena *a, const char *text, void *to, struct err *e)
{
	uint64_t n = 0;
	int r = wish_size(text, &n, e);

	*(const uint64_t **)to = keep_u64(a, n);
	return r;
}

static int read_count(struct arena *a, const char *text, void *to, struct err *e)
{
	uint64_t n = 0;

	if (!str_u64(text, &n))
		return err_msg(e, EINVAL, "\"%.40s\" is no number", text);
	*(const int64_t **)to = keep_i64(a, n);
	return 0;
}

static int read_files(struct arena *a, const char *text, void *to, struct err *e)
{
	uint64_t n = 0;

	if (!str_u64(text, &n))
		return err_msg(e, EINVAL, "\"%.40s\" is no number", text);
	*(const uint64_t **)to = keep_u64(a, n);
	return 0;
}

static int read_duration(struct arena *a, const char *text, void *to, struct err *e)
{
	uint64_t n = 0;
	int r = wish_duration(text, &n, e);

	*(const uint64_t **)to = keep_u64(a, n);
	return r;
}

static int read_cpus(struct arena *a, const char *text, void *to, struct err *e)
{
	double *n = arena_new(a, sizeof(*n));

	*(const double **)to = n;
	return wish_cpus(text, n, e);
}

/* path[:size[:noexec]],... */
static int read_writes(struct arena *a, const char *text, void *to, struct err *e)
{
	struct policy_wishes *w = to;
	size_t room = 1;

	for (const char *p = text; *p; p++)
		room += *p == ',';
	w->write = arena_array(a, room, sizeof(*w->write));
	w->n_write = 0;
	for (;;) {
		size_t n = strcspn(text, ",");

		if (wish_write(a, arena_strndup(a, text, n), &w->write[w->n_write], e) < 0)
			return -e->code;
		w->n_write++;
		if (!text[n])
			return 0;
		text += n + 1;
	}
}

/* DEVICE:rates;DEVICE:rates */
static int read_io(struct arena *a, const char *text, void *to, struct err *e)
{
	struct policy_wishes *w = to;
	struct policy_io io;
	size_t room = 1;

	for (const char *p = text; *p; p++)
		room += *p == ';';
	const char **list = arena_array(a, room, sizeof(*list));
	w->io = list;
	w->n_io = 0;
	for (;;) {
		size_t n = strcspn(text, ";");

		list[w->n_io] = arena_strndup(a, text, n);
		if (wish_io(a, list[w->n_io++], &io, e) < 0)
			return -e->code;
		if (!text[n])
			return 0;
		text += n + 1;
	}
}

#define AT(member) offsetof(struct policy_wishes, member)
static const struct {
	const char *name; /* behind dev.brig. */
	int (*read)(struct arena *a, const char *text, void *to, struct err *e);
	size_t at;
} known[] = {
	{"level",             read_word,         AT(level)            },
	{"seccomp.language",  read_word,         AT(language)         },
	{"seccomp.violation", read_word,         AT(seccomp_violation)},
	{"root.readonly",     read_bool,         AT(root_readonly)    },
	{"root.private",      read_bool,         AT(root_private)     },
	{"fs.write",          read_writes,       0                    },
	{"cpu.pin",           read_word,         AT(pin)              },
	{"cpu.limit",         read_cpus,         AT(cpus)             },
	{"memory.limit",      read_size,         AT(memory)           },
	{"swap.limit",        read_size,         AT(swap)             },
	{"pids.limit",        read_count,        AT(pids)             },
	{"nofile.limit",      read_files,        AT(nofile)           },
	{"disk.limit",        read_disk,         AT(disk)             },
	{"inodes.limit",      read_files,        AT(inodes)           },
	{"fsize.limit",       read_disk,         AT(fsize)            },
	{"output.limit",      read_disk,         AT(output)           },
	{"io",		read_io,           0                    },
	{"time.wall",         read_duration,     AT(wall_ms)          },
	{"time.cpu",          read_duration,     AT(cpu_ms)           },
	{"time.grace",        read_duration,     AT(grace_ms)         },
	{"audit.syscalls",    read_bool,         AT(audit_calls)      },
	{"egress",            wish_egress_list,  0                    },
	{"ingress",           wish_ingress_list, 0                    },
	{"net.open",          read_files,        AT(net_open)         },
	{"net.rate",          read_files,        AT(net_rate)         },
	{"net.conns",         read_files,        AT(net_conns)        },
	{"net.bytes",         read_disk,         AT(net_bytes)        },
	{"net.bandwidth",     read_disk,         AT(net_bandwidth)    },
	{"grant",             wish_grants,       0                    },
};

/* The row of an annotation's name, -1: it is none of them. */
static int find(const char *key)
{
	for (size_t i = 0; i < LEN(known); i++)
		if (str_eq(key + strlen(PREFIX), known[i].name))
			return (int)i;
	return -1;
}

/* Whose request it is asks for nothing: context.h. */
static bool about_caller(const char *key)
{
	return str_eq(key, PREFIX "ctx.request_id") || str_eq(key, PREFIX "ctx.principal");
}

const char *wishes_annotation(const struct oci_config *c, const char *name)
{
	for (size_t i = 0; c && i < c->n_annotations; i++)
		if (str_eq(c->annotations[i].key, name))
			return c->annotations[i].value;
	return NULL;
}

/* Not of the level: reuse.c reads them. */
static bool is_of_reuse(const char *key)
{
	const char *name = key + strlen(PREFIX);

	return str_eq(name, "reuse") || str_starts(name, "reuse.");
}

static int read_one(struct arena *a, const struct oci_map *annotation, int row,
		    struct policy_wishes *out, struct err *e)
{
	if (known[row].read(a, annotation->value, (char *)out + known[row].at, e) < 0)
		return err_wrap(e, "annotation %s", annotation->key);
	return 0;
}

int wishes_annotations(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		       struct err *e)
{
	for (size_t i = 0; c && i < c->n_annotations; i++) {
		const char *key = c->annotations[i].key;

		if (!str_starts(key, PREFIX) || about_caller(key) || is_of_reuse(key))
			continue;
		int row = find(key);
		if (row < 0)
			return err_msg(e, EINVAL, "annotation %.80s: not known to this version",
				       key);
		if (read_one(a, &c->annotations[i], row, out, e) < 0)
			return -e->code;
	}
	return 0;
}

/* What custom takes, too: config.json has no words for it. */
static bool for_all_levels(const char *key)
{
	const char *name = key + strlen(PREFIX);

	return str_eq(name, "egress") || str_eq(name, "ingress") || str_starts(name, "net.") ||
	       str_eq(name, "audit.syscalls");
}

int wishes_network(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		   struct err *e)
{
	for (size_t i = 0; c && i < c->n_annotations; i++) {
		const char *key = c->annotations[i].key;
		int row = str_starts(key, PREFIX) && for_all_levels(key) ? find(key) : -1;

		if (row >= 0 && read_one(a, &c->annotations[i], row, out, e) < 0)
			return -e->code;
	}
	return 0;
}

int wishes_none(const struct oci_config *c, struct err *e)
{
	for (size_t i = 0; c && i < c->n_annotations; i++) {
		const char *key = c->annotations[i].key;

		if (str_starts(key, PREFIX) && find(key) > 0 && !for_all_levels(key))
			return err_msg(e, EINVAL,
				       "annotation %s: level \"custom\" applies config.json alone",
				       key);
	}
	return 0;
}
