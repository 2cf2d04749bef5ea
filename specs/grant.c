#include "specs/grant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/egress.h"

enum { LEAST_LIMIT = 1 << 20, MOST_MILLIS = 1000000 };
#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct kind {
	const char *prefix; /* with its colon, where something comes behind it */
	int (*read)(struct arena *a, const char *rest, struct brig_grant *out, struct err *e);
	const char *(*print)(struct arena *a, const struct brig_grant *g);
};

/* --- paths -------------------------------------------------------------------------------- */

/* Up to the first colon or space without a backslash; *rest is there. */
static int read_path(struct arena *a, const char *text, const char **path, const char **rest,
		     struct err *e)
{
	char *out = arena_new(a, strlen(text) + 2);
	size_t n = 0;

	for (; *text && *text != ' ' && *text != ':'; text++) {
		if (*text == '\\') {
			text++;
			if (!*text || !strchr("\\ :", *text))
				return err_msg(e, EINVAL,
					       "\"\\\" stands before a space, a colon or a \"\\\"");
		}
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return err_msg(e, EINVAL, "a control character in a path");
		/* "//" is "/". */
		if (!(*text == '/' && n && out[n - 1] == '/'))
			out[n++] = *text;
	}
	*rest = text;
	if (n > 1 && out[n - 1] == '/')
		out[--n] = '\0';
	*path = out;
	if (*out != '/')
		return err_msg(e, EINVAL, "\"%.80s\" is not an absolute path", out);
	for (const char *p = out; p; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/");

		if ((len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.'))
			return err_msg(e, EINVAL, "\"%.80s\" has \".\" or \"..\"", out);
	}
	return 0;
}

static const char *path_text(struct arena *a, const char *path)
{
	char *out = arena_new(a, 2 * strlen(path) + 1), *end = out;

	for (; *path; path++) {
		if (strchr("\\ :", *path))
			*end++ = '\\';
		*end++ = *path;
	}
	return out;
}

/* A path and nothing behind it. */
static int read_only_path(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	if (read_path(a, rest, &out->path, &rest, e) < 0)
		return -e->code;
	return *rest ? err_msg(e, EINVAL, "\"%.80s\": nothing comes behind the path", rest) : 0;
}

static const char *print_read(struct arena *a, const struct brig_grant *g)
{
	return arena_printf(a, "filesystem:read:%s", path_text(a, g->path));
}

static const char *print_allow(struct arena *a, const struct brig_grant *g)
{
	return arena_printf(a, "exec:allow:%s", path_text(a, g->path));
}

/* --- numbers ------------------------------------------------------------------------------ */

static int read_size(const char *text, uint64_t *out, struct err *e)
{
	int64_t n;

	if (!str_bytes(text, &n) || n < 1)
		return err_msg(e, EINVAL, "\"%.40s\" is no size such as 64M, 100MB or 1GiB", text);
	*out = (uint64_t)n;
	return 0;
}

static const char *size_text(struct arena *a, uint64_t n)
{
	static const char units[] = "KMGT";
	size_t i = 0;

	for (; i < sizeof(units) - 1 && n % 1024 == 0; i++)
		n /= 1024;
	return i ? arena_printf(a, "%llu%c", (unsigned long long)n, units[i - 1])
		 : arena_printf(a, "%llu", (unsigned long long)n);
}

static int read_write(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	if (read_path(a, rest, &out->path, &rest, e) < 0)
		return -e->code;
	if (*rest == ':')
		return read_size(rest + 1, &out->size, e);
	return *rest ? err_msg(e, EINVAL, "\"%.40s\": behind the path comes :SIZE", rest) : 0;
}

static const char *print_write(struct arena *a, const struct brig_grant *g)
{
	return arena_printf(a, "filesystem:write:%s%s%s", path_text(a, g->path), g->size ? ":" : "",
			    g->size ? size_text(a, g->size) : "");
}

static int read_memory(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	(void)a;
	if (read_size(rest, &out->size, e) < 0)
		return -e->code;
	return out->size < LEAST_LIMIT ? err_msg(e, ERANGE, "\"%.40s\": 1M is the least", rest) : 0;
}

static const char *print_memory(struct arena *a, const struct brig_grant *g)
{
	return arena_printf(a, "memory:limit:%s", size_text(a, g->size));
}

/* NUMBER[.NUMBER] in thousandths of unit, up to what is no digit any more. */
static bool read_decimal(const char **text, uint64_t unit, uint64_t *out)
{
	uint64_t n = 0, part = 0, scale = 1;
	size_t digits = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9' && n <= MOST_MILLIS; p++, digits++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && scale < 1000000; p++, digits++) {
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	*text = p;
	*out = n * unit + part * unit / scale;
	return digits;
}

/* 50%, 1.5, 500m */
static int read_cpu(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	const char *end = rest;
	size_t len = strlen(rest);
	char last = len ? rest[len - 1] : '\0';
	uint64_t unit = last == '%' ? 10 : last == 'm' ? 1 : 1000;

	(void)a;
	if (!read_decimal(&end, unit, &out->millis) || (size_t)(end - rest) + (unit < 1000) != len)
		return err_msg(e, EINVAL, "\"%.40s\" is no part of a CPU such as 50%%, 1.5 or 500m",
			       rest);
	/* The kernel's least quota is a hundredth (sched_cfs: min_cfs_quota_period). */
	return out->millis < 10 || out->millis > MOST_MILLIS
		       ? err_msg(e, ERANGE, "\"%.40s\": 1%% to %d CPUs", rest, MOST_MILLIS / 1000)
		       : 0;
}

static const char *print_cpu(struct arena *a, const struct brig_grant *g)
{
	unsigned long long n = g->millis;

	return n % 1000 ? arena_printf(a, "cpu:limit:%llum", n)
			: arena_printf(a, "cpu:limit:%llu", n / 1000);
}

/* --- the rest ----------------------------------------------------------------------------- */

static int read_deny(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	(void)a;
	(void)out;
	return *rest ? err_msg(e, EINVAL, "\"%.40s\": nothing comes behind deny", rest) : 0;
}

static const char *print_deny(struct arena *a, const struct brig_grant *g)
{
	(void)g;
	return arena_strdup(a, "exec:deny");
}

/* Its own words, "private" among them, are its grammar's. */
static int read_network(struct arena *a, const char *rest, struct brig_grant *out, struct err *e)
{
	struct egress_grant g;

	if (egress_grant_parse(a, rest, &g, e) < 0)
		return -e->code;
	out->network = g.text;
	out->ttl_ms = g.ttl_ms;
	return 0;
}

static const char *print_network(struct arena *a, const struct brig_grant *g)
{
	size_t n = strcspn(g->network, " ");

	return arena_printf(a, "network:%.*s", (int)n, g->network);
}

static const struct kind kinds[GRANT_KINDS] = {
	[GRANT_READ] = {"filesystem:read:",  read_only_path, print_read   },
	[GRANT_WRITE] = {"filesystem:write:", read_write,     print_write  },
	[GRANT_NETWORK] = {"network:",          read_network,   print_network},
	[GRANT_MEMORY] = {"memory:limit:",     read_memory,    print_memory },
	[GRANT_CPU] = {"cpu:limit:",        read_cpu,       print_cpu    },
	[GRANT_EXEC_DENY] = {"exec:deny",         read_deny,      print_deny   },
	[GRANT_EXEC_ALLOW] = {"exec:allow:",       read_only_path, print_allow  },
};

const char *grant_kind_name(enum grant_kind kind)
{
	static const char *const names[GRANT_KINDS] = {
		[GRANT_READ] = "filesystem:read",  [GRANT_WRITE] = "filesystem:write",
		[GRANT_NETWORK] = "network",       [GRANT_MEMORY] = "memory:limit",
		[GRANT_CPU] = "cpu:limit",         [GRANT_EXEC_DENY] = "exec:deny",
		[GRANT_EXEC_ALLOW] = "exec:allow",
	};

	return names[kind];
}

/* --- words -------------------------------------------------------------------------------- */

static bool two_digits(const char *s, unsigned int *out)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return false;
	*out = (unsigned int)(s[0] - '0') * 10 + (unsigned int)(s[1] - '0');
	return true;
}

/* 2026-11-22T12:00:00[.123]Z */
static bool read_time(const char *s, uint64_t *ns)
{
	unsigned int century, year, month, day, hour, minute, second;
	uint64_t part = 0, scale = NS_PER_S;

	if (strlen(s) < 20 || !two_digits(s, &century) || !two_digits(s + 2, &year) ||
	    s[4] != '-' || !two_digits(s + 5, &month) || s[7] != '-' || !two_digits(s + 8, &day) ||
	    s[10] != 'T' || !two_digits(s + 11, &hour) || s[13] != ':' ||
	    !two_digits(s + 14, &minute) || s[16] != ':' || !two_digits(s + 17, &second))
		return false;
	if (century < 20 || century > 21 || !month || month > 12 || !day || day > 31 || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	s += 19;
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9' && scale > 1; s++) {
			scale /= 10;
			part += (uint64_t)(*s - '0') * scale;
		}
		if (scale == NS_PER_S)
			return false;
	}
	struct tm tm = {
		.tm_year = (int)(century * 100 + year) - 1900,
		.tm_mon = (int)month - 1,
		.tm_mday = (int)day,
		.tm_hour = (int)hour,
		.tm_min = (int)minute,
		.tm_sec = (int)second,
	};
	time_t t = timegm(&tm);
	*ns = (uint64_t)t * NS_PER_S + part;
	/* The 31st of February has become a day of March. */
	return str_eq(s, "Z") && t > 0 && tm.tm_mday == (int)day;
}

