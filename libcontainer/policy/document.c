/* A platform's document as wishes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"

/* What platforms call a language beside our own words. */
static const struct {
	const char *name, *language;
} languages[] = {
	{"nodejs",     "node"  },
        {"javascript", "node"  },
        {"typescript", "node"  },
        {"bash",       "shell" },
	{"sh",         "shell" },
        {"go",         "native"},
        {"rust",       "native"},
        {"c",          "native"},
	{"c++",        "native"},
        {"java",       "jvm"   },
        {"kotlin",     "jvm"   },
        {"scala",      "jvm"   },
};

static const char *language_of(const char *name)
{
	for (size_t i = 0; name && i < LEN(languages); i++)
		if (str_eq(languages[i].name, name))
			return languages[i].language;
	return name;
}

/* true is the pinning there is; false says that it is not asked for, not that it is unwanted. */
static const char *pin_of(const char *text)
{
	if (str_eq(text, "true"))
		return "cpus";
	return str_eq(text, "false") ? NULL : text;
}

static int take_size(struct arena *a, const char *text, const uint64_t **to, struct err *e)
{
	uint64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	return text ? wish_size(text, n, e) : 0;
}

static int take_count(struct arena *a, const char *text, const int64_t **to, struct err *e)
{
	int64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	if (text && (!str_i64(text, n) || *n < 0))
		return err_msg(e, EINVAL, "\"%.40s\" is no number", text);
	return 0;
}

static int take_number(struct arena *a, const char *text, const uint64_t **to, struct err *e)
{
	uint64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	if (text && !str_u64(text, n))
		return err_msg(e, EINVAL, "\"%.40s\" is no number", text);
	return 0;
}

static int take_time(struct arena *a, const char *text, const uint64_t **to, struct err *e)
{
	uint64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	return text ? wish_duration(text, n, e) : 0;
}

/* A property of the document and what its text is read by. */
struct property {
	const char *name, *text;
	const uint64_t **to;
	int (*take)(struct arena *a, const char *text, const uint64_t **to, struct err *e);
};

static int take_properties(struct arena *a, const struct property *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].take(a, p[i].text, p[i].to, e) < 0)
			return err_wrap(e, "%s", p[i].name);
	return 0;
}

static int take_more(struct arena *a, const struct policy_doc_resources *r,
		     struct policy_wishes *out, struct err *e)
{
	const uint64_t *swap;
	const struct property more[] = {
		{"ephemeralStorage", r->ephemeral_storage, &out->disk,   take_size  },
		{"inodes",           r->inodes,            &out->inodes, take_number},
		{"openFiles",        r->open_files,        &out->nofile, take_number},
		{"fileSize",         r->file_size,         &out->fsize,  take_size  },
		{"output",           r->output,            &out->output, take_size  },
		{"swap",             r->swap,              &swap,        take_size  },
	};

	if (take_properties(a, more, LEN(more), e) < 0)
		return -e->code;
	out->io = r->io;
	out->n_io = r->n_io;
	if (swap) {
		int64_t *n = arena_new(a, sizeof(*n));

		*n = (int64_t)*swap;
		out->swap = n;
	}
	return 0;
}

static int take_resources(struct arena *a, const struct policy_doc_resources *r,
			  struct policy_wishes *out, struct err *e)
{
	const uint64_t *memory;

	if (r->cpu) {
		double *cpus = arena_new(a, sizeof(*cpus));

		out->cpus = cpus;
		if (wish_cpus(r->cpu, cpus, e) < 0)
			return err_wrap(e, "cpu");
	}
	if (take_size(a, r->memory, &memory, e) < 0)
		return err_wrap(e, "memory");
	if (memory) {
		int64_t *n = arena_new(a, sizeof(*n));

		*n = (int64_t)*memory; /* wish_size gives no more than INT64_MAX */
		out->memory = n;
	}
	return take_count(a, r->pids, &out->pids, e) < 0 ? err_wrap(e, "pids")
							 : take_more(a, r, out, e);
}

static int take_network(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
			struct err *e)
{
	const uint64_t *bits;
	const struct property limits[] = {
		{"maxNetworkRequests",        d->max_network_requests,  &out->net_conns, take_number},
		{"max_network_bandwidth_bps", d->max_network_bandwidth, &bits,           take_number},
	};

	if (take_properties(a, limits, LEN(limits), e) < 0)
		return -e->code;
	if (bits) {
		uint64_t *bytes = arena_new(a, sizeof(*bytes));

		*bytes = *bits / 8;
		out->net_bandwidth = bytes;
	}
	return wish_doc_network(a, d, out, e);
}

static int take_all(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		    struct err *e)
{
	bool longer = d->max_execution_time;
	const struct property times[] = {
		{longer ? "maxExecutionTime" : "timeout",
		 longer ? d->max_execution_time : d->timeout,              &out->wall_ms,  take_time},
		{"maxCPUTime",                            d->max_cpu_time, &out->cpu_ms,   take_time},
		{"gracePeriod",                           d->grace_period, &out->grace_ms, take_time},
	};

	out->level = d->security_level;
	out->language = language_of(d->language);
	out->root_readonly = d->read_only_root;
	out->pin = pin_of(d->cpu_pinning);
	if (take_properties(a, times, LEN(times), e) < 0)
		return -e->code;
	if (take_resources(a, &d->resources, out, e) < 0)
		return err_wrap(e, "resources");
	out->write = arena_array(a, d->n_writable_paths + 1, sizeof(*out->write));
	out->n_write = d->n_writable_paths;
	for (size_t i = 0; i < d->n_writable_paths; i++)
		if (wish_write(a, d->writable_paths[i], &out->write[i], e) < 0)
			return err_wrap(e, "writablePaths[%zu]", i);
	return take_network(a, d, out, e) < 0 ? -e->code : wish_doc_grants(a, d, out, e);
}

int policy_wishes_document(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
			   struct err *e)
{
	*out = (struct policy_wishes){0};
	return take_all(a, d, out, e) < 0 ? err_wrap(e, "policy document") : 0;
}

int policy_doc_load(struct arena *a, const char *path, struct policy_doc *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path, POLICY_DOC_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	r = policy_doc_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}
