#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

/* Each part with a byte behind it: that one is read, too, shows that there was too much. */
enum { PART = SECRET_MAX_BYTES + 1, MEMORY = 2 * PART, VARS = 4096 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789._-";

/* --- which descriptors -------------------------------------------------------------------- */

static int check_fd(const char *option, int fd, unsigned int preserved, struct err *e)
{
	int descriptor = fcntl(fd, F_GETFD), flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
		return err_msg(e, EBADF, "%s: descriptor %d is for output", option, fd);
	/* What survived our own execve has no CLOEXEC; what brig opened has. */
	if (descriptor < 0 || descriptor & FD_CLOEXEC || fstat(fd, &st) < 0)
		return err_msg(e, EBADF, "%s: descriptor %d is not open", option, fd);
	if (S_ISDIR(st.st_mode))
		return err_msg(e, EISDIR, "%s: descriptor %d is a directory", option, fd);
	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_WRONLY)
		return err_msg(e, EBADF, "%s: descriptor %d is not open for reading", option, fd);
	if (fd > STDERR_FILENO && (unsigned int)fd < 3 + preserved)
		return err_msg(e, EBADF,
			       "%s: descriptor %d is passed on to the program (preserve-fds)",
			       option, fd);
	return 0;
}

static bool is_taken(const struct secrets *s, int fd)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->fds[i] == fd)
			return true;
	return s->env == fd;
}

static bool is_name(const char *s, size_t n)
{
	if (!n || n > SECRET_NAME_MAX || (s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.'))))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strchr(letters, s[i]) && !strchr(digits, s[i]))
			return false;
	return true;
}

static bool is_file(const struct secrets *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->files[i].name, name, len) == 0 && s->files[i].name[len] == '=')
			return true;
	return false;
}

/* The name stands before "=" in what the option gave, until it is read. */
static int add_file(struct secrets *s, const char *text, unsigned int preserved, struct err *e)
{
	const char *equals = strrchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;
	uint32_t fd;

	if (!equals || !is_name(text, len))
		return err_msg(
			e, EINVAL,
			"--secret: not NAME=FD with a name of 1 to %d letters, digits and . _ -",
			SECRET_NAME_MAX);
	if (!str_u32(equals + 1, &fd) || fd > INT32_MAX)
		return err_msg(e, EINVAL, "--secret %.*s: not the number of a descriptor", (int)len,
			       text);
	if (is_file(s, text, len))
		return err_msg(e, EINVAL, "--secret %.*s is given twice", (int)len, text);
	if (s->n == SECRET_FILES)
		return err_msg(e, E2BIG, "--secret: more than %d", SECRET_FILES);
	if (is_taken(s, (int)fd))
		return err_msg(e, EINVAL, "--secret %.*s: descriptor %u is taken already", (int)len,
			       text, fd);
	if (check_fd("--secret", (int)fd, preserved, e) < 0)
		return -e->code;
	s->fds[s->n] = (int)fd;
	s->files[s->n++].name = text;
	return 0;
}

int secrets_open(const uint64_t *env_fd, const char *const *list, size_t n, unsigned int preserved,
		 struct secrets *out, struct err *e)
{
	struct secrets s = SECRETS_NONE;

	*out = s;
	if (env_fd && *env_fd > INT32_MAX)
		return err_msg(e, EBADF, "--env-fd: not the number of a descriptor");
	if (env_fd && check_fd("--env-fd", (int)*env_fd, preserved, e) < 0)
		return -e->code;
	if (env_fd)
		s.env = (int)*env_fd;
	for (size_t i = 0; i < n; i++)
		if (add_file(&s, list[i], preserved, e) < 0)
			return -e->code;
	*out = s;
	return 0;
}

bool secrets_any(const struct secrets *s)
{
	return s->env >= 0 || s->n;
}

