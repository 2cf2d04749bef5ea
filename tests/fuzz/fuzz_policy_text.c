/*
 * The text of a level's policy: whatever it says, the parser ends with a policy or an error, and
 * what a policy becomes is a program that the kernel would take.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "guard/bpfcheck.h"
#include "guard/levelc/levelc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_include(void *ctx, struct arena *a, const char *name, char **text, size_t *len,
			struct err *e)
{
	(void)ctx; /* one file, which includes itself and another */
	if (!str_eq(name, "x.inc"))
		return err_set(e, ENOENT, "open %s", name);
	*text = arena_strdup(a, "include x.inc\ngroup io: read write\ndefine FOUR 4\n");
	*len = strlen(*text);
	return 0;
}

/* One run of the program for each number, with arguments from the input. */
static void run(const struct sock_filter *insns, size_t n, const uint8_t *data, size_t size)
{
	struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64};

	memcpy(d.args, data, size < sizeof(d.args) ? size : sizeof(d.args));
	for (d.nr = 0; d.nr < 16; d.nr++)
		(void)bpf_run(insns, n, &d); /* it must end, in bounds */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char table_text[] = "0 read\n1 write\n7 socket\n8 ioctl\n9 clone\n";
	struct arena a = {0};
	struct levelc_table table;
	const struct levelc_table *const tables[] = {&table};
	struct answers *answers = arena_new(&a, sizeof(*answers));
	struct sock_filter *insns;
	struct pol p;
	struct err e;
	size_t n;

	if (levelc_table_parse(&a, "own", table_text, sizeof(table_text) - 1, &table, &e) < 0)
		abort();
	if (levelc_parse(&a, "input", (const char *)data, size, open_include, NULL, &p, &e) == 0 &&
	    levelc_resolve(&a, &p, tables, 1, 0, size & 1, answers, &e) == 0 &&
	    levelc_generate(&a, answers, AUDIT_ARCH_X86_64, true, size & 2, &insns, &n, &e) == 0) {
		if (bpf_validate(insns, n, &e) < 0)
			abort();
		run(insns, n, data, size);
	}
	/* The same bytes as a table. */
	if (levelc_table_parse(&a, "input", (const char *)data, size, &table, &e) == 0 &&
	    table.end > LEVELC_MAX_NR)
		abort();
	arena_free(&a);
	return 0;
}
