#include <errno.h>

#include "cgroup/internal.h"

int cg_systemd_plan(struct arena *a, struct cgroup_plan *p, const struct cgroup_request *req,
		    struct err *e)
{
	(void)a;
	(void)p;
	(void)req;
	return err_msg(e, ENOTSUP, "systemd cgroup manager: not built in yet");
}

int cg_systemd_start(struct cgroup *cg, pid_t pid, struct err *e)
{
	(void)cg;
	return err_msg(e, ENOTSUP, "systemd: process %d", pid);
}

int cg_systemd_stop(const struct cgroup *cg, struct err *e)
{
	(void)cg;
	return err_msg(e, ENOTSUP, "systemd: no driver");
}

int cg_systemd_set(struct cgroup *cg, struct arena *a, const struct oci_resources *r, struct err *e)
{
	(void)cg;
	(void)a;
	(void)r;
	return err_msg(e, ENOTSUP, "systemd: no driver");
}
