#include <string.h>

#include "base/own.h"
#include "cgroup/stats_read.h"
#include "cgroup/text.h"

/* "memory" of the statistics. */

static void entry_v1(struct stats *st, const char *key, const char *prefix)
{
	static const struct {
		const char *file, *key;
	} rows[] = {
		{"limit_in_bytes",     "limit"  },
		{"usage_in_bytes",     "usage"  },
		{"max_usage_in_bytes", "max"    },
		{"failcnt",            "failcnt"},
	};

	put_open(&st->j, key, '{');
	for (size_t i = 0; i < LEN(rows); i++)
		stats_put_u64(st, CG_MEMORY,
			      arena_printf(st->j.a, "memory.%s%s", prefix, rows[i].file),
			      rows[i].key);
	put_close(&st->j, '}');
}

static void raw(struct stats *st, char *stat)
{
	const char *key;
	uint64_t v;

	put_open(&st->j, "raw", '{');
	while (stat && cg_flat_next(&stat, &key, &v))
		put_u64(&st->j, key, v);
	put_close(&st->j, '}');
}

static void usage_v2(struct stats *st)
{
	const char *events = stats_text(st, CG_MEMORY, "memory.events");
	uint64_t hits;

	put_open(&st->j, "usage", '{');
	stats_put_u64(st, CG_MEMORY, "memory.max", "limit");
	stats_put_u64(st, CG_MEMORY, "memory.current", "usage");
	stats_put_u64(st, CG_MEMORY, "memory.peak", "max");
	if (events && cg_flat_get(events, "max", &hits))
		put_u64(&st->j, "failcnt", hits);
	put_close(&st->j, '}');
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Readers know v1, where swap means memory and swap together. */
static void swap_v2(struct stats *st)
{
	uint64_t mem, swap, mem_max, swap_max;

	put_open(&st->j, "swap", '{');
	if (stats_u64(st, CG_MEMORY, "memory.max", &mem_max) &&
	    stats_u64(st, CG_MEMORY, "memory.swap.max", &swap_max))
		put_u64(&st->j, "limit", add(mem_max, swap_max));
	if (stats_u64(st, CG_MEMORY, "memory.current", &mem) &&
	    stats_u64(st, CG_MEMORY, "memory.swap.current", &swap))
		put_u64(&st->j, "usage", add(mem, swap));
	put_close(&st->j, '}');
}

void stats_memory(struct stats *st)
{
	char *stat = stats_text(st, CG_MEMORY, "memory.stat");
	uint64_t cache;

	put_open(&st->j, "memory", '{');
	if (stat && cg_flat_get(stat, st->v2 ? "file" : "cache", &cache))
		put_u64(&st->j, "cache", cache);
	if (st->v2) {
		usage_v2(st);
		swap_v2(st);
	} else {
		entry_v1(st, "usage", "");
		entry_v1(st, "swap", "memsw.");
		entry_v1(st, "kernel", "kmem.");
		entry_v1(st, "kernelTCP", "kmem.tcp.");
	}
	raw(st, stat);
	stats_psi(st, "memory.pressure");
	put_close(&st->j, '}');
}
