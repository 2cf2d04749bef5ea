#ifndef BRIG_CMD_MEMBER_H
#define BRIG_CMD_MEMBER_H

#include "cmd/brig/launch.h"

/* What create and pool ensure say of a sandbox that can be used again. */
struct member_opts {
	const uint64_t *max_uses, *max_age_ms, *max_idle_ms;
	const char *retire_on, *packages;
	struct network_opts network;
	struct opt_list volume;
	bool digests, keep_layers;
};

/* AT(member): where that is in the verb's struct; WHEN: a text before each one's help. */
#define MEMBER_ROWS(AT, WHEN)                                                                        \
	{"max-uses", NULL, OPT_MAYBE_U64, AT(max_uses), "N", WHEN "no reset after so many uses",     \
	 NULL,       NULL},                                                                          \
		{"max-age",      NULL,   OPT_MAYBE_TIME,                                             \
		 AT(max_age_ms), "TIME", WHEN "neither reset nor start after so long",               \
		 NULL,           NULL},                                                              \
		{"max-idle",     NULL,                                                               \
		 OPT_MAYBE_TIME, AT(max_idle_ms),                                                    \
		 "TIME",         WHEN "not used again when parked for so long",                      \
		 NULL,           NULL},                                                              \
		{"retire-on",                                                                        \
		 NULL,                                                                               \
		 OPT_STRING,                                                                         \
		 AT(retire_on),                                                                      \
		 "memory=0.9,...",                                                                   \
		 WHEN "not used again when a generation used more of its memory, cpu, pids, disk",   \
		 NULL,                                                                               \
		 NULL},                                                                              \
		{"digests", NULL,                                                                    \
		 OPT_FLAG,  AT(digests),                                                             \
		 NULL,      WHEN "list the files of its root with their digests, for verify --full", \
		 NULL,      NULL},                                                                   \
		{"packages",   NULL,   OPT_STRING,                                                   \
		 AT(packages), "FILE", WHEN "lines SHA256  PATH that must hold in its root",         \
		 NULL,         NULL},                                                                \
		{"net",      NULL,                                                                   \
		 OPT_STRING, AT(network.net),                                                        \
		 "WAY",      WHEN "none (default, or what config.json joins), veth",                 \
		 NULL,       NULL},                                                                  \
		{"egress", NULL,                                                                     \
		 OPT_LIST, AT(network.egress),                                                       \
		 "GRANT",  WHEN "what may be reached: api.example.org:443 (docs/egress.md)",         \
		 NULL,     NULL},                                                                    \
		{"ingress", NULL,                                                                    \
		 OPT_LIST,  AT(network.ingress),                                                     \
		 "PORT",    WHEN "who may connect inward: 8080, 8000-8010/udp",                      \
		 NULL,      NULL},                                                                   \
		{"resolver", NULL,                                                                   \
		 OPT_LIST,   AT(network.resolver),                                                   \
		 "ADDRESS",  WHEN "name server for granted names",                                   \
		 NULL,       NULL},                                                                  \
		{"keep-layers",                                                                      \
		 NULL,                                                                               \
		 OPT_FLAG,                                                                           \
		 AT(keep_layers),                                                                    \
		 NULL,                                                                               \
		 WHEN "what it writes can be looked at when it has ended (docs/layers.md)",          \
		 NULL,                                                                               \
		 NULL},                                                                              \
	{                                                                                            \
		"volume", NULL, OPT_LIST, AT(volume), "DEST=POLICY",                                 \
			WHEN "of a writable bind mount: overlay, wipe, keep or refuse", NULL, NULL   \
	}

/* The name of one that is given, NULL: none is. */
const char *member_given(struct arena *a, const struct member_opts *o);
/* Makes its paths absolute. */
int member_paths(struct command *c, struct member_opts *o, struct err *e) MUST_CHECK;
void member_take(struct arena *a, const struct member_opts *o, struct container_create_opts *to);

#endif
