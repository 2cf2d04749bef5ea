/* Names that are refused, and veth devices moved between two network namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/netdev.h"

static struct arena arena;
static struct err err;

static int check_pair(const char *from, const char *to)
{
	struct oci_net_device d = {from, to};

	return netdev_check(&d, 1, &err);
}

static void names(void)
{
	static const char *const bad[] = {
		"",   ".",   "..",  "a/b", "a:b", "a b", "a\t", "a\n", "abcdefghijklmnop",
		"lo", "a%d", "\x7f"};
	static const char *const bad_targets[] = {
		".",  "..",    "a/b",  "a:b", " ",   "abcdefghijklmnop", "lo",
		"%s", "a%d%d", "a%dx", "a%",  "%%d", "abcdefghijklmn%d"};

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(check_pair(bad[i], NULL) == -EINVAL);
	for (size_t i = 0; i < LEN(bad_targets); i++)
		CHECK(check_pair("eth0", bad_targets[i]) == -EINVAL);
	CHECK(check_pair("eth0", NULL) == 0 && check_pair("eth0", "") == 0);
	CHECK(check_pair("abcdefghijklmno", "eth%d") == 0 && check_pair("a.100", "b@c") == 0);
	struct oci_net_device two[] = {
		{"a", "x"},
                {"b", "x"}
        };
	CHECK(netdev_check(two, 2, &err) == -EINVAL && strstr(err.msg, "already that of a"));
	two[1] = (struct oci_net_device){"x", NULL};
	CHECK(netdev_check(two, 2, &err) == -EINVAL);
	two[1] = (struct oci_net_device){"a", "y"};
	CHECK(netdev_check(two, 2, &err) == -EINVAL && strstr(err.msg, "given twice"));
	two[0].name = two[1].name = "eth%d";
	two[1].host_name = "b";
	CHECK(netdev_check(two, 2, &err) == 0);
	CHECK(netdev_check(NULL, 0, &err) == 0);
}

static int run(const char *command)
{
	int st = system(command);

	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

/* Whether the output of a command has a text. */
static bool says(const char *command, const char *text)
{
	char out[8192];
	FILE *f = popen(command, "re");
	size_t n = f ? fread(out, 1, sizeof(out) - 1, f) : 0;

	out[n] = '\0';
	if (f)
		pclose(f);
	return strstr(out, text) != NULL;
}

static int own_netns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static bool is_up(const char *name)
{
	own_fd int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(s, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_UP;
}

static void loopback(void)
{
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(!is_up("lo"));
	CHECK(net_loopback_up(&err) == 0 && is_up("lo"));
}

static const char *const make_devices[] = {
	"ip link add bg0 mtu 1400 address 02:11:22:33:44:55 type veth peer name bg1",
	"ip addr add 10.9.8.7/24 brd 10.9.8.255 dev bg0",
	"ip addr add 10.9.8.8/32 scope link dev bg0",
	"ip addr add 10.9.9.9/24 dev bg0 valid_lft 500 preferred_lft 400",
	"ip addr add fd00:9::7/64 dev bg0 nodad",
	"ip link set bg0 up",
	"ip link add bg2 type veth peer name bg3",
};

static void attributes_are_kept(void)
{
	static const char show[] = "ip addr show dev net0 2>&1";

	CHECK(says(show, "inet 10.9.8.7/24 brd 10.9.8.255 scope global net0"));
	CHECK(says(show, "inet6 fd00:9::7/64 scope global"));
	CHECK(!says(show, "10.9.8.8") && !says(show, "10.9.9.9")); /* link scope, not permanent */
	CHECK(says(show, "mtu 1400") && says(show, "02:11:22:33:44:55"));
	CHECK(is_up("net0") && if_nametoindex("bg0") == 0);
}

static void moved(void)
{
	struct oci_net_device one =
				      {
					      "bg0", "net0"
        },
			      rest[] = {{"bg2", "net%d"}, {"bg3", NULL}};
	CHECK(unshare(CLONE_NEWNET) == 0);
	own_fd int there = own_netns();
	/* Something that has the names and indexes of what comes. */
	CHECK(run("ip link add taken type veth peer name bg2") == 0);
	CHECK(unshare(CLONE_NEWNET) == 0);
	own_fd int here = own_netns();
	for (size_t i = 0; i < LEN(make_devices); i++)
		CHECK(run(make_devices[i]) == 0);
	CHECK(netdev_move(&arena, &one, 1, there, &err) == 0);
	CHECK(if_nametoindex("bg0") == 0 && if_nametoindex("bg1") != 0);
	CHECK(netdev_move(&arena, rest, 2, there, &err) == 0);
	/* Still where it was. */
	CHECK(netdev_move(&arena, &one, 1, there, &err) == -ENODEV);
	CHECK(strstr(err.msg, "netDevices: bg0: find device") == err.msg);
	/* A name that exists over there is an error, and the device stays here. */
	one = (struct oci_net_device){"bg1", "taken"};
	CHECK(netdev_move(&arena, &one, 1, there, &err) == -EEXIST);
	CHECK(strstr(err.msg, "move it to the container as taken") != NULL);
	CHECK(if_nametoindex("bg1") != 0);
	CHECK(setns(there, CLONE_NEWNET) == 0);
	attributes_are_kept();
	/* net0 is there: the template goes on; twice, as the kernel names it when it is moved and
	 * again, if its own name was taken. */
	CHECK(is_up("net1") || is_up("net2"));
	CHECK(is_up("bg3"));
	CHECK(setns(here, CLONE_NEWNET) == 0);
}

static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		arena_free(&arena);
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

int main(void)
{
	names();
	if (geteuid() != 0) {
		printf("# not root: what needs privilege was left out\n");
		return check_done();
	}
	CHECK(child_of(loopback) == 0);
	if (run("ip -V >/dev/null 2>&1") == 0)
		CHECK(child_of(moved) == 0);
	else
		printf("# no iproute2: moving was left out\n");
	return check_done();
}
