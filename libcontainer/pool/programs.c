/*
 * BPF programs of a cgroup: on v2 one of them says which devices there are, and others could change
 * what sockets and sysctls do.  The kernel's tag of one is a hash of its instructions, the same
 * each time it is loaded (bpf_prog_calc_tag, kernel/bpf/core.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "pool/part.h"

enum { MOST = 64 };

/* All that can be attached to a cgroup; a kernel without one of them says EINVAL. */
static const struct {
	const char *name;
	uint32_t type;
} kinds[] = {
	{"inet_ingress",      BPF_CGROUP_INET_INGRESS     },
	{"inet_egress",       BPF_CGROUP_INET_EGRESS      },
	{"inet_sock_create",  BPF_CGROUP_INET_SOCK_CREATE },
	{"inet_sock_release", BPF_CGROUP_INET_SOCK_RELEASE},
	{"sock_ops",          BPF_CGROUP_SOCK_OPS         },
	{"device",            BPF_CGROUP_DEVICE           },
	{"inet4_bind",        BPF_CGROUP_INET4_BIND       },
	{"inet6_bind",        BPF_CGROUP_INET6_BIND       },
	{"inet4_connect",     BPF_CGROUP_INET4_CONNECT    },
	{"inet6_connect",     BPF_CGROUP_INET6_CONNECT    },
	{"inet4_post_bind",   BPF_CGROUP_INET4_POST_BIND  },
	{"inet6_post_bind",   BPF_CGROUP_INET6_POST_BIND  },
	{"inet4_getpeername", BPF_CGROUP_INET4_GETPEERNAME},
	{"inet6_getpeername", BPF_CGROUP_INET6_GETPEERNAME},
	{"inet4_getsockname", BPF_CGROUP_INET4_GETSOCKNAME},
	{"inet6_getsockname", BPF_CGROUP_INET6_GETSOCKNAME},
	{"udp4_sendmsg",      BPF_CGROUP_UDP4_SENDMSG     },
	{"udp6_sendmsg",      BPF_CGROUP_UDP6_SENDMSG     },
	{"udp4_recvmsg",      BPF_CGROUP_UDP4_RECVMSG     },
	{"udp6_recvmsg",      BPF_CGROUP_UDP6_RECVMSG     },
	{"sysctl",            BPF_CGROUP_SYSCTL           },
	{"getsockopt",        BPF_CGROUP_GETSOCKOPT       },
	{"setsockopt",        BPF_CGROUP_SETSOCKOPT       },
};

static int sys_bpf(unsigned int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int tag_of(uint32_t id, char hex[2 * BPF_TAG_SIZE + 1])
{
	union bpf_attr by_id = {0}, attr = {0};
	struct bpf_prog_info info = {0};

	by_id.prog_id = id;
	own_fd int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
	if (fd < 0)
		return fd;
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	int r = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	for (size_t i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", info.tag[i]);
	return r;
}

static void add_kind(struct text *t, int dir, size_t kind)
{
	const char *name = arena_printf(t->a, "program %s", kinds[kind].name);
	char tag[2 * BPF_TAG_SIZE + 1];
	union bpf_attr attr = {0};
	uint32_t ids[MOST];

	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = kinds[kind].type;
	attr.query.prog_cnt = MOST;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	int r = sys_bpf(BPF_PROG_QUERY, &attr);
	/* ENOSYS: a kernel without any. */
	if (r == -EINVAL || r == -ENOSYS)
		return;
	if (r < 0)
		pool_unreadable(t, name, err_text(-r));
	for (uint32_t i = 0; r == 0 && i < attr.query.prog_cnt; i++) {
		int failed = tag_of(ids[i], tag);

		if (failed < 0)
			pool_unreadable(t, name, err_text(-failed));
		else
			text_addf(t, "%s %u %s\n", name, i, tag);
	}
}

void pool_add_programs(struct text *t, int dir)
{
	for (size_t i = 0; i < LEN(kinds); i++)
		add_kind(t, dir, i);
}
