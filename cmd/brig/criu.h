#ifndef BRIG_CMD_CRIU_H
#define BRIG_CMD_CRIU_H

#include "cmd/brig/command.h"

/* What checkpoint and restore ask of CRIU. */
struct criu_opts {
	const char *image_path, *work_path, *parent_path, *page_server, *cgroups_mode;
	const char *lsm_profile, *lsm_mount_context;
	struct opt_list empty_ns;
	const int64_t *status_fd;
	bool leave_running, tcp_established, ext_unix_sk, shell_job, lazy_pages, file_locks;
	bool pre_dump, auto_dedup, skip_in_flight;
	/* restore only */
	const char *bundle, *console_socket, *pid_file;
	bool detach, no_subreaper, no_pivot;
};

/* The options that both take. */
extern const struct opt criu_options[];

/* For the library; relative paths start at the working directory. */
int criu_prepare(struct command *c, struct container_criu_opts *out, struct err *e) MUST_CHECK;

#endif
