/* The filter of a watched run, the observer's answers, and what is made of what it saw. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "learn.h"
#include "learn_program.h"
#include "learn_read.h"
#include "run/sync.h"

static struct arena arena;
static struct err err;

static uint64_t random_state = 1;
static uint64_t rnd(void)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return random_state >> 16;
}

static uint32_t action_of(const struct seccomp_program *p, const struct seccomp_data *d)
{
	return bpf_run(p->insns, p->n_insns, d) & SECCOMP_RET_ACTION_FULL;
}

static struct seccomp_program program_of(const struct level_filter *f)
{
	struct seccomp_program p = {.n_insns = f->n_insns};

	p.insns = arena_array(&arena, f->n_insns, sizeof(*p.insns));
	memcpy(p.insns, f->insns, f->n_insns * sizeof(*p.insns));
	return p;
}

/* --- the filter --------------------------------------------------------------------------- */

static void everything_is_told(void)
{
	static const char *const policies[] = {"standard", "high"};

	for (size_t k = 0; k < LEN(policies); k++) {
		struct seccomp_program p =
			program_of(level_filter_find(policies[k], NULL, true, false));
		struct seccomp_program w;
		size_t told = 0;

		CHECK(learn_program_make(&arena, &p, &w, &err) == 0);
		CHECK(w.notify && w.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
		for (int nr = 0; nr < 1024; nr++)
			for (int i = 0; i < 8; i++) {
				struct seccomp_data d = {
					.nr = nr,
					.arch = i == 7 ? AUDIT_ARCH_I386 : OWN_ARCH,
					.args = {rnd(), rnd(), rnd(), rnd()}
                                };

				told += action_of(&w, &d) == SECCOMP_RET_USER_NOTIF;
			}
		CHECK(told == 1024 * 8);
	}
}

static void traps_stay(void)
{
	struct sock_filter f[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)};
	struct seccomp_program p = {.insns = f, .n_insns = 1}, w;
	struct seccomp_data d = {.nr = 1, .arch = OWN_ARCH};

	CHECK(learn_program_make(&arena, &p, &w, &err) == 0);
	CHECK(action_of(&w, &d) == SECCOMP_RET_TRAP);
	/* nothing at all: everything */
	CHECK(learn_program_make(&arena, &(struct seccomp_program){0}, &w, &err) == 0);
	CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
	p.listener_path = "/run/agent";
	CHECK(learn_program_make(&arena, &p, &w, &err) == -EBUSY);
	p = (struct seccomp_program){.insns = arena_array(&arena, BPF_MAXINSNS, sizeof(*f)),
				     .n_insns = BPF_MAXINSNS};
	CHECK(learn_program_make(&arena, &p, &w, &err) == -E2BIG);
}

/* Only the very message that it was armed for goes unseen. */
static void one_message_passes(void)
{
	struct seccomp_program p = program_of(level_filter_find("high", NULL, true, false)), w;
	int at;
	struct seccomp_data d = {
		.nr = SYS_sendmsg, .arch = OWN_ARCH, .args = {7, (uintptr_t)&at, 0x4804}
        };

	CHECK(learn_program_make(&arena, &p, &w, &err) == 0);
	CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
	learn_program_arm(&w, 7, &at, 0x4804);
	CHECK(action_of(&w, &d) == SECCOMP_RET_ALLOW);
	for (int arg = 0; arg < 3; arg++) {
		d.args[arg] ^= 1;
		CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
		d.args[arg] ^= 1;
	}
	d.args[1] ^= UINT64_C(1) << 40;
	CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
	d.args[1] ^= UINT64_C(1) << 40;
	d.arch = AUDIT_ARCH_I386;
	CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
	d.arch = OWN_ARCH;
	d.nr = SYS_sendto;
	CHECK(action_of(&w, &d) == SECCOMP_RET_USER_NOTIF);
}

static void original_travels(void)
{
	struct plan_observer o = {.level = "high", .ends = true}, got;
	int fds[2];

	o.original = program_of(level_filter_find("high", NULL, true, false));
	CHECK(sync_pair(fds, &err) == 0);
	o.sock = fds[0];
	CHECK(learn_send_original(&o, &err) == 0);
	CHECK(learn_receive_original(&arena, fds[1], &got, &err) == 0);
	CHECK_STR(got.level, "high");
	CHECK(got.ends && got.original.n_insns == o.original.n_insns);
	CHECK(memcmp(got.original.insns, o.original.insns,
		     o.original.n_insns * sizeof(*o.original.insns)) == 0);
	o.original = (struct seccomp_program){0};
	CHECK(learn_send_original(&o, &err) == 0);
	CHECK(learn_receive_original(&arena, fds[1], &got, &err) == 0 && !got.original.insns);
	CHECK(send(fds[0], "learned", 8, 0) == 8);
	CHECK(learn_receive_original(&arena, fds[1], &got, &err) == -EPROTO);
	close(fds[0]);
	CHECK(learn_receive_original(&arena, fds[1], &got, &err) == -EPROTO);
	close(fds[1]);
}

