/* The resolver as a process: what it does for a sandbox, what it cannot, and when it ends. */
#include <dirent.h>

#include "net/inside.h"
#include "resolver_fixture.h"

static const char *const granted[] = {"api.example.org:443", "CIDR:203.0.113.9:80"};
static int open_443, open_80;

/* --- its work ------------------------------------------------------------------------------- */

/* Every line is a record; how many of that event to that port (0: any) are there. */
static size_t flows_count(struct sandbox *b, const char *event, uint16_t port)
{
	struct err e = {0};
	size_t len, n = 0;
	char *text;

	CHECK(file_read(&b->arena, b->dir, RESOLVER_FLOWS, FLOWS_ROOM, &text, &len, &e) == 0);
	for (char *end; (end = memchr(text, '\n', len)); text = end + 1) {
		struct brig_flow f;

		CHECK(flow_parse(&b->arena, text, (size_t)(end - text), &f, &e) == 0);
		CHECK_STR(e.msg, "");
		n += str_eq(f.event, event) && (!port || (f.port && *f.port == port));
		len -= (size_t)(end - text) + 1;
	}
	CHECK(len == 0);
	return n;
}

static void test_whole(void)
{
	struct sandbox b;

	sandbox_make(&b, granted, LEN(granted));
	CHECK(reaches("203.0.113.20", 443) == -ECONNREFUSED);
	/* What was refused before is counted, but nobody has heard of it. */
	sandbox_start(&b);
	CHECK(!resolver_ended(&b, 50));
	CHECK(reaches("203.0.113.20", 443) == -ECONNREFUSED);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(reaches("203.0.113.20", 443) == 0);
	CHECK(reaches("203.0.113.9", 80) == 0);
	CHECK(reaches("203.0.113.20", 80) == -ECONNREFUSED);
	CHECK(reaches("203.0.113.20", 80) == -ECONNREFUSED);
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(lookup("other.example.org", 1000) == REFUSED);
	CHECK(sandbox_over(&b) == 0);

	const struct brig_network n = network_of(&b);
	if (n.n_names < 2 || n.n_refused < 1 || n.n_grants < 1)
		exit(check_done());
	CHECK(n.v == 1 && n.connections == 2 && n.denied >= 5 && n.ingress == 0);
	CHECK(n.lookups == 2 && n.lookups_denied == 1 && n.flows_lost == 0);
	CHECK(n.n_names == 2);
	CHECK_STR(n.names[0].name, "api.example.org");
	CHECK_STR(n.names[0].verdict, "answered");
	CHECK_STR(n.names[1].verdict, "not-listed");
	CHECK(n.n_grants == 2 && n.grants[0].bytes > 0);
	CHECK(n.n_refused == 3 && n.refused[0].count == 2);
	CHECK_STR(n.refused[0].to, "203.0.113.20:80/tcp");
	CHECK_STR(n.refused[0].name, "api.example.org");
	CHECK(flows_count(&b, "connect", 0) == 2 && flows_count(&b, "connect", 80) == 1);
	CHECK(flows_count(&b, "denied", 0) == 4 && flows_count(&b, "lookup", 0) == 2);
	sandbox_drop(&b);
}

/* A connection of a grant that is taken back is cut at its next packet. */
static bool is_cut(int fd)
{
	for (int i = 0; i < 100; i++) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
			return true;
		(void)poll(NULL, 0, 10);
	}
	return false;
}

static void test_grant(void)
{
	struct sandbox b;
	struct err e = {0};
	uint32_t id = 0, n = 0;

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(resolver_grant(b.dir, "CIDR:203.0.113.9:443", &id, &e) == 0);
	CHECK(id == EGRESS_ID_FIRST + 2);
	own_fd int by_address = connect_from_box("203.0.113.9", 443);
	CHECK(by_address >= 0 && !is_cut(by_address));
	CHECK(resolver_revoke(b.dir, "203.0.113.9:443", &n, &e) == -ENOENT);
	CHECK(resolver_revoke(b.dir, "CIDR:203.0.113.9:443", &n, &e) == 0 && n == 1);
	CHECK(is_cut(by_address));
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(reaches("203.0.113.9", 80) == 0);

	/* Numbers are not used again. */
	CHECK(resolver_grant(b.dir, "new.example.org", &id, &e) == 0);
	CHECK(id == EGRESS_ID_FIRST + 3);
	CHECK(lookup("new.example.org", 1000) == 0);
	own_fd int by_name = connect_from_box("203.0.113.20", 443);
	CHECK(by_name >= 0);
	/* The same address by another name, which goes on when the first is taken back. */
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(resolver_revoke(b.dir, "NEW.example.org", &n, &e) == 0 && n == 1);
	CHECK(is_cut(by_name));
	CHECK(lookup("new.example.org", 1000) == REFUSED);
	CHECK(reaches("203.0.113.20", 443) == 0);

	/* All of a target, and what cannot be. */
	CHECK(resolver_grant(b.dir, "api.example.org:80", &id, &e) == 0);
	CHECK(resolver_revoke(b.dir, "api.example.org", &n, &e) == 0 && n == 2);
	CHECK(reaches("203.0.113.20", 443) == -ECONNREFUSED);
	CHECK(resolver_grant(b.dir, "*", &id, &e) < 0 && *e.msg);
	CHECK(resolver_grant(b.dir, "CIDR:[2001:db8::/32]:53", &id, &e) == -EOPNOTSUPP);
	CHECK(resolver_grant(b.dir, "a\nb", &id, &e) == -EINVAL);
	CHECK(sandbox_over(&b) == 0);
	sandbox_drop(&b);
}

