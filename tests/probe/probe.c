/*
 * Runs inside containers and tells what it finds there, one "key value" line each, so that
 * tests compare facts and not the wording of some image's tools.  Static: the root
 * filesystem needs nothing else.  Exit codes: 0 done or allowed, 1 refused (the error's name
 * is printed), 2 wrong use.
 */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct verb *const tables[] = {identity_verbs, file_verbs,  process_verbs,
					    bomb_verbs,     net_verbs,   forge_verbs,
					    dns_verbs,      crowd_verbs, tree_verbs};

int verdict(long result)
{
	if (result >= 0) {
		puts("ok");
		return 0;
	}
	const char *name = strerrorname_np(errno);
	puts(name ? name : "unknown");
	return 1;
}

static int usage(void)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct verb *v = tables[t]; v->name; v++)
			fprintf(stderr, "probe %-10s %s\n", v->name, v->help);
	return 2;
}

int probe(int argc, char **argv)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct verb *v = tables[t]; v->name; v++)
			if (!strcmp(v->name, argv[0]) && argc - 1 >= v->min_args)
				return v->run(argc, argv);
	return usage();
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	return argc < 2 ? usage() : probe(argc - 1, argv + 1);
}
