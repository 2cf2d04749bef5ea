#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "resolver_internal.h"

static bool is_target(const struct egress_grant *g, const char *text)
{
	static const char *const wild[] = {"", "*.", "**."};
	own_arena struct arena a = {0};
	struct egress_address address;
	struct err ignored;

	if (g->name)
		return str_eq(arena_printf(&a, "%s%s", wild[g->wild], g->name), text);
	if (str_starts(text, "CIDR:"))
		text += strlen("CIDR:");
	return egress_address_parse(text, &address, &ignored) == 0 &&
	       str_eq(egress_address_text(&a, &address), egress_address_text(&a, &g->address));
}

bool egress_is_meant(const struct egress_grant *g, const char *text)
{
	own_arena struct arena a = {0};
	struct egress_grant asked = {0};
	struct err ignored;
	char *lower = arena_strdup(&a, text);

	if (is_target(g, text))
		return true;
	for (char *c = lower; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	if (g->name && is_target(g, lower))
		return true;
	/* Text is ambiguous only where a grant would be made of a bare name: that is its target. */
	return egress_grant_parse(&a, text, &asked, &ignored) == 0 && str_eq(asked.text, g->text);
}