static int read_word(const char *word, struct brig_grant *g, struct err *e)
{
	bool ttl = str_starts(word, "ttl=");

	if (!ttl && !str_starts(word, "until="))
		return err_msg(e, EINVAL, "unknown word \"%.40s\" (ttl=30s, until=TIME)", word);
	if (g->ttl_ms || g->until_ns)
		return err_msg(e, EINVAL, "%.40s: its end is given twice", word);
	if (ttl && !str_duration(word + 4, &g->ttl_ms))
		return err_msg(e, EINVAL, "ttl: \"%.40s\" is no duration such as 30s or 1h",
			       word + 4);
	if (ttl)
		return g->ttl_ms && g->ttl_ms <= GRANT_TTL_MAX
			       ? 0
			       : err_msg(e, ERANGE, "ttl: \"%.40s\": 1ms to 8784h", word + 4);
	if (!read_time(word + 6, &g->until_ns))
		return err_msg(e, EINVAL,
			       "until: \"%.40s\" is no time such as 2026-11-22T12:00:00Z",
			       word + 6);
	return 0;
}

static int read_words(struct arena *a, const char *words, struct brig_grant *g, struct err *e)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n && read_word(arena_strndup(a, words, n), g, e) < 0)
			return -e->code;
		words += n + (words[n] == ' ');
	}
	return 0;
}

