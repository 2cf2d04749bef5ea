#ifndef BRIG_CMD_DIRECT_H
#define BRIG_CMD_DIRECT_H

#include "cmd/brig/launch.h"

/* run's options, with those of direct mode. */
struct run_opts {
	struct launch_opts launch; /* first: launch_options count from here */
	const char *result_format; /* of --result, in both modes */
	const char *rootfs, *policy, *id, *user, *cwd, *language, *pin, *cpus;
	struct opt_list env, ro, bind, write, io;
	struct network_opts network;
	const char *flows;
	const uint64_t *net_rate, *net_open, *net_conns;
	const int64_t *net_bytes, *net_bandwidth;
	const int64_t *memory, *swap, *pids, *fsize, *output, *disk, *inodes;
	const uint64_t *nofile, *timeout, *cpu_time, *grace;
	bool tty, writable_root;
};

extern const struct opt direct_options[];
extern const char direct_text[];

/* Whether the command line asks for direct mode: --rootfs or --policy. */
bool direct_wanted(const struct run_opts *o);
/* The same of words that have not been read yet, or cannot be. */
bool direct_wanted_by(char *const *argv);
/* An option of direct mode where a bundle is run is an error that names it. */
int direct_unwanted(const struct run_opts *o, struct err *e) MUST_CHECK;
/* Fills the launch options; all arguments are the program's. */
int direct_prepare(struct command *c, struct err *e) MUST_CHECK;

#endif