/* --- answers ------------------------------------------------------------------------------ */

static void answers_are_the_originals(void)
{
	struct learn_seen *s = arena_new(&arena, sizeof(*s));
	struct seccomp_notif n = {.id = 5, .pid = 1, .data = {.arch = OWN_ARCH}};
	struct seccomp_notif_resp r;

	learn_seen_init(s, &arena);
	s->original = program_of(level_filter_find("standard", NULL, true, false));
	n.data.nr = SYS_read;
	CHECK(!learn_answer(s, &n, &r));
	CHECK(r.id == 5 && r.flags == SECCOMP_USER_NOTIF_FLAG_CONTINUE && !r.error);
	CHECK(s->calls[SYS_read] == 1 && s->n_denied == 0);
	n.data.nr = SYS_mount;
	for (int i = 0; i < 3; i++)
		CHECK(!learn_answer(s, &n, &r));
	CHECK(r.flags == 0 && r.error == -EPERM);
	CHECK(s->n_denied == 1 && s->denied[0].count == 3 && s->calls[SYS_mount] == 0);
	n.data.nr = SYS_clone3;
	CHECK(!learn_answer(s, &n, &r) && r.error == -ENOSYS);
	n.data.nr = SYS_bpf;
	CHECK(learn_answer(s, &n, &r) && r.flags == 0 && r.error == -EPERM && !s->over);
	s->ends = true;
	CHECK(learn_answer(s, &n, &r) && s->over);
	n.data = (struct seccomp_data){.nr = SYS_read, .arch = AUDIT_ARCH_I386};
	CHECK(learn_answer(s, &n, &r));
	CHECK(s->total == 8 && s->n_denied == 4);
	/* as many kinds as one likes */
	for (int i = 0; i < 1000; i++) {
		n.data = (struct seccomp_data){.nr = 2000 + i, .arch = OWN_ARCH};
		CHECK(!learn_answer(s, &n, &r));
	}
	CHECK(s->n_denied == LEARN_DENIED_MAX && s->denied_more == 1000 - (LEARN_DENIED_MAX - 4));
}

/* --- paths -------------------------------------------------------------------------------- */

static void paths_are_bounded(void)
{
	own_arena struct arena a = {0};
	struct learn_paths p;
	char path[4096];

	learn_paths_init(&p, &a);
	for (int i = 0; i < LEARN_PATHS_MAX + 100; i++) {
		snprintf(path, sizeof(path), "/d/%d", i);
		CHECK(!learn_paths_add(&p, path, LEARN_READ) == (i >= LEARN_PATHS_MAX));
	}
	CHECK(p.n == LEARN_PATHS_MAX && p.more == 100);
	/* those that are there go on being counted */
	CHECK(learn_paths_add(&p, "/d/77", LEARN_WRITE)->count == 2);
	CHECK(learn_paths_add(&p, "/d/77", 0)->use == (LEARN_READ | LEARN_WRITE));

	learn_paths_init(&p, &a);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[4000] = '\0';
	for (int i = 0; i < 10000; i++) {
		snprintf(path + 3990, 12, "%d", i);
		(void)learn_paths_add(&p, path, LEARN_READ);
	}
	CHECK(p.bytes <= LEARN_PATHS_BYTES && p.n < 5000 && p.more == 10000 - p.n);
}

static void add_many(struct learn_paths *p, const char *dir, int n, unsigned int use)
{
	char path[256];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/f%d", dir, i);
		(void)learn_paths_add(p, path, use);
	}
}

