#ifndef BRIG_SPECS_EGRESS_TEXT_H
#define BRIG_SPECS_EGRESS_TEXT_H

#include "specs/egress.h"

/* What the files egress_*.c share: parts of a grant's text. */

/* PORT[-PORT],... or *, sorted and put together; n bytes of text. */
int egress_ports_parse(struct arena *a, const char *text, size_t n, const struct egress_ports **out,
		       size_t *n_out, struct err *e) MUST_CHECK;
/* 80,443,8000-8100; every port: "*". */
const char *egress_ports_text(struct arena *a, const struct egress_ports *ports, size_t n);
/* tcp, udp, icmp */
int egress_proto_parse(const char *word, uint8_t *out, struct err *e) MUST_CHECK;
const char *egress_proto_word(uint8_t proto);

/* A name as DNS has it, with "*." or "**." before it: lower case, without the dot at the end. */
int egress_name_parse(struct arena *a, const char *text, const char **name, enum egress_wild *wild,
		      struct err *e) MUST_CHECK;

#endif
