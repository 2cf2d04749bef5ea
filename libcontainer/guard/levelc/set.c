/* All programs of one architecture. */
#include "guard/levelc/set.h"

#include <errno.h>
#include <linux/audit.h>

#include "base/own.h"

const struct levelc_arch levelc_arches[LEVELC_ARCHES] = {
	{"x86-64.tbl", "__x86_64__",  AUDIT_ARCH_X86_64,  true },
	{"arm64.tbl",  "__aarch64__", AUDIT_ARCH_AARCH64, false},
};
const char *const levelc_policies[] = {"standard", "high", NULL};
const char *const levelc_languages[] = {"python", "node", "shell", "native", "jvm", NULL};

struct maker {
	struct arena *a;
	levelc_open *opener;
	void *ctx;
	size_t arch;
	struct levelc_table tables[LEVELC_ARCHES];
	const struct levelc_table *list[LEVELC_ARCHES];
	struct levelc_set *out;
	struct err *e;
};

static int read_tables(struct maker *m)
{
	for (size_t i = 0; i < LEVELC_ARCHES; i++) {
		char *text = NULL;
		size_t len = 0;

		if (m->opener(m->ctx, m->a, levelc_arches[i].table, &text, &len, m->e) < 0 ||
		    levelc_table_parse(m->a, levelc_arches[i].table, text, len, &m->tables[i],
				       m->e) < 0)
			return -m->e->code;
		m->list[i] = &m->tables[i];
	}
	m->out->table = m->tables[m->arch];
	return 0;
}

static int read_policy(struct maker *m, const char *name, struct pol *out)
{
	char *file = arena_printf(m->a, "%s.pol", name), *text = NULL;
	size_t len = 0;

	if (m->opener(m->ctx, m->a, file, &text, &len, m->e) < 0)
		return -m->e->code;
	return levelc_parse(m->a, file, text, len, m->opener, m->ctx, out, m->e);
}

static int add_program(struct maker *m, const struct pol *level, const struct pol *language,
		       bool network, bool notify)
{
	const struct levelc_arch *arch = &levelc_arches[m->arch];
	struct answers *answers = arena_new(m->a, sizeof(*answers)), *narrow;
	struct levelc_program *p = &m->out->programs[m->out->n_programs];

	if (m->out->n_programs == LEN(m->out->programs))
		return err_msg(m->e, E2BIG, "too many programs");
	if (levelc_resolve(m->a, level, m->list, LEN(m->list), m->arch, network, answers, m->e) < 0)
		return -m->e->code;
	if (language) {
		narrow = arena_new(m->a, sizeof(*narrow));
		if (levelc_resolve(m->a, language, m->list, LEN(m->list), m->arch, network, narrow,
				   m->e) < 0)
			return -m->e->code;
		levelc_narrow(m->a, answers, narrow);
	}
	*p = (struct levelc_program){
		.policy = level->name,
		.language = language ? language->name : NULL,
		.network = network,
		.notify = notify,
		.answers = answers,
	};
	m->out->n_programs++;
	return levelc_generate(m->a, answers, arch->audit, arch->x32, notify, &p->insns, &p->n,
			       m->e);
}

static int add_variants(struct maker *m, const struct pol *level, const struct pol *language)
{
	for (int v = 0; v < 4; v++)
		if (add_program(m, level, language, v & 1, v & 2) < 0)
			return err_wrap(m->e, "%s%s%s", level->name, language ? " + " : "",
					language ? language->name : "");
	return 0;
}

int levelc_set_make(struct arena *a, size_t arch, levelc_open *opener, void *ctx,
		    struct levelc_set *out, struct err *e)
{
	struct maker *m = arena_new(a, sizeof(*m));

	*m = (struct maker){.a = a, .opener = opener, .ctx = ctx, .arch = arch, .out = out, .e = e};
	*out = (struct levelc_set){0};
	if (read_tables(m) < 0)
		return -e->code;
	for (const char *const *name = levelc_languages; *name; name++) {
		if (out->n_languages == LEN(out->languages))
			return err_msg(e, E2BIG, "too many languages");
		if (read_policy(m, *name, &out->languages[out->n_languages++]) < 0)
			return -e->code;
	}
	for (const char *const *name = levelc_policies; *name; name++) {
		struct pol level;

		if (read_policy(m, *name, &level) < 0 || add_variants(m, &level, NULL) < 0)
			return -e->code;
		for (size_t i = 0; i < out->n_languages; i++)
			if (add_variants(m, &level, &out->languages[i]) < 0)
				return -e->code;
	}
	return 0;
}
