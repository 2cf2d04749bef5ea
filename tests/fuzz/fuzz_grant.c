/* A grant, two of them on lines, or the file "grants": the first byte chooses which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_path(const char *path)
{
	must(*path == '/' && !strstr(path, "/../") && !strstr(path, "/./") && !strstr(path, "//"));
	must(!path[1] || (!str_ends(path, "/") && !str_ends(path, "/..") && !str_ends(path, "/.")));
	for (; *path; path++)
		must((unsigned char)*path >= ' ');
}

static int grant(struct arena *a, const char *text, struct brig_grant *g, struct err *e)
{
	struct brig_grant again;
	int r = grant_parse(a, text, g, e);

	if (r < 0)
		return r;
	must(g->text && g->target && g->kind < GRANT_KINDS);
	must(!!g->path ==
	     (g->kind == GRANT_READ || g->kind == GRANT_WRITE || g->kind == GRANT_EXEC_ALLOW));
	must(!!g->network == (g->kind == GRANT_NETWORK));
	if (g->path)
		check_path(g->path);
	/* A path may be twice as long with its backslashes. */
	if (strlen(g->text) <= GRANT_TEXT_MAX) {
		must(grant_parse(a, g->text, &again, e) == 0 && str_eq(g->text, again.text));
		must(g->size == again.size && g->millis == again.millis);
		must(g->ttl_ms == again.ttl_ms && g->until_ns == again.until_ns);
		must(grant_covers(g, &again) && grant_is_meant(g, again.text));
	}
	if (grant_settle(a, g, UINT64_C(1893456000000000000), e) == 0)
		must(!g->until_ns || (g->ttl_ms && g->ttl_ms <= GRANT_TTL_MAX));
	return 0;
}

static int pair(struct arena *a, const char *text, struct err *e)
{
	size_t n = strcspn(text, "\n");
	struct brig_grant x, y;
	int r = grant(a, arena_strndup(a, text, n), &x, e);

	if (r == 0 && text[n])
		r = grant(a, text + n + 1, &y, e);
	if (r < 0 || !text[n])
		return r;
	if (grant_covers(&x, &y) && y.kind != GRANT_EXEC_DENY) {
		must(x.kind == y.kind && (!x.ttl_ms || y.ttl_ms));
		must(x.size >= y.size || x.kind == GRANT_WRITE);
	}
	return 0;
}

static int file(struct arena *a, const char *text, struct err *e)
{
	struct grants g, again;
	size_t len;
	int r = grants_parse(a, text, strlen(text), &g, e);

	if (r < 0)
		return r;
	must(g.n <= GRANTS_MAX);
	const char *own = grants_print(a, &g, &len);
	must(grants_parse(a, own, len, &again, e) == 0 && again.n == g.n);
	must(str_eq(grants_print(a, &again, &len), own));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct brig_grant g;
	struct err e = {0};
	int r;

	if (!size)
		return 0;
	const char *text = arena_strndup(&a, (const char *)data + 1, size - 1);
	switch (*data % 3) {
	case 0:
		r = grant(&a, text, &g, &e);
		break;
	case 1:
		r = pair(&a, text, &e);
		break;
	default:
		r = file(&a, text, &e);
	}
	if (r < 0)
		must(e.code && e.msg[0]);
	return 0;
}
