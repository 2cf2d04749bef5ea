/* Which ids of the host are those of a sandbox's users. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "pool/row.h"

/* SLOT: of the node's pool, with room for the lines of single ids behind it. */
enum { MOST = 64 << 10, SLOT = 65536 + 256 };

/* Those that config.json has given are claimed nowhere: its first process has them. */
static bool read_map(const struct pool_row *l, struct pool_ids *out)
{
	struct err ignored;
	char path[64], *text, *line, *rest;
	uint32_t inside, first, size;

	snprintf(path, sizeof(path), "/proc/%" PRIi64 "/uid_map", l->s->state->pid);
	if (l->s->state->pid <= 0 ||
	    file_read(l->a, AT_FDCWD, path, MOST, &text, NULL, &ignored) < 0)
		return false;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		if (out->n == POOL_ID_RANGES ||
		    sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &first, &size) != 3)
			return false;
		out->list[out->n].first = first;
		out->list[out->n++].size = size;
	}
	return out->n > 0;
}

bool pool_ids_of(const struct pool_row *l, struct pool_ids *out)
{
	const struct state_reuse *u = l->s->state->reuse;

	out->n = 0;
	if (!u || !u->ids_base)
		return read_map(l, out);
	out->list[0].first = u->ids_base;
	out->list[0].size = SLOT;
	out->n = 1;
	return true;
}

bool pool_ids_have(const struct pool_ids *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (id >= ids->list[i].first && id - ids->list[i].first < ids->list[i].size)
			return true;
	return false;
}
