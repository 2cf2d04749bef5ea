/* A platform's document: an error, or one that prints and reads back the same, and as wishes is
 * an error again or within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/rank.h"
#include "specs/policy_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct err e = {0};
	struct policy_doc first, second;
	struct policy_wishes w;
	size_t len, again;

	if (policy_doc_parse(&a, (const char *)data, size, &first, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	const char *text = policy_doc_print(&a, &first, &len);
	if (policy_doc_parse(&a, text, len, &second, &e) < 0)
		abort();
	const char *same = policy_doc_print(&a, &second, &again);
	if (len != again || memcmp(text, same, len) != 0)
		abort();
	if (policy_wishes_document(&a, &first, &w, &e) < 0)
		return 0;
	for (size_t i = 0; i < w.n_write; i++)
		if (level_path_check(w.write[i].path, &e) < 0)
			abort();
	if ((w.memory && *w.memory < 0) || (w.cpus && !(*w.cpus > 0)))
		abort();
	return 0;
}
