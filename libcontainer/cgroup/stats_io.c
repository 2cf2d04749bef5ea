#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/stats_read.h"
#include "cgroup/text.h"

/* "blkio" and "hugetlb" of the statistics. */

static void item(struct json_out *j, const struct cg_io *io, const char *op)
{
	put_open(j, NULL, '{');
	put_u64(j, "major", io->major);
	put_u64(j, "minor", io->minor);
	if (op[0])
		put_str(j, "op", op);
	put_u64(j, "value", io->value);
	put_close(j, '}');
}

/* The first of two files that has lines: BFQ's names after CFQ's or the throttler's. */
static void list_v1(struct stats *st, const char *key, const char *file, const char *second)
{
	char *text = stats_text(st, CG_IO, file);
	struct cg_io_iter it = {0};
	bool any = false;
	struct cg_io io;

	if (!text && second)
		text = stats_text(st, CG_IO, second);
	for (it.text = text; cg_blkio_next(&it, &io); any = true) {
		if (!any)
			put_open(&st->j, key, '[');
		item(&st->j, &io, io.op);
	}
	if (any)
		put_close(&st->j, ']');
}

static void lists_v1(struct stats *st)
{
	static const struct {
		const char *key, *file, *second;
	} rows[] = {
		{"ioServiceBytesRecursive", "blkio.bfq.io_service_bytes_recursive",
		 "blkio.throttle.io_service_bytes_recursive"                                                   },
		{"ioServicedRecursive",     "blkio.bfq.io_serviced_recursive",
		 "blkio.throttle.io_serviced_recursive"							},
		{"ioQueueRecursive",        "blkio.bfq.io_queued_recursive",        "blkio.io_queued_recursive"},
		{"ioServiceTimeRecursive",  "blkio.bfq.io_service_time_recursive",
		 "blkio.io_service_time_recursive"							     },
		{"ioWaitTimeRecursive",     "blkio.bfq.io_wait_time_recursive",
		 "blkio.io_wait_time_recursive"								},
		{"ioMergedRecursive",       "blkio.bfq.io_merged_recursive",        "blkio.io_merged_recursive"},
		{"ioTimeRecursive",         "blkio.bfq.time_recursive",             "blkio.time_recursive"     },
		{"sectorsRecursive",        "blkio.bfq.sectors_recursive",          "blkio.sectors_recursive"  },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		list_v1(st, rows[i].key, rows[i].file, rows[i].second);
}

/* io.stat has bytes and counts of each direction on one line; v1 readers want two lists. */
static void list_v2(struct stats *st, const char *key, const struct word *ops)
{
	struct cg_io_iter it = {.text = stats_text(st, CG_IO, "io.stat")};
	static const char *const names[] = {"Read", "Write", "Discard"};
	bool any = false;
	struct cg_io io;

	while (cg_io_stat_next(&it, &io)) {
		const struct word *op = word_find(ops, io.op);

		if (!op)
			continue;
		if (!any)
			put_open(&st->j, key, '[');
		any = true;
		item(&st->j, &io, names[op->value]);
	}
	if (any)
		put_close(&st->j, ']');
}

void stats_blkio(struct stats *st)
{
	static const struct word bytes[] = {
		{"rbytes", 0},
		{"wbytes", 1},
		{"dbytes", 2},
		{NULL,     0},
	};
	static const struct word counts[] = {
		{"rios", 0},
		{"wios", 1},
		{"dios", 2},
		{NULL,   0},
	};

	put_open(&st->j, "blkio", '{');
	if (st->v2) {
		list_v2(st, "ioServiceBytesRecursive", bytes);
		list_v2(st, "ioServicedRecursive", counts);
	} else {
		lists_v1(st);
	}
	stats_psi(st, "io.pressure");
	put_close(&st->j, '}');
}

/* hugepages-2048kB of /sys as the 2MB of the control files. */
static bool page_size(const char *dir, char *out, size_t size)
{
	char number[24];
	uint64_t kb;

	if (!str_starts(dir, "hugepages-") || !str_ends(dir, "kB"))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)strlen(dir + 10) - 2, dir + 10);
	if (!str_u64(number, &kb))
		return false;
	unsigned int unit = 0;
	for (; kb >= 1024 && kb % 1024 == 0 && unit < 2; unit++)
		kb /= 1024;
	snprintf(out, size, "%llu%cB", (unsigned long long)kb, "KMG"[unit]);
	return true;
}

static void huge_v2(struct stats *st, const char *size)
{
	const char *events =
		stats_text(st, CG_HUGETLB, arena_printf(st->j.a, "hugetlb.%s.events", size));
	uint64_t hits;

	stats_put_u64(st, CG_HUGETLB, arena_printf(st->j.a, "hugetlb.%s.current", size), "usage");
	if (events && cg_flat_get(events, "max", &hits))
		put_u64(&st->j, "failcnt", hits);
}

static void huge_v1(struct stats *st, const char *size)
{
	static const struct {
		const char *file, *key;
	} rows[] = {
		{"usage_in_bytes",     "usage"  },
		{"max_usage_in_bytes", "max"    },
		{"failcnt",            "failcnt"},
	};

	for (size_t i = 0; i < LEN(rows); i++)
		stats_put_u64(st, CG_HUGETLB,
			      arena_printf(st->j.a, "hugetlb.%s.%s", size, rows[i].file),
			      rows[i].key);
}

void stats_hugetlb(struct stats *st)
{
	own_dir DIR *d = opendir("/sys/kernel/mm/hugepages");
	struct dirent *de;
	char size[32];

	put_open(&st->j, "hugetlb", '{');
	while (d && (de = readdir(d))) {
		if (!page_size(de->d_name, size, sizeof(size)))
			continue;
		uint64_t v;

		if (!stats_u64(st, CG_HUGETLB,
			       st->v2 ? arena_printf(st->j.a, "hugetlb.%s.current", size)
				      : arena_printf(st->j.a, "hugetlb.%s.usage_in_bytes", size),
			       &v))
			continue;
		put_open(&st->j, size, '{');
		if (st->v2)
			huge_v2(st, size);
		else
			huge_v1(st, size);
		put_close(&st->j, '}');
	}
	put_close(&st->j, '}');
}
