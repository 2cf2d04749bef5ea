/* Grants asked for at a start: what they become, who may have them, what is left of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"
#include "policy/wishes.h"
#include "policy_fixture.h"

static char dir[] = "/tmp/brig-grants-XXXXXX";

static int hear(struct arena *a, struct policy *p, enum policy_source by, const char *text,
		struct err *e)
{
	const char *list[] = {text};
	const struct policy_wishes w = {.grants = list, .n_grants = 1};

	return wishes_merge(a, p, &w, by, NULL, e);
}

static const char *in_dir(struct arena *a, const char *name)
{
	return arena_printf(a, "filesystem:read:%s/%s", dir, name);
}

static void test_wishes(void)
{
	own_arena struct arena a = {0};
	struct policy p;
	struct policy_bounds bounds;
	struct err e = {0};

	CHECK(fixture_policy(&a, "high", true, &p, &e) == 0);
	CHECK(hear(&a, &p, BY_FLAG, "filesystem:write:/data:1M", &e) == 0);
	CHECK(policy_writable(&p.level, "/data", &bounds) && bounds.size == 1 << 20);
	CHECK(hear(&a, &p, BY_ANNOTATION, "filesystem:write:/more:1T", &e) == 0);
	CHECK(policy_writable(&p.level, "/more", &bounds) && bounds.size == 128 << 20);
	CHECK(hear(&a, &p, BY_FLAG, "memory:limit:64M", &e) == 0);
	CHECK(*p.level.direct.memory == 64 << 20);
	CHECK(hear(&a, &p, BY_ANNOTATION, "cpu:limit:50%", &e) == 0);
	CHECK(*p.level.direct.cpu == 500);
	CHECK(hear(&a, &p, BY_FLAG, "network:api.example.org ttl=30s", &e) == 0);
	CHECK(p.network.n_grants == 1 && p.network.grants[0].ttl_ms == 30000);
	CHECK(p.n_grants == 5 && !p.grants[4].denied);
	CHECK(hear(&a, &p, BY_FLAG, "memory:limit:32M ttl=1s", &e) == 0);
	CHECK(*p.level.direct.memory == 64 << 20 && policy_has_timed(&p));
	CHECK(hear(&a, &p, BY_FLAG, "exec:deny ttl=1s", &e) == -EPERM);
	CHECK(hear(&a, &p, BY_FLAG, "rubbish", &e) == -EPERM && strstr(e.msg, "--grant"));
}

static void test_custom(void)
{
	own_arena struct arena a = {0};
	struct policy p;
	struct err e = {0};

	CHECK(fixture_policy(&a, "custom", true, &p, &e) == 0);
	CHECK(hear(&a, &p, BY_FLAG, "memory:limit:64M", &e) == 0);
	CHECK(hear(&a, &p, BY_FLAG, "network:api.example.org", &e) == 0);
	CHECK(hear(&a, &p, BY_FLAG, "exec:deny", &e) == -EPERM);
	CHECK(hear(&a, &p, BY_FLAG, "filesystem:read:/etc", &e) == -EPERM);
	CHECK(hear(&a, &p, BY_FLAG, "memory:limit:64M ttl=1s", &e) == -EPERM);
}

static void test_exec(void)
{
	own_arena struct arena a = {0};
	struct policy p, again;
	struct err e = {0};
	size_t len;

	CHECK(fixture_policy(&a, "standard", true, &p, &e) == 0 && !p.exec.limited);
	CHECK(hear(&a, &p, BY_FLAG, "exec:allow:/usr/bin", &e) == 0);
	CHECK(p.exec.limited && p.exec.n_allow == 1);
	/* who comes later takes of it and adds nothing */
	CHECK(hear(&a, &p, BY_DOCUMENT, "exec:allow:/usr/bin/env", &e) == 0);
	CHECK(p.exec.n_allow == 1 && str_eq(p.exec.allow[0], "/usr/bin/env"));
	CHECK(hear(&a, &p, BY_ANNOTATION, "exec:allow:/bin", &e) == 0);
	CHECK(p.exec.limited && p.exec.n_allow == 0);
	p.level.summary = NULL;
	admin_defaults(&p.admin);
	p.digest = policy_digest(&a, &p.level);
	const char *text = policy_print(&a, &p, &len);
	CHECK(policy_parse(&a, text, len, &again, &e) == 0);
	CHECK(again.exec.limited && again.exec.n_allow == 0);
	p.exec = (struct policy_exec){0};
	text = policy_print(&a, &p, &len);
	CHECK(policy_parse(&a, text, len, &again, &e) == 0 && !again.exec.limited);
}

