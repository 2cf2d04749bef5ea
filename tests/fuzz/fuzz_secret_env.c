/* What --env-fd has: an error that tells nothing of it, or variables with a name, each name once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vars(const struct secrets *s, const char *text, size_t size)
{
	for (size_t i = 0; i < s->n_vars; i++) {
		const char *v = s->vars[i];
		size_t n = strcspn(v, "=");

		if (!v[n] || !n || v < text || v + strlen(v) > text + size)
			abort();
		for (size_t k = 0; k < i; k++)
			if (strncmp(s->vars[k], v, n + 1) == 0)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const before[] = {"A=1", "HOME=/", NULL};
	own_arena struct arena a = {0};
	struct secrets s = SECRETS_NONE;
	struct err e = {0};
	char *text = malloc(size + 1);
	size_t n = 0;

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = 'x';
	if (secrets_parse_env(&a, text, size, &s, &e) < 0) {
		if (!e.code || strncmp(e.msg, "--env-fd: ", 10) != 0 || strlen(e.msg) > 200)
			abort();
	} else {
		check_vars(&s, text, size);
		const char *const *env = secrets_env(&a, &s, before);
		while (env[n])
			n++;
		if (n < s.n_vars || n > s.n_vars + 2)
			abort();
	}
	free(text);
	return 0;
}
