/* `stats --format json`: what is not known is absent. */
#include <stdio.h>

#include "base/own.h"
#include "specs/json_print.h"
#include "stats.h"

enum { FORMAT = 1, NS_PER_US = 1000 };

static void known(struct json_out *o, const char *key, int64_t v)
{
	if (v >= 0)
		json_key_int(o, key, v);
}

static void known_us(struct json_out *o, const char *key, int64_t ns)
{
	known(o, key, ns < 0 ? -1 : ns / NS_PER_US);
}

static void open_object(struct json_out *o, const char *key)
{
	json_key(o, key);
	json_object(o);
}

static void print_stall(struct json_out *o, const char *key, const struct cgroup_stall *s)
{
	char text[32];

	if (s->avg10 < 0)
		return;
	snprintf(text, sizeof(text), "%lld.%02d", (long long)s->avg10 / 100, (int)(s->avg10 % 100));
	open_object(o, key);
	json_key(o, "avg10");
	json_raw(o, text);
	known(o, "totalUs", s->total_us);
	json_end_object(o);
}

static void print_pressure(struct json_out *o, const struct cgroup_pressure *p)
{
	if (p->some.avg10 < 0 && p->full.avg10 < 0)
		return;
	open_object(o, "pressure");
	print_stall(o, "some", &p->some);
	print_stall(o, "full", &p->full);
	json_end_object(o);
}

static void print_cgroup(struct json_out *o, const struct stats_sandbox *s)
{
	const struct cgroup_usage *u = &s->usage;

	open_object(o, "cpu");
	known_us(o, "totalUs", u->cpu_ns);
	known_us(o, "userUs", u->user_ns);
	known_us(o, "systemUs", u->system_ns);
	known_us(o, "throttledUs", u->throttled_ns);
	known(o, "throttledPeriods", u->throttled);
	print_pressure(o, &s->pressure[PRESSURE_CPU]);
	json_end_object(o);
	open_object(o, "memory");
	known(o, "bytes", u->memory);
	known(o, "peak", u->memory_peak);
	known(o, "limit", u->memory_limit);
	known(o, "limitHits", u->memory_hits);
	known(o, "oomKills", u->oom_kills);
	known(o, "swap", u->swap);
	known(o, "swapPeak", u->swap_peak);
	print_pressure(o, &s->pressure[PRESSURE_MEMORY]);
	json_end_object(o);
	open_object(o, "pids");
	known(o, "current", u->pids);
	known(o, "peak", u->pids_peak);
	known(o, "limit", u->pids_limit);
	known(o, "refused", u->pids_refused);
	json_end_object(o);
	open_object(o, "io");
	known(o, "readBytes", u->read_bytes);
	known(o, "writeBytes", u->write_bytes);
	known(o, "reads", u->reads);
	known(o, "writes", u->writes);
	print_pressure(o, &s->pressure[PRESSURE_IO]);
	json_end_object(o);
}

static void print_disks(struct json_out *o, const struct stats_sandbox *s)
{
	json_key(o, "disk");
	json_array(o);
	for (size_t i = 0; i < s->n_disks; i++) {
		const struct stats_disk *d = &s->disks[i];

		if (!d->known)
			continue;
		json_object(o);
		json_key_str(o, "path", d->path);
		json_key_uint(o, "bytes", d->used.bytes);
		if (d->used.size)
			json_key_uint(o, "size", d->used.size);
		json_key_uint(o, "inodes", d->used.inodes);
		if (d->used.inodes_max)
			json_key_uint(o, "inodesMax", d->used.inodes_max);
		json_end_object(o);
	}
	json_end_array(o);
}

static void print_sandbox(struct json_out *o, const struct stats_sandbox *s)
{
	json_object(o);
	json_key_str(o, "id", s->id);
	if (s->status)
		json_key_str(o, "status", s->status);
	if (s->level)
		json_key_str(o, "level", s->level);
	if (s->error)
		json_key_str(o, "error", s->error);
	if (s->created)
		json_key_str(o, "created", s->created);
	if (s->pid)
		json_key_int(o, "pid", s->pid);
	if (s->ended)
		json_key_str(o, "ended", s->ended);
	if (s->exit_code)
		json_key_int(o, "exitCode", *s->exit_code);
	if (s->signal)
		json_key_int(o, "signal", *s->signal);
	json_key_bool(o, "tainted", s->tainted);
	if (s->level)
		print_cgroup(o, s);
	if (s->has_network) {
		open_object(o, "network");
		json_key_uint(o, "devices", s->network.devices);
		json_key_uint(o, "rxBytes", s->network.rx_bytes);
		json_key_uint(o, "rxPackets", s->network.rx_packets);
		json_key_uint(o, "txBytes", s->network.tx_bytes);
		json_key_uint(o, "txPackets", s->network.tx_packets);
		json_end_object(o);
	}
	if (s->n_disks)
		print_disks(o, s);
	json_end_object(o);
}

static void print_groups(struct json_out *o, const char *key, const struct stats_total *t, size_t n)
{
	open_object(o, key);
	for (size_t i = 0; i < n; i++)
		json_key_uint(o, t[i].word, t[i].count);
	json_end_object(o);
}

static void print_sums(struct json_out *o, const struct stats_sums *t)
{
	open_object(o, "total");
	json_key_uint(o, "sandboxes", t->sandboxes);
	print_groups(o, "byStatus", t->by_status, t->n_by_status);
	print_groups(o, "byLevel", t->by_level, t->n_by_level);
	json_key_uint(o, "tainted", t->tainted);
	json_key_uint(o, "cpuUs", t->cpu_ns / NS_PER_US);
	json_key_uint(o, "throttledUs", t->throttled_ns / NS_PER_US);
	json_key_uint(o, "memory", t->memory);
	json_key_uint(o, "swap", t->swap);
	json_key_uint(o, "oomKills", t->oom_kills);
	json_key_uint(o, "pids", t->pids);
	json_key_uint(o, "readBytes", t->read_bytes);
	json_key_uint(o, "writeBytes", t->write_bytes);
	json_key_uint(o, "rxBytes", t->rx_bytes);
	json_key_uint(o, "txBytes", t->tx_bytes);
	json_key_uint(o, "diskBytes", t->disk_bytes);
	json_end_object(o);
}

static void print_host(struct json_out *o, const struct stats_host *h)
{
	static const char *const names[PRESSURES] = {"cpu", "memory", "io"};

	open_object(o, "host");
	known(o, "cpus", h->cpus);
	known(o, "memory", h->memory);
	known(o, "memoryAvailable", h->memory_available);
	open_object(o, "pressure");
	for (int i = 0; i < PRESSURES; i++) {
		open_object(o, names[i]);
		print_stall(o, "some", &h->pressure[i].some);
		print_stall(o, "full", &h->pressure[i].full);
		json_end_object(o);
	}
	json_end_object(o);
	json_end_object(o);
}

char *stats_json(struct arena *a, const struct stats *s, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_int(&o, "v", FORMAT);
	json_key_str(&o, "time", s->time);
	json_key(&o, "sandboxes");
	json_array(&o);
	for (size_t i = 0; i < s->n; i++)
		print_sandbox(&o, &s->sandboxes[i]);
	json_end_array(&o);
	if (s->all) {
		print_sums(&o, &s->sums);
		print_host(&o, &s->host);
	}
	json_end_object(&o);
	return json_done(&o, len);
}
