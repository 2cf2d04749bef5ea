#ifndef BRIG_CMD_AUDIT_PRINT_H
#define BRIG_CMD_AUDIT_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "specs/audit.h"
#include "specs/audit_verdict.h"

/* A line for people, whatever is in the record; the header of such lines. */
void audit_print_header(FILE *out);
void audit_print_record(FILE *out, const struct audit_record *r);

/* What `audit verify` says. */
struct audit_told {
	struct arena *arena;
	bool json;
	bool key; /* K(0) was given */
	bool heads;
	struct audit_finding *findings;
	size_t n, room;
};
void audit_print_finding(FILE *out, const struct audit_finding *f);
void audit_print_verdict(FILE *out, const struct audit_told *t, const struct audit_verdict *v);
void audit_print_verdict_json(FILE *out, const struct audit_told *t, const struct audit_verdict *v);

#endif
