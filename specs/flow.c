#include "specs/flow.h"

#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

static int check_flow(struct arena *a, void *object, struct err *e)
{
	static const char *const events[] = {"connect", "denied", "ingress", "lookup"};
	const struct brig_flow *f = object;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	for (size_t i = 0; i < LEN(events); i++)
		if (str_eq(f->event, events[i]))
			return 0;
	return err_msg(e, EINVAL, "event: \"%.*s\" is no such word", SHOWN, f->event);
}

static const struct json_field brig_flow_fields[] = {
	ROW_NUM(brig_flow, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_flow, "time", time, REQ),
	ROW_STR(brig_flow, "event", event, REQ),
	ROW_STR(brig_flow, "proto", proto, 0),
	ROW_STR(brig_flow, "from", from, 0),
	ROW_STR(brig_flow, "to", to, 0),
	ROW_OPT(brig_flow, "port", port, JSON_U16, uint16_t),
	ROW_STR(brig_flow, "name", name, 0),
	ROW_STR(brig_flow, "grant", grant, 0),
	ROW_STR(brig_flow, "verdict", verdict, 0),
	ROW_OPT(brig_flow, "uid", uid, JSON_U32, uint32_t),
};
TYPE_CLOSED(brig_flow, check_flow);

int flow_parse(struct arena *a, const char *json, size_t len, struct brig_flow *out, struct err *e)
{
	*out = (struct brig_flow){0};
	int r = json_read(a, &brig_flow_type_, json, len, FLOW_MAX_BYTES, out, e);

	return r < 0 ? err_wrap(e, "flow record") : 0;
}

char *flow_print(struct arena *a, const struct brig_flow *f, size_t *len)
{
	return json_print_object(a, &brig_flow_type_, f, len);
}
