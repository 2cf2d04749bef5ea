/* What a plan makes of grants: connectivity, name servers, pods, capabilities. */
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "plan.h"
#include "plan_egress.h"
#include "plan_egress_facts.h"

static struct arena arena;
static struct policy policy;
static struct plan_level level;
static struct plan plan;
static struct oci_map notes[2];
static struct container_direct direct;
static struct container_create_opts opts;
static const struct plan_egress *made;

static void grants(const char *const *texts, size_t n)
{
	struct egress_grant *list = arena_array(&arena, n + 1, sizeof(*list));
	struct err e;

	for (size_t i = 0; i < n; i++)
		CHECK(egress_grant_parse(&arena, texts[i], &list[i], &e) == 0);
	policy.network.grants = list;
	policy.network.n_grants = n;
}

/* An engine's container at a level, in a network namespace of its own. */
static void begin(void)
{
	static const uint64_t open = 4096;

	policy = (struct policy){
		.level = {.name = "standard", .network = {.egress = "deny", .open = &open}}
        };
	level = (struct plan_level){.late = true};
	plan = (struct plan){.level = &level, .policy = &policy, .ns = {.make = CLONE_NEWNET}};
	direct = (struct container_direct){0};
	opts = (struct container_create_opts){0};
}

static void pod(const char *kind)
{
	policy.pod = "pod1";
	plan.ns = (struct ns_plan){.join = CLONE_NEWNET,
				   .n_joins = 1,
				   .joins = {{CLONE_NEWNET, "/proc/self/ns/net", -1}}};
	notes[0] = (struct oci_map){"io.kubernetes.cri.container-type", kind};
	plan.config.annotations = notes;
	plan.config.n_annotations = 1;
}

static bool foreground;

static const char *make(void)
{
	/* Where no pod has ever been. */
	static const struct container_host host = {.root = "/nonexistent"};
	const struct plan_request req = {.host = &host, .opts = &opts, .run = foreground};
	static struct err e;

	return plan_egress_make(&arena, &req, &plan, &made, &e) < 0 ? e.msg : "";
}

static void nothing(void)
{
	begin();
	CHECK_STR(make(), "");
	CHECK(!made && !plan_egress_watched(made));
	opts.direct = &direct;
	direct.network.net = "none";
	CHECK_STR(make(), "");
	CHECK(!made);
	/* what brig.json allows to all is nothing that was asked for here */
	grants((const char *const[]){"a.example"}, 1);
	CHECK_STR(make(), "");
	CHECK(!made);
	policy.network.asked = true;
	CHECK(strstr(make(), "policy document: networkAccess with --net none"));
}

static void engines(void)
{
	begin();
	policy.admin.egress.resolvers = (const char *const[]){"192.0.2.53"};
	policy.admin.egress.n_resolvers = 1;
	grants((const char *const[]){"CIDR:192.0.2.0/24", "a.example:80,443"}, 2);
	CHECK_STR(make(), "");
	if (!made)
		return;
	const struct egress_policy *p = made->policy;
	CHECK(p->net == EGRESS_NET_NONE && p->resolves_inside && p->nxdomain && p->has_names);
	CHECK(p->grants[0].id == EGRESS_ID_FIRST && p->grants[1].id == EGRESS_ID_FIRST + 1);
	CHECK(p->limits.open == 4096 && !p->limits.rate && !p->ipv6 && !p->netdev_egress);
	CHECK(p->n_resolvers == 1 && p->n_host && str_starts(p->digest, "sha256:"));
	CHECK_STR(made->resolv_conf,
		  "nameserver 127.0.77.53\noptions edns0 timeout:2 attempts:2 ndots:1\n");
	CHECK(plan_egress_watched(made) && !made->shared && !made->takes_any && !made->pin);
	/* without names the engine's file stays as it is */
	grants((const char *const[]){"CIDR:2001:db8::/32"}, 1);
	CHECK_STR(make(), "");
	CHECK(made && !made->resolv_conf && made->policy->ipv6);
	plan.ns.make = 0;
	CHECK(strstr(make(), "a network namespace that is not the host's"));
}

static void pods(void)
{
	begin();
	pod("sandbox");
	CHECK_STR(make(), "");
	CHECK(made && made->policy->n_ingress == 2 && made->shared && !made->takes_any);
	CHECK(made && made->policy->ingress[0].from == EGRESS_FROM_NODE);
	CHECK(!plan_egress_watched(made) && made && !made->policy->limits.open);
	pod("container");
	CHECK_STR(make(), "");
	CHECK(made && made->takes_any);
	policy.network.asked = true;
	CHECK_STR(make(), "");
	CHECK(made && !made->takes_any);
	policy.network.asked_ingress = true;
	CHECK_STR(make(), "");
	CHECK(!made);
	policy.network.asked_ingress = false;
	policy.admin.ingress.ceiling = (const char *const[]){"192.0.2.1"};
	policy.admin.ingress.n_ceiling = 1;
	CHECK_STR(make(), "");
	CHECK(!made);
	/* at custom nobody has asked for a default */
	policy.admin.ingress.ceiling = NULL;
	plan.level = NULL;
	CHECK_STR(make(), "");
	CHECK(!made);
}

