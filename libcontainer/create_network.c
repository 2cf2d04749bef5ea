/*
 * create and run: the network of a sandbox with grants, made and confined from outside while its
 * first process builds the rest.  docs/egress.md
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "create.h"
#include "names/names.h"
#include "net/inside.h"
#include "net/pasta.h"
#include "net/rules.h"
#include "net/veth.h"
#include "resolver.h"
#include "run/sync.h"
#include "status.h"

static const struct plan_egress *egress_of(const struct create *c)
{
	return c->plan.egress;
}

bool create_has_egress(const void *ctx)
{
	return egress_of(ctx);
}

bool create_has_veth(const void *ctx)
{
	const struct plan_egress *x = egress_of(ctx);

	return x && x->policy->net == EGRESS_NET_VETH;
}

bool create_has_connection(const void *ctx)
{
	const struct plan_egress *x = egress_of(ctx);

	return create_has_veth(ctx) || (x && x->policy->net == EGRESS_NET_PASTA);
}

/* --- before the child --------------------------------------------------------------------- */

/* Beside the child, where it is not needed before. */
int create_load_mnl(struct create *c, struct err *e)
{
	int r = c->has_mnl ? 0 : mnl_load(&c->mnl, e);

	c->has_mnl = r == 0;
	return r;
}

int create_claim_slot(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_egress *x = egress_of(c);

	if (create_load_mnl(c, e) < 0)
		return -e->code;
	/* The shell's, for all its generations. */
	if (c->before)
		return veth_slot_of(&x->veth, c->before->net_slot, &c->veth, e);
	return veth_claim(&x->veth, &c->mnl, create_directory(c), &c->veth, e);
}

/* What delete, which has no plan, takes it away by. */
void create_note_slot(struct create *c)
{
	const char **own = arena_array(c->arena, 2, sizeof(*own));
	struct brig_state *s = &c->state;

	own[0] = egress_address_text(c->arena, &c->veth.inside);
	if (c->veth.inside6.family)
		own[1] = egress_address_text(c->arena, &c->veth.inside6);
	s->net_directory = egress_of(c)->veth.directory;
	s->net_slot = c->veth.number;
	s->net_device = c->veth.device;
	s->net_addresses = own;
	s->n_net_addresses = own[1] ? 2 : 1;
}

void create_release_slot(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (c->before)
		return;
	if (veth_release(egress_of(c)->veth.directory, c->veth.number, create_directory(c), &e) < 0)
		log_warn("%s", e.msg);
}

/* --- its namespace ------------------------------------------------------------------------ */

/*
 * The child's own is there from its birth on; one that is joined was opened before.  A plain user
 * can open it only as long as the child is dumpable (ptrace(2), access checks).
 */
static int open_netns(struct create *c, struct err *e)
{
	const struct ns_plan *ns = &c->plan.ns;
	const char *path = arena_printf(c->arena, "/proc/%d/ns/net", (int)c->pid);

	if (ns->make & CLONE_NEWNET) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
	}
	for (size_t i = 0; i < ns->n_joins; i++)
		if (ns->joins[i].flag == CLONE_NEWNET) {
			int fd = fcntl(ns->joins[i].fd, F_DUPFD_CLOEXEC, 3);

			return fd < 0 ? err_set(e, errno, "network namespace") : fd;
		}
	return err_msg(e, EINVAL, "egress rules: a network namespace is required");
}

/*
 * A first process that has failed meanwhile takes its namespaces and its warden with it: what
 * failed here for want of them is not the reason.  It has told that before.
 */
static int blame_child(const struct create *c, struct err *e)
{
	(void)sync_reason(c->sync, e);
	return -e->code;
}

int create_open_netns(void *ctx, struct err *e)
{
	struct create *c = ctx;
	enum inside_owner owner;

	if (c->net_given)
		return 0;
	int r = open_netns(c, e);

	if (r < 0)
		return blame_child(c, e);
	c->netns = r;
	if (inside_owner(c->netns, &owner, e) < 0)
		return -e->code;
	c->state.netns_below = owner == INSIDE_BELOW;
	if (c->resolver.pid)
		return resolver_give(&c->resolver, c->netns, c->pidfd, e);
	if (owner == INSIDE_OURS)
		return 0;
	c->netns_userns = ioctl(c->netns, NS_GET_USERNS);
	return c->netns_userns < 0 ? err_set(e, errno, "owner of the network namespace") : 0;
}

