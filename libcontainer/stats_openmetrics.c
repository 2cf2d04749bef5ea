/*
 * `stats --format openmetrics`: OpenMetrics 1.0 text.  All samples of a family stand together under
 * its TYPE, UNIT and HELP; a family without samples is left out, and so is a value that is not
 * known.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/text.h"
#include "specs/json_text.h"
#include "stats.h"

/* A text made of families of samples. */
struct families {
	struct text out;
	size_t head; /* where the family began, 0: samples have been added to it */
	const char *name;
	bool counter;
};

enum type { GAUGE, COUNTER, INFO };

struct family {
	const char *name;
	enum type type;
	const char *unit; /* the name ends with it; NULL: none */
	const char *help;
};

/* The family before, if it got no sample, is taken back. */
static void end_family(struct families *t)
{
	if (t->name && t->head)
		t->out.len = t->head - 1;
	if (t->out.s)
		t->out.s[t->out.len] = '\0';
	t->name = NULL;
}

static void begin_family(struct families *t, const struct family *f)
{
	static const char *const types[] = {"gauge", "counter", "info"};

	end_family(t);
	t->head = t->out.len + 1;
	t->name = f->name;
	t->counter = f->type == COUNTER;
	text_addf(&t->out, "# TYPE %s %s\n", f->name, types[f->type]);
	if (f->unit)
		text_addf(&t->out, "# UNIT %s %s\n", f->name, f->unit);
	text_addf(&t->out, "# HELP %s %s\n", f->name, f->help);
}

/* Label values: backslash, quote and line end escaped; what is not UTF-8 becomes U+FFFD. */
static void add_value(struct families *t, const char *s)
{
	while (*s) {
		size_t n = utf8_sequence(s);

		if (*s == '\n')
			text_add(&t->out, "\\n", 2);
		else if (*s == '\\' || *s == '"')
			text_addf(&t->out, "\\%c", *s);
		else if (n)
			text_add(&t->out, s, n);
		else
			text_add(&t->out, "\xef\xbf\xbd", 3);
		s += n ? n : 1;
	}
}

/* name[_total]{key="value",...} and a blank; keys and values in turn, ended by NULL. */
static void begin_sample(struct families *t, const char *const *labels)
{
	t->head = 0;
	text_addf(&t->out, "%s%s", t->name, t->counter ? "_total" : "");
	for (size_t i = 0; labels[i]; i += 2) {
		text_addf(&t->out, "%s%s=\"", i ? "," : "{", labels[i]);
		add_value(t, labels[i + 1]);
		text_add(&t->out, "\"", 1);
	}
	text_add(&t->out, labels[0] ? "} " : " ", labels[0] ? 2 : 1);
}

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void sample(struct families *t, const char *const *labels, int64_t v)
{
	if (v < 0)
		return;
	begin_sample(t, labels);
	text_addf(&t->out, "%" PRIi64 "\n", v);
}

static void sample_u(struct families *t, const char *const *labels, uint64_t v)
{
	begin_sample(t, labels);
	text_addf(&t->out, "%" PRIu64 "\n", v);
}

/* v parts of which there are a power of ten, of that many digits, in one. */
static void sample_parts(struct families *t, const char *const *labels, int64_t v, int digits)
{
	int64_t one = 1;

	for (int i = 0; i < digits; i++)
		one *= 10;
	if (v < 0)
		return;
	begin_sample(t, labels);
	text_addf(&t->out, "%" PRIi64 ".%0*" PRIi64 "\n", v / one, digits, v % one);
}

enum { NANO = 9, MICRO = 6, CENTI_PERCENT = 4 };

/* --- one number of each sandbox ----------------------------------------------------------- */

#define AT(member) offsetof(struct stats_sandbox, usage.member)

