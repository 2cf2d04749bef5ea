#ifndef BRIG_TESTS_BOMB_H
#define BRIG_TESTS_BOMB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A workload that tries to pass a limit.  It tells how far it has come, "held NUMBER" a line, so
 * that the last line counts when it is killed; "refused ERRNO" and exit code 1 when the kernel said
 * no; "bound" and exit code 0 when nothing stopped it before its own bound, which keeps the
 * machine alive where a limit is missing.  args ends with NULL and has what `help` names.
 */
struct bomb {
	const char *name;
	int (*run)(long bound, char **args);
	const char *help;
};
/* Tables that end with a name of NULL. */
extern const struct bomb memory_bombs[], count_bombs[], cpu_bombs[], byte_bombs[];

/* Lines go to standard output, or to the file that `bomb -r FILE` names, as its only line. */
void held(long n);
int stopped(long err); /* 0: its own bound; gives the exit code */
/* args[0], made smaller: "" is absent, too. */
const char *arg(char ***args, const char *absent);
long number(char ***args, long absent);

/* Memory that all processes made from now on share; zero. */
void *shared(size_t bytes);

#endif