/* The first space that has no backslash before it. */
static size_t first_space(const char *text)
{
	size_t n = 0;

	for (; text[n] && text[n] != ' '; n++)
		if (text[n] == '\\' && text[n + 1])
			n++;
	return n;
}

/* "until=" is ours, the other words are the network grammar's. */
static const char *take_until(struct arena *a, const char *text, struct brig_grant *g,
			      struct err *e)
{
	char *rest = arena_new(a, strlen(text) + 1), *end = rest;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (str_starts(text, "until=")) {
			if (read_word(arena_strndup(a, text, n), g, e) < 0)
				return NULL;
		} else if (n) {
			if (end != rest)
				*end++ = ' ';
			memcpy(end, text, n);
			end += n;
		}
		text += n + (text[n] == ' ');
	}
	return rest;
}

static const char *ttl_text(struct arena *a, uint64_t ms)
{
	return arena_printf(a, "%llu%s", (unsigned long long)(ms % 1000 ? ms : ms / 1000),
			    ms % 1000 ? "ms" : "s");
}

static const char *until_text(struct arena *a, uint64_t ns)
{
	char text[64];
	int digits = ns % NS_PER_S ? ns % NS_PER_MS ? 9 : 3 : 0;

	clock_rfc3339_of((int64_t)ns, text, sizeof(text), digits);
	return arena_strdup(a, text);
}

static const char *text_of(struct arena *a, const struct brig_grant *g)
{
	const char *text = g->target;

	if (g->kind == GRANT_NETWORK)
		text = arena_printf(a, "network:%s", g->network);
	else if (g->ttl_ms)
		text = arena_printf(a, "%s ttl=%s", text, ttl_text(a, g->ttl_ms));
	return g->until_ns ? arena_printf(a, "%s until=%s", text, until_text(a, g->until_ns))
			   : text;
}

static int read_kind(struct arena *a, const char *text, struct brig_grant *g, struct err *e)
{
	for (size_t i = 0; i < GRANT_KINDS; i++) {
		if (!str_starts(text, kinds[i].prefix))
			continue;
		g->kind = (enum grant_kind)i;
		if (kinds[i].read(a, text + strlen(kinds[i].prefix), g, e) < 0)
			return err_wrap(e, "%s", grant_kind_name(g->kind));
		g->target = kinds[i].print(a, g);
		return 0;
	}
	return err_msg(e, EINVAL,
		       "\"%.80s\" is none of filesystem:read:PATH, filesystem:write:PATH[:SIZE], "
		       "network:GRANT, memory:limit:SIZE, cpu:limit:N, exec:deny, exec:allow:PATH",
		       text);
}

