/* Probes that are one system call: namespaces, mounts, keys, tracing, the kernel's old doors. */
#include "attack.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Newer than the headers of the oldest machine that builds this; the same on all but alpha. */
enum {
	NR_fchmodat2 = 452,
	NR_futex_wake = 454,
	NR_futex_wait = 455,
	NR_futex_requeue = 456,
	NR_statmount = 457,
	NR_listmount = 458,
	NR_open_tree_attr = 467,
};

#define P(x) ((uintptr_t)(x))
#define ANY  P(-1)

/* --- namespaces ----------------------------------------------------------------------------- */

static long clone_one(const struct attack *self)
{
	long r = sys(SYS_clone, self->a[0] | SIGCHLD, 0L, 0L, 0L, 0L, 0L);

	if (r == 0)
		_exit(0);
	return r;
}

static long clone3_one(const struct attack *self)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			set_tid, set_tid_size, cgroup;
	} c = {.flags = self->a[0], .exit_signal = SIGCHLD, .cgroup = 4000};
	long r = sys(SYS_clone3, P(&c), sizeof(c), 0L, 0L, 0L, 0L);

	if (r == 0)
		_exit(0);
	return r;
}

static long setns_own(const struct attack *self)
{
	int fd = self->path ? open(self->path, O_RDONLY | O_CLOEXEC)
			    : (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		attack_says("no-descriptor");
	return sys(SYS_setns, fd, self->a[0], 0L, 0L, 0L, 0L);
}

#define CLONE(word, flag)                                                                          \
	{                                                                                          \
		"clone-" word, SYS_clone, {flag}, clone_one, NULL, 0                               \
	}
#define UNSHARE(word, flag)                                                                        \
	{                                                                                          \
		"unshare-" word, SYS_unshare, {flag}, NULL, NULL, 0                                \
	}

/* --- calls on objects of their own ---------------------------------------------------------- */

static struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
static struct rlimit core_zero = {0, 0};
static char buffer[4096] __attribute__((aligned(4096)));
static uint32_t word;
static int number;
static struct iovec vec = {buffer, sizeof(buffer)};
static struct iovec word_vec = {&word, sizeof(word)};
static struct timeval bad_time = {0, 2000000};
static struct timespec bad_clock = {0, 2000000000};
static struct timex set_tick = {.modes = ADJ_TICK, .tick = 1}, read_tick;
static uint64_t attr_size64[8] = {64};

static long process_vm(const struct attack *self)
{
	return sys(self->nr, getpid(), P(&vec), 1L, P(&word_vec), 1L, 0L);
}

static long trace_child(const struct attack *self)
{
	pid_t pid = fork();
	long r;

	if (pid == 0)
		for (;;)
			pause();
	r = sys(SYS_ptrace, self->a[0], pid, 0L, 0L, 0L, 0L);
	kill(pid, SIGKILL);
	return r;
}

static long perf_event(const struct attack *self)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
				    .size = sizeof(a),
				    .config = PERF_COUNT_SW_TASK_CLOCK,
				    .exclude_kernel = 1,
				    .exclude_hv = 1};

	return sys(self->nr, P(&a), 0L, ANY, ANY, 0L, 0L);
}

static long pidfd_getfd_own(const struct attack *self)
{
	return sys(self->nr, syscall(SYS_pidfd_open, getpid(), 0), 1L, 0L, 0L, 0L, 0L);
}

static long kcmp_own(const struct attack *self)
{
	return sys(self->nr, getpid(), getpid(), 1L /* KCMP_VM */, 0L, 0L, 0L);
}

static long with_pipe(const struct attack *self)
{
	int a[2], b[2];

	if (pipe(a) || pipe(b) || write(a[1], "x", 1) != 1)
		attack_says("no-pipe");
	switch (self->nr) {
	case SYS_splice:
		return sys(self->nr, a[0], 0L, b[1], 0L, 1L, 0L);
	case SYS_tee:
		return sys(self->nr, a[0], b[1], 1L, 0L, 0L, 0L);
	default:
		return sys(self->nr, a[1], P(&vec), 1L, 0L, 0L, 0L);
	}
}

static long handle_of_root(const struct attack *self)
{
	struct {
		uint32_t bytes;
		int32_t type;
		uint32_t ino[2];
	} h = {
		8, 1, {2, 0}
        };

	if (self->nr == SYS_open_by_handle_at)
		return sys(self->nr, AT_FDCWD, P(&h), O_RDONLY, 0L, 0L, 0L);
	return sys(self->nr, AT_FDCWD, P("/"), P(&h), P(&number), 0L, 0L);
}

