/*
 * What a resolver can still do: its loop, on what it has open; sockets to ask upstream; the file
 * "network".  Whatever else is tried kills it, and the sandbox with it.
 *
 * It parses the bytes of a hostile sandbox and of whoever answers upstream, and keeps
 * CAP_NET_ADMIN, which nf_tables asks of who sends (netlink_ns_capable).  So no socket can be made
 * that would take orders of that kind, and of socket options only those can be set that are
 * needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/own.h"
#include "resolver_internal.h"

/* Memory is the allocator's; clock_gettime is a call where the kernel has no vDSO for its clock
 * source; pwritev2 is for flow records and the file "network"; sysinfo is qsort's, before a larger
 * array; getrandom makes query ids; sigaltstack is the sanitizers' before an exit; the rest is the
 * loop and its sockets. */
static const unsigned int allowed[] = {
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_epoll_pwait, SYS_ppoll,           SYS_epoll_ctl,   SYS_read,
	SYS_write,       SYS_close,           SYS_accept4,     SYS_recvmsg,
	SYS_sendmsg,     SYS_recvfrom,        SYS_sendto,      SYS_connect,
	SYS_getsockopt,  SYS_shutdown,        SYS_getsockname, SYS_timerfd_settime,
	SYS_fcntl,       SYS_geteuid,         SYS_brk,         SYS_mmap,
	SYS_munmap,      SYS_mremap,          SYS_madvise,     SYS_futex,
	SYS_sigaltstack, SYS_restart_syscall, SYS_exit_group,  SYS_clock_gettime,
	SYS_pwritev2,    SYS_getrandom,       SYS_readv,       SYS_writev,
	SYS_sysinfo,
};

/* A call whose first two arguments must be one of these pairs; the second under a mask. */
struct pair {
	uint32_t first, second;
};
static const struct pair sockets[] = {
	{AF_INET,  SOCK_DGRAM },
	{AF_INET,  SOCK_STREAM},
	{AF_INET6, SOCK_DGRAM },
	{AF_INET6, SOCK_STREAM},
};

/* What is asked inside bears a mark that the rules let through; netlink is asked to say why. */
static const struct pair options[] = {
	{SOL_SOCKET,  SO_MARK        },
	{SOL_NETLINK, NETLINK_EXT_ACK},
	{SOL_NETLINK, NETLINK_CAP_ACK},
};

enum {
	N_ALLOWED = LEN(allowed),
	N_SOCKETS = LEN(sockets),
	N_OPTIONS = LEN(options),
	FILTER_MAX = 256,
};

struct program {
	struct sock_filter f[FILTER_MAX];
	unsigned short n;
};

static void emit(struct program *p, struct sock_filter f)
{
	if (p->n < FILTER_MAX)
		p->f[p->n++] = f;
}

#define LOAD(at)     ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at)))
#define RETURN(what) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (what)))
/* Skips that many when it is not k. */
#define UNLESS(k, skip)                                                                            \
	((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), 0, (skip)))

/* The kernel takes 32 bits of these arguments, and so do we. */
static uint32_t argument(unsigned int i)
{
	uint32_t at = (uint32_t)(offsetof(struct seccomp_data, args) + i * sizeof(uint64_t));

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

/* nr is loaded; whatever is not one of the pairs kills. */
static void emit_pairs(struct program *p, unsigned int nr, const struct pair *pairs, size_t n,
		       unsigned int at, uint32_t mask)
{
	enum { EACH = 6 };

	emit(p, UNLESS(nr, (uint8_t)(n * EACH + 1)));
	for (size_t i = 0; i < n; i++) {
		emit(p, LOAD(argument(at)));
		emit(p, UNLESS(pairs[i].first, 4));
		emit(p, LOAD(argument(at + 1)));
		emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
		emit(p, UNLESS(pairs[i].second, 1));
		emit(p, RETURN(SECCOMP_RET_ALLOW));
	}
	emit(p, RETURN(SECCOMP_RET_KILL_PROCESS));
}

static int load_filter(struct err *e)
{
	enum { TYPE_MASK = 0xf };
	struct program p = {.n = 0};

	emit(&p, LOAD(offsetof(struct seccomp_data, arch)));
	emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0));
	emit(&p, RETURN(SECCOMP_RET_KILL_PROCESS));
	emit(&p, LOAD(offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < N_ALLOWED; i++) {
		emit(&p, UNLESS(allowed[i], 1));
		emit(&p, RETURN(SECCOMP_RET_ALLOW));
	}
	emit_pairs(&p, SYS_socket, sockets, N_SOCKETS, 0, TYPE_MASK);
	emit_pairs(&p, SYS_setsockopt, options, N_OPTIONS, 1, UINT32_MAX);
	emit(&p, RETURN(SECCOMP_RET_KILL_PROCESS));
	_Static_assert(5 + 2 * N_ALLOWED + 6 * (N_SOCKETS + N_OPTIONS) + 4 <= FILTER_MAX,
		       "the filter has room");

	const struct sock_fprog prog = {.len = p.n, .filter = p.f};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "resolver: its seccomp filter");
	return 0;
}

/*
 * An empty directory that is removed at once: nothing is in it, and nothing can be made in it.
 * Best effort (rootless: EPERM): the filter has no call that opens anything.
 */
static void leave_files(int dir)
{
	static const char room[] = ".egress.root";

	if (mkdirat(dir, room, 0700) < 0)
		return;
	own_fd int fd = openat(dir, room, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && fchdir(fd) == 0)
		(void)!chroot(".");
	(void)unlinkat(dir, room, AT_REMOVEDIR);
}

/* Best effort: the filter has no call for any of it, and this kernel may have no Landlock (5.13).
 */
static void write_nowhere(void)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs =
							  (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	own_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules >= 0)
		(void)syscall(SYS_landlock_restrict_self, rules, 0);
}

int resolver_confine(int dir, bool keeps_net_admin, struct err *e)
{
	if (confine_process(e) < 0)
		return err_wrap(e, "resolver");
	leave_files(dir);
	write_nowhere();
	(void)close(dir);
	int r = confine_caps(keeps_net_admin ? 1U << CAP_NET_ADMIN : 0, e);
	return r < 0 ? err_wrap(e, "resolver") : load_filter(e);
}