static void directories_are_folded(void)
{
	const struct learned_path *out;
	struct learn_paths p;
	size_t n;

	learn_paths_init(&p, &arena);
	add_many(&p, "/usr/lib/python3", LEARN_FOLD + 1, LEARN_READ);
	add_many(&p, "/usr/share", LEARN_FOLD, LEARN_READ);
	add_many(&p, "/tmp", LEARN_FOLD_TOP, LEARN_WRITE);
	add_many(&p, "/deep/a/b/c", 40, LEARN_EXECUTE);
	(void)learn_paths_add(&p, "/", LEARN_READ);
	(void)learn_paths_add(&p, "/usr/lib", LEARN_READ);
	(void)learn_paths_add(&p, "/usr/lib-x", LEARN_READ);
	learn_paths_add(&p, "/gone", LEARN_READ)->absent = true;

	learn_paths_fold(&arena, &p, LEARN_READ, &out, &n);
	/* /, /usr/lib, /usr/lib/python3/, /usr/lib-x, 16 of /usr/share: not /usr/ */
	CHECK(n == 4 + LEARN_FOLD);
	CHECK_STR(out[0].path, "/");
	CHECK_STR(out[1].path, "/usr/lib");
	CHECK_STR(out[2].path, "/usr/lib/python3/");
	CHECK(out[2].files == LEARN_FOLD + 1 && out[2].count == LEARN_FOLD + 1);
	CHECK_STR(out[3].path, "/usr/lib-x");

	learn_paths_fold(&arena, &p, LEARN_WRITE, &out, &n);
	CHECK(n == LEARN_FOLD_TOP);
	(void)learn_paths_add(&p, "/tmp/one-more", LEARN_WRITE);
	learn_paths_fold(&arena, &p, LEARN_WRITE, &out, &n);
	CHECK(n == 1);
	CHECK_STR(out[0].path, "/tmp/");

	learn_paths_fold(&arena, &p, LEARN_EXECUTE, &out, &n);
	CHECK(n == 1 && out[0].files == 40);
	CHECK_STR(out[0].path, "/deep/a/b/c/");
	learn_paths_fold(&arena, &p, 0, &out, &n);
	CHECK(n == 1);
	CHECK_STR(out[0].path, "/gone");
}

static void odd_paths_end(void)
{
	const struct learned_path *out;
	struct learn_paths p;
	char deep[4096];
	size_t n;

	learn_paths_init(&p, &arena);
	for (size_t i = 0; i < sizeof(deep) - 1; i += 2)
		memcpy(deep + i, "/d", 2);
	deep[4094] = '\0';
	for (int i = 0; i < 40; i++) {
		(void)learn_paths_add(&p, deep, LEARN_READ);
		deep[4094 - 2 * (i + 1)] = '\0';
	}
	(void)learn_paths_add(&p, "no-root", LEARN_READ);
	(void)learn_paths_add(&p, "", LEARN_READ);
	learn_paths_fold(&arena, &p, LEARN_READ, &out, &n);
	CHECK(n == 3);

	/* two names of one file are one line */
	learn_paths_init(&p, &arena);
	learn_paths_add(&p, "/bin/sh", LEARN_EXECUTE)->real = "/usr/bin/dash";
	(void)learn_paths_add(&p, "/usr/bin/dash", LEARN_EXECUTE);
	learn_paths_fold(&arena, &p, LEARN_EXECUTE, &out, &n);
	CHECK(n == 1 && out[0].count == 2);
}

/* --- tables ------------------------------------------------------------------------------- */

static void calls_are_known(void)
{
	static const char *const two[] = {"rename", "renameat2", "link", "linkat"};

	CHECK(learn_call_first("openat")->path == 1 && !learn_call_first("read"));
	for (size_t i = 0; i < LEN(two); i++) {
		const struct learn_call *c = learn_call_first(two[i]);

		CHECK(c && learn_call_next(c) && !learn_call_next(learn_call_next(c)));
	}
	for (const char *const *c = learn_closure; *c; c++) {
		bool there = false;

		for (long i = 0; i < LEARN_NUMBERS; i++)
			there |= str_eq(level_filter_syscall_name(i), *c);
#if defined(__x86_64__)
		if (!there)
			fprintf(stderr, "closure: %s\n", *c);
		CHECK(there);
#endif
	}
	CHECK_STR(learn_family(AF_INET6), "AF_INET6");
	CHECK_STR(learn_errno(&arena, EACCES), "EACCES");
	CHECK_STR(learn_errno(&arena, 4000), "4000");
	CHECK_STR(learn_errno(&arena, 0), "NONE");
}

/* --- reading a process: this one ----------------------------------------------------------- */

