#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "cmd/brig/table.h"
#include "cmd/brig/verbs.h"
#include "stats.h"

struct stats_opts {
	const char *format;
	bool all;
};

#define AT(member) offsetof(struct stats_opts, member)

static const struct opt options[] = {
	{"format", "f",  OPT_STRING, AT(format), "FORMAT", "table, json or openmetrics",         "table",
	 NULL												 },
	{"all",    "a",  OPT_FLAG,   AT(all),    NULL,     "every sandbox, and what they share", NULL,    NULL},
	{NULL,     NULL, OPT_FLAG,   0,          NULL,     NULL,                                 NULL,    NULL},
};

/* 512, 1.5K, 30M, 2G: three digits at most; "-" for what is not told. */
static const char *size_text(struct arena *a, int64_t bytes)
{
	static const char units[] = "KMGTPE";
	int64_t n = bytes;
	int64_t tenths = 0;
	size_t unit = 0;

	if (bytes < 0)
		return "-";
	if (bytes < 1024)
		return arena_printf(a, "%" PRIi64, bytes);
	for (; n >= 1024; n /= 1024, unit++)
		tenths = n % 1024 * 10 / 1024;
	if (n < 10 && tenths)
		return arena_printf(a, "%" PRIi64 ".%" PRIi64 "%c", n, tenths, units[unit - 1]);
	return arena_printf(a, "%" PRIi64 "%c", n, units[unit - 1]);
}

static const char *number_text(struct arena *a, int64_t n)
{
	return n < 0 ? "-" : arena_printf(a, "%" PRIi64, n);
}

static const char *seconds_text(struct arena *a, int64_t ns)
{
	enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };
	int64_t ms = ns / NS_PER_MS;

	if (ns < 0)
		return "-";
	return arena_printf(a, "%" PRIi64 ".%03" PRIi64 "s", ms / MS_PER_S, ms % MS_PER_S);
}

/* Of a limit, where there is one. */
static const char *of_limit(struct arena *a, const char *used, const char *limit)
{
	return str_eq(limit, "-") ? used : arena_printf(a, "%s / %s", used, limit);
}

static const char *pair(struct arena *a, int64_t in, int64_t out)
{
	if (in < 0 && out < 0)
		return "-";
	return arena_printf(a, "%s / %s", size_text(a, in), size_text(a, out));
}

static int64_t disk_bytes(const struct stats_sandbox *s)
{
	int64_t sum = s->n_disks ? 0 : -1;

	for (size_t i = 0; i < s->n_disks; i++)
		sum += s->disks[i].known ? (int64_t)s->disks[i].used.bytes : 0;
	return sum;
}

static const char *end_text(struct arena *a, const struct stats_sandbox *s)
{
	if (s->error)
		return s->error;
	if (!s->ended)
		return "-";
	if (str_eq(s->ended, "exited") && s->exit_code)
		return arena_printf(a, "exited %d", (int)*s->exit_code);
	if (str_eq(s->ended, "signal") && s->signal)
		return arena_printf(a, "signal %d", (int)*s->signal);
	return s->ended;
}

static void print_row(struct arena *a, const struct stats_sandbox *s, const char **cell)
{
	const struct cgroup_usage *u = &s->usage;
	bool net = s->has_network;

	*cell++ = s->id;
	*cell++ = s->status ? s->status : "-";
	*cell++ = s->level ? s->level : "-";
	*cell++ = seconds_text(a, u->cpu_ns);
	*cell++ = of_limit(a, size_text(a, u->memory), size_text(a, u->memory_limit));
	*cell++ = size_text(a, u->memory_peak);
	*cell++ = of_limit(a, number_text(a, u->pids), number_text(a, u->pids_limit));
	*cell++ = pair(a, u->read_bytes, u->write_bytes);
	*cell++ = pair(a, net ? (int64_t)s->network.rx_bytes : -1,
		       net ? (int64_t)s->network.tx_bytes : -1);
	*cell++ = size_text(a, disk_bytes(s));
	*cell++ = end_text(a, s);
}

static void print_table(struct arena *a, const struct stats *s)
{
	static const char *const header[] = {"ID",        "STATUS", "LEVEL", "CPU",
					     "MEMORY",    "PEAK",   "PIDS",  "IO R/W",
					     "NET RX/TX", "DISK",   "ENDED"};
	enum { COLUMNS = sizeof(header) / sizeof(*header) };
	const char **cells = arena_array(a, (s->n + 1) * COLUMNS, sizeof(*cells));

	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = header[i];
	for (size_t i = 0; i < s->n; i++)
		print_row(a, &s->sandboxes[i], &cells[(i + 1) * COLUMNS]);
	table_print(stdout, cells, s->n + 1, COLUMNS);
}

static int stats(struct command *c, struct err *e)
{
	const struct stats_opts *o = c->opts;
	bool json = str_eq(o->format, "json"), metrics = str_eq(o->format, "openmetrics");
	struct stats s;

	if (!json && !metrics && !str_eq(o->format, "table"))
		return err_msg(e, EINVAL, "invalid format option");
	if (o->all == (c->n_args > 0))
		return err_msg(e, EINVAL, "stats: either --all or the ids of containers");
	int r = o->all ? stats_all(&c->host, c->arena, &s, e)
		       : stats_of(&c->host, c->args, c->n_args, c->arena, &s, e);
	if (r < 0)
		return r;
	if (json)
		puts(stats_json(c->arena, &s, NULL));
	else if (metrics)
		fputs(stats_openmetrics(c->arena, &s, NULL), stdout);
	else
		print_table(c->arena, &s);
	return 0;
}

const struct verb verb_stats = {
	.name = "stats",
	.summary = "show what containers use and have used",
	.usage = "<container-id>... | --all",
	.text = "   What cannot be told on this host is left out. --all adds sums and the host's "
		"own\n"
		"   figures to json and openmetrics. docs/stats.md has every field and every "
		"metric.\n",
	.options = options,
	.options_size = sizeof(struct stats_opts),
	.order = OPT_MIXED,
	.max_args = ANY_ARGS,
	.run = stats,
};