/* --- connectivity --------------------------------------------------------------------------- */

int create_connect(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_egress *x = egress_of(c);

	if (c->net_given)
		return 0;
	if (c->resolver.pid)
		return resolver_await_network(&c->resolver, e);
	if (create_has_veth(c))
		return veth_make(&x->veth, &c->mnl, &c->veth, c->netns, x->policy->ipv6, e);
	const struct inside target = {.netns = c->netns, .userns = c->netns_userns};
	return pasta_start(x->pasta, &target, x->policy->ipv6, &c->pasta, e);
}

void create_disconnect(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	pasta_end(&c->pasta);
	if (create_has_veth(c) && veth_remove(&c->mnl, &c->veth, &e) < 0)
		log_warn("%s", e.msg);
}

/* --- rules ---------------------------------------------------------------------------------- */

/* Sockets of the sandbox's namespace, each for one purpose. */
enum { SOCK_RULES, SOCK_LOG, SOCK_UDP, SOCK_TCP, SOCK_ROUTE, SOCKS };

static void set_listener(struct inside_socket *s, int type)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};

	at.sin_addr.s_addr = htonl(NAMES_LISTEN_ADDRESS);
	*s = (struct inside_socket){
		.family = AF_INET,
		.type = type | SOCK_NONBLOCK,
		.bind_len = sizeof(at),
		.free_bind = true,
		.fd = -1,
	};
	memcpy(s->bind_to, &at, sizeof(at));
}

/* How many. */
static size_t set_sockets(const struct create *c, struct inside_socket *s)
{
	/* In a pod another container's name service may listen already. */
	bool names = egress_of(c)->policy->has_names && !egress_of(c)->shared;

	for (int i = SOCK_RULES; i <= SOCK_LOG; i++)
		s[i] = (struct inside_socket){
			.family = AF_NETLINK,
			.type = SOCK_RAW,
			.protocol = NETLINK_NETFILTER,
			.fd = -1,
		};
	set_listener(&s[SOCK_UDP], SOCK_DGRAM);
	set_listener(&s[SOCK_TCP], SOCK_STREAM);
	s[SOCK_ROUTE] = (struct inside_socket){
		.family = AF_NETLINK,
		.type = SOCK_RAW,
		.protocol = NETLINK_ROUTE,
		.fd = -1,
	};
	return names ? SOCK_ROUTE : SOCK_UDP;
}

static int open_sockets(struct create *c, struct inside_socket *s, struct err *e)
{
	const struct inside in = {.netns = c->netns, .userns = c->netns_userns};
	size_t n = set_sockets(c, s);
	int r = inside_sockets(&in, s, n, e);

	/* It is asked for the devices. */
	return r < 0 || !egress_of(c)->policy->netdev_egress
		       ? r
		       : inside_sockets(&in, &s[SOCK_ROUTE], 1, e);
}

static void close_sockets(struct inside_socket *s)
{
	for (int i = 0; i < SOCKS; i++)
		own_close(&s[i].fd);
}

/*
 * The rules of a pod's namespace are those of whoever came first: a container with other wishes is
 * refused, one without any lives with them.
 */
static int look_at_pod(struct create *c, int sock, struct err *e)
{
	const struct plan_egress *x = egress_of(c);
	const char *there;
	int r = rules_digest(c->arena, &c->mnl, sock, &there, e);

	if (r < 0 || !there)
		return r;
	/* Podman's infra container has no annotations: "deny all" is nobody's wish. */
	if (!*there && x->opens_pod)
		return 0;
	bool fits = x->takes_any || (x->asks_nothing && !*there);
	if (!fits && !str_eq(there, x->policy->digest))
		return err_msg(e, EEXIST,
			       "the network namespace has those of another policy "
			       "(%s, this one is %s): they belong on the pod, or on the container "
			       "that made it",
			       *there ? there : "deny all", x->policy->digest);
	if (x->policy->netdev_egress && !rules_has_netdev(&c->mnl, sock))
		return err_msg(e, EPERM,
			       "process: capabilities: CAP_NET_RAW: the rules of this network "
			       "namespace were made without it, packet sockets would not meet "
			       "them: drop it, or give it to the pod's first container, too");
	c->rules_were_there = true;
	return 0;
}

