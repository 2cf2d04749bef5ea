/*
 * Heads, and lines as the verifier looks at what is no record: an error in words or a head that
 * prints and reads back the same; a look that stays within the line and agrees with itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/verify_data.h"
#include "audit/verify_line.h"
#include "base/own.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void look(const char *line, size_t size)
{
	own_arena struct arena a = {0};
	struct audit_record r;
	struct line_shape shape;
	struct err e;

	line_look(line, size, &shape);
	must(memchr(shape.twice, '\0', sizeof(shape.twice)));
	must((shape.form == LINE_DUPLICATE) <= (shape.twice[0] || strstr(line, "\"\"")));
	if (audit_record_parse(&a, line, size, &r, &e) < 0)
		return;
	/* What is a record is an object without a key twice, and says the same of itself. */
	must(shape.form == LINE_OBJECT && !shape.control);
	must(shape.has_v && shape.v == 1 && shape.has_seq && shape.seq == r.seq);
	must(audit_time(r.ts) || str_starts(r.ts, "1970-01-01T00:00:00.0") || r.ts[0] != '2');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_free char *line = malloc(size + 1);
	own_arena struct arena a = {0};
	struct audit_head first, second;
	struct err e = {0};
	size_t len;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	look(line, size);
	if (audit_head_parse(&a, line, size, &first, &e) < 0) {
		must(e.code && e.msg[0]);
		return 0;
	}
	const char *text = audit_head_print(&a, &first, &len);
	must(audit_head_parse(&a, text, len, &second, &e) == 0);
	must(first.seq == second.seq && str_eq(first.log, second.log) &&
	     str_eq(first.hash, second.hash) && str_eq(first.ts, second.ts));
	return 0;
}
