/*
 * The text of the levels' policies: what is refused and how it is said, and our tables of system
 * calls and constants against the headers of the machine that builds.
 */
#include <asm/termbits.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/own.h"
#include "check.h"
#include "level_policy.h"

static struct arena arena;
static struct err err;

/* --- Numbers --- */

/* "#define __NR_name NUMBER" and the __NR3264_ ones of the generic header, into name and nr. */
static bool header_line(char *line, const char **name, unsigned long *nr)
{
	static const char *const prefixes[] = {"#define __NR_", "#define __NR3264_"};
	char *end;

	for (size_t i = 0; i < LEN(prefixes); i++) {
		if (!str_starts(line, prefixes[i]))
			continue;
		*name = line + strlen(prefixes[i]);
		end = line + strlen(line);
		line = line + strlen(prefixes[i]);
		line += strcspn(line, " \t");
		if (!*line)
			return false;
		*line++ = '\0';
		*nr = strtoul(line, &end, 10);
		return end != line && !strspn(end, "0123456789_(");
	}
	return false;
}

/* What the header has for 32-bit machines only, or as room for others. */
static bool not_a_call(const char *name, unsigned long nr, bool generic)
{
	return str_eq(name, "syscalls") ||
	       (generic && (str_eq(name, "arch_specific_syscall") || (nr >= 403 && nr <= 423)));
}

/* How many calls of a header the table does not have, each said by name. */
static unsigned int unknown_calls(char *text, const struct levelc_table *t, bool generic,
				  unsigned int *seen)
{
	unsigned int bad = 0;
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *name;
		unsigned long nr;

		if (!header_line(line, &name, &nr) || not_a_call(name, nr, generic))
			continue;
		(*seen)++;
		if (nr < t->end && t->names[nr] &&
		    (str_eq(t->names[nr], name) || generic)) /* there some have two names */
			continue;
		bad++;
		fprintf(stderr, "  %s, number %lu, is in no list of profiles/seccomp\n", name, nr);
	}
	return bad;
}

static void header(const char *const *paths, const struct levelc_table *t, bool generic)
{
	unsigned int seen = 0;

	for (; *paths; paths++) {
		char *text;

		if (file_read(&arena, AT_FDCWD, *paths, 1 << 20, &text, NULL, &err) < 0)
			continue;
		CHECK(unknown_calls(text, t, generic, &seen) == 0);
		CHECK(seen > 290);
		return;
	}
	CHECK(seen > 0); /* no kernel headers */
}

static void read_table(const char *file, struct levelc_table *t)
{
	char *text = NULL;
	size_t len = 0;

	CHECK(policy_open(NULL, &arena, file, &text, &len, &err) == 0);
	CHECK(levelc_table_parse(&arena, file, text, len, t, &err) == 0);
}

static void numbers(void)
{
	static const char *const generic[] = {"/usr/include/asm-generic/unistd.h", NULL};
	static struct levelc_table x86, arm;
	char newer[] = "#define __NR_read 0\n#define __NR_shiny_new_call 999\n";
	unsigned int seen = 0;

	read_table("x86-64.tbl", &x86);
	read_table("arm64.tbl", &arm);
	header(generic, &arm, true);
#if defined(__x86_64__)
	static const char *const native[] = {"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
					     "/usr/include/asm/unistd_64.h", NULL};

	header(native, &x86, false);
#endif
	CHECK(unknown_calls(newer, &x86, false, &seen) == 1 && seen == 2);
	/* From 424 on all architectures have the same numbers. */
	CHECK(x86.end == arm.end && x86.end > 470);
	for (uint32_t nr = 424; nr < x86.end; nr++)
		CHECK(str_eq(x86.names[nr], arm.names[nr]));
	CHECK(levelc_number(&x86, "execveat") == 322 && levelc_number(&arm, "execveat") == 281);
	CHECK(levelc_number(&arm, "open") == -1 && levelc_number(&arm, "openat") == 56);
	CHECK(levelc_number(&arm, "newfstatat") == 79 && levelc_number(&arm, "mmap") == 222);
}

#define W(name)                                                                                    \
	{                                                                                          \
#name, (uint64_t)(name)                                                            \
	}
