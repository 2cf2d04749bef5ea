/*
 * Calls that nothing honest makes in a sandbox: the levels end the process, or the sandbox.
 * Where the kernel would do as asked the arguments are wrong ones.
 */
#include "attack.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define P(x) ((uintptr_t)(x))

static char buffer[4096] __attribute__((aligned(4096)));
static union bpf_attr map = {
	.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static struct {
	uint32_t bytes;
	int32_t type;
	uint32_t ino[2];
} handle = {
	8, 1, {2, 0}
};

#ifdef __x86_64__
/* getpid of the 32-bit table. */
static long int80(const struct attack *self)
{
	long r;

	(void)self;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* socketcall(SOCKET): hides the family behind a pointer. */
static long int80_socketcall(const struct attack *self)
{
	long r;

	(void)self;
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(102L), "b"(1L), "c"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}
enum {
	NR_modify_ldt = SYS_modify_ldt,
	NR_iopl = SYS_iopl,
	NR_ioperm = SYS_ioperm,
	X32 = 0x40000000
};
#else
static long int80(const struct attack *self)
{
	(void)self;
	attack_says("not-here");
}
#define int80_socketcall int80
enum { NR_modify_ldt = 0, NR_iopl = 0, NR_ioperm = 0, X32 = 0 };
#endif

const struct attack kill_attacks[] = {
	{"open-by-handle",   SYS_open_by_handle_at, {P(AT_FDCWD), P(&handle), 0},           NULL,             NULL, 0},
	{"userfaultfd",      SYS_userfaultfd,       {UFFD_USER_MODE_ONLY},                  NULL,             NULL, 0},
	{"bpf-map",          SYS_bpf,               {BPF_MAP_CREATE, P(&map), sizeof(map)}, NULL,             NULL, 0},
	{"bpf-unknown",      SYS_bpf,               {1000, P(&map), sizeof(map)},           NULL,             NULL, 0},
	{"modify-ldt",       NR_modify_ldt,         {0, P(buffer), 16},                     NULL,             NULL, 0},
	{"iopl",             NR_iopl,               {3},				    NULL,             NULL, 0},
	{"ioperm",           NR_ioperm,             {0x80, 1, 1},                           NULL,             NULL, 0},
	{"int80",            0,		     {0},				    int80,            NULL, 0},
	{"int80-socketcall", 0,                     {0},                                    int80_socketcall, NULL, 0},
	{"x32",              X32 | SYS_getpid,      {0},                                    NULL,             NULL, 0},
	{"kexec-load",       SYS_kexec_load,        {P(-1), 1000, 0, P(-1)},                NULL,             NULL, 0},
	{"kexec-file-load",  SYS_kexec_file_load,   {P(-1), P(-1), 0, 0, P(-1)},            NULL,             NULL, 0},
	{"init-module",      SYS_init_module,       {P(buffer), 0, P("")},                  NULL,             NULL, 0},
	{"finit-module",     SYS_finit_module,      {P(-1), P(""), 0},                      NULL,             NULL, 0},
	{"delete-module",    SYS_delete_module,     {P("attack_none"), 0x800},              NULL,             NULL, 0},
	{"reboot",           SYS_reboot,            {0, 0, 0, 0},                           NULL,             NULL, 0},
	{"swapon",           SYS_swapon,            {P(""), P(-1)},                         NULL,             NULL, 0},
	{"swapoff",          SYS_swapoff,           {P("")},                                NULL,             NULL, 0},
	{"acct",             SYS_acct,              {P("/proc/none/acct")},                 NULL,             NULL, 0},
	{NULL,	       0,		     {0},				    NULL,             NULL, 0},
};