size_t secrets_keep(const struct secrets *s, int also, int keep[SECRET_KEEPS])
{
	size_t n = 0;

	keep[n++] = also;
	keep[n++] = s->env;
	for (size_t i = 0; i < s->n; i++)
		keep[n++] = s->fds[i];
	return n;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Until its end, or it is more than room.  -errno without a message. */
static ssize_t read_all(int fd, char *to, size_t room)
{
	size_t used = 0;

	while (used < room) {
		ssize_t n = read(fd, to + used, room - used);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLIN};

			(void)poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* The workload must not have it; 0 is not to become something else that is opened. */
static int drop(int *fd, struct err *e)
{
	int old = *fd;

	*fd = -1;
	if (old != STDIN_FILENO) {
		(void)close(old);
		return 0;
	}
	own_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return err_set(e, errno, "/dev/null for standard input");
	return 0;
}

static int make_memory(struct secrets *s, struct err *e)
{
	char *m = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return err_set(e, errno, "memory for secrets");
	s->memory = m;
	/* Best effort: a plain user may lock little, and an older kernel knows less. */
	(void)mlock2(m, MEMORY, MLOCK_ONFAULT);
	if (madvise(m, MEMORY, MADV_DONTDUMP) < 0 || madvise(m, MEMORY, MADV_DONTFORK) < 0)
		return err_set(e, errno, "memory for secrets");
	return 0;
}

static int read_files(struct arena *a, struct secrets *s, struct err *e)
{
	char *at = s->memory + PART;
	size_t used = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct fs_file *f = &s->files[i];

		f->name = arena_strndup(a, f->name, (size_t)(strrchr(f->name, '=') - f->name));
		ssize_t n = read_all(s->fds[i], at + used, PART - used);
		s->used_files = used + (n > 0 ? (size_t)n : 0);
		if (n < 0)
			return err_set(e, (int)-n, "--secret %s: read descriptor %d", f->name,
				       s->fds[i]);
		if (n == 0)
			return err_msg(e, EINVAL, "--secret %s: there is nothing in it", f->name);
		if (used + (size_t)n > SECRET_MAX_BYTES)
			return err_msg(e, E2BIG, "--secret %s: all of them are more than %d bytes",
				       f->name, SECRET_MAX_BYTES);
		f->data = at + used;
		f->len = (size_t)n;
		used += (size_t)n;
		if (drop(&s->fds[i], e) < 0)
			return -e->code;
	}
	return 0;
}

/* --- the environment ---------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n + 1) == 0;
}

/* The later one of a name wins. */
static void set_var(struct secrets *s, const char *var)
{
	for (size_t i = 0; i < s->n_vars; i++)
		if (same_name(s->vars[i], var)) {
			s->vars[i] = var;
			return;
		}
	s->vars[s->n_vars++] = var;
}

/* Which one it is, and never what is in it: a line without a name may be a part of a secret. */
static int add_var(struct secrets *s, const char *var, size_t number, struct err *e)
{
	size_t n = strcspn(var, "=");
	bool ok = n && n <= SECRET_NAME_MAX && (strchr(letters, var[0]) || var[0] == '_');

	if (!var[n])
		return err_msg(e, EINVAL, "--env-fd: entry %zu is not NAME=VALUE", number);
	for (size_t i = 0; ok && i < n; i++)
		ok = strchr(letters, var[i]) || strchr(digits, var[i]);
	if (!ok)
		return err_msg(e, EINVAL,
			       "--env-fd: entry %zu: a name has 1 to %d letters, digits and _ . -, "
			       "and begins with none of the last two nor with a digit",
			       number, SECRET_NAME_MAX);
	set_var(s, var);
	return 0;
}

int secrets_parse_env(struct arena *a, char *text, size_t len, struct secrets *s, struct err *e)
{
	const char separator = memchr(text, '\0', len) ? '\0' : '\n';
	size_t entries = 1, number = 0;

	for (size_t i = 0; i < len; i++)
		entries += text[i] == separator;
	if (entries > VARS)
		return err_msg(e, E2BIG, "--env-fd: more than %d entries", VARS);
	s->vars = arena_array(a, entries, sizeof(*s->vars));
	for (char *at = text, *stop; at < text + len; at = stop + 1) {
		stop = memchr(at, separator, (size_t)(text + len - at));
		if (!stop)
			stop = text + len;
		*stop = '\0';
		number++;
		if (*at && add_var(s, at, number, e) < 0)
			return -e->code;
	}
	return 0;
}

static int read_env(struct arena *a, struct secrets *s, struct err *e)
{
	ssize_t n = read_all(s->env, s->memory, PART);

	s->used_env = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return err_set(e, (int)-n, "--env-fd: read descriptor %d", s->env);
	if (n == PART)
		return err_msg(e, E2BIG, "--env-fd: more than %d bytes", SECRET_MAX_BYTES);
	return secrets_parse_env(a, s->memory, (size_t)n, s, e) < 0 ? -e->code : drop(&s->env, e);
}

int secrets_read(struct arena *a, struct secrets *s, struct err *e)
{
	if (!secrets_any(s))
		return 0;
	if (make_memory(s, e) < 0 || read_files(a, s, e) < 0)
		return -e->code;
	return s->env < 0 ? 0 : read_env(a, s, e);
}

static bool is_read(const struct secrets *s, const char *entry)
{
	for (size_t i = 0; i < s->n_vars; i++)
		if (same_name(s->vars[i], entry))
			return true;
	return false;
}

const char *const *secrets_env(struct arena *a, const struct secrets *s, const char *const *env)
{
	size_t n = 0, used = 0;

	while (env[n])
		n++;
	const char **out = arena_array(a, n + s->n_vars + 1, sizeof(*out));
	for (size_t i = 0; i < n; i++)
		if (!is_read(s, env[i]))
			out[used++] = env[i];
	if (s->n_vars)
		memcpy(out + used, s->vars, s->n_vars * sizeof(*out));
	return out;
}

void secrets_hand_over(const struct secrets *s)
{
	if (s->memory && madvise(s->memory, MEMORY, MADV_DOFORK) < 0)
		log_warn("memory for secrets: %s", err_text(errno));
}

static void close_unread(int *fd)
{
	if (*fd > STDERR_FILENO)
		(void)close(*fd);
	*fd = -1;
}

void secrets_end(struct secrets *s)
{
	close_unread(&s->env);
	for (size_t i = 0; i < s->n; i++)
		close_unread(&s->fds[i]);
	if (!s->memory)
		return;
	explicit_bzero(s->memory, s->used_env);
	explicit_bzero(s->memory + PART, s->used_files);
	(void)munmap(s->memory, MEMORY);
	s->memory = NULL;
}
