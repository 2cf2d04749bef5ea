#include "net/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/conf.h"

enum { MAX_BYTES = 1 << 20 };

static const char *path_of(struct arena *a, const char *directory, int family)
{
	return arena_printf(a, "%s/opened%d", directory, family);
}

static bool has(const struct routes_devices *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->names[i], name))
			return true;
	return false;
}

/* What could lead out of the directory of settings is none (dev_valid_name). */
static bool is_name(const char *name)
{
	return strlen(name) < IFNAMSIZ && !strchr(name, '/') && !str_eq(name, ".") &&
	       !str_eq(name, "..");
}

int opened_add_to(struct arena *a, const char *directory, int family, const char *setting,
		  struct routes_devices *io, struct err *e)
{
	char *text, *save = NULL;
	size_t len, lines = 0;
	int r = file_read(a, AT_FDCWD, path_of(a, directory, family), MAX_BYTES, &text, &len, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	const char **all = arena_array(a, io->n + lines + 1, sizeof(*all));

	if (io->n)
		memcpy(all, io->names, io->n * sizeof(*all));
	io->names = all;
	for (char *name = strtok_r(text, "\n", &save); name; name = strtok_r(NULL, "\n", &save))
		if (is_name(name) && !has(io, name) && conf_is(name, family, setting, "1"))
			all[io->n++] = name;
	return 0;
}

int opened_record(const char *directory, int family, const struct routes_devices *d, struct err *e)
{
	own_arena struct arena a = {0};
	const char *path = path_of(&a, directory, family), *text = "";

	if (!d->n)
		return 0;
	for (size_t i = 0; i < d->n; i++)
		text = arena_printf(&a, "%s%s\n", text, d->names[i]);
	own_fd int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	int r = file_write_all(fd, text, strlen(text));
	return r < 0 ? err_set(e, -r, "write %s", path) : 0;
}

int opened_forget(const char *directory, int family, struct err *e)
{
	own_arena struct arena a = {0};
	const char *path = path_of(&a, directory, family);

	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s", path);
	return 0;
}
