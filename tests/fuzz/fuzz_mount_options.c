/* Option strings, one a line, and a destination: whatever comes, a plan or an error. */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "fs/fs.h"
#include "fs/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_WORDS = 64 };

/* What mount_setattr(2) would refuse must never come out of the table. */
static void check_attrs(const struct fs_attrs *at)
{
	const uint64_t known = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			       MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME |
			       MOUNT_ATTR_NOSYMFOLLOW;

	if ((at->set | at->clear) & ~known)
		abort();
	if ((at->set & MOUNT_ATTR__ATIME) && (at->clear & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
		abort();
	if (at->set & at->clear & ~(uint64_t)MOUNT_ATTR__ATIME)
		abort();
}

static size_t split(char *text, const char **words)
{
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(text, "\n", &save); w && n < MAX_WORDS;
	     w = strtok_r(NULL, "\n", &save))
		words[n++] = w;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	const char *words[MAX_WORDS] = {NULL};
	size_t n = split(arena_strndup(&a, (const char *)data, size), words);
	struct fs_options o;
	struct err e = {0};

	if (fs_options_parse(&a, words, n, &o, &e) == 0) {
		check_attrs(&o.attrs);
		check_attrs(&o.recursive);
		for (size_t i = 0; i < o.n_data; i++)
			if (!o.data[i].key)
				abort();
	} else if (!e.code || !e.msg[0]) {
		abort();
	}
	struct oci_mount m = {.destination = n ? words[0] : "",
			      .type = n > 1 ? words[1] : "tmpfs",
			      .source = n > 2 ? words[2] : NULL,
			      .options = words,
			      .n_options = n};
	struct oci_root root = {.path = "/"};
	struct oci_config config = {.root = &root, .mounts = &m, .n_mounts = 1};
	struct fs_request req = {.config = &config, .bundle = "/", .own_mount_ns = true};
	const struct fs_plan *p;
	if (fs_plan_make(&a, &req, &p, &e) < 0 && (!e.code || !e.msg[0]))
		abort();
	return 0;
}
