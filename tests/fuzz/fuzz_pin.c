#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/book.h"
#include "cpu/choose.h"

/*
 * A file of the CPU reservations: what is taken is whole and can be written again.  And the choice
 * of cores on a machine made of the same bytes: whole ones, allowed, nobody's, enough of them.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_print(struct arena *a, const uint8_t *data, size_t size)
{
	struct book_entry entry, again;
	char *text = arena_new(a, size + 1);

	if (size)
		memcpy(text, data, size);
	if (!book_parse(text, size, &entry))
		return;
	char *list = book_print(a, &entry);
	if (!book_parse(list, strlen(list), &again) || strcmp(again.user, entry.user) != 0 ||
	    !cpu_same(&again.cpus, &entry.cpus) || again.exclusive != entry.exclusive)
		abort();
}

/* Two bytes a core: threads, package, node and speed of it, and whether it is allowed and free. */
static void make_machine(struct arena *a, const uint8_t *data, size_t size, struct cpu_topology *t,
			 struct cpu_set *allowed, struct cpu_set *busy)
{
	uint32_t cpu = 0;

	t->nodes.n = 4;
	t->nodes.v = arena_array(a, t->nodes.n, sizeof(*t->nodes.v));
	t->cores = arena_array(a, size / 2, sizeof(*t->cores));
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		uint32_t *far = arena_array(a, t->nodes.n, sizeof(*far));

		for (size_t k = 0; k < t->nodes.n; k++)
			far[k] = data[(i * 4 + k) % size];
		t->nodes.v[i].id = i * 3;
		t->nodes.v[i].distance = data[i % size] & 1 ? far : NULL;
	}
	for (size_t i = 0; i + 1 < size; i += 2) {
		struct cpu_core *core = &t->cores[t->n_cores++];
		uint32_t *threads = arena_array(a, 4, sizeof(*threads));
		uint8_t x = data[i], y = data[i + 1];

		core->n = 1 + (x & 3);
		core->package = (x >> 2 & 3) - 1;
		core->node = (x >> 4 & 7) * 3 - 3;
		core->speed = (y & 3) * 100;
		core->cpus = threads;
		for (size_t k = 0; k < core->n; k++, cpu++) {
			threads[k] = cpu;
			cpu_add(&t->online, cpu);
			if (y >> 2 & 1 || k == (y >> 4 & 3))
				cpu_add(allowed, cpu);
			if (y >> 3 & 1 && k == (y >> 6 & 3))
				cpu_add(busy, cpu);
		}
	}
}

static void choose_and_check(struct arena *a, const uint8_t *data, size_t size)
{
	struct cpu_set allowed = {0}, busy = {0}, out = {0};
	struct cpu_topology t = {0};
	struct err e;
	struct choose_cores how = {
		.topology = &t, .allowed = &allowed, .busy = &busy, .count = data[0] & 31};
	size_t free = 0;

	make_machine(a, data + 1, size - 1, &t, &allowed, &busy);
	for (size_t i = 0; i < t.n_cores; i++) {
		bool usable = true;

		for (size_t k = 0; k < t.cores[i].n; k++)
			usable = usable && cpu_has(&allowed, t.cores[i].cpus[k]) &&
				 !cpu_has(&busy, t.cores[i].cpus[k]);
		free += usable ? t.cores[i].n : 0;
	}
	int r = choose_cores(&how, &out, &e);
	size_t need = how.count ? how.count : 1, got = cpu_count(&out);
	if ((r == 0) != (free >= need) || (r < 0 && r != -EBUSY && r != -EINVAL))
		abort();
	if (r < 0)
		return;
	if (got < need || got > need + 3 || cpu_overlap(&out, &busy))
		abort();
	for (size_t i = 0; i < t.n_cores; i++)
		for (size_t k = 0; k < t.cores[i].n; k++)
			if (cpu_has(&out, t.cores[i].cpus[k]) !=
				    cpu_has(&out, t.cores[i].cpus[0]) ||
			    (cpu_has(&out, t.cores[i].cpus[k]) &&
			     !cpu_has(&allowed, t.cores[i].cpus[k])))
				abort();
	(void)choose_describe(a, &t, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};

	read_and_print(&a, data, size);
	if (size > 2 && size < 400)
		choose_and_check(&a, data, size);
	return 0;
}
