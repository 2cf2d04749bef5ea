#ifndef BRIG_GUARD_LEVELC_SET_H
#define BRIG_GUARD_LEVELC_SET_H

#include "guard/levelc/levelc.h"

/* Every program of a release: policies by languages by variants, for one architecture. */

enum { LEVELC_ARCHES = 2, LEVELC_MAX_PROGRAMS = 64, LEVELC_MAX_LANGUAGES = 8 };

struct levelc_arch {
	const char *table; /* file in profiles/seccomp */
	const char *macro; /* how compilers say it */
	uint32_t audit;
	bool x32;
};
extern const struct levelc_arch levelc_arches[LEVELC_ARCHES];

/* Files NAME.pol, NULL-terminated. */
extern const char *const levelc_policies[];
extern const char *const levelc_languages[];

struct levelc_program {
	const char *policy, *language; /* language NULL: none */
	bool network, notify;
	struct sock_filter *insns;
	size_t n;
	struct answers *answers;
};

struct levelc_set {
	struct levelc_table table;
	struct levelc_program programs[LEVELC_MAX_PROGRAMS];
	size_t n_programs;
	struct pol languages[LEVELC_MAX_LANGUAGES];
	size_t n_languages;
};

int levelc_set_make(struct arena *a, size_t arch, levelc_open *opener, void *ctx,
		    struct levelc_set *out, struct err *e) MUST_CHECK;

#endif