static void by_hand(void)
{
	static const uint64_t wall = 60000, longer = 7200000;

	begin();
	opts.direct = &direct;
	policy.direct = true;
	policy.level.direct.wall = &wall;
	direct.network.net = "veth";
	direct.flows = "/f";
	CHECK_STR(make(), "");
	CHECK(made && made->policy->net == EGRESS_NET_VETH && !made->policy->resolves_inside);
	CHECK(made && made->pin && str_eq(made->flows, "/f") && str_eq(made->resolv_conf, ""));
	CHECK(made && made->veth.pool.prefix == 16 && !made->veth.pool6.family);
	CHECK(made && str_eq(made->veth.directory, "/run/brig-net"));
	policy.level.direct.wall = &longer;
	grants((const char *const[]){"CIDR:2001:db8::/32", "a.example"}, 2);
	direct.network.resolvers = (const char *const[]){"192.0.2.53", "2001:db8::53"};
	direct.network.n_resolvers = 2;
	CHECK_STR(make(), "");
	CHECK(made && !made->pin && made->policy->ipv6 && made->veth.pool6.prefix == 64);
	CHECK(made && made->policy->n_resolvers == 2 && !made->policy->nxdomain);
	direct.network.net = "pasta";
	CHECK(strstr(make(), "only in the foreground"));
	foreground = true;
	opts.detach = true;
	CHECK(strstr(make(), "only in the foreground"));
	opts.detach = false;
	policy.admin.egress.pasta = "/bin/sh";
	CHECK_STR(make(), "");
	CHECK(made && made->policy->net == EGRESS_NET_PASTA && str_eq(made->pasta, "/bin/sh"));
	policy.admin.egress.pasta = "/nonexistent/pasta";
	CHECK(strstr(make(), "/nonexistent/pasta"));
	foreground = false;
	direct.network.net = "bridge";
	CHECK(strstr(make(), "none of none, veth, pasta, join:PATH"));
}

static void capabilities(void)
{
	begin();
	grants((const char *const[]){"CIDR:192.0.2.1"}, 1);
	plan.process.caps.inheritable = UINT64_C(1) << CAP_NET_ADMIN;
	/* the namespace is made outside of the sandbox's user namespace */
	CHECK_STR(make(), "");
	plan.level = NULL;
	CHECK(strstr(make(), "CAP_NET_ADMIN counts in the sandbox's network namespace"));
	plan.ns.make |= CLONE_NEWUSER;
	CHECK(strstr(make(), "CAP_NET_ADMIN counts"));
	plan.process.caps = (struct caps_plan){.bounding = UINT64_C(1) << CAP_SYS_ADMIN};
	CHECK(strstr(make(), "CAP_SYS_ADMIN counts"));
	plan.process.caps = (struct caps_plan){.bounding = UINT64_C(1) << CAP_NET_RAW};
	/* hooks may bring devices later */
	CHECK(strstr(make(), "CAP_NET_RAW counts"));
	plan.ns = (struct ns_plan){.join = CLONE_NEWNET,
				   .n_joins = 1,
				   .joins = {{CLONE_NEWNET, "/proc/self/ns/net", -1}}};
	CHECK_STR(make(), "");
	CHECK(made && made->policy->netdev_egress);
	/* joined, and whoever owns it is not below us */
	plan.process.caps = (struct caps_plan){.bounding = UINT64_C(1) << CAP_NET_ADMIN};
	plan.ns = (struct ns_plan){.make = CLONE_NEWUSER,
				   .join = CLONE_NEWNET,
				   .n_joins = 1,
				   .joins = {{CLONE_NEWNET, "/proc/self/ns/net", -1}}};
	CHECK_STR(make(), "");
	CHECK(made && made->policy->net == EGRESS_NET_JOIN);
	plan.ns.joins[0].path = "/nonexistent";
	CHECK(strstr(make(), "network namespace /nonexistent"));
}

static void resolv_files(void)
{
	const struct oci_mount mounts[] = {
		{.destination = "/etc/resolv.conf", .source = "/old"  },
		{.destination = "/etc/hosts",       .source = "/hosts"},
		{.destination = "/etc/resolv.conf", .source = "/new"  },
	};
	const struct oci_config c = {.mounts = mounts, .n_mounts = LEN(mounts)}, none = {0};
	struct plan_resolv r;
	struct err e;

	CHECK_STR(plan_egress_resolv_source(&c), "/new");
	CHECK(!plan_egress_resolv_source(&none));
	CHECK(plan_egress_resolv(&arena, "/nonexistent/resolv.conf", &r, &e) == 0 && !r.n_servers);
	plan_egress_resolv_parse(
		&arena,
		"; x\nnameserver 192.0.2.1 # y\nnameserver\t2001:db8::1\r\n"
		"nameserver fe80::1%eth0\nnameserverx 192.0.2.9\nnameserver 10.0.0.0/8\n"
		"nameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		"search a.example\nsearch prod.svc.cluster.local svc.cluster.local\n"
		"options timeout:1 ndots:99",
		&r);
	CHECK(r.n_servers == 3 && r.ndots == 15);
	CHECK(r.n_servers == 3 && str_eq(egress_address_text(&arena, &r.servers[2]), "192.0.2.2"));
	CHECK_STR(r.search, "prod.svc.cluster.local svc.cluster.local");
	plan_egress_resolv_parse(&arena, "search a.example;rm\n", &r);
	CHECK(!r.search && !r.n_servers);
}

int main(void)
{
	nothing();
	engines();
	pods();
	by_hand();
	capabilities();
	resolv_files();
	arena_free(&arena);
	return check_done();
}
