#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/convert.h"
#include "cgroup/systemd.h"

/* Names and limits as systemd has them; nothing here talks to it. */

static bool good_part(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '/' || *s == 0x7f)
			return false;
	return true;
}

static bool good_slice(const char *s)
{
	size_t n = strlen(s);

	if (strcmp(s, "-.slice") == 0)
		return true;
	/* "a-b.slice" lies in "a.slice": empty parts have no parent (systemd.slice(5)). */
	return n > 6 && str_ends(s, ".slice") && s[0] != '-' && s[n - 7] != '-' &&
	       !strstr(s, "--") && good_part(s);
}

int cg_systemd_names(struct arena *a, const char *path, const char *id, bool user,
		     struct cg_scope *out, struct err *e)
{
	const char *prefix = "brig", *name = id;

	out->slice = user ? "user.slice" : "system.slice";
	if (path) {
		const char *one = strchr(path, ':');
		const char *two = one ? strchr(one + 1, ':') : NULL;

		if (!two || strchr(two + 1, ':'))
			return err_msg(e, EINVAL,
				       "expected cgroupsPath to be of format \"slice:prefix:name\" "
				       "for systemd cgroups, got \"%s\" instead",
				       path);
		if (one > path)
			out->slice = arena_strndup(a, path, (size_t)(one - path));
		prefix = arena_strndup(a, one + 1, (size_t)(two - one - 1));
		name = two + 1;
	}
	if (!good_slice(out->slice))
		return err_msg(e, EINVAL, "invalid slice name: %s", out->slice);
	if (!name[0] || !good_part(name) || !good_part(prefix))
		return err_msg(e, EINVAL, "cgroupsPath: invalid unit name \"%s-%s\"", prefix, name);
	if (str_ends(name, ".slice"))
		return err_msg(e, EINVAL, "cgroupsPath: a slice cannot hold a container: %s", name);
	out->unit = prefix[0] ? arena_printf(a, "%s-%s.scope", prefix, name)
			      : arena_printf(a, "%s.scope", name);
	return 0;
}

struct props {
	struct arena *a;
	const char **v;
	size_t n;
};

static __attribute__((format(printf, 2, 3))) void add(struct props *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	p->v[p->n++] = arena_vprintf(p->a, fmt, ap);
	va_end(ap);
}

static void add_size(struct props *p, const char *name, int64_t v)
{
	if (v < 0)
		add(p, "%s=infinity", name);
	else
		add(p, "%s=%lld", name, (long long)v);
}

static void memory(struct props *p, const struct oci_memory *m, bool v2)
{
	int64_t limit = m->limit ? *m->limit : 0, swap;
	struct err lost;
	bool set;

	if (limit)
		add_size(p, v2 ? "MemoryMax" : "MemoryLimit", limit);
	if (!v2)
		return;
	if (m->reservation && *m->reservation)
		add_size(p, "MemoryLow", *m->reservation);
	if (cg_memsw_to_swap(limit, m->swap ? *m->swap : 0, &swap, &set, &lost) == 0 && set)
		add_size(p, "MemorySwapMax", swap);
}

/* systemd keeps a quota per second and a period, both in microseconds. */
static void quota(struct props *p, const struct oci_cpu *c)
{
	enum { DEFAULT_PERIOD = 100000, STEP = 10000 };
	uint64_t period = c->period && *c->period ? *c->period : DEFAULT_PERIOD, per_second;

	if (c->period && *c->period)
		add(p, "CPUQuotaPeriodUSec=%llu", (unsigned long long)period);
	if (!c->quota || !*c->quota)
		return;
	if (*c->quota < 0 || __builtin_mul_overflow((uint64_t)*c->quota, 1000000U, &per_second)) {
		add(p, "CPUQuotaPerSecUSec=infinity");
		return;
	}
	/* Rounded up to the 1 % steps that systemd counts in; the file gets the exact value. */
	per_second = (per_second / period + STEP - 1) / STEP * STEP;
	add(p, "CPUQuotaPerSecUSec=%llu", (unsigned long long)per_second);
}

static void cpu(struct props *p, const struct oci_cpu *c, bool v2)
{
	bool idle = c->idle && *c->idle;

	if (c->shares && *c->shares && !idle && v2)
		add(p, "CPUWeight=%llu", (unsigned long long)cg_shares_to_weight(*c->shares));
	else if (c->shares && *c->shares && !v2)
		add(p, "CPUShares=%llu", (unsigned long long)*c->shares);
	quota(p, c);
	if (v2 && c->cpus && c->cpus[0])
		add(p, "AllowedCPUs=%s", c->cpus);
	if (v2 && c->mems && c->mems[0])
		add(p, "AllowedMemoryNodes=%s", c->mems);
}

/* The limits that come by their v2 names. */
static void unified(struct props *p, const struct oci_map *m)
{
	static const struct {
		const char *file, *property;
	} rows[] = {
		{"cpu.weight",      "CPUWeight"         },
		{"cpuset.cpus",     "AllowedCPUs"       },
		{"cpuset.mems",     "AllowedMemoryNodes"},
		{"memory.high",     "MemoryHigh"        },
		{"memory.low",      "MemoryLow"         },
		{"memory.min",      "MemoryMin"         },
		{"memory.max",      "MemoryMax"         },
		{"memory.swap.max", "MemorySwapMax"     },
		{"pids.max",        "TasksMax"          },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		size_t n = strcspn(m->value, "\n");

		if (strcmp(m->key, rows[i].file) == 0)
			add(p, "%s=%.*s", rows[i].property,
			    strncmp(m->value, "max", n) == 0 && n == 3 ? 8 : (int)n,
			    strncmp(m->value, "max", n) == 0 && n == 3 ? "infinity" : m->value);
	}
}

const char **cg_systemd_properties(struct arena *a, const struct oci_resources *r, bool v2,
				   size_t *n)
{
	enum { MAX_OWN = 16 };
	struct props p = {.a = a};

	p.v = arena_array(a, MAX_OWN + (r ? r->n_unified : 0), sizeof(*p.v));
	if (r && r->memory)
		memory(&p, r->memory, v2);
	if (r && r->cpu)
		cpu(&p, r->cpu, v2);
	if (r && r->pids && r->pids->limit)
		add_size(&p, "TasksMax", r->pids->limit);
	if (r && r->block_io && r->block_io->weight && *r->block_io->weight && v2)
		add(&p, "IOWeight=%llu",
		    (unsigned long long)cg_blkio_to_io_weight(*r->block_io->weight));
	for (size_t i = 0; r && i < r->n_unified; i++)
		unified(&p, &r->unified[i]);
	*n = p.n;
	return p.v;
}
