#include "reuse_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "reuse.h"
#include "specs/json_print.h"

enum { WHOLE = 1000 };

/* The thresholds and what they are of, in one order. */
static const struct {
	const char *name, *what;
	size_t at, used;
} kinds[] = {
	{"memory", "memory",    offsetof(struct state_retire_on, memory),
	 offsetof(struct reuse_use,								  memory)},
	{"cpu",    "CPU time",  offsetof(struct state_retire_on, cpu),    offsetof(struct reuse_use, cpu)   },
	{"pids",   "processes", offsetof(struct state_retire_on, pids),
	 offsetof(struct reuse_use,								  pids)  },
	{"disk",   "disk",      offsetof(struct state_retire_on, disk),   offsetof(struct reuse_use, disk)  },
};

static uint32_t threshold(const struct state_retire_on *t, size_t kind)
{
	uint32_t n;

	memcpy(&n, (const char *)t + kinds[kind].at, sizeof(n));
	return n;
}

static int64_t used(const struct reuse_use *u, size_t kind)
{
	int64_t n;

	memcpy(&n, (const char *)u + kinds[kind].used, sizeof(n));
	return n;
}

/* --- reading ------------------------------------------------------------------------------ */

/* 0.9, .95, 1, 1.0 in thousandths; 0: it is none of them. */
static uint32_t part(const char *s, size_t len)
{
	uint32_t n = 0, digit = WHOLE;
	bool point = false;

	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s[i] < '0' || s[i] > '9' || (!point && i > 0) || digit == 1)
			return 0;
		if (point)
			digit /= 10;
		n += (uint32_t)(s[i] - '0') * digit;
	}
	return n <= WHOLE && s[len - 1] != '.' ? n : 0;
}

static int read_one(const char *s, size_t len, struct state_retire_on *out)
{
	for (size_t i = 0; i < LEN(kinds); i++) {
		size_t n = strlen(kinds[i].name);

		if (len <= n || strncmp(s, kinds[i].name, n) != 0 || s[n] != '=')
			continue;
		uint32_t value = part(s + n + 1, len - n - 1);
		if (!value || threshold(out, i))
			return -EINVAL;
		memcpy((char *)out + kinds[i].at, &value, sizeof(value));
		return 0;
	}
	return -EINVAL;
}

int reuse_read_retire_on(const char *text, struct state_retire_on *out)
{
	const char *p = text;

	*out = (struct state_retire_on){0};
	for (;;) {
		size_t len = strcspn(p, ",");

		if (read_one(p, len, out) < 0)
			return -EINVAL;
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

const char *reuse_unknown_use(const struct plan *p, const struct state_retire_on *t)
{
	const struct oci_linux *l = p->config.linux_;
	const struct oci_resources *r = l ? l->resources : NULL;
	bool memory = r && r->memory && r->memory->limit && *r->memory->limit > 0;
	bool cpu = r && r->cpu && r->cpu->quota && *r->cpu->quota > 0 && r->cpu->period;

	if (t->memory && !memory)
		return "memory: it has no limit of memory";
	if (t->cpu && !cpu)
		return "cpu: it has no quota of CPU time";
	if (t->pids && !(r && r->pids && r->pids->limit > 0))
		return "pids: it has no limit of processes";
	/* When it ended, and what it had written, is known to who has watched it. */
	if ((t->cpu || t->disk) && !p->watch.wanted)
		return "cpu, disk: nobody watches it; a time limit makes that somebody does";
	return NULL;
}

/* --- judging ------------------------------------------------------------------------------ */

const char *reuse_idle(struct arena *a, const struct state_reuse *u)
{
	uint64_t now = reuse_now_ns();
	uint64_t ms = now > u->generation_ns ? (now - u->generation_ns) / 1000000 : 0;

	if (!u->max_idle_ms || ms < u->max_idle_ms)
		return NULL;
	return arena_printf(
		a, "it has been parked for %" PRIu64 " s, at most %" PRIu64 " s are allowed",
		ms / 1000, u->max_idle_ms / 1000);
}

static int64_t thousandths(const uint64_t *n, int64_t whole)
{
	if (!n || whole <= 0)
		return -1;
	uint64_t most = INT64_MAX / WHOLE;

	return (int64_t)((*n > most ? most : *n) * WHOLE / (uint64_t)whole);
}

/* CPU time of what its quota would have let it have in that time: all of it in each period that it
 * has seen some of (sched-bwc.rst), so that one that ran for a moment has not used too much. */
static int64_t cpu_part(const struct brig_result *r, const struct oci_cpu *c)
{
	if (!r->cpu || !r->wall_ms || !c || !c->quota || *c->quota <= 0 || !c->period ||
	    !*c->period)
		return -1;
	uint64_t periods = *r->wall_ms * 1000 / *c->period + 1;
	uint64_t allowed = periods * (uint64_t)*c->quota / 1000;

	return allowed > INT64_MAX ? -1 : thousandths(r->cpu->total_ms, (int64_t)allowed);
}

void reuse_use_of(const struct brig_result *r, const struct oci_resources *limits,
		  struct reuse_use *out)
{
	*out = (struct reuse_use){-1, -1, -1, -1};
	if (limits && limits->memory && limits->memory->limit && r->memory)
		out->memory = thousandths(r->memory->peak, *limits->memory->limit);
	if (limits && limits->pids && r->pids)
		out->pids = thousandths(r->pids->peak, limits->pids->limit);
	if (limits)
		out->cpu = cpu_part(r, limits->cpu);
	if (r->disk && r->disk->size && *r->disk->size <= INT64_MAX)
		out->disk = thousandths(r->disk->bytes, (int64_t)*r->disk->size);
}

const char *reuse_overused(struct arena *a, const struct state_reuse *u,
			   const struct reuse_use *use)
{
	for (size_t i = 0; i < LEN(kinds); i++) {
		uint32_t most = threshold(&u->retire_on, i);
		int64_t n = used(use, i);

		if (most && n > most)
			return arena_printf(a,
					    "generation %" PRIu64 " used %" PRIi64 ".%03" PRIi64
					    " of its %s, more than %u.%03u",
					    u->generation, n / WHOLE, n % WHOLE, kinds[i].what,
					    most / WHOLE, most % WHOLE);
	}
	return NULL;
}

/* --- the key ------------------------------------------------------------------------------ */

const char *reuse_default_key(struct arena *a, const struct plan *p)
{
	const char *root = fs_plan_rootfs(p->fs);
	char hex[SHA256_HEX];
	struct json_out o;
	struct stat st = {0};
	size_t len;

	/* One that cannot be looked at fails later, with its own error. */
	(void)!stat(root, &st);
	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "level", p->level->policy.level.name);
	json_key_str(&o, "policy", p->level->policy.digest);
	json_key_str(&o, "rootfs", root);
	json_key_uint(&o, "device", st.st_dev);
	json_key_uint(&o, "inode", st.st_ino);
	json_end_object(&o);
	const char *text = json_done(&o, &len);

	sha256_hex(text, len, hex);
	return arena_printf(a, "sha256:%s", hex);
}
