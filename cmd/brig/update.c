#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

/* The limits are read straight into the spec's structs; NULL is "leave it as it is". */
struct update_opts {
	const char *resources;
	struct oci_memory memory;
	struct oci_cpu cpu;
	const uint16_t *blkio_weight;
	const int64_t *pids_limit;
	const char *kernel_memory, *kernel_memory_tcp;
	const char *l3_cache_schema, *mem_bw_schema;
	const char *lease;
};

#define AT(member) offsetof(struct update_opts, member)

static const struct opt options[] = {
	{"resources",          "r",  OPT_STRING,      AT(resources),            "FILE",
	 "linux.resources as JSON, - reads standard input; options beside it win",                                         NULL, NULL},
	{"blkio-weight",       NULL, OPT_MAYBE_U16,   AT(blkio_weight),         "N",     "weight of I/O, 10 to 1000",
	 NULL,														   NULL},
	{"cpu-period",         NULL, OPT_MAYBE_U64,   AT(cpu.period),           "USEC",  "length of a CPU period",         NULL,
	 NULL															},
	{"cpu-quota",          NULL, OPT_MAYBE_I64,   AT(cpu.quota),            "USEC",
	 "CPU time in a period, -1: unlimited",									    NULL, NULL},
	{"cpu-burst",          NULL, OPT_MAYBE_U64,   AT(cpu.burst),            "USEC",
	 "unused CPU time that may be saved up",									   NULL, NULL},
	{"cpu-share",          NULL, OPT_MAYBE_U64,   AT(cpu.shares),           "N",     "CPU shares, relative to others",
	 NULL,														   NULL},
	{"cpu-rt-period",      NULL, OPT_MAYBE_U64,   AT(cpu.realtime_period),  "USEC",
	 "length of a real-time period",										   NULL, NULL},
	{"cpu-rt-runtime",     NULL, OPT_MAYBE_I64,   AT(cpu.realtime_runtime), "USEC",
	 "real-time CPU time in a period",										 NULL, NULL},
	{"cpuset-cpus",        NULL, OPT_STRING,      AT(cpu.cpus),             "LIST",  "CPUs to use",                    NULL, NULL},
	{"cpuset-mems",        NULL, OPT_STRING,      AT(cpu.mems),             "LIST",  "memory nodes to use",            NULL, NULL},
	{"cpu-idle",           NULL, OPT_MAYBE_I64,   AT(cpu.idle),             "0|1",   "run as SCHED_IDLE",              NULL, NULL},
	{"memory",             NULL, OPT_MAYBE_BYTES, AT(memory.limit),         "BYTES", "memory limit, -1: unlimited",
	 NULL,														   NULL},
	{"memory-reservation", NULL, OPT_MAYBE_BYTES, AT(memory.reservation),   "BYTES",
	 "memory kept when there is little",									       NULL, NULL},
	{"memory-swap",        NULL, OPT_MAYBE_BYTES, AT(memory.swap),          "BYTES",
	 "memory and swap together, -1: unlimited",									NULL, NULL},
	{"kernel-memory",      NULL, OPT_STRING,      AT(kernel_memory),        "BYTES", NULL,                             NULL, NULL},
	{"kernel-memory-tcp",  NULL, OPT_STRING,      AT(kernel_memory_tcp),    "BYTES", NULL,                             NULL, NULL},
	{"pids-limit",         NULL, OPT_MAYBE_I64,   AT(pids_limit),           "N",
	 "number of processes and threads, -1: unlimited",								 NULL, NULL},
	{"l3-cache-schema",    NULL, OPT_STRING,      AT(l3_cache_schema),      "TEXT",
	 "Intel RDT/CAT schema of the L3 cache",									   NULL, NULL},
	{"mem-bw-schema",      NULL, OPT_STRING,      AT(mem_bw_schema),        "TEXT",
	 "Intel RDT/MBA schema of the memory bandwidth",								   NULL, NULL},
	LEASE_ROW(AT(lease)),
	{NULL,		 NULL, OPT_FLAG,        0,                        NULL,    NULL,                             NULL, NULL},
};

static int read_resources(struct arena *a, const char *from, struct oci_resources *r, struct err *e)
{
	char *text;
	size_t len;
	int err;

	if (str_eq(from, "-"))
		err = file_read_fd(a, STDIN_FILENO, "standard input", OCI_MAX_BYTES, &text, &len,
				   e);
	else
		err = file_read(a, AT_FDCWD, from, OCI_MAX_BYTES, &text, &len, e);
	return err < 0 ? err : oci_resources_parse(a, text, len, r, e);
}