static void test_ttl(void)
{
	static const char *const only_address[] = {"CIDR:203.0.113.9:80"};
	struct sandbox b;
	struct err e = {0};
	uint32_t id = 0, again = 0;

	sandbox_make(&b, only_address, LEN(only_address));
	sandbox_start(&b);
	CHECK(resolver_grant(b.dir, "api.example.org", &id, &e) == -EOPNOTSUPP);
	CHECK(resolver_grant(b.dir, "CIDR:203.0.113.9:443 ttl=1s", &id, &e) == 0);
	(void)poll(NULL, 0, 600);
	CHECK(resolver_grant(b.dir, "CIDR:203.0.113.9:443 ttl=1s", &again, &e) == 0);
	CHECK(id == again);
	(void)poll(NULL, 0, 700);
	own_fd int fd = connect_from_box("203.0.113.9", 443);
	CHECK(fd >= 0);
	(void)poll(NULL, 0, 600);
	CHECK(is_cut(fd));
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(reaches("203.0.113.9", 80) == 0);
	CHECK(sandbox_over(&b) == 0);
	sandbox_drop(&b);
}

/* --- what it is ----------------------------------------------------------------------------- */

static void test_confined(void)
{
	struct sandbox b;
	char text[256];
	size_t fds = 0;

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(lookup("other.example.org", 1000) == REFUSED);
	CHECK(field_of(b.resolver.pid, "Seccomp", text, sizeof(text)) == 0);
	CHECK_STR(text, "2");
	CHECK(field_of(b.resolver.pid, "NoNewPrivs", text, sizeof(text)) == 0);
	CHECK_STR(text, "1");
	CHECK(field_of(b.resolver.pid, "CapPrm", text, sizeof(text)) == 0);
	CHECK_STR(text, "0000000000001000"); /* CAP_NET_ADMIN */
	CHECK(field_of(b.resolver.pid, "CapEff", text, sizeof(text)) == 0);
	CHECK_STR(text, "0000000000001000");

	char *path = arena_printf(&b.arena, "/proc/%d/root", (int)b.resolver.pid);
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	CHECK(str_ends(text, "(deleted)"));
	own_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(root, "x", 0700) < 0 && errno == ENOENT);
	/* Nothing of its maker's: streams, state directory, room, records, init, two netlink, its
	 * own epoll, signals, timer and control; the name service's epoll, timer and two sockets.
	 */
	own_dir DIR *d = opendir(arena_printf(&b.arena, "/proc/%d/fd", (int)b.resolver.pid));
	while (d && readdir(d))
		fds++;
	if (fds - 2 > 3 + 3 + 1 + 2 + 4 + 4)
		(void)run(arena_printf(&b.arena, "ls -l /proc/%d/fd >&2", (int)b.resolver.pid));
	CHECK(fds - 2 <= 3 + 3 + 1 + 2 + 4 + 4);
	CHECK(sandbox_over(&b) == 0);
	sandbox_drop(&b);
}

/* A pid namespace like a warden's. */
static pid_t make_pidns(int *pidns, char *path)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t pid = sys_clone3(&args);

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close_range(3, ~0U, 0);
		(void)pause();
		_exit(0);
	}
	sprintf(path, "/proc/%d/ns/pid", (int)pid);
	*pidns = open(path, O_RDONLY | O_CLOEXEC);
	return pid;
}

