#include "cmd/brig/criu.h"

#define AT(member) offsetof(struct criu_opts, member)

const struct opt criu_options[] = {
	{"image-path",          NULL, OPT_STRING, AT(image_path),      "DIR",       "directory of the images",           NULL,
	 NULL															},
	{"work-path",           NULL, OPT_STRING, AT(work_path),       "DIR",       "directory for work files and logs",
	 NULL,														   NULL},
	{"tcp-established",     NULL, OPT_FLAG,   AT(tcp_established), NULL,        "allow open TCP connections",
	 NULL,														   NULL},
	{"tcp-skip-in-flight",  NULL, OPT_FLAG,   AT(skip_in_flight),  NULL,
	 "leave out TCP connections that are being made",								NULL,   NULL},
	{"ext-unix-sk",         NULL, OPT_FLAG,   AT(ext_unix_sk),     NULL,        "allow external UNIX sockets",       NULL,
	 NULL															},
	{"shell-job",           NULL, OPT_FLAG,   AT(shell_job),       NULL,        "allow a terminal of the host",      NULL,
	 NULL															},
	{"lazy-pages",          NULL, OPT_FLAG,   AT(lazy_pages),      NULL,
	 "fetch memory pages when they are used",									NULL,   NULL},
	{"file-locks",          NULL, OPT_FLAG,   AT(file_locks),      NULL,        "keep file locks",                   NULL,   NULL},
	{"manage-cgroups-mode", NULL, OPT_STRING, AT(cgroups_mode),    "MODE",
	 "soft, full, strict or ignore",										 "soft", NULL},
	{"empty-ns",            NULL, OPT_LIST,   AT(empty_ns),        "NAMESPACE",
	 "make this namespace without its content",								      NULL,   NULL},
	{"auto-dedup",          NULL, OPT_FLAG,   AT(auto_dedup),      NULL,        "store equal memory pages once",     NULL,
	 NULL															},
	{NULL,		  NULL, OPT_FLAG,   0,                   NULL,        NULL,                                NULL,   NULL},
};

int criu_prepare(struct command *c, struct container_criu_opts *out, struct err *e)
{
	const struct criu_opts *o = c->opts;
	const char *images = o->image_path && *o->image_path ? o->image_path : "checkpoint";

	*out = (struct container_criu_opts){
		.id = c->args[0],
		.cgroups_mode = o->cgroups_mode && *o->cgroups_mode ? o->cgroups_mode : NULL,
		.empty_ns = o->empty_ns.items,
		.tcp_established = o->tcp_established,
		.skip_in_flight = o->skip_in_flight,
		.ext_unix_sk = o->ext_unix_sk,
		.shell_job = o->shell_job,
		.lazy_pages = o->lazy_pages,
		.file_locks = o->file_locks,
		.auto_dedup = o->auto_dedup,
	};
	int r = command_path(c->arena, images, &out->image_path, e);
	return r < 0 ? r : command_path(c->arena, o->work_path, &out->work_path, e);
}
