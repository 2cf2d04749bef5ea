/* From what the policy lets through to what create makes of the network: facts of the host added.
 */
#include "plan_egress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/inside.h"
#include "net/pasta.h"
#include "plan.h"
#include "plan_egress_facts.h"
#include "reuse.h"
#include "store.h"

#define POOL      "10.201.0.0/16"
#define POOL6     "fd62:7269:6700::/64"
#define DIRECTORY "/run/brig-net"
#define LISTEN    "127.0.77.53"

/* Learned addresses of a sandbox that ends by itself within this time stay until then. */
enum { SHORT_MS = 3600 * 1000 };

/* One plan in the making. */
struct making {
	struct arena *a;
	const struct plan_request *req;
	const struct plan *p;
	const struct policy *policy;
	const struct container_direct *direct;   /* NULL: an engine's */
	const struct container_network *network; /* as options have it; NULL: config.json says */
	bool pod;                                /* joined, by a CRI engine */
	struct egress_policy *out;
};

bool plan_egress_watched(const struct plan_egress *x)
{
	return x && x->policy->n_grants;
}

/* --- the way out -------------------------------------------------------------------------- */

static int connectivity(struct making *m, struct err *e)
{
	const char *net = m->network ? m->network->net : NULL;

	m->out->net = m->p->ns.join & CLONE_NEWNET ? EGRESS_NET_JOIN : EGRESS_NET_NONE;
	if (!net || str_eq(net, "none") || str_starts(net, "join:"))
		return 0;
	if (str_eq(net, "veth"))
		m->out->net = EGRESS_NET_VETH;
	else if (str_eq(net, "pasta"))
		m->out->net = EGRESS_NET_PASTA;
	else
		return err_msg(e, EINVAL,
			       "--net: \"%.40s\" is none of none, veth, pasta, join:PATH", net);
	return 0;
}

static bool has_network_grant(const struct container_create_opts *o)
{
	for (size_t i = 0; i < o->n_grants; i++)
		if (str_starts(o->grants[i], "network:"))
			return true;
	return false;
}

/* What needs a way out where there is none. */
static int check_direct(const struct making *m, struct err *e)
{
	const struct container_direct *d = m->direct;
	const struct {
		const char *name;
		bool given;
	} rows[] = {
		{"--egress",				d->network.n_egress            },
		{"--ingress",			       d->network.n_ingress           },
		{"--resolver",                              d->network.n_resolvers         },
		{"--net-rate",                              d->net_rate                    },
		{"--net-open",                              d->net_open                    },
		{"--net-conns",                             d->net_conns                   },
		{"--net-bytes",                             d->net_bytes                   },
		{"--net-bandwidth",                         d->net_bandwidth               },
		{"--flows",				 d->flows                       },
		{"--grant network:",                        has_network_grant(m->req->opts)},
		{"policy document: networkAccess",
		 m->policy->network.asked && m->policy->network.n_grants                   },
		{"policy document: networkAccess: ingress", m->policy->network.n_ingress   },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].given)
			return err_msg(e, EINVAL,
				       "%s with --net none: nothing leads in or out; add --net "
				       "veth, --net pasta (a plain user) or --net join:PATH",
				       rows[i].name);
	return 0;
}

/* Of create: there is a config.json, and no foreground that pasta could end with. */
static int check_given(const struct making *m, struct err *e)
{
	const struct container_network *g = m->network;
	bool joins = m->p->ns.join & CLONE_NEWNET;

	/* What engines create they connect themselves. */
	if (!reuse_wanted(m->req->opts, &m->p->config))
		return err_msg(e, EINVAL,
			       "--net, --egress, --ingress and --resolver of create need --reuse");
	if (g->net && !str_eq(g->net, "none") && !str_eq(g->net, "veth"))
		return err_msg(
			e, EINVAL,
			"--net %.40s: with create it is none or veth; config.json says which "
			"network namespace is joined",
			g->net);
	if (g->net && (joins || !(m->p->ns.make & CLONE_NEWNET)))
		return err_msg(e, EINVAL,
			       "--net %s: config.json does not ask for a network namespace of its "
			       "own",
			       g->net);
	if (m->out->net == EGRESS_NET_NONE && (g->n_egress || g->n_ingress || g->n_resolvers))
		return err_msg(e, EINVAL,
			       "--egress, --ingress and --resolver: nothing leads in or out; add "
			       "--net veth");
	return 0;
}

/* --- who could change the rules ----------------------------------------------------------- */