static int opens(const char *path, bool tenant, const struct admin *admin)
{
	own_arena struct arena a = {0};
	const struct policy_facts f = {.state_root = arena_printf(&a, "%s/state", dir),
				       .audit_directory = arena_printf(&a, "%s/audit", dir)};
	struct policy_host_path out;
	struct err e = {0};
	int r = policy_host_open(&a, admin, &f, path, tenant, &out, &e);

	CHECK(r == 0 ? out.fd >= 0 : out.fd < 0 && e.code && e.msg[0]);
	own_close(&out.fd);
	return r;
}

static void test_host_paths(void)
{
	own_arena struct arena a = {0};
	const char *paths[] = {arena_printf(&a, "%s/tenants", dir)};
	const struct admin none =
				   {
					   0
        },
			   some = {.grants = {.paths = paths, .n_paths = 1}};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sock", dir);
	CHECK(bind(sock, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	CHECK(mkdir(arena_printf(&a, "%s/state", dir), 0700) == 0);
	CHECK(mkdir(arena_printf(&a, "%s/audit", dir), 0700) == 0);
	CHECK(mkdir(arena_printf(&a, "%s/docs", dir), 0755) == 0);
	CHECK(mkdir(paths[0], 0755) == 0);
	CHECK(mkfifo(arena_printf(&a, "%s/fifo", dir), 0644) == 0);
	CHECK(symlink("/proc/self", arena_printf(&a, "%s/proc", dir)) == 0);
	CHECK(symlink("../docs", arena_printf(&a, "%s/out", paths[0])) == 0);
	CHECK(opens(arena_printf(&a, "%s/docs", dir), false, &none) == 0);
	CHECK(opens(arena_printf(&a, "%s/docs", dir), true, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/docs", dir), true, &some) == -EPERM);
	CHECK(opens(paths[0], true, &some) == 0);
	CHECK(opens(arena_printf(&a, "%s/out", paths[0]), true, &some) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/out", paths[0]), false, &some) == 0);
	CHECK(opens(dir, false, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/state", dir), false, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/audit", dir), false, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/sock", dir), false, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/fifo", dir), false, &none) == -EPERM);
	CHECK(opens(arena_printf(&a, "%s/proc", dir), false, &none) == -EPERM);
	CHECK(opens("/", false, &none) == -EPERM);
	CHECK(opens("/dev/null", false, &none) == -EPERM);
	CHECK(opens("/proc/self/root", false, &none) < 0);
	CHECK(opens("/nonexistent", false, &none) == -ENOENT);
}

static void test_mounts(void)
{
	own_arena struct arena a = {0};
	struct policy p;
	struct policy_facts f = fixture_facts();
	static const struct oci_namespace own[] = {
		{"pid",     NULL},
                {"mount",   NULL},
                {"network", NULL}
        };
	const struct oci_linux l = {.namespaces = own, .n_namespaces = LEN(own)};
	struct oci_config c = {.linux_ = &l};
	struct err e = {0};

	CHECK(fixture_policy(&a, "high", true, &p, &e) == 0);
	CHECK(hear(&a, &p, BY_FLAG, in_dir(&a, "docs"), &e) == 0);
	CHECK(hear(&a, &p, BY_ANNOTATION, in_dir(&a, "tenants"), &e) == 0);
	CHECK(policy_apply(&a, &p, &f, &c, &e) == 0);
	const struct oci_mount *m = fixture_mount(&c, arena_printf(&a, "%s/docs", dir));
	CHECK(m && str_eq(m->source, arena_printf(&a, "%s/docs", dir)));
	bool ro = false, is = false;
	for (size_t i = 0; m && i < m->n_options; i++) {
		ro = ro || str_eq(m->options[i], "ro");
		is = is || str_starts(m->options[i], "brig.is=");
	}
	CHECK(ro && is);
	CHECK(!fixture_mount(&c, arena_printf(&a, "%s/tenants", dir)));
	CHECK(!p.grants[0].denied && p.grants[1].denied);
	CHECK(strstr(p.grants[1].denied, "grants.paths"));
}

static void test_document(void)
{
	own_arena struct arena a = {0};
	struct policy_wishes w;
	struct err e = {0};

	w = (struct policy_wishes){0};
	CHECK(wish_grants(&a, "[\"exec:deny\",\"memory:limit:1G\"]", &w, &e) == 0);
	CHECK(w.n_grants == 2 && str_eq(w.grants[1], "memory:limit:1G"));
	CHECK(wish_grants(&a, "\"exec:deny\"", &w, &e) < 0);
	CHECK(wish_grants(&a, "[1]", &w, &e) < 0);
	CHECK(wish_grants(&a, "[],\"x\":[]", &w, &e) < 0);
}

int main(void)
{
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return 1;
	test_wishes();
	test_custom();
	test_exec();
	test_host_paths();
	test_mounts();
	test_document();
	struct err e;
	if (file_remove_tree(AT_FDCWD, dir, &e) < 0)
		return 1;
	return check_done();
}