static int install(struct create *c, const struct inside_socket *s, struct err *e)
{
	const struct plan_egress *x = egress_of(c);
	struct rules_install how = {.policy = x->policy, .route = s[SOCK_ROUTE].fd};
	int sock = s[SOCK_RULES].fd;
	bool had;

	/* reset: those of the generation before, with what it has learned and counted. */
	bool stays = x->shared && !c->before;

	if (stays && look_at_pod(c, sock, e) < 0)
		return -e->code;
	if (x->shared && !c->rules_were_there && rules_check_foreign(&c->mnl, sock, e) < 0)
		return -e->code;
	/* Where rules are there and count not as such, they let nothing through: look_at_pod. */
	how.replace = x->opens_pod || (x->shared && c->before);
	return c->rules_were_there ? 0 : rules_install(&c->mnl, sock, &how, &had, e);
}

/* A pair between it and the warden, which gets its end here; *its stays -1 without a warden. */
static int pair_with_warden(struct create *c, int *its, struct err *e)
{
	int fds[2], r;

	*its = -1;
	if (!c->warden && !c->detached.pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, errno, "resolver: socketpair");
	own_fd int ours = fds[0];
	if (c->warden) {
		r = warden_flows(c->warden, ours, e);
		if (r == 0)
			(void)take_fd(&ours);
	} else {
		r = warden_detached_flows(&c->detached, ours, e);
	}
	if (r < 0)
		(void)close(fds[1]);
	else
		*its = fds[1];
	return r;
}

/* s: NULL, with early. */
static int start_resolver(struct create *c, const struct inside_socket *s,
			  const struct resolver_early *early, struct err *e)
{
	const struct plan_egress *x = egress_of(c);
	bool inside = x->policy->resolves_inside;
	own_fd int flows =
		x->flows ? open(x->flows,
				O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
				0600)
			 : -1;
	own_fd int told = -1;

	if (x->flows && flows < 0)
		return err_set(e, errno, "--flows %s", x->flows);
	if (pair_with_warden(c, &told, e) < 0)
		return -e->code;
	const struct resolver_plan p = {
		.early = early,
		.policy = x->policy,
		.warden = told,
		.dir = c->dir,
		.init = early ? -1 : c->pidfd,
		.nft = s ? s[SOCK_RULES].fd : -1,
		.log = s ? s[SOCK_LOG].fd : -1,
		.udp = s ? s[SOCK_UDP].fd : -1,
		.tcp = s ? s[SOCK_TCP].fd : -1,
		.upstream_netns = inside ? c->netns : -1,
		.upstream_userns = inside ? c->netns_userns : -1,
		.flows = flows,
		.pidns = c->detached.pidns,
		.pin = x->pin,
		.keeps_net_admin = inside || c->netns_userns < 0,
		.dies_with_maker = c->in_foreground,
		.waits_for_word = c->in_foreground && c->warden,
		.mnl = &c->mnl,
	};
	return resolver_start(&p, &c->resolver, e);
}

static int give_to_warden(struct create *c, struct err *e)
{
	if (c->warden)
		return warden_helper(c->warden, c->resolver.pidfd, e);
	return c->detached.pid ? warden_detached_helper(&c->detached, c->resolver.pidfd, e) : 0;
}

/*
 * In a pod the name service that is there goes on.  When nobody listens although the rules are
 * there, the one it was has ended with its container, and this one, of the same policy, takes over.
 */
static int join_names(struct create *c, struct inside_socket *s, bool *watched, struct err *e)
{
	const struct plan_egress *x = egress_of(c);
	const struct inside in = {.netns = c->netns, .userns = c->netns_userns};
	bool had;

	*watched = *watched && !c->rules_were_there;
	if (!x->policy->has_names || (c->rules_were_there && x->takes_any))
		return 0;
	int r = inside_sockets(&in, &s[SOCK_UDP], SOCK_ROUTE - SOCK_UDP, e);
	if (r == -EADDRINUSE && c->rules_were_there)
		return 0;
	*watched = true;
	/* What was granted to the other one later, learned by it and has run out was its own. */
	if (r == 0 && c->rules_were_there)
		r = rules_install(&c->mnl, s[SOCK_RULES].fd,
				  &(struct rules_install){.policy = x->policy,
							  .replace = true,
							  .route = s[SOCK_ROUTE].fd},
				  &had, e);
	return r;
}

