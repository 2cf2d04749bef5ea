/* What of the hardening is written to procfs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/procfd.h"
#include "base/str.h"
#include "base/sys.h"
#include "guard/harden.h"

struct setting {
	const char *dir, *name, *value;
	bool (*wanted)(const struct harden_plan *);
};

static bool net(const struct harden_plan *p)
{
	return p->net_sysctls;
}
static bool ipv6(const struct harden_plan *p)
{
	return p->net_sysctls && !p->ipv6_off;
}
static bool ipv6_off(const struct harden_plan *p)
{
	return p->ipv6_off;
}
static bool low_ports(const struct harden_plan *p)
{
	return p->low_ports;
}
static bool memfd_noexec(const struct harden_plan *p)
{
	return p->memfd_noexec;
}
static bool nested(const struct harden_plan *p)
{
	return p->nested_userns_closed;
}

/*
 * A new network namespace has ping_group_range "1 0", tcp, udp and routes as compiled in, but for
 * IPv4 the host's conf/all and conf/default as they are now, ip_forward among them
 * (net.core.devconf_inherit_init_net, 0 by default).  Devices that come later take over default.
 * A connection may always hold as much as a window is at first, whatever a cgroup's limit says: 16
 * instead of 128 KiB (tcp_rmem); it still grows where there is memory for it.
 * Of IPv6 all/ is looked at for disable_ipv6 and forwarding only, and reaches default/, too.
 */
static const struct setting early[] = {
	{"sys/net/ipv4",              "ip_forward",                 "0",                  net         },
	{"sys/net/ipv4",              "ip_unprivileged_port_start", "0",                  low_ports   },
	{"sys/net/ipv4",              "tcp_rmem",                   "4096 16384 6291456", net         },
	{"sys/net/ipv4/conf/all",     "accept_redirects",           "0",                  net         },
	{"sys/net/ipv4/conf/all",     "send_redirects",             "0",                  net         },
	{"sys/net/ipv4/conf/default", "accept_redirects",           "0",                  net         },
	{"sys/net/ipv4/conf/default", "send_redirects",             "0",                  net         },
	{"sys/net/ipv6/conf/default", "accept_ra",                  "0",                  ipv6        },
	{"sys/net/ipv6/conf/default", "accept_redirects",           "0",                  ipv6        },
	{"sys/net/ipv6/conf/all",     "disable_ipv6",               "1",                  ipv6_off    },
	{"sys/vm",		    "memfd_noexec",               "2",                  memfd_noexec},
};

/*
 * Of the writer's user namespace; each counts for all below it.  ENOSPC for who tries.
 */
static const struct setting late[] = {
	{"sys/user", "max_user_namespaces",   "0", nested},
	{"sys/user", "max_pid_namespaces",    "0", nested},
	{"sys/user", "max_mnt_namespaces",    "0", nested},
	{"sys/user", "max_ipc_namespaces",    "0", nested},
	{"sys/user", "max_uts_namespaces",    "0", nested},
	{"sys/user", "max_net_namespaces",    "0", nested},
	{"sys/user", "max_cgroup_namespaces", "0", nested},
	{"sys/user", "max_time_namespaces",   "0", nested},
};

static int write_one(int dir, const struct setting *s, struct err *e)
{
	/* The directory was checked by procfd_file; nothing may be mounted over the file. */
	own_fd int fd = sys_openat2(dir, s->name, O_WRONLY | O_NOCTTY, 0,
				    RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
					    RESOLVE_NO_SYMLINKS);

	if (fd < 0 && errno == ENOENT && s->wanted == memfd_noexec)
		return 0; /* before Linux 6.3: the plan has recorded it */
	if (fd < 0)
		return err_set(e, errno, "open /proc/%s/%s", s->dir, s->name);
	if (write(fd, s->value, strlen(s->value)) < 0)
		return err_set(e, errno, "write %s to /proc/%s/%s", s->value, s->dir, s->name);
	return 0;
}

/* One lookup from the top for all of a directory: rows of one stand together. */
static int write_all(const struct harden_plan *p, const struct setting *s, size_t n, int proc,
		     struct err *e)
{
	const char *opened = NULL;
	own_fd int dir = -1;

	for (size_t i = 0; i < n; i++) {
		if (!s[i].wanted(p))
			continue;
		if (!str_eq(opened, s[i].dir)) {
			own_close(&dir);
			dir = procfd_file(proc, s[i].dir, O_PATH | O_DIRECTORY, e);
			opened = s[i].dir;
		}
		if (dir == -ENOENT && str_starts(s[i].dir, "sys/net/ipv6")) {
			*e = (struct err){0}; /* a kernel without IPv6 */
			continue;
		}
		if (dir < 0)
			return dir;
		int r = write_one(dir, &s[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

int harden_sysctls(const struct harden_plan *p, int proc, struct err *e)
{
	return write_all(p, early, LEN(early), proc, e);
}

int harden_userns(const struct harden_plan *p, int proc, struct err *e)
{
	if (write_all(p, late, LEN(late), proc, e) < 0)
		return err_wrap(e, "close nested namespaces");
	return 0;
}