static const struct {
	struct family f;
	size_t at;
	int digits; /* of parts; 0: whole */
} numbers[] = {
	{{"brig_sandbox_cpu_seconds", COUNTER, "seconds", "CPU time used by all processes."},
	 AT(cpu_ns),
	 NANO												 },
	{{"brig_sandbox_cpu_throttled_seconds", COUNTER, "seconds",
	  "Time in which the CPU quota held processes back."},
	 AT(throttled_ns),
	 NANO												 },
	{{"brig_sandbox_cpu_throttled_periods", COUNTER, NULL,
	  "Periods in which the CPU quota was used up."},
	 AT(throttled),
	 0												    },
	{{"brig_sandbox_memory_bytes", GAUGE, "bytes",
	  "Memory in use, page cache included, as the limit counts it."},
	 AT(memory),
	 0												    },
	{{"brig_sandbox_memory_peak_bytes", GAUGE, "bytes",
	  "The most memory that was in use at once."},
	 AT(memory_peak),
	 0												    },
	{{"brig_sandbox_memory_limit_bytes", GAUGE, "bytes", "Memory limit; absent without one."},
	 AT(memory_limit),
	 0												    },
	{{"brig_sandbox_memory_limit_hits", COUNTER, NULL, "Times the memory limit was met."},
	 AT(memory_hits),
	 0												    },
	{{"brig_sandbox_swap_bytes", GAUGE, "bytes", "Memory that is swapped out."},               AT(swap), 0},
	{{"brig_sandbox_oom_kills", COUNTER, NULL,
	  "Processes that were killed for lack of memory."},
	 AT(oom_kills),
	 0												    },
	{{"brig_sandbox_pids", GAUGE, NULL, "Processes and threads."},                             AT(pids), 0},
	{{"brig_sandbox_pids_peak", GAUGE, NULL,
	  "The most processes and threads there were at once."},
	 AT(pids_peak),
	 0												    },
	{{"brig_sandbox_pids_limit", GAUGE, NULL,
	  "Limit of processes and threads; absent without one."},
	 AT(pids_limit),
	 0												    },
	{{"brig_sandbox_pids_refused", COUNTER, NULL, "Forks that the limit refused."},
	 AT(pids_refused),
	 0												    },
};

static void put_numbers(struct families *t, const struct stats *s)
{
	for (size_t i = 0; i < LEN(numbers); i++) {
		begin_family(t, &numbers[i].f);
		for (size_t k = 0; k < s->n; k++) {
			const struct stats_sandbox *b = &s->sandboxes[k];
			int64_t v;

			memcpy(&v, (const char *)b + numbers[i].at, sizeof(v));
			if (numbers[i].digits)
				sample_parts(t, LABELS("id", b->id), v, numbers[i].digits);
			else
				sample(t, LABELS("id", b->id), v);
		}
	}
}

/* --- the others --------------------------------------------------------------------------- */

static void put_info(struct families *t, const struct stats_sandbox *b)
{
	const char *status = b->status ? b->status : "unknown";
	const char *level = b->level ? b->level : "unknown";

	t->head = 0;
	text_addf(&t->out, "%s_info{id=\"", t->name);
	add_value(t, b->id);
	text_addf(&t->out, "\",level=\"");
	add_value(t, level);
	text_addf(&t->out, "\",status=\"%s\",ended=\"%s\"} 1\n", status, b->ended ? b->ended : "");
}

static void put_tainted(struct families *t, const struct stats_sandbox *b)
{
	sample(t, LABELS("id", b->id), b->tainted);
}

static void put_cpu_modes(struct families *t, const struct stats_sandbox *b)
{
	sample_parts(t, LABELS("id", b->id, "mode", "user"), b->usage.user_ns, NANO);
	sample_parts(t, LABELS("id", b->id, "mode", "system"), b->usage.system_ns, NANO);
}

static void put_io_bytes(struct families *t, const struct stats_sandbox *b)
{
	sample(t, LABELS("id", b->id, "direction", "read"), b->usage.read_bytes);
	sample(t, LABELS("id", b->id, "direction", "write"), b->usage.write_bytes);
}

static void put_io_counts(struct families *t, const struct stats_sandbox *b)
{
	sample(t, LABELS("id", b->id, "direction", "read"), b->usage.reads);
	sample(t, LABELS("id", b->id, "direction", "write"), b->usage.writes);
}

