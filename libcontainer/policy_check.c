/* `policy check`: is a file what it should be, before a container is refused because of it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "plan_seccomp.h"
#include "policy/levels.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "specs/admin.h"
#include "specs/json.h"
#include "specs/learned.h"
#include "specs/policy_doc.h"

#define SUFFIX ".json"

struct file {
	struct arena *a;
	const struct container_host *host;
	const char *path, *text;
	size_t len;
};

/* The directory of the file stands for the administrator's: levels extend their neighbours. */
static int check_level(const struct file *f, struct err *e)
{
	const char *slash = strrchr(f->path, '/');
	const char *name = slash ? slash + 1 : f->path;
	struct admin ad = {0};
	struct level l;

	if (!str_ends(name, SUFFIX))
		return err_msg(e, EINVAL, "%s: a level's file is called NAME.json", f->path);
	name = arena_strndup(f->a, name, strlen(name) - strlen(SUFFIX));
	if (level_name_check(name, e) < 0)
		return err_wrap(e, "%s", f->path);
	if (level_is_embedded(name))
		return err_msg(e, EEXIST, "%s: level \"%s\" is built in and cannot be replaced",
			       f->path, name);
	ad.levels = !slash             ? "."
		    : slash == f->path ? "/"
				       : arena_strndup(f->a, f->path, (size_t)(slash - f->path));
	return policy_level_load(f->a, &ad, name, &l, e);
}

static int check_system(const struct file *f, struct err *e)
{
	const struct policy_request req = {.system_config = f->path};
	struct policy p;

	return policy_resolve(f->a, &req, &p, e);
}

static int check_document(const struct file *f, struct err *e)
{
	struct policy_wishes wishes;
	struct policy_doc doc;
	const struct policy_request req = {
		.flag_level = f->host->level,
		.system_config = f->host->system_config,
		.document = &wishes,
		.direct = true,
	};
	struct policy p;

	if (policy_doc_load(f->a, f->path, &doc, e) < 0 ||
	    policy_wishes_document(f->a, &doc, &wishes, e) < 0)
		return -e->code;
	return policy_resolve(f->a, &req, &p, e);
}

static int check_config(const struct file *f, struct err *e)
{
	struct oci_config c;
	const struct policy_request req = {
		.flag_level = f->host->level,
		.system_config = f->host->system_config,
		.config = &c,
	};
	struct policy p;

	if (oci_config_parse(f->a, f->text, f->len, &c, e) < 0)
		return err_wrap(e, "%s", f->path);
	return policy_resolve(f->a, &req, &p, e);
}

/* What `policy learn` wrote, or somebody for --seccomp. */
static int check_profile(const struct file *f, struct err *e)
{
	struct seccomp_program p = {0};

	struct plan_profile text;

	return plan_seccomp_file(f->a, f->path, &p, &text, e);
}

static int check_learned(const struct file *f, struct err *e)
{
	struct brig_learned l;

	return learned_parse(f->a, f->text, f->len, &l, e) < 0 ? err_wrap(e, "%s", f->path) : 0;
}

/* In this order: a text with the word, or one of the members, is taken for that kind of file. */
static const struct kind {
	const char *name, *word;
	const struct json_type *(*type)(void);
	int (*check)(const struct file *f, struct err *e);
} kinds[] = {
	{"config",   "ociVersion",    NULL,            check_config  },
	{"learned",  "calls",         NULL,            check_learned },
	{"seccomp",  "defaultAction", NULL,            check_profile },
	{"level",    "extends",       NULL,            check_level   },
	{"document", NULL,            policy_doc_type, check_document},
	{"system",   NULL,            admin_type,      check_system  },
};

static bool has_name(const struct file *f, const char *name)
{
	return strstr(f->text, arena_printf(f->a, "\"%s\"", name));
}

static bool has_member(const struct file *f, const struct json_type *t)
{
	for (size_t i = 0; i < t->n_fields; i++)
		if (!str_eq(t->fields[i].name, "v") && has_name(f, t->fields[i].name))
			return true;
	return false;
}

static const struct kind *kind_of(const struct file *f)
{
	for (size_t i = 0; i < LEN(kinds); i++)
		if (kinds[i].word ? has_name(f, kinds[i].word) : has_member(f, kinds[i].type()))
			return &kinds[i];
	return NULL;
}

int container_policy_check(const struct container_host *h, const char *path, struct arena *a,
			   const char **kind, struct err *e)
{
	struct file f = {.a = a, .host = h, .path = path};
	char *text;

	*kind = NULL;
	int r = file_read(a, AT_FDCWD, path, OCI_MAX_BYTES, &text, &f.len, e);
	if (r < 0)
		return r;
	f.text = text;
	const struct kind *k = kind_of(&f);
	if (!k)
		return err_msg(
			e, EINVAL,
			"%s: no level, no brig.json, no platform document, no config.json, no "
			"system call profile, nothing learned",
			path);
	*kind = k->name;
	return k->check(&f, e);
}
