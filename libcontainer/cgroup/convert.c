#include "cgroup/convert.h"

#include <errno.h>

/* Written out, for libm would be linked (or loaded) for two functions on one number. */
static double log2_of(double x)
{
	double bit = 0.5, sum = 0;

	while (x >= 2) {
		x /= 2;
		sum += 1;
	}
	for (int i = 0; i < 50; i++) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			sum += bit;
		}
		bit /= 2;
	}
	return sum;
}

static double ten_to(double x)
{
	static const double ln10 = 2.302585092994045684;
	double term = 1, sum = 1, whole = 1;

	while (x >= 1) {
		x -= 1;
		whole *= 10;
	}
	for (int i = 1; i < 40; i++) {
		term *= x * ln10 / i;
		sum += term;
	}
	return whole * sum;
}

uint64_t cg_shares_to_weight(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of((double)shares);
	double weight = ten_to((l * l + 125 * l) / 612.0 - 7.0 / 34.0);
	/* Rounded up, but not for the last bits of the arithmetic: 1024 is exactly 100. */
	uint64_t down = (uint64_t)weight;
	return weight - (double)down > 1e-12 * weight ? down + 1 : down;
}

uint64_t cg_blkio_to_io_weight(uint64_t weight)
{
	return weight < 10 ? weight != 0 : 1 + (weight - 10) * 9999 / 990;
}

int cg_memsw_to_swap(int64_t limit, int64_t memsw, int64_t *swap, bool *set, struct err *e)
{
	*set = memsw != 0;
	*swap = memsw;
	/* As on v1, unlimited memory without a word on swap is unlimited both. */
	if (limit == -1 && memsw == 0) {
		*set = true;
		*swap = -1;
		return 0;
	}
	if (memsw == 0 || memsw == -1 || limit == -1)
		return 0;
	if (limit == 0)
		return err_msg(e, EINVAL, "unable to set swap limit without memory limit");
	if (memsw < limit)
		return err_msg(e, EINVAL, "memory+swap limit should be >= memory limit");
	*swap = memsw - limit;
	return 0;
}
