/*
 * brig-levelc DIRECTORY: reads profiles/seccomp and writes the C source of every level's filter
 * for both architectures.  It runs when brig is built and is not installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "guard/levelc/set.h"

static int dir_open(void *ctx, struct arena *a, const char *name, char **text, size_t *len,
		    struct err *e)
{
	const int *dir = ctx;

	return file_read(a, *dir, name, 1 << 20, text, len, e);
}

/* Equal programs are written once: the place of the first. */
static size_t first_like(const struct levelc_program *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (list[k].n == list[i].n &&
		    !memcmp(list[k].insns, list[i].insns, list[i].n * sizeof(*list[i].insns)))
			return k;
	return i;
}

static void print_word(const char *word)
{
	if (word)
		printf("\"%s\", ", word);
	else
		printf("NULL, ");
}

static void print_programs(const struct levelc_set *s)
{
	for (size_t i = 0; i < s->n_programs; i++) {
		const struct levelc_program *p = &s->programs[i];

		if (first_like(s->programs, i) != i)
			continue;
		printf("static const struct sock_filter program_%zu[] = {\n", i);
		for (size_t k = 0; k < p->n; k++)
			printf("\t{0x%02x, %u, %u, 0x%x},\n", p->insns[k].code, p->insns[k].jt,
			       p->insns[k].jf, p->insns[k].k);
		printf("};\n");
	}
	printf("const struct level_filter level_filters[] = {\n");
	for (size_t i = 0; i < s->n_programs; i++) {
		const struct levelc_program *p = &s->programs[i];

		printf("\t{");
		print_word(p->policy);
		print_word(p->language);
		printf("%d, %d, program_%zu, %zu},\n", p->network, p->notify,
		       first_like(s->programs, i), p->n);
	}
	printf("};\nconst size_t level_filters_count = %zu;\n", s->n_programs);
}

/* One text and 16-bit offsets: pointers would have to be relocated at every start. */
static void print_names(const struct levelc_table *t)
{
	size_t offset = 1;

	printf("const char level_filter_names[] = \"\\0\"\n");
	for (uint32_t i = 0; i < t->end; i++)
		if (t->names[i])
			printf("\t\"%s\\0\"\n", t->names[i]);
	printf("\t;\nconst unsigned short level_filter_name_at[] = {\n");
	for (uint32_t i = 0; i < t->end; i++) {
		printf("\t%zu,\n", t->names[i] ? offset : 0);
		offset += t->names[i] ? strlen(t->names[i]) + 1 : 0;
	}
	printf("};\nconst size_t level_filter_name_count = %u;\n", t->end);
}

static void print_languages(const struct levelc_set *s)
{
	printf("const struct level_language level_languages[] = {\n");
	for (size_t i = 0; i < s->n_languages; i++)
		printf("\t{\"%s\", %d},\n", s->languages[i].name, s->languages[i].mdwe);
	printf("};\nconst size_t level_languages_count = %zu;\n", s->n_languages);
	printf("const char *const level_language_names[] = {");
	for (size_t i = 0; i < s->n_languages; i++)
		print_word(s->languages[i].name);
	printf("NULL};\n");
}

int main(int argc, char **argv)
{
	own_arena struct arena a = {0};
	struct err e;

	own_fd int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0) {
		fprintf(stderr, "usage: brig-levelc DIRECTORY\n");
		return 2;
	}
	printf("/* Made by brig-levelc from profiles/seccomp. */\n"
	       "#include \"guard/level_filter_data.h\"\n\n");
	for (size_t arch = 0; arch < LEVELC_ARCHES; arch++) {
		struct levelc_set s;

		if (levelc_set_make(&a, arch, dir_open, &dir, &s, &e) < 0) {
			fprintf(stderr, "%s: %s\n", argv[1], e.msg);
			return 1;
		}
		printf("#if defined(%s)\n", levelc_arches[arch].macro);
		print_programs(&s);
		print_names(&s.table);
		print_languages(&s);
		printf("#endif\n");
	}
	if (fflush(stdout) != 0) {
		perror("brig-levelc");
		return 1;
	}
	return 0;
}