static long call_minus_one(const struct attack *self)
{
	(void)self;
	return sys(-1L, 0L, 0L, 0L, 0L, 0L, 0L);
}

const struct attack call_attacks[] = {
	{"clone3-newuser",        SYS_clone3,                  {CLONE_NEWUSER},                                clone3_one,      NULL,                0},
	{"clone3-cgroup",         SYS_clone3,                  {0x200000000ull /* INTO_CGROUP */},             clone3_one,      NULL,                0},
	CLONE("newuser", CLONE_NEWUSER),
	CLONE("newns", CLONE_NEWNS),
	CLONE("newpid", CLONE_NEWPID),
	CLONE("newnet", CLONE_NEWNET),
	CLONE("newipc", CLONE_NEWIPC),
	CLONE("newuts", CLONE_NEWUTS),
	CLONE("newcgroup", CLONE_NEWCGROUP),
	CLONE("parent", CLONE_PARENT),
	CLONE("untraced", CLONE_UNTRACED),
	CLONE("ptrace", CLONE_PTRACE),
	UNSHARE("user", CLONE_NEWUSER),
	UNSHARE("ns", CLONE_NEWNS),
	UNSHARE("pid", CLONE_NEWPID),
	UNSHARE("net", CLONE_NEWNET),
	UNSHARE("ipc", CLONE_NEWIPC),
	UNSHARE("uts", CLONE_NEWUTS),
	UNSHARE("cgroup", CLONE_NEWCGROUP),
	UNSHARE("time", 0x80),
	UNSHARE("files", CLONE_FILES),
	{"setns-file",            SYS_setns,                   {0},					    setns_own,       "/proc/self/ns/uts", 0},
	{"setns-pidfd",           SYS_setns,                   {CLONE_NEWUTS},                                 setns_own,       NULL,                0},

	{"mount",                 SYS_mount,                   {P("none"), P("/tmp"), P("tmpfs"), 0, 0, 0},    NULL,            NULL,                0},
	{"mount-bind",            SYS_mount,                   {P("/tmp"), P("/tmp"), 0, MS_BIND, 0, 0},       NULL,            NULL,                0},
	{"mount-proc",            SYS_mount,                   {P("none"), P("/tmp"), P("proc"), 0, 0, 0},     NULL,            NULL,                0},
	{"umount-proc",           SYS_umount2,                 {P("/proc"), MNT_DETACH},                       NULL,            NULL,                0},
	{"pivot-root",            SYS_pivot_root,              {P("/"), P("/")},                               NULL,            NULL,                0},
	{"chroot",                SYS_chroot,                  {P("/")},                                       NULL,            NULL,                0},
	{"remount-root",          SYS_mount,                   {0, P("/"), 0, MS_REMOUNT | MS_BIND, 0, 0},     NULL,            NULL,                0},
	{"remount-sys",           SYS_mount,                   {0, P("/proc/sys"), 0, MS_REMOUNT | MS_BIND},   NULL,            NULL,                0},
	{"open-tree",             SYS_open_tree,               {P(AT_FDCWD), P("/tmp"), 1 /* CLONE */},        NULL,            NULL,                0},
	{"open-tree-attr",        NR_open_tree_attr,           {P(AT_FDCWD), P("/"), 0, 0, 0},                 NULL,            NULL,                0},
	{"move-mount",            SYS_move_mount,              {ANY, P(""), ANY, P(""), 4},                    NULL,            NULL,                0},
	{"fsopen",                SYS_fsopen,                  {P("tmpfs"), 0},                                NULL,            NULL,                0},
	{"fsconfig",              SYS_fsconfig,                {4000, 6, 0, 0, 0},                             NULL,            NULL,                0},
	{"fsmount",               SYS_fsmount,                 {4000, 0, 0},                                   NULL,            NULL,                0},
	{"fspick",                SYS_fspick,                  {P(AT_FDCWD), P("/"), 0},                       NULL,            NULL,                0},
	{"mount-setattr",
	 SYS_mount_setattr,				    {P(AT_FDCWD), P("/"), 0, P(buffer), 32},
	 NULL,														  NULL,
	 0																	    },
	{"statmount",             NR_statmount,                {P(buffer), P(buffer), 512, 0},                 NULL,            NULL,                0},
	{"listmount",             NR_listmount,                {P(buffer), P(buffer), 16, 0},                  NULL,            NULL,                0},
	{"name-to-handle",        SYS_name_to_handle_at,       {0},                                            handle_of_root,  NULL,                0},

	{"keyctl",                SYS_keyctl,                  {0, P(-3), 0},                                  NULL,            NULL,                0},
	{"add-key",               SYS_add_key,                 {P("user"), P("k"), P("v"), 1, P(-2)},          NULL,            NULL,                0},
	{"request-key",           SYS_request_key,             {P("user"), P("none"), 0, 0},                   NULL,            NULL,                0},
	{"io-uring-setup",        SYS_io_uring_setup,          {1, P(buffer)},                                 NULL,            NULL,                0},
	{"io-uring-enter",        SYS_io_uring_enter,          {ANY, 0, 0, 0, 0, 0},                           NULL,            NULL,                0},
	{"io-uring-register",     SYS_io_uring_register,       {ANY, 0, 0, 0},                                 NULL,            NULL,                0},
	{"perf-event",            SYS_perf_event_open,         {0},                                            perf_event,      NULL,                0},
	{"ptrace-traceme",        SYS_ptrace,                  {PTRACE_TRACEME},                               NULL,            NULL,                0},
	{"ptrace-attach",         SYS_ptrace,                  {PTRACE_ATTACH},                                trace_child,     NULL,                0},
	{"ptrace-seize",          SYS_ptrace,                  {PTRACE_SEIZE},                                 trace_child,     NULL,                0},
	{"vm-readv",              SYS_process_vm_readv,        {0},                                            process_vm,      NULL,                0},
	{"vm-writev",             SYS_process_vm_writev,       {0},                                            process_vm,      NULL,                0},
	{"pidfd-getfd",           SYS_pidfd_getfd,             {0},                                            pidfd_getfd_own, NULL,                0},
	{"kcmp",		  SYS_kcmp,                    {0},					    kcmp_own,        NULL,                0},
	{"process-madvise",       SYS_process_madvise,         {ANY, P(&vec), 1, MADV_COLD, 0},                NULL,            NULL,                0},

	{"prctl-set-mm",          SYS_prctl,                   {PR_SET_MM, PR_SET_MM_MAP_SIZE, P(&number)},    NULL,            NULL,                0},
	{"prctl-capbset",         SYS_prctl,                   {PR_CAPBSET_DROP, CAP_CHOWN},                   NULL,            NULL,                0},
	{"prctl-sched-core",      SYS_prctl,                   {62, 1 /* CREATE */, 0, 0, 0},                  NULL,            NULL,                0},
	{"prctl-nnp-off",         SYS_prctl,                   {PR_SET_NO_NEW_PRIVS, 0},                       NULL,            NULL,                0},
	{"prctl-seccomp-off",     SYS_prctl,                   {PR_SET_SECCOMP, 0},                            NULL,            NULL,                0},
	{"prctl-dumpable",        SYS_prctl,                   {PR_SET_DUMPABLE, 1},                           NULL,            NULL,                0},
	{"syslog",                SYS_syslog,                  {3, P(buffer), sizeof(buffer)},                 NULL,            NULL,                0},

	{"quotactl",              SYS_quotactl,                {P(0x80000300u), P("/dev/null"), 0, P(buffer)}, NULL,            NULL,                0},
	{"quotactl-fd",           SYS_quotactl_fd,             {ANY, P(0x80000300u), 0, P(buffer)},            NULL,            NULL,                0},
	{"settimeofday",          SYS_settimeofday,            {P(&bad_time), 0},                              NULL,            NULL,                0},
	{"clock-settime",         SYS_clock_settime,           {CLOCK_REALTIME, P(&bad_clock)},                NULL,            NULL,                0},
	{"clock-adjtime",         SYS_clock_adjtime,           {CLOCK_REALTIME, P(&set_tick)},                 NULL,            NULL,                0},
	{"adjtimex-read",         SYS_adjtimex,                {P(&read_tick)},                                NULL,            NULL,                0},
	{"sethostname",           SYS_sethostname,             {P("attacked"), 8},                             NULL,            NULL,                0},
	{"setdomainname",         SYS_setdomainname,           {P("attacked"), 8},                             NULL,            NULL,                0},
	{"mbind",                 SYS_mbind,                   {P(buffer), 4096, 0, 0, 0, 0},                  NULL,            NULL,                0},
	{"set-mempolicy",         SYS_set_mempolicy,           {0, 0, 0},                                      NULL,            NULL,                0},
	{"move-pages",            SYS_move_pages,              {0, 0, 0, 0, 0, 0},                             NULL,            NULL,                0},
	{"migrate-pages",         SYS_migrate_pages,           {0, 64, P(buffer), P(buffer)},                  NULL,            NULL,                0},
	{"vmsplice",              SYS_vmsplice,                {0},					    with_pipe,       NULL,                0},
	{"splice",                SYS_splice,                  {0},					    with_pipe,       NULL,                0},
	{"tee",		   SYS_tee,                     {0},					    with_pipe,       NULL,                0},

	{"futex-lock-pi",         SYS_futex,                   {P(&word), 6, 0, 0, 0, 0},                      NULL,            NULL,                0},
	{"futex-lock-pi-private", SYS_futex,                   {P(&word), 6 | 128, 0, 0, 0, 0},                NULL,            NULL,                0},
	{"futex-trylock-pi",      SYS_futex,                   {P(&word), 8, 0, 0, 0, 0},                      NULL,            NULL,                0},
	{"futex-wait-requeue-pi", SYS_futex,                   {P(&word), 11, 1, 0, P(&number), 0},            NULL,            NULL,                0},
	{"futex-cmp-requeue-pi",  SYS_futex,                   {P(&word), 12, 1, 0, P(&number), 1},            NULL,            NULL,                0},
	{"futex-lock-pi2",        SYS_futex,                   {P(&word), 13, 0, 0, 0, 0},                     NULL,            NULL,                0},
	{"futex-lock-pi-wide",    SYS_futex,                   {P(&word), 0x100000006ull, 0, 0},               NULL,            NULL,                0},
	{"futex-waitv",           SYS_futex_waitv,             {0, 0, 0, 0, 0},                                NULL,            NULL,                0},
	{"futex-wake2",           NR_futex_wake,               {P(&word), 0, 1, 0x82},                         NULL,            NULL,                0},
	{"futex-wait2",           NR_futex_wait,               {P(&word), 1, 1, 0x82, 0, 0},                   NULL,            NULL,                0},
	{"futex-requeue2",        NR_futex_requeue,            {0, 0, 0, 0},                                   NULL,            NULL,                0},
	{"shmget",                SYS_shmget,                  {0, 4096, 0600},                                NULL,            NULL,                0},
	{"semget",                SYS_semget,                  {0, 1, 0600},                                   NULL,            NULL,                0},
	{"msgget",                SYS_msgget,                  {0, 0600},                                      NULL,            NULL,                0},
	{"mq-open",               SYS_mq_open,                 {P("attack"), O_RDWR | O_CREAT, 0600, 0},       NULL,            NULL,                0},
	{"io-setup",              SYS_io_setup,                {1, P(buffer)},                                 NULL,            NULL,                0},
	{"fanotify",              SYS_fanotify_init,           {0x200 /* FID */, 0},                           NULL,            NULL,                0},

	{"memfd-secret",          SYS_memfd_secret,            {0},                                            NULL,            NULL,                0},
	{"personality-aslr",      SYS_personality,             {0x0040000},                                    NULL,            NULL,                0},
	{"personality-exec",      SYS_personality,             {0x0400000},                                    NULL,            NULL,                0},
	{"personality-wide",      SYS_personality,             {0x100040000ull},                               NULL,            NULL,                0},
	{"core-limit-prlimit",    SYS_prlimit64,               {0, RLIMIT_CORE, P(&core_zero), 0},             NULL,            NULL,                0},
	{"core-limit-wide",       SYS_prlimit64,               {0, 0x100000004ull, P(&core_zero)},             NULL,            NULL,                0},
	{"core-limit-setrlimit",  SYS_setrlimit,               {RLIMIT_CORE, P(&core_zero)},                   NULL,            NULL,                0},
	{"nofile-raise",          SYS_prlimit64,               {0, RLIMIT_NOFILE, P(&unlimited), 0},           NULL,            NULL,                0},
	{"rtprio-raise",          SYS_prlimit64,               {0, RLIMIT_RTPRIO, P(&unlimited), 0},           NULL,            NULL,                0},
	{"nice",		  SYS_setpriority,             {PRIO_PROCESS, 0, P(-20)},                      NULL,            NULL,                0},
	{"landlock",              SYS_landlock_create_ruleset, {P(attr_size64), 8, 0},                         NULL,            NULL,                0},
	{"unknown-600",           600,                         {0},					    NULL,            NULL,                0},
	{"unknown-bit31",         0x80000000l,                 {0},					    NULL,            NULL,                0},
	{"unknown-minus1",        0,                           {0},					    call_minus_one,  NULL,                0},
	{NULL,		    0,			   {0},					    NULL,            NULL,                0},
};