/* What nobody else can have touched: the resolver gets ready while the rules are installed. */
static int secure_own(struct create *c, struct inside_socket *s, struct err *e)
{
	int r = plan_egress_watched(egress_of(c)) ? start_resolver(c, s, NULL, e) : 0;

	return r < 0 ? r : install(c, s, e);
}

static int secure_shared(struct create *c, struct inside_socket *s, struct err *e)
{
	bool watched = plan_egress_watched(egress_of(c));
	int r = install(c, s, e);

	if (r == 0)
		r = join_names(c, s, &watched, e);
	return r == 0 && watched ? start_resolver(c, s, NULL, e) : r;
}

/* --- the same by the resolver, beside everything else -------------------------------------- */

/* A namespace of its own, that is ours, in which nobody else has been. */
bool create_resolves_early(const void *ctx)
{
	const struct create *c = ctx;
	const struct plan_egress *x = egress_of(c);
	const struct ns_plan *ns = &c->plan.ns;

	return plan_egress_watched(x) && !x->shared && !c->before &&
	       (x->policy->net == EGRESS_NET_NONE || x->policy->net == EGRESS_NET_VETH) &&
	       c->plan.privileged && !c->plan.staged && ns->make & CLONE_NEWNET &&
	       !(ns->make & CLONE_NEWUSER);
}

/*
 * The namespace is there before the child, and the resolver needs to know nothing of that: it is a
 * foreground run's.
 */
bool create_gives_net(const struct create *c)
{
	return c->resolver.pid && c->in_foreground && c->warden && create_makes_net(c);
}

static int early_prepare(void *ctx, struct err *e)
{
	return create_load_mnl(ctx, e);
}

static int early_connect(void *ctx, int netns, struct err *e)
{
	struct create *c = ctx;
	const struct plan_egress *x = egress_of(c);

	return veth_make(&x->veth, &c->mnl, &c->veth, netns, x->policy->ipv6, e);
}

static int early_secure(void *ctx, struct resolver_sockets *out, struct err *e)
{
	struct create *c = ctx;
	struct inside_socket s[SOCKS];
	size_t n = set_sockets(c, s);
	int r = inside_sockets_here(s, n, e);

	if (r == 0 && egress_of(c)->policy->netdev_egress)
		r = inside_sockets_here(&s[SOCK_ROUTE], 1, e);
	*out = (struct resolver_sockets){
		.nft = s[SOCK_RULES].fd,
		.log = s[SOCK_LOG].fd,
		.udp = s[SOCK_UDP].fd,
		.tcp = s[SOCK_TCP].fd,
	};
	if (r == 0)
		r = install(c, s, e);
	own_close(&s[SOCK_ROUTE].fd);
	return r;
}

int create_resolver(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct resolver_early early = {
		.ctx = c,
		.prepare = early_prepare,
		.connect = create_has_veth(c) ? early_connect : NULL,
		.secure = early_secure,
	};

	return start_resolver(c, NULL, &early, e);
}

/* One step: what they share are sockets that nobody else needs. */
static int secure(struct create *c, struct err *e)
{
	struct inside_socket s[SOCKS] = {
		{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};
	int r = create_load_mnl(c, e);

	if (r == 0)
		r = open_sockets(c, s, e);
	if (r == 0)
		r = egress_of(c)->shared ? secure_shared(c, s, e) : secure_own(c, s, e);
	close_sockets(s);
	return r;
}

int create_rules(void *ctx, struct err *e)
{
	struct create *c = ctx;
	/* An early resolver is ready when the rules are. */
	int r = c->resolver.pid ? 0 : secure(c, e);

	/* A child that waited for it has heard it, or failed. */
	if (r == 0 && c->resolver.pid && !c->net_given)
		r = resolver_await(&c->resolver, e);
	if (r == 0 && c->resolver.pid)
		r = give_to_warden(c, e);
	if (r < 0) {
		resolver_end(&c->resolver);
		return blame_child(c, e);
	}
	c->state.resolver_pid = c->resolver.pid;
	c->state.resolver_start_time = c->resolver.pid ? process_start_time(c->resolver.pid) : 0;
	own_close(&c->netns);
	own_close(&c->netns_userns);
	return 0;
}

void create_rules_end(void *ctx)
{
	resolver_end(&((struct create *)ctx)->resolver);
}

int create_tell_network(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return c->net_given ? 0 : sync_send(c->sync, SYNC_NETWORK, e);
}