static void put_net_bytes(struct families *t, const struct stats_sandbox *b)
{
	if (!b->has_network)
		return;
	sample_u(t, LABELS("id", b->id, "direction", "receive"), b->network.rx_bytes);
	sample_u(t, LABELS("id", b->id, "direction", "transmit"), b->network.tx_bytes);
}

static void put_net_packets(struct families *t, const struct stats_sandbox *b)
{
	if (!b->has_network)
		return;
	sample_u(t, LABELS("id", b->id, "direction", "receive"), b->network.rx_packets);
	sample_u(t, LABELS("id", b->id, "direction", "transmit"), b->network.tx_packets);
}

static void put_disk(struct families *t, const struct stats_sandbox *b, size_t at, bool bound)
{
	for (size_t i = 0; i < b->n_disks; i++) {
		const struct stats_disk *d = &b->disks[i];
		uint64_t v;

		memcpy(&v, (const char *)&d->used + at, sizeof(v));
		if (d->known && (v || !bound))
			sample_u(t, LABELS("id", b->id, "path", d->path), v);
	}
}

static void put_disk_bytes(struct families *t, const struct stats_sandbox *b)
{
	put_disk(t, b, offsetof(struct fs_disk, bytes), false);
}
static void put_disk_size(struct families *t, const struct stats_sandbox *b)
{
	put_disk(t, b, offsetof(struct fs_disk, size), true);
}
static void put_disk_inodes(struct families *t, const struct stats_sandbox *b)
{
	put_disk(t, b, offsetof(struct fs_disk, inodes), false);
}
static void put_disk_inodes_limit(struct families *t, const struct stats_sandbox *b)
{
	put_disk(t, b, offsetof(struct fs_disk, inodes_max), true);
}

static const char *const resources[PRESSURES] = {"cpu", "memory", "io"};

static void put_stall_seconds(struct families *t, const struct stats_sandbox *b)
{
	for (int i = 0; i < PRESSURES; i++) {
		sample_parts(t, LABELS("id", b->id, "resource", resources[i], "stalled", "some"),
			     b->pressure[i].some.total_us, MICRO);
		sample_parts(t, LABELS("id", b->id, "resource", resources[i], "stalled", "full"),
			     b->pressure[i].full.total_us, MICRO);
	}
}

static void put_stall_ratio(struct families *t, const struct stats_sandbox *b)
{
	for (int i = 0; i < PRESSURES; i++) {
		sample_parts(t, LABELS("id", b->id, "resource", resources[i], "stalled", "some"),
			     b->pressure[i].some.avg10, CENTI_PERCENT);
		sample_parts(t, LABELS("id", b->id, "resource", resources[i], "stalled", "full"),
			     b->pressure[i].full.avg10, CENTI_PERCENT);
	}
}

static const struct {
	struct family f;
	void (*put)(struct families *t, const struct stats_sandbox *b);
} others[] = {
	{{"brig_sandbox", INFO, NULL, "The sandbox; ended says how it ended, where that is known."},
	 put_info             },
	{{"brig_sandbox_tainted", GAUGE, NULL, "1 after a call that no program makes."},
	 put_tainted          },
	{{"brig_sandbox_cpu_mode_seconds", COUNTER, "seconds", "CPU time used, by mode."},
	 put_cpu_modes        },
	{{"brig_sandbox_io_bytes", COUNTER, "bytes",
	  "Bytes read from and written to block devices."},
	 put_io_bytes         },
	{{"brig_sandbox_io_operations", COUNTER, NULL, "Reads and writes of block devices."},
	 put_io_counts        },
	{{"brig_sandbox_network_bytes", COUNTER, "bytes", "Bytes of all network devices but lo."},
	 put_net_bytes        },
	{{"brig_sandbox_network_packets", COUNTER, NULL, "Packets of all network devices but lo."},
	 put_net_packets      },
	{{"brig_sandbox_disk_bytes", GAUGE, "bytes", "Bytes used of a writable tmpfs."},
	 put_disk_bytes       },
	{{"brig_sandbox_disk_size_bytes", GAUGE, "bytes", "Size of a writable tmpfs."},
	 put_disk_size        },
	{{"brig_sandbox_disk_inodes", GAUGE, NULL, "Inodes used of a writable tmpfs."},
	 put_disk_inodes      },
	{{"brig_sandbox_disk_inodes_limit", GAUGE, NULL, "Inodes that a writable tmpfs may have."},
	 put_disk_inodes_limit},
	{{"brig_sandbox_stall_seconds", COUNTER, "seconds",
	  "Time in which some or all processes waited for a resource."},
	 put_stall_seconds    },
	{{"brig_sandbox_stall_ratio", GAUGE, "ratio",
	  "The same as a share of the last ten seconds."},
	 put_stall_ratio      },
};