static const struct pol_word in_headers[] = {
	W(AF_UNIX),
	W(AF_INET),
	W(AF_INET6),
	W(AF_NETLINK),
	W(SOCK_STREAM),
	W(SOCK_DGRAM),
	W(IPPROTO_IP),
	W(IPPROTO_TCP),
	W(IPPROTO_UDP),
	W(NETLINK_ROUTE),
	W(SOL_SOCKET),
	W(SO_ATTACH_FILTER),
	W(SO_ATTACH_BPF),
	W(SO_ATTACH_REUSEPORT_CBPF),
	W(SO_ATTACH_REUSEPORT_EBPF),
	{"SOL_TCP",                IPPROTO_TCP							    },
	W(TCP_ULP),
	{"SOL_UDP",                IPPROTO_UDP							    },
	{"SOL_UDPLITE",            IPPROTO_UDPLITE							},
	W(UDP_ENCAP),
	W(TCGETS),
	W(TCSETS),
	W(TCSETSW),
	W(TCSETSF),
	W(TCSBRK),
	W(TCXONC),
	W(TCFLSH),
	W(TIOCSCTTY),
	W(TIOCGPGRP),
	W(TIOCSPGRP),
	W(TIOCOUTQ),
	W(TIOCSTI),
	W(TIOCGWINSZ),
	W(TIOCSWINSZ),
	W(FIONREAD),
	W(TIOCLINUX),
	W(TIOCCONS),
	W(FIONBIO),
	W(TIOCNOTTY),
	W(TIOCSETD),
	W(TIOCGSID),
	W(TCGETS2),
	W(TCSETS2),
	W(TCSETSW2),
	W(TCSETSF2),
	W(TIOCGPTN),
	W(TIOCSPTLCK),
	W(TIOCGPTPEER),
	W(FIONCLEX),
	W(FIOCLEX),
	W(FIOASYNC),
	W(TIOCSLCKTRMIOS),
	W(SIOCATMARK),
	W(SIOCGIFNAME),
	W(SIOCGIFCONF),
	W(SIOCGIFFLAGS),
	W(SIOCGIFADDR),
	W(SIOCGIFDSTADDR),
	W(SIOCGIFBRDADDR),
	W(SIOCGIFNETMASK),
	W(SIOCGIFMTU),
	W(SIOCGIFHWADDR),
	W(SIOCGIFINDEX),
	W(FS_IOC_GETFLAGS),
	W(MAP_HUGETLB),
	W(MFD_HUGETLB),
	W(SHM_HUGETLB),
	W(PR_SET_PDEATHSIG),
	W(SIGKILL),
	W(PR_GET_PDEATHSIG),
	W(PR_GET_DUMPABLE),
	W(PR_SET_NAME),
	W(PR_GET_NAME),
	W(PR_GET_SECCOMP),
	W(PR_CAPBSET_READ),
	W(PR_SET_TIMERSLACK),
	W(PR_GET_TIMERSLACK),
	W(PR_SET_MM),
	W(PR_SET_CHILD_SUBREAPER),
	W(PR_GET_CHILD_SUBREAPER),
	W(PR_SET_NO_NEW_PRIVS),
	W(PR_GET_NO_NEW_PRIVS),
	W(PR_SET_THP_DISABLE),
	W(PR_GET_THP_DISABLE),
	W(PR_GET_SPECULATION_CTRL),
	W(PR_SCHED_CORE),
	W(PR_SET_VMA),
	W(FUTEX_LOCK_PI),
	W(FUTEX_UNLOCK_PI),
	W(FUTEX_TRYLOCK_PI),
	W(FUTEX_WAIT_REQUEUE_PI),
	W(FUTEX_CMP_REQUEUE_PI),
	W(FUTEX_LOCK_PI2),
	W(RLIMIT_CORE),
	W(S_IFMT),
	W(S_IFCHR),
	W(S_IFBLK),
	{"O_CREAT_TMPFILE",        O_CREAT | (O_TMPFILE & ~O_DIRECTORY)                                   },
	{"S_ISUID_ISGID",          S_ISUID | S_ISGID						      },
	W(PER_LINUX32),
	W(UNAME26),
	{"CLONE_NEW_ALL",          CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				  CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET    },
	{"CLONE_NEW_ALL_OR_TRACE", CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
					   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
					   CLONE_PTRACE | CLONE_UNTRACED},
 /* No header of user space has these: masks, and what is newer than the headers may be. */
	{"FUTEX_CMD",              0x7f								   },
	{"SOCK_TYPE_MASK",         0xf								    },
	{"PER_QUERY",              0xffffffff							     },
	{"IPPROTO_SMC",            256								    },
};

static void constants(void)
{
	struct pol p;

	CHECK(policy_read(&arena, "high.pol", &p, &err) == 0 && p.n_words > 50);
	for (size_t i = 0; i < p.n_words; i++) {
		bool same = false;

		for (size_t k = 0; k < LEN(in_headers); k++)
			same |= str_eq(in_headers[k].name, p.words[i].name) &&
				in_headers[k].value == p.words[i].value;
		CHECK(same);
		if (!same)
			fprintf(stderr, "  %s: not what the headers say\n", p.words[i].name);
	}
	CHECK(p.n_words == LEN(in_headers));
}

/* --- The language of the text --- */

static int inc_open(void *ctx, struct arena *a, const char *name, char **text, size_t *len,
		    struct err *e)
{
	const char *const *pair = ctx;

