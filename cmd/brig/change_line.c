#include "cmd/brig/change_line.h"

#include <inttypes.h>

void change_line(FILE *out, const struct brig_change *c)
{
	fprintf(out, "%c %-9s %4s %12" PRIu64 " %s%s%s%s%s\n", c->op[0] - 'a' + 'A', c->type,
		c->mode ? c->mode : "-", c->size, c->sha256 ? c->sha256 : "", c->sha256 ? " " : "",
		c->path, c->target ? " -> " : "", c->target ? c->target : "");
}
