#include "cgroup/text.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "base/str.h"

bool cg_self_next(char **text, struct cg_self *out)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		char *id = strsep(&line, ":");
		char *hierarchy = strsep(&line, ":");
		uint32_t n;

		/* The path is the rest: it may hold colons (slice:prefix:name made by cgroupfs). */
		if (!line || !str_u32(id, &n) || line[0] != '/')
			continue;
		out->hierarchy = hierarchy;
		out->path = line;
		return true;
	}
	return false;
}

/* \040 and the like, as the kernel's mangle() writes them. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

bool cg_mountinfo_next(char **text, struct cg_mountinfo *out)
{
	enum { ROOT = 3, MOUNTPOINT = 4, HEAD = 5 };
	char *line;

	while ((line = strsep(text, "\n"))) {
		char *head[HEAD] = {0};
		char *tail = strstr(line, " - ");

		if (!tail)
			continue;
		*tail = '\0';
		tail += 3;
		for (size_t i = 0; i < HEAD; i++)
			head[i] = strsep(&line, " ");
		char *type = strsep(&tail, " ");
		(void)strsep(&tail, " "); /* the source: any word */
		if (!head[MOUNTPOINT] || !tail ||
		    (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
			continue;
		unescape(head[ROOT]);
		unescape(head[MOUNTPOINT]);
		out->root = head[ROOT];
		out->mountpoint = head[MOUNTPOINT];
		out->options = tail;
		out->v2 = type[6] == '2';
		return true;
	}
	return false;
}

static bool has_word(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

bool cg_options_have(const char *options, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (!has_word(options, list, n))
			return false;
		list += n + (list[n] == ',');
	}
	return true;
}

bool cg_flat_next(char **text, const char **key, uint64_t *value)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		char *word = strsep(&line, " ");

		if (!line || !word[0] || !str_u64(line, value))
			continue;
		*key = word;
		return true;
	}
	return false;
}

bool cg_flat_get(const char *text, const char *key, uint64_t *value)
{
	size_t len = strlen(key);

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > len + 1 && n - len - 1 < 21 && memcmp(text, key, len) == 0 &&
		    text[len] == ' ') {
			char number[24] = {0};

			memcpy(number, text + len + 1, n - len - 1);
			return str_u64(number, value);
		}
		text += n + (text[n] == '\n');
	}
	return false;
}

bool cg_limit(const char *text, uint64_t *value)
{
	if (strcmp(text, "max") == 0) {
		*value = UINT64_MAX;
		return true;
	}
	return str_u64(text, value);
}

/* Digits, one point, digits: what JSON takes as a number too. */
static bool is_decimal(const char *s)
{
	size_t a = strspn(s, "0123456789");

	if (!a || (s[0] == '0' && a > 1))
		return false;
	if (!s[a])
		return true;
	size_t b = s[a] == '.' ? strspn(s + a + 1, "0123456789") : 0;
	return b && !s[a + 1 + b];
}

static bool psi_line(char *line, struct cg_psi_line *out)
{
	struct cg_psi_line p = {0};
	bool total = false;
	char *word;

	while ((word = strsep(&line, " "))) {
		char *value = strchr(word, '=');

		if (!value)
			return false;
		*value++ = '\0';
		if (strcmp(word, "total") == 0)
			total = str_u64(value, &p.total);
		else if (!is_decimal(value))
			return false;
		else if (strcmp(word, "avg10") == 0)
			p.avg10 = value;
		else if (strcmp(word, "avg60") == 0)
			p.avg60 = value;
		else if (strcmp(word, "avg300") == 0)
			p.avg300 = value;
	}
	if (!p.avg10 || !p.avg60 || !p.avg300 || !total)
		return false;
	*out = p;
	return true;
}

bool cg_psi_parse(char *text, struct cg_psi *out)
{
	bool found = false;
	char *line;

	memset(out, 0, sizeof(*out));
	while ((line = strsep(&text, "\n"))) {
		char *word = strsep(&line, " ");

		if (line && strcmp(word, "some") == 0)
			found |= psi_line(line, &out->some);
		else if (line && strcmp(word, "full") == 0)
			found |= psi_line(line, &out->full);
	}
	return found;
}

static bool device(char *word, uint32_t *major, uint32_t *minor)
{
	char *colon = strchr(word, ':');

	if (!colon)
		return false;
	*colon = '\0';
	return str_u32(word, major) && str_u32(colon + 1, minor);
}

bool cg_io_stat_next(struct cg_io_iter *it, struct cg_io *out)
{
	for (;;) {
		char *word;

		while ((word = strsep(&it->line, " "))) {
			char *value = strchr(word, '=');

			if (!value)
				continue;
			*value++ = '\0';
			if (!str_u64(value, &out->value))
				continue;
			out->op = word;
			out->major = it->major;
			out->minor = it->minor;
			return true;
		}
		it->line = strsep(&it->text, "\n");
		if (!it->line)
			return false;
		/* A line without a device gives no values. */
		if (!device(strsep(&it->line, " "), &it->major, &it->minor))
			it->line = NULL;
	}
}

bool cg_blkio_next(struct cg_io_iter *it, struct cg_io *out)
{
	char *line;

	while ((line = strsep(&it->text, "\n"))) {
		char *dev = strsep(&line, " ");
		char *op = strsep(&line, " ");
		const char *value = line ? line : op;

		if (!op || !device(dev, &out->major, &out->minor) || !str_u64(value, &out->value))
			continue;
		out->op = line ? op : "";
		return true;
	}
	return false;
}

bool cg_pid_next(char **text, int *pid)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		uint32_t n;

		if (!str_u32(line, &n) || n == 0 || n > INT_MAX)
			continue;
		*pid = (int)n;
		return true;
	}
	return false;
}

const char *cg_line_of(char *text, const char *word)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *first = strsep(&line, " ");

		if (line && strcmp(first, word) == 0)
			return line;
	}
	return NULL;
}