static void test_enclosed(void)
{
	struct sandbox b;
	char path[64], text[64];
	int pidns, status = 0;

	sandbox_make(&b, granted, LEN(granted));
	pid_t warden = make_pidns(&pidns, path);
	b.plan.pidns = pidns;
	sandbox_start(&b);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(field_of(b.resolver.pid, "NSpid", text, sizeof(text)) == 0);
	CHECK(strchr(text, '\t'));
	CHECK(kill(warden, SIGKILL) == 0);
	CHECK(resolver_ended(&b, 1000));
	/* It is our child, not the warden's. */
	CHECK(waitpid(b.resolver.pid, &status, WNOHANG) == b.resolver.pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	resolver_leave(&b.resolver);
	(void)waitpid(warden, NULL, 0);
	(void)close(pidns);
	sandbox_drop(&b);
}

/* --- its end -------------------------------------------------------------------------------- */

/* A maker that dies; whether the resolver does. */
static bool dies_with_maker(bool tied)
{
	struct sandbox b;
	int ends[2];

	sandbox_make(&b, granted, LEN(granted));
	b.plan.dies_with_maker = tied;
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	pid_t maker = fork();
	if (maker == 0) {
		sandbox_start(&b);
		(void)!write(ends[1], &b.resolver.pid, sizeof(b.resolver.pid));
		(void)pause();
		_exit(0);
	}
	b.resolver = RESOLVER_NONE;
	CHECK(read(ends[0], &b.resolver.pid, sizeof(b.resolver.pid)) == sizeof(b.resolver.pid));
	b.resolver.pidfd = sys_pidfd_open(b.resolver.pid, 0);
	CHECK(kill(maker, SIGKILL) == 0 && waitpid(maker, NULL, 0) == maker);
	bool died = resolver_ended(&b, 200);
	if (!died) {
		CHECK(lookup("api.example.org", 1000) == 0);
		CHECK(kill(b.init, SIGKILL) == 0 && resolver_ended(&b, 1000));
		CHECK(network_of(&b).lookups == 1);
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	resolver_leave(&b.resolver);
	sandbox_drop(&b);
	return died;
}

static void test_term(void)
{
	struct sandbox b;
	int status = -1;

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(kill(b.resolver.pid, SIGTERM) == 0 && resolver_ended(&b, 1000));
	CHECK(waitpid(b.resolver.pid, &status, WNOHANG) == b.resolver.pid && status == 0);
	CHECK(network_of(&b).lookups == 1);
	resolver_leave(&b.resolver);
	sandbox_drop(&b);
}

/* Of a foreground run: the end of the sandbox is not its own to see. */
static void test_word(void)
{
	struct sandbox b;

	sandbox_make(&b, granted, LEN(granted));
	b.plan.waits_for_word = true;
	sandbox_start(&b);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(kill(b.init, SIGKILL) == 0 && !resolver_ended(&b, 200));
	resolver_tell(&b.resolver);
	CHECK(resolver_ended(&b, 1000));
	CHECK(network_of(&b).lookups == 1);
	resolver_end(&b.resolver);
	CHECK(b.resolver.pid == 0);
	sandbox_drop(&b);
}

/* --- before its sandbox --------------------------------------------------------------------- */

/* In the resolver's process: what is wrong there is told by its maker's await. */
static int early_prepare(void *ctx, struct err *e)
{
	(void)ctx;
	return access("/proc/self/ns/net", F_OK) < 0 ? err_set(e, errno, "prepare") : 0;
}

static ino_t early_inodes[PLACES];

static bool is_in(enum place where)
{
	struct stat here;

	return stat("/proc/self/ns/net", &here) == 0 && here.st_ino == early_inodes[where];
}

static int early_connect(void *ctx, int given, struct err *e)
{
	struct stat box;

	(void)ctx;
	return is_in(OUT) && fstat(given, &box) == 0 && box.st_ino == early_inodes[BOX]
		       ? 0
		       : err_msg(e, EINVAL, "it connects from elsewhere, or something else");
}

static int early_secure(void *ctx, struct resolver_sockets *out, struct err *e)
{
	const struct sandbox *b = ctx;
	const struct rules_install install = {.policy = &b->policy, .replace = true};
	const struct sockaddr_in in = at(NAMES_LISTEN, 53);
	struct inside_socket s[] = {
		{.family = AF_NETLINK, .type = SOCK_RAW,                    .protocol = NETLINK_NETFILTER},
		{.family = AF_NETLINK, .type = SOCK_RAW,                    .protocol = NETLINK_NETFILTER},
		{.family = AF_INET,    .type = SOCK_DGRAM | SOCK_NONBLOCK,  .bind_len = sizeof(in)       },
		{.family = AF_INET,    .type = SOCK_STREAM | SOCK_NONBLOCK, .bind_len = sizeof(in)       },
	};
	bool had;

	for (size_t i = 2; i < LEN(s); i++)
		memcpy(s[i].bind_to, &in, sizeof(in));
	if (!is_in(BOX))
		return err_msg(e, EINVAL, "it is not inside");
	if (inside_sockets_here(s, LEN(s), e) < 0)
		return -e->code;
	*out = (struct resolver_sockets){s[0].fd, s[1].fd, s[2].fd, s[3].fd};
	return rules_install(&mnl, out->nft, &install, &had, e);
}

static int early_refuse(void *ctx, struct resolver_sockets *out, struct err *e)
{
	(void)ctx;
	(void)out;
	return err_msg(e, EPERM, "no rules today");
}

static void early_start(struct sandbox *b, const struct resolver_early *early)
{
	struct stat st;
	struct err e = {0};

	for (int i = 0; i < PLACES; i++) {
		CHECK(fstat(netns[i], &st) == 0);
		early_inodes[i] = st.st_ino;
	}
	sandbox_make(b, granted, LEN(granted));
	own_close(&b->plan.nft);
	own_close(&b->plan.log);
	own_close(&b->plan.udp);
	own_close(&b->plan.tcp);
	b->plan.early = early;
	b->plan.init = b->plan.upstream_netns = -1;
	go(OUT);
	CHECK(resolver_start(&b->plan, &b->resolver, &e) == 0);
	CHECK_STR(e.msg, "");
}

static void test_early(void)
{
	struct sandbox b;
	struct err e = {0};
	int status = 0;
	struct resolver_early early = {
		.ctx = &b,
		.prepare = early_prepare,
		.connect = early_connect,
		.secure = early_secure,
	};

	early_start(&b, &early);
	CHECK(!resolver_ended(&b, 100));
	CHECK(resolver_give(&b.resolver, netns[BOX], b.init_fd, &e) == 0);
	CHECK(resolver_await_network(&b.resolver, &e) == 0);
	CHECK(resolver_await(&b.resolver, &e) == 0);
	CHECK_STR(e.msg, "");
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(sandbox_over(&b) == 0);
	CHECK(network_of(&b).lookups == 1);
	sandbox_drop(&b);

	early.secure = early_refuse;
	early.connect = NULL;
	early_start(&b, &early);
	CHECK(resolver_give(&b.resolver, netns[BOX], b.init_fd, &e) == 0);
	CHECK(resolver_await(&b.resolver, &e) == -EPERM);
	CHECK_STR(e.msg, "no rules today");
	CHECK(b.resolver.pid == 0);
	sandbox_drop(&b);

	/* Its maker dies before he had anything for it. */
	early_start(&b, &early);
	own_close(&b.resolver.link);
	CHECK(resolver_ended(&b, 1000));
	CHECK(waitpid(b.resolver.pid, &status, WNOHANG) == b.resolver.pid && status != 0);
	sandbox_drop(&b);
}

/* --- its end, killed ------------------------------------------------------------------------ */

/* Killed: nothing new opens, what was open stays, nobody is told a name. */
static void test_killed(void)
{
	struct sandbox b;
	struct brig_network none;
	struct err e = {0};
	uint32_t id;

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(kill(b.resolver.pid, SIGKILL) == 0 && resolver_ended(&b, 1000));
	CHECK(lookup("api.example.org", 300) == UNREACHABLE);
	CHECK(reaches("203.0.113.20", 443) == 0);
	CHECK(reaches("203.0.113.9", 443) == -ECONNREFUSED);
	CHECK(resolver_grant(b.dir, "CIDR:203.0.113.9:443", &id, &e) == -ESRCH);
	CHECK(resolver_network_read(&b.arena, b.dir, &none, &e) == -ENOENT);
	sandbox_drop(&b);
}

static void test_stopped(void)
{
	struct sandbox b;

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(kill(b.resolver.pid, SIGSTOP) == 0);
	CHECK(lookup("api.example.org", 300) == NO_ANSWER);
	CHECK(reaches("203.0.113.20", 443) == -ECONNREFUSED);
	CHECK(reaches("203.0.113.9", 80) == 0);
	CHECK(kill(b.resolver.pid, SIGCONT) == 0);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(sandbox_over(&b) == 0);
	CHECK(network_of(&b).lookups == 2);
	sandbox_drop(&b);
}

/* --- attacks -------------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
enum { SLACK_KB = 1 << 20 }; /* it keeps what was freed */
#else
enum { SLACK_KB = 512 };
#endif

static long memory_of(pid_t pid)
{
	char text[64];

	return field_of(pid, "VmRSS", text, sizeof(text)) < 0 ? -1 : strtol(text, NULL, 10);
}

static void test_flood(void)
{
	enum { CONNECTS = 4000, LOOKUPS = 4000 };
	struct sandbox b;
	char name[64];

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	/* Once each, so that what is needed is there. */
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d.other.example.org", i);
		(void)lookup(name, 100);
		(void)reaches("203.0.113.9", (uint16_t)(20000 + i));
	}
	long before = memory_of(b.resolver.pid);
	for (int i = 0; i < CONNECTS; i++)
		(void)reaches("203.0.113.9", (uint16_t)(1000 + i));
	for (int i = 0; i < LOOKUPS; i++) {
		snprintf(name, sizeof(name), "m%d.other.example.org", i);
		(void)lookup(name, 100);
	}
	long after = memory_of(b.resolver.pid);
	if (after - before >= SLACK_KB)
		fprintf(stderr, "%ld KiB, then %ld\n", before, after);
	CHECK(before > 0 && after - before < SLACK_KB);
	CHECK(lookup("api.example.org", 1000) == 0);
	CHECK(sandbox_over(&b) == 0);
	const struct brig_network n = network_of(&b);
	CHECK(n.denied >= CONNECTS && n.lookups >= LOOKUPS);
	CHECK(n.n_names == NETWORK_ROWS && n.names_others > LOOKUPS);
	uint64_t told = flows_count(&b, "lookup", 0);
	/* The kernel logs 10 refusals a second, which are no loss of ours. */
	CHECK(told + n.flows_lost >= n.lookups);
	sandbox_drop(&b);
}

static int knock(const struct sandbox *b)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" RESOLVER_SOCKET, b->path);
	CHECK(connect(fd, (const void *)&sa, sizeof(sa)) == 0);
	return fd;
}