static void own_memory_is_read(void)
{
	char buf[64], real[4096], *page;
	long size = sysconf(_SC_PAGESIZE);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
	pid_t me = getpid();

	CHECK(learn_string(me, (uintptr_t) "hello", buf, sizeof(buf)) && str_eq(buf, "hello"));
	CHECK(!learn_string(me, 8, buf, sizeof(buf)));
	/* ends with its page, and the next one is not there */
	page = mmap(NULL, 2 * (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	munmap(page + size, (size_t)size);
	memset(page, 'x', (size_t)size);
	CHECK(!learn_string(me, (uintptr_t)(page + size - 4), buf, sizeof(buf)));
	page[size - 1] = '\0';
	CHECK(learn_string(me, (uintptr_t)(page + size - 4), buf, sizeof(buf)) &&
	      str_eq(buf, "xxx"));
	CHECK(!learn_string(me, (uintptr_t)page, buf, sizeof(buf))); /* too long */
	CHECK(learn_memory(me, (uintptr_t)(page + size - 4), buf, 8) == 4);

	CHECK_STR(learn_absolute(&arena, me, AT_FDCWD, "/a/../b//c/."), "/b/c");
	own_fd int dir = open("/usr", O_PATH | O_CLOEXEC);
	CHECK_STR(learn_absolute(&arena, me, dir, "lib/../x"), "/usr/x");
	CHECK_STR(learn_absolute(&arena, me, dir, ""), "/usr");
	CHECK(!learn_absolute(&arena, me, 1000000, "x"));
	CHECK(learn_present(me, "/dev/null", real, sizeof(real)) && str_eq(real, "/dev/null"));
	CHECK(!learn_present(me, "/no/such", real, sizeof(real)) && !real[0]);
	CHECK(learn_present(me, "/proc/self/no-such", real, sizeof(real)));

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	CHECK_STR(learn_address(&arena, me, (uintptr_t)&in, sizeof(in)), "192.0.2.1:443");
	CHECK_STR(learn_address(&arena, me, (uintptr_t)&un, sizeof(un)), "/run/x");
	CHECK_STR(learn_address(&arena, me, (uintptr_t)&un, 4), "/r");
	memcpy(un.sun_path, "\0abs", 4);
	CHECK_STR(learn_address(&arena, me, (uintptr_t)&un, 6), "@abs");
	CHECK(!learn_address(&arena, me, (uintptr_t)&un, 2));
	CHECK(!learn_address(&arena, me, 8, sizeof(in)));
	CHECK(!learn_address(&arena, me, (uintptr_t)&in, 1));
}

/* --- a real one --------------------------------------------------------------------------- */

static int watched_program(int sock)
{
	struct sock_filter denies[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct plan_observer o = {.sock = sock, .level = "custom"};

	o.original = (struct seccomp_program){.insns = denies, .n_insns = LEN(denies)};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || learn_send_original(&o, &err) < 0 ||
	    learn_program_make(&arena, &o.original, &o.program, &err) < 0 ||
	    learn_install(&o, &err) < 0)
		return 100;
	if (syscall(SYS_openat, AT_FDCWD, "/learn/none", O_RDONLY) >= 0 || errno != ENOENT)
		return 101;
	if (syscall(SYS_mkdirat, AT_FDCWD, "/learn/made", 0) >= 0 || errno != EXDEV)
		return 102;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY);
	if (fd < 0)
		return 103;
	if (syscall(SYS_openat, AT_FDCWD, (void *)8, O_RDONLY) >= 0 || errno != EFAULT)
		return 104;
	return 0;
}

static const struct learn_path *row_of(const struct learn_paths *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->rows[i].path, path))
			return &p->rows[i];
	return NULL;
}