static void merge_memory(struct arena *a, const struct oci_memory *o, struct oci_resources *r)
{
	struct oci_memory *m;

	if (!o->limit && !o->reservation && !o->swap)
		return;
	m = arena_new(a, sizeof(*m));
	if (r->memory)
		*m = *r->memory;
	m->limit = o->limit ? o->limit : m->limit;
	m->reservation = o->reservation ? o->reservation : m->reservation;
	m->swap = o->swap ? o->swap : m->swap;
	r->memory = m;
}

static void merge_cpu(struct arena *a, const struct oci_cpu *o, struct oci_resources *r)
{
	struct oci_cpu *m = arena_new(a, sizeof(*m));

	if (r->cpu)
		*m = *r->cpu;
	m->period = o->period ? o->period : m->period;
	m->quota = o->quota ? o->quota : m->quota;
	m->burst = o->burst ? o->burst : m->burst;
	m->shares = o->shares ? o->shares : m->shares;
	m->realtime_period = o->realtime_period ? o->realtime_period : m->realtime_period;
	m->realtime_runtime = o->realtime_runtime ? o->realtime_runtime : m->realtime_runtime;
	m->cpus = o->cpus && *o->cpus ? o->cpus : m->cpus;
	m->mems = o->mems && *o->mems ? o->mems : m->mems;
	m->idle = o->idle ? o->idle : m->idle;
	r->cpu = m;
}

static void merge_others(struct arena *a, const struct update_opts *o, struct oci_resources *r)
{
	if (o->blkio_weight && *o->blkio_weight) { /* 0 has always meant: not given */
		struct oci_block_io *io = arena_new(a, sizeof(*io));

		if (r->block_io)
			*io = *r->block_io;
		io->weight = o->blkio_weight;
		r->block_io = io;
	}
	if (o->pids_limit) {
		struct oci_pids *pids = arena_new(a, sizeof(*pids));

		pids->limit = *o->pids_limit;
		r->pids = pids;
	}
}

/* "No limit" for memory without a word on swap means both: v1 refuses one above the other. */
static void unlimited_swap(struct arena *a, struct oci_resources *r)
{
	static const int64_t unlimited = -1;
	struct oci_memory *m;

	if (!r->memory || !r->memory->limit || *r->memory->limit != -1 || r->memory->swap)
		return;
	m = arena_new(a, sizeof(*m));
	*m = *r->memory;
	m->swap = &unlimited;
	r->memory = m;
}

static int update(struct command *c, struct err *e)
{
	const struct update_opts *o = c->opts;
	struct oci_resources res = {0};
	int r;

	if (o->kernel_memory && *o->kernel_memory)
		log_warn("Setting --kernel-memory is ignored and will be removed");
	if (o->kernel_memory_tcp && *o->kernel_memory_tcp)
		log_warn("Setting --kernel-memory-tcp is ignored and will be removed");
	if (o->resources && *o->resources) {
		r = read_resources(c->arena, o->resources, &res, e);
		if (r < 0)
			return r;
	}
	merge_memory(c->arena, &o->memory, &res);
	merge_cpu(c->arena, &o->cpu, &res);
	merge_others(c->arena, o, &res);
	unlimited_swap(c->arena, &res);
	struct oci_intel_rdt rdt = {
		.l3_cache_schema =
			o->l3_cache_schema && *o->l3_cache_schema ? o->l3_cache_schema : NULL,
		.mem_bw_schema = o->mem_bw_schema && *o->mem_bw_schema ? o->mem_bw_schema : NULL,
	};
	answer_lease(c, o->lease);
	r = container_update(&c->host, c->args[0], &res,
			     rdt.l3_cache_schema || rdt.mem_bw_schema ? &rdt : NULL, c->arena, e);
	if (r < 0)
		c->code = answer_lease_code(e, c->code);
	return r;
}

const struct verb verb_update = {
	.name = "update",
	.summary = "change the limits of a container",
	.usage = "<container-id>",
	.text = "   Limits that are not named stay. If one cannot be set, all stay as they were.\n",
	.options = options,
	.options_size = sizeof(struct update_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = update,
};
