/* Probes of `doctor`: what network grants and the ways to connect a sandbox need. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "doctor.h"
#include "net/conf.h"
#include "net/mnl.h"
#include "net/pasta.h"
#include "net/rules.h"
#include "net/veth.h"

struct finding doctor_egress_grants(struct doctor *d)
{
	struct mnl mnl;
	struct err e;
	bool yes = mnl_load(&mnl, &e) == 0 && rules_possible(&mnl, &e);

	return found(yes, yes ? NULL : arena_strdup(d->a, e.msg));
}

struct finding doctor_net_veth(struct doctor *d)
{
	struct mnl mnl;
	struct err e;

	if (mnl_load(&mnl, &e) < 0 || !veth_possible(&mnl, &e))
		return found(false, arena_strdup(d->a, e.msg));
	return found(true, conf_is("all", 4, "forwarding", "1")
				   ? "the host forwards (net.ipv4.ip_forward is 1)"
				   : "net.ipv4.ip_forward is 0: brig will open the devices that "
				     "routes use, for sandboxes only");
}

struct finding doctor_net_veth_ipv6(struct doctor *d)
{
	struct err e;
	bool yes = veth_ipv6_possible(&e);

	return found(yes, yes ? NULL : arena_strdup(d->a, e.msg));
}

struct finding doctor_net_pasta(struct doctor *d)
{
	char path[4096];
	struct err e;

	if (pasta_find(NULL, path, &e) < 0)
		return found(false, arena_strdup(d->a, e.msg));
	/* For a plain user as he is, not as the owner of the program. */
	if (faccessat(AT_FDCWD, "/dev/net/tun", R_OK | W_OK, AT_EACCESS) < 0)
		return found(false, arena_printf(d->a, "/dev/net/tun cannot be opened: %s",
						 err_text(errno)));
	return found(true, arena_strdup(d->a, path));
}
