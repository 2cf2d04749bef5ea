/*
 * A line of the audit log: an error in words, or a record that prints as the very same bytes.  And
 * the other way: whatever is in the members of a record (NULs divide the input), its line is read
 * again, within the bounds of a line, without a control character.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "specs/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void read_line(const uint8_t *data, size_t size)
{
	own_free char *line = malloc(size); /* exactly: what is read behind it is seen */
	own_arena struct arena a = {0};
	struct audit_record r;
	struct err e = {0};
	size_t len;

	if (!line && size)
		return;
	if (size)
		memcpy(line, data, size);
	int got = audit_record_parse(&a, line, size, &r, &e);
	if (got < 0) {
		must(e.code == -got && e.msg[0]);
		must(got == -EMSGSIZE || got == -EILSEQ || got == -EPROTONOSUPPORT ||
		     got == -EEXIST || got == -EINVAL);
		return;
	}
	must(r.v == 1 && r.seq && r.ts && r.event && r.severity && strlen(r.prev) == 64);
	must(!r.epoch == !r.mac);
	const char *again = audit_record_print(&a, &r, &len);
	must(len == size && !memcmp(again, line, len));
	if (!r.mac)
		return;
	/* What its MAC is made of is the line up to it. */
	r.mac = NULL;
	again = audit_record_print(&a, &r, &len);
	must(len < size && !memcmp(again, line, len) && !memcmp(line + len, ",\"mac\":\"", 8));
}

static void write_line(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct audit_record r = {.v = 1,
				 .seq = 1,
				 .ts = "2026-11-22T14:39:19.151294Z",
				 .event = "SandboxStarted",
				 .severity = "info",
				 .prev = "00000000000000000000000000000000000000000000000000000000"
					 "00000000"};
	const char **texts[] = {&r.data,    &r.id,        &r.resource, &r.action,
				&r.level,   &r.policy,    &r.source,   &r.outcome,
				&r.request, &r.principal, &r.writer,   &r.boot};
	char *rest = arena_strndup(&a, (const char *)data, size), *end = rest + size;
	struct audit_record back;
	struct err e;
	size_t len;

	for (size_t i = 0; i < LEN(texts) && rest < end; i++, rest += strlen(rest) + 1)
		*texts[i] = rest;
	const char *line = audit_record_print(&a, &r, &len);
	must(strlen(line) == len && len < AUDIT_MAX_LINE);
	for (size_t i = 0; i < len; i++)
		must((uint8_t)line[i] >= 0x20 && line[i] != 0x7f);
	must(audit_record_parse(&a, line, len, &back, &e) == 0);
	must(!r.id == !back.id && !r.data == !back.data && !back.mac);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_line(data, size);
	write_line(data, size);
	return 0;
}