/* Whether capabilities of the sandbox count in its network namespace. */
static int owns_netns(const struct plan *p, bool *out, struct err *e)
{
	const char *path = NULL;
	enum inside_owner owner;
	bool userns = (p->ns.make | p->ns.join) & CLONE_NEWUSER || (p->level && p->level->late);

	*out = true;
	/* No user namespace of its own: its capabilities are those of brig itself. */
	if (!userns)
		return 0;
	if (!(p->ns.join & CLONE_NEWNET)) {
		/* At a level of root the network namespace is made outside (docs/design.md). */
		*out = !(p->level && p->level->late);
		return 0;
	}
	for (size_t i = 0; i < p->ns.n_joins; i++)
		if (p->ns.joins[i].flag == CLONE_NEWNET)
			path = p->ns.joins[i].path;
	if (!path)
		return 0;
	own_fd int ns = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (ns < 0)
		return err_set(e, errno, "network namespace %s", path);
	if (inside_owner(ns, &owner, e) < 0)
		return err_wrap(e, "network namespace %s", path);
	*out = owner == INSIDE_BELOW;
	return 0;
}

static uint64_t all_of(const struct caps_plan *c)
{
	return c->bounding | c->effective | c->permitted | c->inheritable | c->ambient;
}

int plan_egress_check_caps(const struct egress_policy *p, const struct caps_plan *c, struct err *e)
{
	const uint64_t any = all_of(c);
	const char *rules = "could change what may leave",
		   *past = "could send past the rules, as the sandbox began without it",
		   *late = "could send past the rules by devices that hooks bring later",
		   *name = "could take itself for the name service, which asks from there";
	const struct {
		unsigned int cap;
		bool bad;
		const char *word, *why;
	} rows[] = {
		{CAP_NET_ADMIN, true,                               "CAP_NET_ADMIN", rules},
		{CAP_SYS_ADMIN, true,                               "CAP_SYS_ADMIN", rules},
		{CAP_NET_RAW,   !p->netdev_egress,                  "CAP_NET_RAW",   past },
		{CAP_NET_RAW,   p->net == EGRESS_NET_NONE,          "CAP_NET_RAW",   late },
		{CAP_NET_RAW,   p->has_names && p->resolves_inside, "CAP_NET_RAW",   name },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].bad && any & UINT64_C(1) << rows[i].cap)
			return err_msg(e, EPERM,
				       "process: capabilities: %s counts in the sandbox's network "
				       "namespace, where it %s: drop it, or the grants",
				       rows[i].word, rows[i].why);
	return 0;
}

static int check_capabilities(const struct making *m, struct err *e)
{
	const struct caps_plan *c = &m->p->process.caps;
	const uint64_t rulers = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_SYS_ADMIN |
				UINT64_C(1) << CAP_NET_RAW;
	bool owns = false;

	if (!(all_of(c) & rulers))
		return 0;
	if (owns_netns(m->p, &owns, e) < 0)
		return -e->code;
	if (!owns)
		return 0;
	m->out->netdev_egress = all_of(c) & UINT64_C(1) << CAP_NET_RAW;
	return plan_egress_check_caps(m->out, c, e);
}

/* --- inward ------------------------------------------------------------------------------- */

/* Probes of the kubelet come from the node: without them no pod is ever ready. */
static void default_ingress(struct making *m)
{
	const struct admin_ingress *may = &m->policy->admin.ingress;
	struct egress_ingress *in = arena_array(m->a, 2, sizeof(*in));
	bool node = !may->ceiling;

	for (size_t i = 0; i < may->n_ceiling; i++)
		node = node || str_eq(may->ceiling[i], "node") || str_eq(may->ceiling[i], "any");
	if (!node)
		return;
	in[0] = (struct egress_ingress){.from = EGRESS_FROM_NODE, .proto = IPPROTO_TCP};
	in[1] = (struct egress_ingress){.from = EGRESS_FROM_NODE, .proto = IPPROTO_UDP};
	m->out->ingress = in;
	m->out->n_ingress = 2;
}

/* --- grants and limits -------------------------------------------------------------------- */

static void take_grants(struct making *m)
{
	const struct policy_network *w = &m->policy->network;
	struct egress_grant *grants = arena_array(m->a, w->n_grants + 1, sizeof(*grants));

	for (size_t i = 0; i < w->n_grants; i++) {
		grants[i] = w->grants[i];
		grants[i].id = EGRESS_ID_FIRST + (uint32_t)i;
		m->out->has_names = m->out->has_names || grants[i].name;
		m->out->ipv6 = m->out->ipv6 || (!grants[i].name && grants[i].address.family == 6);
	}
	m->out->grants = grants;
	m->out->n_grants = w->n_grants;
	m->out->ingress = w->ingress;
	m->out->n_ingress = w->n_ingress;
	for (size_t i = 0; i < w->n_ingress; i++)
		m->out->ipv6 = m->out->ipv6 || w->ingress[i].address.family == 6;
}