int grant_parse(struct arena *a, const char *text, struct brig_grant *out, struct err *e)
{
	int r;

	*out = (struct brig_grant){0};
	if (strlen(text) > GRANT_TEXT_MAX)
		return err_msg(e, E2BIG, "\"%.40s...\": longer than %d bytes", text,
			       GRANT_TEXT_MAX);
	text += strspn(text, " ");
	if (str_starts(text, kinds[GRANT_NETWORK].prefix)) {
		text = take_until(a, text, out, e);
		if (!text)
			return -e->code;
		r = read_kind(a, text, out, e);
		if (r == 0 && out->until_ns && out->ttl_ms)
			r = err_msg(e, EINVAL, "ttl, until: its end is given twice");
	} else {
		size_t n = first_space(text);

		r = read_kind(a, arena_strndup(a, text, n), out, e);
		if (r == 0)
			r = read_words(a, text + n, out, e);
	}
	if (r < 0)
		return r;
	out->text = text_of(a, out);
	return 0;
}

int grant_settle(struct arena *a, struct brig_grant *io, uint64_t now_ns, struct err *e)
{
	if (!io->until_ns)
		return 0;
	if (io->until_ns <= now_ns)
		return err_msg(e, ETIME, "%.200s: that time is over", io->text);
	io->ttl_ms = (io->until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	if (io->ttl_ms > GRANT_TTL_MAX)
		return err_msg(e, ERANGE, "%.200s: more than 8784h from now", io->text);
	if (io->kind != GRANT_NETWORK)
		return 0;
	struct egress_grant g;
	const char *text =
		arena_printf(a, "%s ttl=%llums", io->network, (unsigned long long)io->ttl_ms);
	if (egress_grant_parse(a, text, &g, e) < 0)
		return -e->code;
	io->network = g.text;
	return 0;
}

/* --- what covers what --------------------------------------------------------------------- */

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (str_eq(dir, "/"))
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool covers_network(const struct brig_grant *may, const struct brig_grant *asked)
{
	own_arena struct arena a = {0};
	struct egress_grant x, y;
	struct err ignored;

	return egress_grant_parse(&a, may->network, &x, &ignored) == 0 &&
	       egress_grant_parse(&a, asked->network, &y, &ignored) == 0 &&
	       (x.private_ || !y.private_) && egress_grant_covers(&x, &y);
}

/* One that ends by a time of day and one that ends by a duration cannot be compared here. */
static bool covers_time(const struct brig_grant *may, const struct brig_grant *asked)
{
	if (may->until_ns && (!asked->until_ns || asked->until_ns > may->until_ns))
		return false;
	if (may->ttl_ms && !may->until_ns)
		return asked->ttl_ms && !asked->until_ns && asked->ttl_ms <= may->ttl_ms;
	return true;
}

bool grant_covers(const struct brig_grant *may, const struct brig_grant *asked)
{
	/* Who has nothing denied loses nothing by it. */
	if (asked->kind == GRANT_EXEC_DENY)
		return true;
	if (may->kind != asked->kind || !covers_time(may, asked))
		return false;
	switch (may->kind) {
	case GRANT_READ:
	case GRANT_EXEC_ALLOW:
		return is_below(asked->path, may->path);
	case GRANT_WRITE:
		/* A place of its own: another path is another place. */
		return str_eq(asked->path, may->path) &&
		       (!may->size || (asked->size && asked->size <= may->size));
	case GRANT_NETWORK:
		return covers_network(may, asked);
	case GRANT_MEMORY:
		return asked->size <= may->size;
	case GRANT_CPU:
		return asked->millis <= may->millis;
	case GRANT_EXEC_DENY:
	case GRANT_KINDS:
		break;
	}
	return false;
}

bool grant_is_meant(const struct brig_grant *g, const char *what)
{
	own_arena struct arena a = {0};
	struct brig_grant other;
	struct err ignored;

	if (str_eq(g->text, what) || str_eq(g->target, what))
		return true;
	if (grant_parse(&a, what, &other, &ignored) < 0 || other.kind != g->kind)
		return false;
	/* Of a place the size, of a limit the number need not be said again the same way. */
	if (g->kind == GRANT_WRITE)
		return str_eq(other.path, g->path) && (!other.size || other.size == g->size);
	return str_eq(other.target, g->target);
}
