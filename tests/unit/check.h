#ifndef BRIG_TESTS_CHECK_H
#define BRIG_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

/* Unit tests: CHECK counts, names what failed, and goes on; check_done gives the exit code. */
static int checks_run, checks_failed;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		checks_run++;                                                                      \
		if (!(cond)) {                                                                     \
			checks_failed++;                                                           \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);       \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		checks_run++;                                                                      \
		if (!got_ || strcmp(got_, want_) != 0) {                                           \
			checks_failed++;                                                           \
			fprintf(stderr, "%s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__,    \
				got_ ? got_ : "(null)", want_);                                    \
		}                                                                                  \
	} while (0)

static inline int check_done(void)
{
	printf("%d checks, %d failed\n", checks_run, checks_failed);
	return checks_failed || !checks_run;
}

#endif
