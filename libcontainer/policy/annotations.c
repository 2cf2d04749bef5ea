/* The annotations dev.brig.*: requests of a tenant, so they only narrow. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/wishes.h"
#include "specs/table.h"

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

/* [{"d":"api.example.org","p":[443],"proto":"tcp"}] */
struct egress_item {
	const char *domain, *protocol;
	const uint32_t *ports;
	size_t n_ports;
};
struct egress_list {
	const struct egress_item *items;
	size_t n;
};
static const struct json_field egress_item_fields[] = {
	ROW_STR(egress_item, "d", domain, JSON_REQUIRED),
	ROW_STR(egress_item, "proto", protocol, 0),
	ROW_IDS(egress_item, "p", ports, n_ports),
};
TYPE_CLOSED(egress_item, NULL);
static const struct json_field egress_list_fields[] = {
	ROW_OBJS(egress_list, "egress", items, n, egress_item),
};
TYPE_CLOSED(egress_list, NULL);

static int read_egress(struct arena *a, const char *text, void *to, struct err *e)
{
	enum { MAX_BYTES = 64 << 10 };
	struct policy_wishes *w = to;
	struct egress_list list = {0};
	const char *json = arena_printf(a, "{\"egress\":%s}", text);

	int r = json_read(a, &egress_list_type_, json, strlen(json), MAX_BYTES, &list, e);
	if (r < 0)
		return r;
	const char **names = arena_array(a, list.n + 1, sizeof(*names));
	for (size_t i = 0; i < list.n; i++)
		names[i] = list.items[i].domain;
	w->egress = names;
	w->n_egress = list.n;
	return 0;
}

/* Connections inward are closed at every level. */
static int read_ingress(struct arena *a, const char *text, void *to, struct err *e)
{
	(void)a;
	(void)to;
	if (str_eq(text, "false"))
		return 0;
	return err_msg(e, ENOTSUP, "\"%.40s\": only false is possible in this version", text);
}

#define AT(member) offsetof(struct policy_wishes, member)
static const struct {
	const char *name; /* behind dev.brig. */
	int (*read)(struct arena *a, const char *text, void *to, struct err *e);
	size_t at;
} known[] = {
	{"level",             read_word,     AT(level)            },
	{"seccomp.language",  read_word,     AT(language)         },
	{"seccomp.violation", read_word,     AT(seccomp_violation)},
	{"root.readonly",     read_bool,     AT(root_readonly)    },
	{"root.private",      read_bool,     AT(root_private)     },
	{"fs.write",          read_writes,   0                    },
	{"cpu.pin",           read_word,     AT(pin)              },
	{"cpu.limit",         read_cpus,     AT(cpus)             },
	{"memory.limit",      read_size,     AT(memory)           },
	{"swap.limit",        read_size,     AT(swap)             },
	{"pids.limit",        read_count,    AT(pids)             },
	{"nofile.limit",      read_files,    AT(nofile)           },
	{"disk.limit",        read_disk,     AT(disk)             },
	{"time.wall",         read_duration, AT(wall_ms)          },
	{"egress",            read_egress,   0                    },
	{"ingress",           read_ingress,  0                    },
};

/* The row of an annotation's name, -1: it is none of them. */
static int find(const char *key)
{
	for (size_t i = 0; i < LEN(known); i++)
		if (str_eq(key + strlen(PREFIX), known[i].name))
			return (int)i;
	return -1;
}

const char *wishes_annotation(const struct oci_config *c, const char *name)
{
	for (size_t i = 0; c && i < c->n_annotations; i++)
		if (str_eq(c->annotations[i].key, name))
			return c->annotations[i].value;
	return NULL;
}

int wishes_annotations(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		       struct err *e)
{
	for (size_t i = 0; c && i < c->n_annotations; i++) {
		const char *key = c->annotations[i].key;

		if (!str_starts(key, PREFIX))
			continue;
		int row = find(key);
		if (row < 0)
			return err_msg(e, EINVAL, "annotation %.80s: not known to this version",
				       key);
		if (known[row].read(a, c->annotations[i].value, (char *)out + known[row].at, e) < 0)
			return err_wrap(e, "annotation %s", key);
	}
	return 0;
}

int wishes_none(const struct oci_config *c, struct err *e)
{
	for (size_t i = 0; c && i < c->n_annotations; i++) {
		const char *key = c->annotations[i].key;

		if (str_starts(key, PREFIX) && find(key) > 0)
			return err_msg(e, EINVAL,
				       "annotation %s: level \"custom\" applies config.json alone",
				       key);
	}
	return 0;
}
