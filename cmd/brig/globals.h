#ifndef BRIG_CMD_GLOBALS_H
#define BRIG_CMD_GLOBALS_H

#include "cmd/brig/options.h"
#include "container.h"

/* Options before the verb. */
struct globals {
	const char *root, *log, *log_format, *log_level;
	const char *manager, *rootless, *level, *system_config, *criu;
	bool debug, systemd_cgroup, version;
};

extern const struct opt global_options[];

/* Opens the log; *to_file: lines go somewhere else than to standard error. */
int globals_log(const struct globals *g, bool *to_file, struct err *e) MUST_CHECK;
/* Words and paths into what the library wants. */
int globals_host(struct arena *a, const struct globals *g, struct container_host *out,
		 struct err *e) MUST_CHECK;

#endif
