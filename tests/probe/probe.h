#ifndef BRIG_TESTS_PROBE_H
#define BRIG_TESTS_PROBE_H

/* A verb of the probe.  argv[0] is the verb's name; the result is the exit code. */
struct verb {
	const char *name;
	int min_args; /* beside the name */
	int (*run)(int argc, char **argv);
	const char *help;
};
/* Tables that end with a name of NULL. */
extern const struct verb identity_verbs[], file_verbs[], process_verbs[], bomb_verbs[];
extern const struct verb net_verbs[], forge_verbs[], dns_verbs[], crowd_verbs[], tree_verbs[];

/* Runs the verb argv[0]; 2: there is none, or it wants more words. */
int probe(int argc, char **argv);

/* Prints "ok", or the error's name such as EPERM, and gives exit code 0 or 1. */
int verdict(long result);

#endif
