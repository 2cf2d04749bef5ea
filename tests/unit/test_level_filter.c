/*
 * What the levels answer, call by call (the rows of docs/seccomp.md), what every filter lets
 * through for brig's own sake, and a configuration's filter behind a level's.
 */
#include "guard/level_filter.h"

#include <linux/audit.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/own.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/seccomp_rules.h"
#include "level_policy.h"
#include "plan.h"
#include "seccomp_profile.h"

static struct arena arena;
static struct err err;

enum { ALLOW = 0, NEVER = -1, DEAD = -2, PRETEND = -3, TELL = -4 };

static uint32_t ret_of(int answer, bool notify)
{
	if (answer == ALLOW)
		return SECCOMP_RET_ALLOW;
	if (answer == PRETEND)
		return SECCOMP_RET_ERRNO;
	if (answer == TELL)
		return notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM;
	if (answer == DEAD || (answer == NEVER && !notify))
		return SECCOMP_RET_KILL_PROCESS;
	return answer == NEVER ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | (uint32_t)answer;
}

#define HIGH UINT64_C(0xdeadbeef00000000)
#define ANY  UINT64_C(0x7fff12345678)

/* A call with the answers of standard and high; network is on. */
static const struct row {
	const char *name;
	uint64_t args[4];
	int standard, high;
} rows[] = {
	{"read",              {0, ANY, 1, 0},                 ALLOW,           ALLOW          },
	{"prctl",             {1, 9, 0, 0},                   ALLOW,           ALLOW          },
	{"prctl",             {1, 0, 0, 0},                   PRETEND,         PRETEND        },
	{"prctl",             {1, 15, 0, 0},                  PRETEND,         PRETEND        },
	{"clone3",            {ANY, 88, 0, 0},                ENOSYS,          ENOSYS         },
	{"clone",             {0x10000011, 0, 0, 0},          EPERM,           EPERM          },
	{"clone",             {0x20000 | 17, 0, 0, 0},        EPERM,           EPERM          },
	{"clone",             {0x02000000, 0, 0, 0},          EPERM,           EPERM          },
	{"clone",             {0x04000000, 0, 0, 0},          EPERM,           EPERM          },
	{"clone",             {0x08000000, 0, 0, 0},          EPERM,           EPERM          },
	{"clone",             {0x20000000, 0, 0, 0},          EPERM,           EPERM          },
	{"clone",             {0x40000000 | HIGH, 0, 0, 0},   EPERM,           EPERM          },
	{"clone",             {0x3d0f00, 0, 0, 0},            ALLOW,           ALLOW          },
	{"clone",             {0x4111, 0, 0, 0},              ALLOW,           ALLOW          },
	{"clone",             {0x2011, 0, 0, 0},              ALLOW,           EPERM          },
	{"clone",             {0x800011, 0, 0, 0},            ALLOW,           EPERM          },
	{"unshare",           {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"setns",             {3, 0, 0, 0},                   EPERM,           EPERM          },
	{"mount",             {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"umount2",           {ANY, 2, 0, 0},                 EPERM,           EPERM          },
	{"pivot_root",        {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"chroot",            {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"open_tree",         {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"open_tree_attr",    {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"move_mount",        {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"fsopen",            {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"fsconfig",          {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"fsmount",           {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"fspick",            {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"mount_setattr",     {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"statmount",         {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"listmount",         {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"open_by_handle_at", {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"name_to_handle_at", {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"keyctl",            {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"add_key",           {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"request_key",       {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"io_uring_setup",    {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"io_uring_enter",    {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"io_uring_register", {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"userfaultfd",       {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"bpf",               {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"perf_event_open",   {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"ptrace",            {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"process_vm_readv",  {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"process_vm_writev", {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"pidfd_getfd",       {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"kcmp",              {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"process_madvise",   {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"seccomp",           {1, 0, ANY, 0},                 ALLOW,           ENOSYS         },
	{"prctl",             {PR_SET_MM, 0, 0, 0},           EPERM,           EINVAL         },
	{"prctl",             {PR_SET_SECCOMP, 2, ANY, 0},    ALLOW,           EINVAL         },
	{"prctl",             {PR_CAPBSET_DROP, 0, 0, 0},     ALLOW,           EINVAL         },
	{"prctl",             {62, 1, 0, 0},                  EINVAL,          EINVAL         },
	{"prctl",             {62 | HIGH, 1, 0, 0},           EINVAL,          EINVAL         },
	{"prctl",             {PR_SET_NO_NEW_PRIVS, 0, 0, 0}, ALLOW,           ALLOW          },
	{"prctl",             {PR_SET_NAME, ANY, 0, 0},       ALLOW,           ALLOW          },
	{"prctl",             {PR_GET_DUMPABLE, 0, 0, 0},     ALLOW,           ALLOW          },
	{"prctl",             {PR_SET_DUMPABLE, 1, 0, 0},     ALLOW,           EINVAL         },
	{"prctl",             {0x53564d41, 0, ANY, 0},        ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x5412, ANY, 0},            TELL,            TELL           },
	{"ioctl",             {0, 0x100005412, ANY, 0},       TELL,            TELL           },
	{"ioctl",             {0, 0x541c, ANY, 0},            TELL,            TELL           },
	{"ioctl",             {0, 0x541d, ANY, 0},            EPERM,           EPERM          },
	{"ioctl",             {0, 0x5423 | HIGH, ANY, 0},     EPERM,           EPERM          },
	{"ioctl",             {0, 0x5457, ANY, 0},            EPERM,           EPERM          },
	{"ioctl",             {0, 0x5401, ANY, 0},            ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x5413, ANY, 0},            ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x5421, ANY, 0},            ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x541b, ANY, 0},            ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x5451, 0, 0},              ALLOW,           ALLOW          },
	{"ioctl",             {0, 0x40049409, 3, 0},          ALLOW,           ENOTTY         },
	{"ioctl",             {0, 0xb701, 0, 0},              ALLOW,           ENOTTY         },
	{"socket",            {38, 5, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {0x100000026, 5, 0, 0},         EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {0x100000028, 1, 0, 0},         EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {40, 1, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {17, 3, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {44, 3, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {43, 1, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {1, 1, 0, 0},                   ALLOW,           ALLOW          },
	{"socket",            {1, 5, 0, 0},                   ALLOW,           ALLOW          },
	{"socket",            {2, 1 | 02004000, 0, 0},        ALLOW,           ALLOW          },
	{"socket",            {2, 1, 6, 0},                   ALLOW,           ALLOW          },
	{"socket",            {10, 2, 17, 0},                 ALLOW,           ALLOW          },
	{"socket",            {2, 1, 262, 0},                 ALLOW,           EPROTONOSUPPORT},
	{"socket",            {2, 5, 132, 0},                 ALLOW,           EPROTONOSUPPORT},
	{"socket",            {2, 2, 1, 0},                   ALLOW,           EPROTONOSUPPORT},
	{"socket",            {2, 3, 6, 0},                   ALLOW,           EPROTONOSUPPORT},
	{"socket",            {2, 3, 255, 0},                 ALLOW,           EPROTONOSUPPORT},
	{"socket",            {2, 1, 256, 0},                 EPROTONOSUPPORT, EPROTONOSUPPORT},
	{"socket",            {16, 3, 0, 0},                  ALLOW,           EAFNOSUPPORT   },
	{"socket",            {16, 3, 12, 0},                 EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {16, 3, 9, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {16, 3, 15, 0},                 EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socket",            {16, 3, 4, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socketpair",        {1, 1, 0, 0},                   ALLOW,           ALLOW          },
	{"socketpair",        {2, 1, 0, 0},                   EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"socketpair",        {30, 1, 0, 0},                  EAFNOSUPPORT,    EAFNOSUPPORT   },
	{"setsockopt",        {3, 6, 31, ANY},                ENOPROTOOPT,     ENOPROTOOPT    },
	{"setsockopt",        {3, 6 | HIGH, 31 | HIGH, ANY},  ENOPROTOOPT,     ENOPROTOOPT    },
	{"setsockopt",        {3, 17, 100, ANY},              ENOPROTOOPT,     ENOPROTOOPT    },
	{"setsockopt",        {3, 136, 100, ANY},             ENOPROTOOPT,     ENOPROTOOPT    },
	{"setsockopt",        {3, 1, 26, ANY},                ALLOW,           EPERM          },
	{"setsockopt",        {3, 1, 50, ANY},                ALLOW,           EPERM          },
	{"setsockopt",        {3, 1, 51, ANY},                ALLOW,           EPERM          },
	{"setsockopt",        {3, 1, 52, ANY},                ALLOW,           EPERM          },
	{"setsockopt",        {3, 1, 2, ANY},                 ALLOW,           ALLOW          },
	{"setsockopt",        {3, 6, 1, ANY},                 ALLOW,           ALLOW          },
	{"syslog",            {3, ANY, 10, 0},                EPERM,           EPERM          },
	{"chmod",             {ANY, 0755, 0, 0},              ALLOW,           ALLOW          },
	{"chmod",             {ANY, 04755, 0, 0},             ALLOW,           EPERM          },
	{"fchmod",            {3, 02755, 0, 0},               ALLOW,           EPERM          },
	{"fchmodat",          {3, ANY, 06755, 0},             ALLOW,           EPERM          },
	{"fchmodat",          {3, ANY, 01777 | HIGH, 0},      ALLOW,           ALLOW          },
	{"fchmodat2",         {3, ANY, 0755, 0},              ALLOW,           ENOSYS         },
	{"open",              {ANY, 0101, 0644, 0},           ALLOW,           ALLOW          },
	{"open",              {ANY, 0101, 04755, 0},          ALLOW,           EPERM          },
	{"open",              {ANY, 01, 04755, 0},            ALLOW,           ALLOW          },
	{"openat",            {3, ANY, 0101, 0755},           ALLOW,           ALLOW          },
	{"openat",            {3, ANY, 0101, 02755},          ALLOW,           EPERM          },
	{"openat",            {3, ANY, 020200002, 04755},     ALLOW,           EPERM          },
	{"openat",            {3, ANY, 0200000, ~0ULL},       ALLOW,           ALLOW          },
	{"openat",            {3, ANY, HIGH, ~0ULL},          ALLOW,           ALLOW          },
	{"openat2",           {3, ANY, ANY, 24},              ALLOW,           ENOSYS         },
	{"creat",             {ANY, 0644, 0, 0},              ALLOW,           ALLOW          },
	{"creat",             {ANY, 04755, 0, 0},             ALLOW,           EPERM          },
	{"mknod",             {ANY, 0104755, 0, 0},           ALLOW,           EPERM          },
	{"mknodat",           {3, ANY, 04755, 0},             ALLOW,           EPERM          },
	{"mknod",             {ANY, 0020666, 0x101, 0},       ALLOW,           EPERM          },
	{"mknodat",           {3, ANY, 0060666, 0x800},       ALLOW,           EPERM          },
	{"mknodat",           {3, ANY, 0010666, 0},           ALLOW,           ALLOW          },
	{"mknodat",           {3, ANY, 0100644, 0},           ALLOW,           ALLOW          },
	{"setfsuid",          {0, 0, 0, 0},                   ALLOW,           EPERM          },
	{"setuid",            {0, 0, 0, 0},                   ALLOW,           ALLOW          },
	{"capset",            {ANY, ANY, 0, 0},               ALLOW,           EPERM          },
	{"memfd_secret",      {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"personality",       {0x0040000, 0, 0, 0},           EPERM,           EPERM          },
	{"personality",       {0x0400000 | HIGH, 0, 0, 0},    EPERM,           EPERM          },
	{"personality",       {0xffffffff, 0, 0, 0},          ALLOW,           ALLOW          },
	{"personality",       {UINT64_MAX, 0, 0, 0},          ALLOW,           ALLOW          },
	{"personality",       {8, 0, 0, 0},                   ALLOW,           EPERM          },
	{"personality",       {0x20008, 0, 0, 0},             ALLOW,           EPERM          },
	{"personality",       {0, 0, 0, 0},                   ALLOW,           ALLOW          },
	{"modify_ldt",        {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"iopl",              {3, 0, 0, 0},                   NEVER,           NEVER          },
	{"ioperm",            {0, 1, 1, 0},                   NEVER,           NEVER          },
	{"kexec_load",        {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"kexec_file_load",   {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"init_module",       {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"finit_module",      {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"delete_module",     {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"reboot",            {0, 0, 0, 0},                   EPERM,           NEVER          },
	{"swapon",            {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"swapoff",           {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"acct",              {0, 0, 0, 0},                   NEVER,           NEVER          },
	{"quotactl",          {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"quotactl_fd",       {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"settimeofday",      {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"clock_settime",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"clock_adjtime",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"adjtimex",          {ANY, 0, 0, 0},                 ALLOW,           EPERM          },
	{"sethostname",       {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"setdomainname",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"mbind",             {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"set_mempolicy",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"get_mempolicy",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"move_pages",        {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"migrate_pages",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"vmsplice",          {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"splice",            {0, 0, 0, 0},                   ALLOW,           EINVAL         },
	{"tee",               {0, 0, 0, 0},                   ALLOW,           EINVAL         },
	{"futex",             {ANY, 6, 0, 0},                 ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 7 | 128, 0, 0},           ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 8, 0, 0},                 ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 11 | 128 | 256, 0, 0},    ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 12 | HIGH, 0, 0},         ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 13, 0, 0},                ENOSYS,          ENOSYS         },
	{"futex",             {ANY, 0 | 128, 0, 0},           ALLOW,           ALLOW          },
	{"futex",             {ANY, 1 | 128, 0, 0},           ALLOW,           ALLOW          },
	{"futex",             {ANY, 9 | 128 | 256, 0, 0},     ALLOW,           ALLOW          },
	{"futex_waitv",       {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"futex_wake",        {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"futex_wait",        {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"futex_requeue",     {0, 0, 0, 0},                   ENOSYS,          ENOSYS         },
	{"shmget",            {0, 0, 0, 0},                   ALLOW,           ENOSYS         },
	{"shmget",            {0, ANY, 01600, 0},             ALLOW,           ENOSYS         },
	{"shmget",            {0, ANY, 05600, 0},             EPERM,           ENOSYS         },
	{"shmget",            {0, ANY, 04000 | HIGH, 0},      EPERM,           ENOSYS         },
	{"semop",             {0, 0, 0, 0},                   ALLOW,           ENOSYS         },
	{"msgget",            {0, 0, 0, 0},                   ALLOW,           ENOSYS         },
	{"mq_open",           {0, 0, 0, 0},                   ALLOW,           ENOSYS         },
	{"io_setup",          {0, 0, 0, 0},                   ALLOW,           ENOSYS         },
	{"fanotify_init",     {0, 0, 0, 0},                   EPERM,           EPERM          },
	{"prlimit64",         {0, 4, ANY, 0},                 EPERM,           EPERM          },
	{"prlimit64",         {0, 4 | HIGH, ANY, 0},          EPERM,           EPERM          },
	{"prlimit64",         {0, 4, 0x100000000, 0},         EPERM,           EPERM          },
	{"prlimit64",         {0, 4, 1, 0},                   EPERM,           EPERM          },
	{"prlimit64",         {0, 4, 0, ANY},                 ALLOW,           ALLOW          },
	{"prlimit64",         {0, 7, ANY, 0},                 ALLOW,           ALLOW          },
	{"setrlimit",         {4, ANY, 0, 0},                 EPERM,           EPERM          },
	{"setrlimit",         {4 | HIGH, ANY, 0, 0},          EPERM,           EPERM          },
	{"setrlimit",         {7, ANY, 0, 0},                 ALLOW,           ALLOW          },
	{"getrlimit",         {4, ANY, 0, 0},                 ALLOW,           ALLOW          },
	{"landlock_add_rule", {0, 0, 0, 0},                   ALLOW,           ALLOW          },
	{"uretprobe",         {0, 0, 0, 0},                   ALLOW,           ALLOW          },
	{"rseq",              {0, 0, 0, 0},                   ALLOW,           ALLOW          },
	{"memfd_create",      {ANY, 0, 0, 0},                 ALLOW,           ALLOW          },
	{"memfd_create",      {ANY, 0xb, ANY, ANY},           ALLOW,           ALLOW          },
	{"memfd_create",      {ANY, 4, 0, 0},                 EINVAL,          EINVAL         },
	{"memfd_create",      {ANY, 5 | HIGH, 0, 0},          EINVAL,          EINVAL         },
	{"memfd_create",      {ANY, 4 | 21 << 26, 0, 0},      EINVAL,          EINVAL         },
	{"mmap",              {ANY, ANY, 3, 0x22},            ALLOW,           ALLOW          },
	{"mmap",              {ANY, ANY, 7, 0x128812},        ALLOW,           ALLOW          },
	{"mmap",              {ANY, ANY, 3, 0x40022},         ENOMEM,          ENOMEM         },
	{"mmap",              {0, ANY, 3, 0x40022 | HIGH},    ENOMEM,          ENOMEM         },
	{"mmap",              {0, ANY, 3, 0x78040001},        ENOMEM,          ENOMEM         },
};

static uint32_t native_run(const struct sock_filter *insns, size_t n, long nr,
			   const uint64_t args[4])
{
	struct seccomp_data d = {.nr = (int)nr, .arch = seccomp_native_arch()};

	memcpy(d.args, args, 4 * sizeof(*args));
	return bpf_run(insns, n, &d);
}

static long number(const char *name)
{
	for (long nr = 0; nr < LEVELC_MAX_NR; nr++)
		if (str_eq(level_filter_syscall_name(nr), name))
			return nr;
	return -1;
}

static void answers(const char *level, bool notify)
{
	const struct level_filter *f = level_filter_find(level, NULL, true, notify);
	unsigned int found = 0;

	CHECK(f != NULL);
	for (size_t i = 0; f && i < LEN(rows); i++) {
		const struct row *r = &rows[i];
		long nr = number(r->name);
		uint32_t want = ret_of(str_eq(level, "high") ? r->high : r->standard, notify);

		if (nr < 0)
			continue; /* of another architecture */
		found++;
		uint32_t got = native_run(f->insns, f->n_insns, nr, r->args);

		CHECK(got == want);
		if (got != want)
			fprintf(stderr, "  %s: %s (row %zu)\n", level, r->name, i);
	}
	CHECK(found + 16 > LEN(rows));
}

static void network_off(void)
{
	static const uint64_t sockets[][4] = {
		{2,        1, 0,   0},
                {10,       2, 17,  0},
                {2 | HIGH, 1, 6,   0},
                {2,        1, 256, 0}
        };
	const uint64_t local[4] = {1, 1, 0, 0};
	const char *const levels[] = {"standard", "high"};

	for (size_t i = 0; i < LEN(levels); i++) {
		const struct level_filter *f = level_filter_find(levels[i], NULL, false, false);

		for (size_t k = 0; k < LEN(sockets); k++)
			CHECK(native_run(f->insns, f->n_insns, SYS_socket, sockets[k]) ==
			      (SECCOMP_RET_ERRNO | EAFNOSUPPORT));
		CHECK(native_run(f->insns, f->n_insns, SYS_socket, local) == SECCOMP_RET_ALLOW);
	}
}

/* What brig does between the filter and the workload's first instruction, and to be killed. */
static void brig_passes(void)
{
	static const long needed[] = {SYS_execveat, SYS_execve, SYS_fcntl,     SYS_write,
				      SYS_sendmsg,  SYS_close,  SYS_exit_group};
	const char *levels[] = {"standard", "high"};
	unsigned int n = 0;

	for (size_t i = 0; i < LEN(levels) * 4; i++) {
		const char *const *language = level_filter_languages();

		for (const char *l = NULL;; l = *language++) {
			const struct level_filter *f =
				level_filter_find(levels[i / 4], l, i & 1, i & 2);
			struct seccomp_program p = {0};

			if (!f)
				break;
			n++;
			CHECK(level_filter_stack(&arena, f, &p, &err) == 0);
			CHECK(p.n_insns == f->n_insns && p.notify == f->notify);
			for (size_t k = 0; k < LEN(needed); k++)
				CHECK(seccomp_allows(&p, needed[k]));
			CHECK(plan_stub_passes(&p));
			if (!*language)
				break;
		}
	}
	CHECK(n == 2 * 4 * 6);
}

/* 0: allow, 1: anything else. */
static bool allows(const struct level_filter *f, const struct seccomp_data *d)
{
	return bpf_run(f->insns, f->n_insns, d) == SECCOMP_RET_ALLOW;
}

struct pair {
	const struct level_filter *loose, *tight;
};

static void no_looser(void *ctx, const struct seccomp_data *d)
{
	const struct pair *p = ctx;

	bool tighter = !allows(p->tight, d) || allows(p->loose, d);

	CHECK(tighter);
	if (!tighter)
		fprintf(stderr, "  %s %s: nr %d\n", p->tight->policy,
			p->tight->language ? p->tight->language : "", d->nr);
}

/* Every sample of every call of both policies. */
static void each_sample(const struct pol *pols, size_t n_pols,
			void (*body)(void *, const struct seccomp_data *), void *ctx)
{
	struct seccomp_data d = {.arch = seccomp_native_arch()};

	for (d.nr = -2; d.nr < 1024; d.nr++) {
		const char *name = level_filter_syscall_name(d.nr);

		memset(d.args, 0, sizeof(d.args));
		body(ctx, &d);
		for (size_t i = 0; name && i < n_pols; i++)
			for (size_t k = 0; k < pols[i].n_calls; k++)
				if (str_eq(pols[i].calls[k].name, name) &&
				    pols[i].calls[k].n_rules > 1)
					sample_each(&pols[i].calls[k], &d, body, ctx);
	}
}

static void only_tighter(const struct pol *pols)
{
	for (int network = 0; network < 2; network++) {
		const struct level_filter *standard =
			level_filter_find("standard", NULL, network, false);
		const struct level_filter *high = level_filter_find("high", NULL, network, false);
		const char *const *l = level_filter_languages();

		each_sample(pols, 2, no_looser, &(struct pair){standard, high});
		for (; *l; l++) {
			const struct level_filter *a =
				level_filter_find("standard", *l, network, false);
			const struct level_filter *b =
				level_filter_find("high", *l, network, false);

			each_sample(pols, 2, no_looser, &(struct pair){standard, a});
			each_sample(pols, 2, no_looser, &(struct pair){high, b});
		}
	}
	const struct level_filter *off = level_filter_find("high", NULL, false, false);
	const struct level_filter *on = level_filter_find("high", NULL, true, false);

	each_sample(pols, 2, no_looser, &(struct pair){on, off});
}

/* A language never kills on its own account. */
static void languages_do_not_kill(void *ctx, const struct seccomp_data *d)
{
	const struct pair *p = ctx;
	uint32_t got = bpf_run(p->tight->insns, p->tight->n_insns, d);

	if (got == SECCOMP_RET_KILL_PROCESS)
		CHECK(bpf_run(p->loose->insns, p->loose->n_insns, d) == got);
}

/* --- config.json's filter behind the level's --- */

struct stacked {
	const struct level_filter *level;
	struct seccomp_program config, both;
	unsigned long n;
};

static void level_then_config(void *ctx, const struct seccomp_data *d)
{
	struct stacked *s = ctx;
	uint32_t want = bpf_run(s->level->insns, s->level->n_insns, d);

	if (want == SECCOMP_RET_ALLOW)
		want = bpf_run(s->config.insns, s->config.n_insns, d);
	s->n++;
	uint32_t got = bpf_run(s->both.insns, s->both.n_insns, d);

	CHECK(got == want);
	if (got != want)
		fprintf(stderr, "  nr %d\n", d->nr);
}

static void stack_on(const struct pol *pols, const struct level_filter *level,
		     const struct seccomp_program *config)
{
	struct stacked s = {.level = level, .config = *config, .both = *config};
	struct seccomp_data d = {.arch = AUDIT_ARCH_I386};

	CHECK(level_filter_stack(&arena, level, &s.both, &err) == 0);
	CHECK(bpf_validate(s.both.insns, s.both.n_insns, &err) == 0);
	each_sample(pols, 2, level_then_config, &s);
	for (d.nr = 0; d.nr < 500; d.nr++)
		level_then_config(&s, &d);
	d.arch = seccomp_native_arch();
	d.nr = 0x40000001;
	level_then_config(&s, &d);
	CHECK(s.n > 5000);
}

static void stack(const struct pol *pols)
{
	struct oci_seccomp_rule r = {.n_names = 1, .action = "SCMP_ACT_NOTIFY"};
	const char *const getcwd_name[] = {"getcwd"};
	struct oci_seccomp s = {.default_action = "SCMP_ACT_ALLOW",
				.syscalls = &r,
				.n_syscalls = 1,
				.listener_path = "/run/agent"};
	/* Relies on the registers' being 0 at its start. */
	struct sock_filter zero[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct seccomp_program engine, agent, p, odd = {.insns = zero, .n_insns = LEN(zero)};
	const struct level_filter *high = level_filter_find("high", NULL, true, true);
	const struct level_filter *standard = level_filter_find("standard", NULL, true, false);

	r.names = getcwd_name;
	CHECK(seccomp_compile(&arena, &profile_like_an_engines, &engine, &err) == 0);
	CHECK(seccomp_compile(&arena, &s, &agent, &err) == 0);
	stack_on(pols, standard, &engine);
	stack_on(pols, high, &engine);
	stack_on(pols, standard, &agent);
	stack_on(pols, high, &odd);
	/* One listener only. */
	p = agent;
	CHECK(level_filter_stack(&arena, high, &p, &err) == -EBUSY);
	CHECK(strstr(err.msg, "one listener") != NULL);
	p = agent;
	CHECK(level_filter_stack(&arena, standard, &p, &err) == 0 && p.notify);
	CHECK_STR(p.listener_path, "/run/agent");
	/* Flags: the listener's, and no speculation. */
	p = engine;
	p.flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_LOG;
	CHECK(level_filter_stack(&arena, high, &p, &err) == 0 && p.notify && !p.listener_path);
	CHECK(p.flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_NEW_LISTENER |
			  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
	struct sock_filter *big = arena_array(&arena, BPF_MAXINSNS, sizeof(*big));
	for (size_t i = 0; i < BPF_MAXINSNS; i++)
		big[i] = zero[1];
	p = (struct seccomp_program){.insns = big, .n_insns = BPF_MAXINSNS};
	CHECK(level_filter_stack(&arena, standard, &p, &err) == -E2BIG);
	p.n_insns = BPF_MAXINSNS - standard->n_insns - 1;
	CHECK(level_filter_stack(&arena, standard, &p, &err) == 0 && p.n_insns == BPF_MAXINSNS);
}

static void saved(void)
{
	struct seccomp_program p = {0}, q;
	char dir[] = "/tmp/brig-level-XXXXXX";

	CHECK(level_filter_stack(&arena, level_filter_find("high", "python", true, true), &p,
				 &err) == 0);
	CHECK(mkdtemp(dir) != NULL);
	own_fd int fd = open(dir, O_PATH | O_CLOEXEC);
	CHECK(seccomp_save(&p, fd, "filter", &err) == 0);
	CHECK(seccomp_restore(&arena, fd, "filter", &q, &err) == 0);
	CHECK(q.n_insns == p.n_insns && q.notify && q.flags == p.flags && !q.listener_path);
	CHECK(memcmp(q.insns, p.insns, p.n_insns * sizeof(*p.insns)) == 0);
	unlinkat(fd, "filter", 0);
	rmdir(dir);
}

/* In the kernel, as brig does it: the filtered process hands its listener over by sendmsg. */
static void filtered_caller(int sock)
{
	struct seccomp_program p = {0};
	int listener = -1;

	CHECK(level_filter_stack(&arena, level_filter_find("high", NULL, false, true), &p, &err) ==
	      0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(seccomp_install(&p, &listener, &err) == 0 && listener >= 0);
	CHECK(fd_send(sock, "l", 1, &listener, 1, "listener", &err) == 0);
	close(listener);
	CHECK(syscall(SYS_acct, 0x1234) == -1 && errno == 99);
	_exit(checks_failed != 0);
}

static void notified(void)
{
	struct seccomp_notif req = {0};
	struct seccomp_notif_resp resp = {.error = -99};
	int pair[2], st = 1;
	char text[1], space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	int listener = -1;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		filtered_caller(pair[1]);
	}
	CHECK(recvmsg(pair[0], &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m));
	if (CMSG_FIRSTHDR(&m))
		memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(listener));
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req) == 0);
	CHECK_STR(level_filter_syscall_name(req.data.nr), "acct");
	CHECK(req.data.args[0] == 0x1234);
	resp.id = req.id;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) == 0);
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	close(pair[0]);
	close(pair[1]);
	close(listener);
}

static void lookup(void)
{
	CHECK(!level_filter_find("none", NULL, true, false));
	CHECK(!level_filter_find(NULL, NULL, true, false));
	CHECK(!level_filter_find("high", "perl", true, false));
	CHECK(!level_filter_language_bears_mdwe("jvm") &&
	      !level_filter_language_bears_mdwe("node"));
	CHECK(level_filter_language_bears_mdwe("python") &&
	      level_filter_language_bears_mdwe("native"));
	CHECK(!level_filter_language_bears_mdwe("perl") && !level_filter_language_bears_mdwe(NULL));
	CHECK_STR(level_filter_syscall_name(SYS_openat), "openat");
	CHECK(!level_filter_syscall_name(-1) && !level_filter_syscall_name(100000));
}

int main(void)
{
	struct pol pols[2];

	CHECK(policy_read(&arena, "standard.pol", &pols[0], &err) == 0);
	CHECK(policy_read(&arena, "high.pol", &pols[1], &err) == 0);
	lookup();
	answers("standard", false);
	answers("standard", true);
	answers("high", false);
	answers("high", true);
	network_off();
	brig_passes();
	only_tighter(pols);
	each_sample(pols, 2, languages_do_not_kill,
		    &(struct pair){level_filter_find("high", NULL, true, false),
				   level_filter_find("high", "python", true, false)});
	stack(pols);
	saved();
	notified();
	arena_free(&arena);
	return check_done();
}
