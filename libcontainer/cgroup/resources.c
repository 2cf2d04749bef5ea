#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cgroup/settings.h"

/* What is wrong on every layout. */

enum { MAX_CPUS = 8192 };

static int check_list(const char *what, const char *list, struct err *e)
{
	uint64_t set[MAX_CPUS / 64];

	/* The kernel also takes strides (0-31:2/4) and "all": those it judges itself. */
	if (!list || !list[0] || strchr(list, ':') || strcmp(list, "all") == 0)
		return 0;
	if (!str_cpulist(list, set, MAX_CPUS))
		return err_msg(e, EINVAL, "linux.resources.cpu.%s: \"%s\" is not a list of numbers",
			       what, list);
	return 0;
}

static int check_size(const char *what, const int64_t *v, struct err *e)
{
	if (v && *v < -1)
		return err_msg(e, EINVAL, "linux.resources.memory.%s: invalid value %lld", what,
			       (long long)*v);
	return 0;
}

static int check_memory(const struct oci_memory *m, struct err *e)
{
	int r = check_size("limit", m->limit, e);

	if (r >= 0)
		r = check_size("reservation", m->reservation, e);
	if (r >= 0)
		r = check_size("swap", m->swap, e);
	if (r >= 0)
		r = check_size("kernel", m->kernel, e);
	if (r >= 0)
		r = check_size("kernelTCP", m->kernel_tcp, e);
	if (r >= 0 && m->swappiness && *m->swappiness > 100)
		r = err_msg(e, EINVAL,
			    "linux.resources.memory.swappiness: %llu is not between 0 and 100",
			    (unsigned long long)*m->swappiness);
	return r;
}

static int check_huge(const struct oci_hugepage_limit *h, struct err *e)
{
	const char *size = h->page_size ? h->page_size : "";
	size_t digits = strspn(size, "0123456789");

	if (!digits || strspn(size + digits, "KMGTB") != strlen(size + digits))
		return err_msg(e, EINVAL,
			       "linux.resources.hugepageLimits: invalid page size \"%s\"", size);
	return 0;
}

/* Names become words of a line: a blank or newline would make two of one. */
static int check_word(const char *what, const char *s, struct err *e)
{
	if (!s || !s[0] || strpbrk(s, " \t\n"))
		return err_msg(e, EINVAL, "linux.resources.%s: invalid name \"%s\"", what,
			       s ? s : "");
	return 0;
}

int settings_check(const struct oci_resources *r, struct err *e)
{
	int x = r->memory ? check_memory(r->memory, e) : 0;

	if (x >= 0 && r->cpu)
		x = check_list("cpus", r->cpu->cpus, e);
	if (x >= 0 && r->cpu)
		x = check_list("mems", r->cpu->mems, e);
	for (size_t i = 0; x >= 0 && i < r->n_hugepage_limits; i++)
		x = check_huge(&r->hugepage_limits[i], e);
	for (size_t i = 0; x >= 0 && i < r->n_rdma; i++)
		x = check_word("rdma", r->rdma[i].device, e);
	for (size_t i = 0; x >= 0 && r->network && i < r->network->n_priorities; i++)
		x = check_word("network.priorities", r->network->priorities[i].name, e);
	return x;
}