static void put_others(struct families *t, const struct stats *s)
{
	for (size_t i = 0; i < LEN(others); i++) {
		begin_family(t, &others[i].f);
		for (size_t k = 0; k < s->n; k++)
			others[i].put(t, &s->sandboxes[k]);
	}
}

/* --- of the host -------------------------------------------------------------------------- */

static uint64_t count_of(const struct stats *s, const char *status, const char *level)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += str_eq(s->sandboxes[i].status ? s->sandboxes[i].status : "unknown", status) &&
		     str_eq(s->sandboxes[i].level ? s->sandboxes[i].level : "unknown", level);
	return n;
}

static void put_sandboxes(struct families *t, const struct stats *s)
{
	const struct stats_sums *u = &s->sums;

	for (size_t i = 0; i < u->n_by_status; i++)
		for (size_t k = 0; k < u->n_by_level; k++) {
			const char *status = u->by_status[i].word, *level = u->by_level[k].word;
			uint64_t n = count_of(s, status, level);

			if (n)
				sample_u(t, LABELS("status", status, "level", level), n);
		}
}

static void put_host_cpus(struct families *t, const struct stats *s)
{
	sample(t, (const char *const[]){NULL}, s->host.cpus);
}
static void put_host_memory(struct families *t, const struct stats *s)
{
	sample(t, (const char *const[]){NULL}, s->host.memory);
}
static void put_host_available(struct families *t, const struct stats *s)
{
	sample(t, (const char *const[]){NULL}, s->host.memory_available);
}

static void put_host_stall_seconds(struct families *t, const struct stats *s)
{
	for (int i = 0; i < PRESSURES; i++) {
		sample_parts(t, LABELS("resource", resources[i], "stalled", "some"),
			     s->host.pressure[i].some.total_us, MICRO);
		sample_parts(t, LABELS("resource", resources[i], "stalled", "full"),
			     s->host.pressure[i].full.total_us, MICRO);
	}
}

static const struct {
	struct family f;
	void (*put)(struct families *t, const struct stats *s);
} of_host[] = {
	{{"brig_sandboxes", GAUGE, NULL, "Sandboxes of this host."},                               put_sandboxes  },
	{{"brig_host_cpus", GAUGE, NULL, "CPUs of this host that are online."},                    put_host_cpus  },
	{{"brig_host_memory_bytes", GAUGE, "bytes", "Memory of this host."},                       put_host_memory},
	{{"brig_host_memory_available_bytes", GAUGE, "bytes", "Memory that could still be used."},
	 put_host_available										       },
	{{"brig_host_stall_seconds", COUNTER, "seconds",
	  "Time in which some or all processes waited for a resource."},
	 put_host_stall_seconds										   },
};

char *stats_openmetrics(struct arena *a, const struct stats *s, size_t *len)
{
	struct families t = {.out = {.a = a}};

	put_others(&t, s);
	put_numbers(&t, s);
	for (size_t i = 0; s->all && i < LEN(of_host); i++) {
		begin_family(&t, &of_host[i].f);
		of_host[i].put(&t, s);
	}
	end_family(&t);
	text_addf(&t.out, "# EOF\n");
	if (len)
		*len = t.out.len;
	return t.out.s;
}
