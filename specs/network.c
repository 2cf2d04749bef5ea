#include "specs/network.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/network_table.h"

enum { FORMAT = 1, SHOWN = 64 };

/* What becomes part of messages and reports: printable ASCII, and not without end. */
static int check_text(const char *key, const char *s, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return err_msg(e, EINVAL, "%s: not of printable letters", key);
	if (n > NETWORK_TEXT_MAX)
		return err_msg(e, E2BIG, "%s: longer than %d letters", key, NETWORK_TEXT_MAX);
	return 0;
}

static int check_word(const char *key, const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (!n || n > SHOWN || strspn(s, "abcdefghijklmnopqrstuvwxyz-") != n)
		return err_msg(e, EINVAL, "%s: \"%.*s\" is no such word", key, SHOWN, s);
	return 0;
}

static int check_grant(struct arena *a, void *object, struct err *e)
{
	(void)a;
	return check_text("grant", ((const struct network_grant *)object)->grant, e);
}

static int check_name(struct arena *a, void *object, struct err *e)
{
	const struct network_name *n = object;
	int r = check_text("name", n->name, e);

	(void)a;
	return r < 0 ? r : check_word("verdict", n->verdict, e);
}

static int check_denied(struct arena *a, void *object, struct err *e)
{
	const struct network_denied *d = object;
	int r = check_text("to", d->to, e);

	(void)a;
	return r < 0 ? r : check_text("name", d->name, e);
}

static int check_limit(struct arena *a, void *object, struct err *e)
{
	(void)a;
	return check_word("name", ((const struct network_limit *)object)->name, e);
}

static int check_network(struct arena *a, void *object, struct err *e)
{
	const struct brig_network *n = object;

	(void)a;
	if (n->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", n->v);
	if (n->n_grants > NETWORK_ROWS || n->n_names > NETWORK_ROWS || n->n_refused > NETWORK_ROWS)
		return err_msg(e, E2BIG, "more than %d rows", NETWORK_ROWS);
	return 0;
}

enum { REQ = JSON_REQUIRED };
#define ROW_COUNTER(T, n, m) ROW_NUM(T, n, m, 0, JSON_U64, uint64_t)

static const struct json_field network_grant_fields[] = {
	ROW_STR(network_grant, "grant", grant, REQ),
	ROW_COUNTER(network_grant, "packets", packets),
	ROW_COUNTER(network_grant, "bytes", bytes),
};
TYPE_CLOSED(network_grant, check_grant);

/* The name of a malformed question is not known. */
static const struct json_field network_name_fields[] = {
	ROW_STR(network_name, "name", name, 0),
	ROW_STR(network_name, "verdict", verdict, REQ),
	ROW_COUNTER(network_name, "count", count),
};
TYPE_CLOSED(network_name, check_name);

static const struct json_field network_denied_fields[] = {
	ROW_STR(network_denied, "to", to, REQ),
	ROW_STR(network_denied, "name", name, 0),
	ROW_COUNTER(network_denied, "count", count),
};
TYPE_CLOSED(network_denied, check_denied);

static const struct json_field network_limit_fields[] = {
	ROW_STR(network_limit, "name", name, REQ),
	ROW_COUNTER(network_limit, "limit", limit),
	ROW_COUNTER(network_limit, "count", count),
};
TYPE_CLOSED(network_limit, check_limit);

static const struct json_field brig_network_fields[] = {
	ROW_NUM(brig_network, "v", v, REQ, JSON_I32, int32_t),
	ROW_COUNTER(brig_network, "connections", connections),
	ROW_COUNTER(brig_network, "denied", denied),
	ROW_COUNTER(brig_network, "ingress", ingress),
	ROW_COUNTER(brig_network, "lookups", lookups),
	ROW_COUNTER(brig_network, "lookupsDenied", lookups_denied),
	ROW_COUNTER(brig_network, "flowsLost", flows_lost),
	ROW_OBJS(brig_network, "grants", grants, n_grants, network_grant),
	ROW_COUNTER(brig_network, "grantsOthers", grants_others),
	ROW_OBJS(brig_network, "names", names, n_names, network_name),
	ROW_COUNTER(brig_network, "namesOthers", names_others),
	ROW_OBJS(brig_network, "refused", refused, n_refused, network_denied),
	ROW_COUNTER(brig_network, "refusedOthers", refused_others),
	ROW_OBJS(brig_network, "limits", limits, n_limits, network_limit),
};
const struct json_type brig_network_type_ = {sizeof(struct brig_network), LEN(brig_network_fields),
					     brig_network_fields, check_network, true};

int network_parse(struct arena *a, const char *json, size_t len, struct brig_network *out,
		  struct err *e)
{
	*out = (struct brig_network){0};
	int r = json_read(a, &brig_network_type_, json, len, NETWORK_MAX_BYTES, out, e);

	return r < 0 ? err_wrap(e, NETWORK_FILE) : 0;
}

char *network_print(struct arena *a, const struct brig_network *n, size_t *len)
{
	return json_print_object(a, &brig_network_type_, n, len);
}