static void a_process_is_watched(void)
{
	struct learn_seen *s = arena_new(&arena, sizeof(*s));
	struct plan_observer by;
	int fds[2], listener = -1, status, r = 1;

	learn_seen_init(s, &arena);
	CHECK(sync_pair(fds, &err) == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(watched_program(fds[1]));
	close(fds[1]);
	CHECK(learn_receive_original(&arena, fds[0], &by, &err) == 0);
	s->original = by.original;
	CHECK(sync_expect_fd(fds[0], SYNC_LISTENER, &listener, &err) == 0);
	learn_listen(s, listener);
	for (struct pollfd p = {.fd = listener, .events = POLLIN};
	     r >= 0 && poll(&p, 1, 5000) > 0 && !(p.revents & POLLHUP);)
		r = learn_serve(s, &err);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(r >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(s->calls[SYS_openat] == 3 && s->calls[SYS_mkdirat] == 0 && s->n_denied == 1);
	CHECK(s->calls[SYS_exit_group] == 1 && s->unread == 1);
	CHECK(row_of(&s->paths, "/learn/none") && row_of(&s->paths, "/learn/none")->absent);
	CHECK(row_of(&s->paths, "/dev/null") && row_of(&s->paths, "/dev/null")->use == LEARN_WRITE);
	CHECK(!row_of(&s->paths, "/learn/made"));
	close(listener);
	close(fds[0]);
}

/* --- what comes out ----------------------------------------------------------------------- */

static bool passes(const char *json, int nr, uint64_t arg)
{
	struct seccomp_data d = {.nr = nr, .arch = OWN_ARCH, .args = {arg}};
	struct seccomp_program p = {0};
	struct oci_seccomp s;

	CHECK(oci_seccomp_parse(&arena, json, strlen(json), &s, &err) == 0);
	CHECK(seccomp_compile(&arena, &s, &p, &err) == 0);
	return action_of(&p, &d) == SECCOMP_RET_ALLOW;
}

static void profile_is_what_was_seen(void)
{
	struct learn_seen *s = arena_new(&arena, sizeof(*s));
	struct brig_learned l = {0};
	char *text;

	learn_seen_init(s, &arena);
	s->calls[SYS_mkdirat] = 2;
	s->calls[SYS_socket] = 1;
	s->families[0] = 1U << AF_INET;
	s->calls[900] = 1;
	CHECK(learn_profile(&arena, s, &l, &text, &err) == 0);
	CHECK(passes(text, SYS_mkdirat, 0) && !passes(text, SYS_unlinkat, 0));
	CHECK(passes(text, SYS_socket, AF_INET) && !passes(text, SYS_socket, AF_UNIX));
	CHECK(passes(text, SYS_execve, 0) && passes(text, SYS_rt_sigreturn, 0));
	CHECK(l.n_closure > 20 && l.n_missing == 1);
	CHECK_STR(l.missing[0], "900");
}

static void learned_is_read_back(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"v\":1}",
		"{\"v\":2,\"level\":\"x\",\"command\":[\"a\"]}",
		"{\"v\":1,\"level\":\"x\",\"command\":[]}",
		"{\"v\":1,\"level\":\"x\",\"command\":[\"a\"],\"flags\":[\"rm\"]}",
		"{\"v\":1,\"level\":\"x\",\"command\":[\"a\"],\"flags\":[\"-- x\"]}"};
	struct learn_seen *s = arena_new(&arena, sizeof(*s));
	struct brig_learned l = {.exit = 3}, got;
	const char *flags[] = {"--rootfs /", "--ro /usr:/x", "--write /y:1m", "--ro /z"};
	const char *command[] = {"sh", "-c", "a \"b\"\n"};
	size_t len;

	learn_seen_init(s, &arena);
	s->level = "standard";
	(void)learn_paths_add(&s->paths, "/x/file", LEARN_READ);
	(void)learn_paths_add(&s->paths, "/y/file", LEARN_WRITE);
	(void)learn_paths_add(&s->addresses, "connect 192.0.2.1:443", 0);
	l.command = command;
	l.n_command = LEN(command);
	l.flags = flags;
	l.n_flags = LEN(flags);
	learn_sum_up(&arena, s, &l);
	learn_used_flags(&arena, s, &l);
	learn_take_flows(&arena,
			 "{\"v\":1,\"time\":\"t\",\"event\":\"lookup\",\"name\":\"a.example\","
			 "\"verdict\":\"answered\"}\nbroken\n",
			 &l);
	const char *text = learned_print(&arena, &l, &len);
	CHECK(learned_parse(&arena, text, len, &got, &err) == 0);
	CHECK(got.exit == 3 && got.n_command == 3 && got.n_flags == 5 && got.n_names == 1);
	CHECK_STR(got.command[2], command[2]);
	CHECK_STR(got.flags[0], "--level standard");
	CHECK_STR(got.flags[3], "--write /y:1m");
	CHECK_STR(got.flags[4], "--seccomp seccomp.json");
	CHECK_STR(got.addresses[0].to, "192.0.2.1:443");
	CHECK_STR(got.names[0].verdict, "answered");
	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(learned_parse(&arena, bad[i], strlen(bad[i]), &got, &err) < 0);
}

int main(void)
{
	everything_is_told();
	traps_stay();
	one_message_passes();
	original_travels();
	answers_are_the_originals();
	paths_are_bounded();
	directories_are_folded();
	odd_paths_end();
	calls_are_known();
	own_memory_is_read();
	a_process_is_watched();
	profile_is_what_was_seen();
	learned_is_read_back();
	arena_free(&arena);
	return check_done();
}