static void test_garbage(void)
{
	static const size_t sizes[] = {
		0, 1, 4, sizeof(struct resolver_msg) - 1, sizeof(struct resolver_msg), 4096, 65536};
	static unsigned char noise[65536];
	struct sandbox b;
	struct err e = {0};
	struct stat st;
	uint32_t id, n;
	int fds[RESOLVER_CONNS * 2];

	sandbox_make(&b, granted, LEN(granted));
	sandbox_start(&b);
	CHECK(fstatat(b.dir, RESOLVER_SOCKET, &st, 0) == 0 && (st.st_mode & 0777) == 0600);
	memset(noise, 0xa5, sizeof(noise));
	for (size_t i = 0; i < LEN(sizes); i++) {
		own_fd int fd = knock(&b);

		CHECK(send(fd, noise, sizes[i], MSG_NOSIGNAL) == (ssize_t)sizes[i]);
		/* Cut off without a word. */
		CHECK(ready(fd, POLLIN | POLLHUP, 1000) && read(fd, noise, 1) <= 0);
	}
	/* Those that say nothing do not keep others away, nor do those that do not listen. */
	for (size_t i = 0; i < LEN(fds); i++)
		fds[i] = knock(&b);
	struct resolver_msg m = {.type = RESOLVER_REVOKE, .text = "nothing.example.org"};
	for (int i = 0; i < 1000; i++)
		if (send(fds[LEN(fds) - 1], &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	CHECK(resolver_grant(b.dir, "CIDR:203.0.113.9:443", &id, &e) == 0);
	CHECK(resolver_revoke(b.dir, "CIDR:203.0.113.9:443", &n, &e) == 0);
	for (size_t i = 0; i < LEN(fds); i++)
		(void)close(fds[i]);
	/* As many as there is room for, and no more. */
	int r = 0, made = 0;
	for (; made < 1000 && r == 0; made++) {
		char text[64];

		snprintf(text, sizeof(text), "g%d.example.org", made);
		r = resolver_grant(b.dir, text, &id, &e);
	}
	CHECK(r == -ENOSPC && made == GRANTS_FURTHER + 1);
	CHECK(sandbox_over(&b) == 0);
	sandbox_drop(&b);
}

int main(void)
{
	int r = fixture_open();

	if (r)
		return r;
	pid_t server = fork();
	if (server == 0)
		name_server();
	open_443 = sock_in(OUT, SOCK_STREAM, "0.0.0.0", 443);
	open_80 = sock_in(OUT, SOCK_STREAM, "0.0.0.0", 80);
	(void)poll(NULL, 0, 50);
	test_whole();
	test_grant();
	test_ttl();
	test_confined();
	test_enclosed();
	CHECK(dies_with_maker(true));
	CHECK(!dies_with_maker(false));
	test_term();
	test_word();
	test_early();
	test_killed();
	test_stopped();
	test_flood();
	test_garbage();
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	return check_done();
}