	if (!str_eq(name, pair[0]))
		return err_set(e, ENOENT, "open %s", name);
	*text = arena_strdup(a, pair[1]);
	*len = strlen(*text);
	return 0;
}

static int parse(const char *text, struct pol *p)
{
	static const char *const pair[] = {
		"a.inc", "include b.inc\ninclude a.inc\ngroup g:\n read\n\n\t# c\n write\n"};
	static const char *const self[] = {"a.inc", "include a.inc\ngroup g: read write\n"};

	err = (struct err){0};
	return levelc_parse(&arena, "t", text, strlen(text), inc_open,
			    (void *)(uintptr_t)(strstr(text, "bad-inc") ? pair : self), p, &err);
}

static bool refused(const char *text, const char *why)
{
	struct pol p;
	bool yes = parse(text, &p) == -EINVAL && str_eq(err.msg, why);

	if (!yes)
		fprintf(stderr, "  want \"%s\", got \"%s\"\n", why, err.msg);
	return yes;
}

#define HEAD "policy p\ndefault errno ENOSYS\n"

static void taken(void)
{
	struct pol p;

	CHECK(parse("# x\n\n" HEAD "include a.inc\nallow: @g\n\tclose\n# y\n\n\topen # z\n"
		    "define X 0x10\ncall socket:\n\targ0 in 1 X, arg1 & 0xf == 017: errno EPERM "
		    "when "
		    "network\n\twide arg2 == 0x100000000: never\n\telse: kill\n",
		    &p) == 0);
	CHECK(p.n_calls == 5 && !p.language && p.fallback.error == ENOSYS);
	CHECK_STR(p.calls[3].name, "open");
	const struct pol_rule *r = p.calls[4].rules;
	CHECK(p.calls[4].n_rules == 3 && r[0].n_tests == 2 && r[0].when == POL_NETWORK);
	CHECK(r[0].tests[0].n_values == 2 && r[0].tests[0].values[1] == 16);
	CHECK(r[0].tests[0].mask == UINT32_MAX && r[0].tests[1].mask == 15 &&
	      r[0].tests[1].values[0] == 15 && r[0].tests[1].arg == 1);
	CHECK(r[1].tests[0].wide && r[1].tests[0].mask == UINT64_MAX);
	CHECK(r[1].action.verb == POL_NEVER && r[2].action.verb == POL_KILL && !r[2].n_tests);
	CHECK(parse("language l\nmdwe yes\ndefault errno EPERM\nallow when network: read", &p) ==
	      0);
	CHECK(p.language && p.mdwe && p.fallback.error == EPERM && p.n_calls == 1);
	CHECK(p.calls[0].when == POL_NETWORK);
}

static void refusals(void)
{
	static const char *const rows[][2] = {
		{"",					       "t: wants a policy or language, and a default"},
		{"policy p\n",				     "t: wants a policy or language, and a default"},
		{"policy p\npolicy q\n",                           "t:2: named twice"                            },
		{"  read\n",				       "t:1: belongs to no statement: read"          },
		{HEAD "default errno EPERM\n",                     "t:3: two defaults"                           },
		{"policy p\ndefault allow\n",                      "t:2: the default is an errno"                },
		{"policy p\ndefault errno EBADIDEA\n",             "t:2: expected an errno: EBADIDEA"            },
		{HEAD "permit: read\n",                            "t:3: not understood: permit"                 },
		{HEAD "allow read\n",                              "t:3: expected: :"                            },
		{HEAD "allow:\nallow: x\n",                        "t:3: expected names"                         },
		{HEAD "allow: re*ad\n",                            "t:3: expected a name: re*ad"                 },
		{HEAD "allow: @nope\n",                            "t:3: no such group"                          },
		{HEAD "allow when maybe: read\n",                  "t:3: when: network or no-network: maybe"     },
		{HEAD "group g: a\ngroup g: b\n",                  "t:4: two groups of that name: g"             },
		{HEAD "define X 1\ndefine X 1\n",                  "t:4: defined twice: X"                       },
		{HEAD "define X -1\n",                             "t:3: expected a value: -1"                   },
		{HEAD "define X 99999999999999999999\n",
		 "t:3: expected a value: 99999999999999999999"                                                   },
		{HEAD "define X 1 2\n",                            "t:3: not understood: 2"                      },
		{HEAD "include ../x\n",                            "t:3: include: a file name: ../x"             },
		{HEAD "mdwe yes\n",                                "t:3: mdwe is said of languages"              },
		{HEAD "call x:\n",                                 "t:3: no else: x"                             },
		{HEAD "call x:\n\targ0 == 1: allow\n",             "t:4: no else: x"                             },
		{HEAD "call x: else: allow\n",                     "t:3: a rule begins a line: else"             },
		{HEAD "call x:\n\telse: allow\n\telse: kill\n",    "t:5: else comes last and always"             },
		{HEAD "call x:\n\telse: allow when network\n",     "t:4: else comes last and always"             },
		{HEAD "call x:\n\targ6 == 1: allow\n",             "t:4: expected arg0 to arg5: arg6"            },
		{HEAD "call x:\n\targ0 < 1: allow\n",              "t:4: expected == or in: <"                   },
		{HEAD "call x:\n\targ0 == 0x100000000: allow\n",   "t:4: no argument can be that"                },
		{HEAD "call x:\n\targ0 & 0xf == 0x10: allow\n",    "t:4: no argument can be that"                },
		{HEAD "call x:\n\targ0 & 0 == 0: allow\n",         "t:4: not a mask of this argument"            },
		{HEAD "call x:\n\twide arg0 in 1 2: allow\n",      "t:4: wide: one value"                        },
		{HEAD "call x:\n\targ0 == Y: allow\n",             "t:4: expected a value: Y"                    },
		{HEAD "call x:\n\targ0 == 1: errno\n\telse: kill", "t:5: expected an errno: else"                },
		{"language l\ndefault errno EPERM\ncall x:\n",     "t:3: a language has lists only"              },
		{"language l\ndefault errno EPERM\nnever: x\n",    "t:3: a language does not kill"               },
		{"language l\nmdwe perhaps\n",                     "t:2: mdwe: yes or no"                        },
	};
	struct pol p;

	for (size_t i = 0; i < LEN(rows); i++)
		CHECK(refused(rows[i][0], rows[i][1]));
	CHECK(parse("include a.inc # bad-inc\n", &p) == -ENOENT);
	CHECK(strstr(err.msg, "a.inc:1: open b.inc") != NULL);
	CHECK(levelc_parse(&arena, "t", "policy p\0", 9, NULL, NULL, &p, &err) == -EINVAL);
	CHECK_STR(err.msg, "t: not a text");
	CHECK(levelc_parse(&arena, "t", "include x", 9, NULL, NULL, &p, &err) == -EINVAL);
}

