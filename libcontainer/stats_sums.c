#include "stats_sums.h"

#include "base/str.h"

static void count(struct stats_total *list, size_t *n, const char *word)
{
	size_t i = 0;

	while (i < *n && !str_eq(list[i].word, word))
		i++;
	if (i == *n)
		list[(*n)++] = (struct stats_total){.word = word};
	list[i].count++;
}

/* -1 is what is not told. */
static void add(uint64_t *sum, int64_t v)
{
	if (v > 0)
		*sum += (uint64_t)v;
}

/* The containers of a pod share one network: it counts once. */
static bool seen(const struct stats *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (s->sandboxes[k].has_network &&
		    s->sandboxes[k].network_id == s->sandboxes[i].network_id)
			return true;
	return false;
}

static void add_sandbox(struct stats_sums *t, const struct stats *s, size_t i)
{
	const struct stats_sandbox *b = &s->sandboxes[i];
	const struct cgroup_usage *u = &b->usage;

	t->tainted += b->tainted;
	add(&t->cpu_ns, u->cpu_ns);
	add(&t->throttled_ns, u->throttled_ns);
	add(&t->memory, u->memory);
	add(&t->swap, u->swap);
	add(&t->oom_kills, u->oom_kills);
	add(&t->pids, u->pids);
	add(&t->read_bytes, u->read_bytes);
	add(&t->write_bytes, u->write_bytes);
	if (b->has_network && !seen(s, i)) {
		t->rx_bytes += b->network.rx_bytes;
		t->tx_bytes += b->network.tx_bytes;
	}
	for (size_t k = 0; k < b->n_disks; k++)
		if (b->disks[k].known)
			t->disk_bytes += b->disks[k].used.bytes;
}

void stats_sum(struct arena *a, struct stats *s)
{
	struct stats_sums *t = &s->sums;

	*t = (struct stats_sums){.sandboxes = s->n};
	t->by_status = arena_array(a, s->n + 1, sizeof(*t->by_status));
	t->by_level = arena_array(a, s->n + 1, sizeof(*t->by_level));
	for (size_t i = 0; i < s->n; i++) {
		const struct stats_sandbox *b = &s->sandboxes[i];

		count(t->by_status, &t->n_by_status, b->status ? b->status : "unknown");
		count(t->by_level, &t->n_by_level, b->level ? b->level : "unknown");
		add_sandbox(t, s, i);
	}
}
