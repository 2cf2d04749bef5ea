/* reset, start, verify: whether a sandbox can be taken for what it was. */
#include "reset.h"
#include "taint.h"

void reset_taint(struct arena *a, int dir, struct brig_result *result, struct brig_report *out)
{
	struct taint t;

	if (result)
		taint_of_result(a, dir, result, &t);
	else
		taint_of(a, dir, &t);
	out->taint = taint_words(a, &t, &out->n_taint);
}