static void take_limits(struct making *m)
{
	const struct policy_network *w = &m->policy->network;
	const struct level_network *l = &m->policy->level.network;

	/* Of what a grant lets through: without one there is nothing to count. */
	if (!m->out->n_grants)
		return;
	m->out->limits = (struct egress_limits){
		.rate = l->rate ? (uint32_t)*l->rate : 0,
		.open = l->open ? (uint32_t)*l->open : 0,
		.total = (uint32_t)w->total,
		.bytes = w->bytes,
		.bandwidth = w->bandwidth,
	};
}

/* --- names -------------------------------------------------------------------------------- */

static int addresses(const struct making *m, const char *who, const char *const *texts, size_t n,
		     const struct egress_address **out, size_t *n_out, struct err *e)
{
	struct egress_address *list = arena_array(m->a, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		if (egress_address_parse(texts[i], &list[i], e) < 0)
			return err_wrap(e, "%s", who);
	*out = list;
	*n_out = n;
	return 0;
}

static int check_resolvers(const struct egress_policy *p, struct err *e)
{
	enum { MAX = 8 };

	if (p->n_resolvers > MAX)
		return err_msg(e, E2BIG, "--resolver: more than %d", MAX);
	for (size_t i = 0; i < p->n_resolvers; i++)
		if (p->resolvers[i].prefix != (p->resolvers[i].family == 6 ? 128 : 32))
			return err_msg(e, EINVAL, "--resolver: more than one address");
	return 0;
}

/*
 * On the loopback of the sandbox's own namespace anybody inside may be who answers: he would choose
 * which address a granted name has.  0.0.0.0 and :: lead there, too (connect(2)).
 */
static bool could_be_inside(const struct egress_policy *p, const struct egress_address *a)
{
	static const uint8_t any6[16] = {0}, loopback6[16] = {[15] = 1};

	if (!p->resolves_inside)
		return false;
	if (a->family == 4)
		return a->bytes[0] == 127 || a->bytes[0] == 0;
	return memcmp(a->bytes, loopback6, sizeof(loopback6)) == 0 ||
	       memcmp(a->bytes, any6, sizeof(any6)) == 0;
}

static int check_outside(const char *who, const struct egress_policy *p, struct err *e)
{
	for (size_t i = 0; i < p->n_resolvers; i++)
		if (could_be_inside(p, &p->resolvers[i]))
			return err_msg(
				e, EINVAL,
				"%s: an address of the loopback: names are asked for inside "
				"the sandbox's network namespace, where anybody could answer",
				who);
	return 0;
}

/* Those of a resolv.conf that can be asked. */
static void take_servers(struct making *m, const struct plan_resolv *conf)
{
	struct egress_address *list = arena_array(m->a, conf->n_servers + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < conf->n_servers; i++)
		if (!could_be_inside(m->out, &conf->servers[i]))
			list[n++] = conf->servers[i];
	m->out->resolvers = list;
	m->out->n_resolvers = n;
}

static int take_resolvers(struct making *m, const struct plan_resolv *conf, struct err *e)
{
	const struct admin_egress *g = &m->policy->admin.egress;
	const struct container_network *n = m->network;
	const char *const *list = n ? n->resolvers : NULL;
	size_t n_list = n ? n->n_resolvers : 0;
	struct egress_policy *p = m->out;

	if (n_list) {
		if (addresses(m, "--resolver", list, n_list, &p->resolvers, &p->n_resolvers, e) < 0)
			return -e->code;
		int r = check_resolvers(p, e);

		return r < 0 ? r : check_outside("--resolver", p, e);
	}
	if (!p->has_names)
		return 0;
	if (g->n_resolvers) {
		static const char who[] = "brig.json: egress: resolvers";
		int r = addresses(m, who, g->resolvers, g->n_resolvers, &p->resolvers,
				  &p->n_resolvers, e);

		return r < 0 ? r : check_outside(who, p, e);
	}
	take_servers(m, conf);
	if (!p->n_resolvers)
		return err_msg(e, ENOENT,
			       "names are granted, but there is no name server: add %segress: "
			       "resolvers to brig.json",
			       n ? "--resolver ADDRESS, or " : "");
	return 0;
}

/* The sandbox's file: our name service; short names of pods are tried as before. */
static const char *resolv_text(const struct making *m, const struct plan_resolv *conf)
{
	bool short_names = m->out->resolves_inside && !m->direct;
	uint32_t ndots = short_names && conf->ndots ? conf->ndots : 1;

	if (!m->out->has_names)
		return m->direct ? "" : NULL;
	return arena_printf(m->a,
			    "nameserver " LISTEN "\n%s%s%soptions edns0 timeout:2 attempts:2 "
			    "ndots:%u\n",
			    short_names && conf->search ? "search " : "",
			    short_names && conf->search ? conf->search : "",
			    short_names && conf->search ? "\n" : "", ndots);
}

static int take_names(struct making *m, struct plan_egress *x, struct err *e)
{
	const char *engine = m->direct ? NULL : plan_egress_resolv_source(&m->p->config);
	struct plan_resolv conf = {0};

	m->out->resolves_inside = m->out->net == EGRESS_NET_JOIN || m->out->net == EGRESS_NET_NONE;
	/* musl ends the walk along a search list at REFUSED. */
	m->out->nxdomain = m->out->resolves_inside;
	if (m->out->has_names &&
	    plan_egress_resolv(m->a, engine ? engine : "/etc/resolv.conf", &conf, e) < 0)
		return -e->code;
	if (take_resolvers(m, &conf, e) < 0)
		return -e->code;
	x->resolv_conf = resolv_text(m, &conf);
	return 0;
}

/* --- all ---------------------------------------------------------------------------------- */

static int veth_of(const struct making *m, struct veth_config *out, struct err *e)
{
	const struct admin_egress *g = &m->policy->admin.egress;

	if (m->out->net != EGRESS_NET_VETH)
		return 0;
	if (geteuid() != 0)
		return err_msg(e, EPERM,
			       "--net veth needs root: for a plain user there is --net pasta");
	out->directory = g->directory ? g->directory : DIRECTORY;
	if (egress_address_parse(g->pool ? g->pool : POOL, &out->pool, e) < 0)
		return err_wrap(e, "brig.json: egress: pool");
	if (m->out->ipv6 && egress_address_parse(g->pool6 ? g->pool6 : POOL6, &out->pool6, e) < 0)
		return err_wrap(e, "brig.json: egress: pool6");
	return 0;
}

/* It ends with the brig in whose foreground it runs, not with the sandbox. */
static int pasta_of(const struct making *m, const char **out, struct err *e)
{
	char *path = arena_array(m->a, PATH_MAX, 1);

	if (m->out->net != EGRESS_NET_PASTA)
		return 0;
	if (!m->req->run || m->req->opts->detach)
		return err_msg(e, EINVAL, "--net pasta: only in the foreground, without --detach");
	*out = path;
	return pasta_find(m->policy->admin.egress.pasta, path, e);
}

/* A container of a pod, as CRI engines mark it, beside the pod's own. */
static bool is_pods_container(const struct oci_config *c)
{
	static const char *const names[] = {"io.kubernetes.cri.container-type",
					    "io.kubernetes.cri-o.ContainerType"};

	for (size_t i = 0; i < c->n_annotations; i++)
		for (size_t j = 0; j < LEN(names); j++)
			if (str_eq(c->annotations[i].key, names[j]) &&
			    str_eq(c->annotations[i].value, "container"))
				return true;
	return false;
}

/*
 * Where the pod has a name service, a container that takes what is there asks it, too.  The pod's
 * own container has a file that says so; NULL: it has none, or is none of ours.
 */
static const char *resolv_of_pod(const struct making *m)
{
	enum { MAX = 8192 };
	struct err ignored;
	size_t len;
	char *text;
	own_fd int dir = store_open(m->req->host, m->policy->pod, STORE_UNLOCKED, &ignored);

	if (dir < 0 || file_read(m->a, dir, STORE_RESOLV, MAX, &text, &len, &ignored) < 0)
		return NULL;
	return text;
}

static void fill_rest(const struct making *m, struct plan_egress *x)
{
	const struct policy_network *w = &m->policy->network;
	const struct level *l = &m->policy->level;
	const uint64_t *wall = m->policy->direct ? l->direct.wall : l->engine.wall;
	bool in_pod = m->pod && is_pods_container(&m->p->config);

	x->flows = m->direct ? m->direct->flows : NULL;
	x->pin = wall && *wall && *wall <= SHORT_MS;
	x->shared = m->out->net == EGRESS_NET_JOIN;
	x->asks_nothing =
		m->pod && !w->asked && !w->asked_ingress && !w->total && !w->bytes && !w->bandwidth;
	x->takes_any = in_pod && x->asks_nothing;
	x->opens_pod = in_pod && !x->takes_any;
	if (x->takes_any && !x->resolv_conf)
		x->resolv_conf = resolv_of_pod(m);
}

static bool is_within_any(const struct egress_address *ranges, size_t n,
			  const struct egress_address *x)
{
	for (size_t i = 0; i < n; i++)
		if (egress_address_within(&ranges[i], x))
			return true;
	return false;
}

/*
 * The host's ends of sandboxes' pairs come and go, and the kernel gives each a link-local address
 * of IPv6 once it has a carrier: in one that is used again each generation has the same rules.
 * Nobody reaches them: the pool is private, link-local is never reached (egress_never_rows), and
 * the host's table refuses what comes from a sandbox to the host.
 */
static int leave_pairs_out(struct making *m, struct err *e)
{
	const struct admin_egress *g = &m->policy->admin.egress;
	const char *const texts[] = {g->pool ? g->pool : POOL, g->pool6 ? g->pool6 : POOL6,
				     "169.254.0.0/16", "fe80::/10"};
	struct egress_address ranges[LEN(texts)];
	struct egress_address *list = arena_array(m->a, m->out->n_host + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < LEN(texts); i++)
		if (egress_address_parse(texts[i], &ranges[i], e) < 0)
			return err_wrap(e, "brig.json: egress: pool");
	for (size_t i = 0; i < m->out->n_host; i++)
		if (!is_within_any(ranges, LEN(ranges), &m->out->host[i]))
			list[n++] = m->out->host[i];
	m->out->host = list;
	m->out->n_host = n;
	return 0;
}

static int fill(struct making *m, struct plan_egress *x, struct err *e)
{
	const struct admin_egress *g = &m->policy->admin.egress;
	const bool *ipv6 = m->policy->level.network.ipv6;

	take_limits(m);
	/* Of a namespace that brig did not make: whatever is there goes through the rules. */
	if (m->out->net == EGRESS_NET_JOIN || (!m->direct && ipv6 && *ipv6))
		m->out->ipv6 = true;
	if (take_names(m, x, e) < 0 || check_capabilities(m, e) < 0 ||
	    plan_egress_host(m->a, &m->out->host, &m->out->n_host, e) < 0 ||
	    (reuse_wanted(m->req->opts, &m->p->config) && leave_pairs_out(m, e) < 0) ||
	    addresses(m, "brig.json: egress: never", g->never, g->n_never, &m->out->never,
		      &m->out->n_never, e) < 0 ||
	    veth_of(m, &x->veth, e) < 0 || pasta_of(m, &x->pasta, e) < 0)
		return -e->code;
	egress_digest(m->a, m->out);
	fill_rest(m, x);
	return 0;
}

int plan_egress_make(struct arena *a, const struct plan_request *req, struct plan *p,
		     const struct plan_egress **out, struct err *e)
{
	struct egress_policy *policy = arena_new(a, sizeof(*policy));
	struct plan_egress *x = arena_new(a, sizeof(*x));
	struct making m = {
		.a = a,
		.req = req,
		.p = p,
		.policy = p->policy,
		.direct = req->opts->direct,
		.network = req->opts->direct ? &req->opts->direct->network : req->opts->network,
		.out = policy,
	};

	*out = NULL;
	if (connectivity(&m, e) < 0)
		return -e->code;
	if (m.direct && policy->net == EGRESS_NET_NONE)
		return check_direct(&m, e);
	if (!m.direct && m.network && check_given(&m, e) < 0)
		return -e->code;
	m.pod = !m.direct && m.policy->pod && policy->net == EGRESS_NET_JOIN;
	take_grants(&m);
	if (m.pod && p->level && !m.policy->network.asked_ingress &&
	    str_eq(m.policy->level.network.egress, "deny"))
		default_ingress(&m);
	if (!m.direct && policy->net != EGRESS_NET_VETH && !policy->n_grants && !policy->n_ingress)
		return 0;
	/* The host's namespace has rules of its own, and other users. */
	if (!((p->ns.make | p->ns.join) & CLONE_NEWNET))
		return err_msg(e, EINVAL,
			       "linux: namespaces: grants need a network namespace that is not the "
			       "host's");
	x->policy = policy;
	if (fill(&m, x, e) < 0)
		return err_wrap(e, "network");
	*out = x;
	return 0;
}