static int resolve(const char *text, struct answers *out)
{
	static const char table_text[] = "0 read\n1 write\n7 socket\n", other_text[] = "3 open\n";
	static struct levelc_table table, other;
	const struct levelc_table *const tables[] = {&table, &other};
	struct pol p;

	CHECK(levelc_table_parse(&arena, "x", table_text, sizeof(table_text) - 1, &table, &err) ==
	      0);
	CHECK(levelc_table_parse(&arena, "y", other_text, sizeof(other_text) - 1, &other, &err) ==
	      0);
	CHECK(parse(text, &p) == 0);
	return levelc_resolve(&arena, &p, tables, 2, 0, true, out, &err);
}

static void lists(void)
{
	static struct answers got;
	struct levelc_table t;

	CHECK(resolve(HEAD "allow: read write open socket\n", &got) == 0 && got.end == 8);
	CHECK(got.at[7].n == 1 && got.at[3].n == 0);
	CHECK(resolve(HEAD "allow: read write open\n", &got) == -EINVAL);
	CHECK_STR(err.msg, "policy p: socket: in no list");
	CHECK(resolve(HEAD "allow: read write socket\nerrno EPERM: read\n", &got) == -EINVAL);
	CHECK_STR(err.msg, "t:4: read: in two lists");
	CHECK(resolve(HEAD "allow: read write socket shiny\n", &got) == -EINVAL);
	CHECK_STR(err.msg, "t:3: shiny: no such system call");
	CHECK(resolve(HEAD "allow: read write\nallow when no-network: socket\n", &got) == -EINVAL);
	CHECK(resolve(HEAD "allow: read write\nallow when no-network: socket\n"
			   "errno EPERM when network: socket\n",
		      &got) == 0);
	CHECK(got.at[7].rules[0].action.error == EPERM);
	CHECK(resolve("language l\ndefault errno EPERM\nallow: read read\n", &got) == 0);
	CHECK(resolve("language l\ndefault errno EPERM\nallow: read\nerrno EPERM: read\n", &got) ==
	      -EINVAL);
	CHECK(levelc_table_parse(&arena, "x", "0 a\n0 b\n", 8, &t, &err) == -EINVAL);
	CHECK_STR(err.msg, "x:2: not a NUMBER NAME line, or one of them again");
	CHECK(levelc_table_parse(&arena, "x", "0 a\n1 a\n", 8, &t, &err) == -EINVAL);
	CHECK(levelc_table_parse(&arena, "x", "1024 a\n", 7, &t, &err) == -EINVAL);
	CHECK(levelc_table_parse(&arena, "x", "7  a\n", 5, &t, &err) == -EINVAL);
}

int main(void)
{
	numbers();
	constants();
	taken();
	refusals();
	lists();
	arena_free(&arena);
	return check_done();
}
