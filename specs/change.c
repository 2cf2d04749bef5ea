#include "specs/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/change_table.h"
#include "specs/json_print.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED, DIGITS = 64 };

const char *const change_ops[] = {"added", "changed", "deleted", NULL};
const char *const change_types[] = {
	"file", "directory", "symlink", "fifo", "socket", "char", "block", "unknown", NULL,
};

const char *change_type_of(uint32_t st_mode)
{
	static const struct {
		uint32_t bits;
		const char *word;
	} words[] = {
		{S_IFREG,  "file"     },
                {S_IFDIR,  "directory"},
                {S_IFLNK,  "symlink"  },
		{S_IFIFO,  "fifo"     },
                {S_IFSOCK, "socket"   },
                {S_IFCHR,  "char"     },
		{S_IFBLK,  "block"    },
	};

	for (size_t i = 0; i < LEN(words); i++)
		if ((st_mode & S_IFMT) == words[i].bits)
			return words[i].word;
	return "unknown";
}

/* --- names -------------------------------------------------------------------------------- */

/* The length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates), its character in
 * *out; 0: it is none. */
static size_t decode(const unsigned char *s, size_t len, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	*out = n == 1 ? s[0] : s[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*out = *out << 6 | (s[i] & 0x3f);
	}
	return *out < least[n] || *out > 0x10ffff || (*out >= 0xd800 && *out < 0xe000) ? 0 : n;
}

static bool is_shown(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0,      0x1f  },
                {0x7f,   0x9f  },
                {0x200e, 0x200f},
		{0x2028, 0x202e},
                {0x2066, 0x2069},
                {0xfeff, 0xfeff},
	};

	for (size_t i = 0; i < LEN(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return c != '\\';
}

char *change_escape(struct arena *a, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)bytes;
	char *out = arena_array(a, len + 1, 4), *to = out;

	for (size_t at = 0; at < len;) {
		uint32_t c;
		size_t n = decode(s + at, len - at, &c);

		if (n && is_shown(c)) {
			memcpy(to, s + at, n);
			to += n;
			at += n;
			continue;
		}
		*to++ = '\\';
		if (s[at] == '\\') {
			*to++ = '\\';
		} else {
			*to++ = 'x';
			*to++ = hex[s[at] >> 4];
			*to++ = hex[s[at] & 15];
		}
		at++;
		/* The other bytes of a hidden character are no character of their own. */
	}
	return out;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *change_unescape(struct arena *a, const char *text, size_t *len)
{
	char *out = arena_new(a, strlen(text) + 1), *to = out;

	for (const char *p = text; *p;) {
		if (*p != '\\') {
			*to++ = *p++;
		} else if (p[1] == '\\') {
			*to++ = '\\';
			p += 2;
		} else if (p[1] == 'x' && digit(p[2]) >= 0 && digit(p[3]) >= 0) {
			*to++ = (char)(digit(p[2]) << 4 | digit(p[3]));
			p += 4;
		} else {
			return NULL;
		}
	}
	*len = (size_t)(to - out);
	/* One way to write each name only: two that look different are. */
	return str_eq(change_escape(a, out, *len), text) ? out : NULL;
}

/* --- checks ------------------------------------------------------------------------------- */

static int check_word(const char *name, const char *s, const char *const *words, struct err *e)
{
	for (; *words; words++)
		if (str_eq(s, *words))
			return 0;
	return err_msg(e, EINVAL, "%s: \"%.*s\" is no such word", name, SHOWN, s);
}

static int check_escaped(struct arena *a, const char *name, const char *s, struct err *e)
{
	size_t len;

	return !s || change_unescape(a, s, &len)
		       ? 0
		       : err_msg(e, EINVAL, "%s: not escaped as names are", name);
}

static int check_change(struct arena *a, void *object, struct err *e)
{
	const struct brig_change *c = object;

	if (check_word("op", c->op, change_ops, e) < 0 ||
	    check_word("type", c->type, change_types, e) < 0 ||
	    check_escaped(a, "path", c->path, e) < 0 ||
	    check_escaped(a, "target", c->target, e) < 0)
		return -e->code;
	if (c->path[0] != '/')
		return err_msg(e, EINVAL, "path: \"%.*s\" is not absolute", SHOWN, c->path);
	if (c->mode && (strlen(c->mode) != 4 || strspn(c->mode, "01234567") != 4))
		return err_msg(e, EINVAL, "mode: not four octal digits");
	if (c->target && !str_eq(c->type, "symlink"))
		return err_msg(e, EINVAL, "target: of a %s", c->type);
	if (c->sha256 &&
	    (strlen(c->sha256) != DIGITS || strspn(c->sha256, "0123456789abcdef") != DIGITS))
		return err_msg(e, EINVAL, "sha256: not of 64 digits");
	return c->sha256 && !str_eq(c->type, "file")
		       ? err_msg(e, EINVAL, "sha256: of a %s", c->type)
		       : 0;
}

static int check_layer(struct arena *a, void *object, struct err *e)
{
	static const char *const kinds[] = {"tmpfs", "overlay", NULL};
	const struct brig_change_layer *l = object;

	(void)a;
	if (check_word("kind", l->kind, kinds, e) < 0)
		return -e->code;
	if (l->path[0] != '/' || (l->source && l->source[0] != '/'))
		return err_msg(e, EINVAL, "path: not absolute");
	return !!l->source == str_eq(l->kind, "overlay")
		       ? 0
		       : err_msg(e, EINVAL, "source: does not fit the kind");
}

static int check_changes(struct arena *a, void *object, struct err *e)
{
	static const char *const statuses[] = {"creating", "created", "running",
					       "paused",   "stopped", NULL};
	const struct brig_changes *c = object;

	(void)a;
	if (c->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", c->v);
	return check_word("status", c->status, statuses, e);
}

/* --- tables ------------------------------------------------------------------------------- */

static const struct json_field brig_change_fields[] = {
	ROW_STR(brig_change, "op", op, REQ),
	ROW_STR(brig_change, "type", type, REQ),
	ROW_STR(brig_change, "path", path, REQ),
	ROW_STR(brig_change, "mode", mode, 0),
	ROW_NUM(brig_change, "size", size, 0, JSON_U64, uint64_t),
	ROW_STR(brig_change, "sha256", sha256, 0),
	ROW_STR(brig_change, "target", target, 0),
};
const struct json_type brig_change_type_ = {
	sizeof(struct brig_change), LEN(brig_change_fields), brig_change_fields, check_change, true,
};

static const struct json_field brig_change_sums_fields[] = {
	ROW_NUM(brig_change_sums, "added", added, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "changed", changed, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "deleted", deleted, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "bytes", bytes, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "executable", executable, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "special", special, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_change_sums, "setid", setid, 0, JSON_U64, uint64_t),
	ROW_BOOL(brig_change_sums, "truncated", truncated, REQ),
};
TYPE_CLOSED(brig_change_sums, NULL);

static const struct json_field brig_change_layer_fields[] = {
	ROW_STR(brig_change_layer, "path", path, REQ),
	ROW_STR(brig_change_layer, "kind", kind, REQ),
	ROW_STR(brig_change_layer, "source", source, 0),
};
TYPE_CLOSED(brig_change_layer, check_layer);

static const struct json_field brig_changes_fields[] = {
	ROW_NUM(brig_changes, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_changes, "id", id, REQ),
	ROW_NUM(brig_changes, "generation", generation, REQ, JSON_U64, uint64_t),
	ROW_STR(brig_changes, "status", status, REQ),
	ROW_OBJS(brig_changes, "layers", layers, n_layers, brig_change_layer),
	ROW_OBJS(brig_changes, "entries", entries, n_entries, brig_change),
	ROW_SUB(brig_changes, "changes", changes, brig_change_sums, REQ),
	ROW_STR(brig_changes, "error", error, 0),
};
TYPE_CLOSED(brig_changes, check_changes);

int changes_parse(struct arena *a, const char *json, size_t len, struct brig_changes *out,
		  struct err *e)
{
	*out = (struct brig_changes){0};
	return json_read(a, &brig_changes_type_, json, len, CHANGES_MAX_BYTES, out, e);
}

char *change_print(struct arena *a, const struct brig_change *c, size_t *len)
{
	return json_print_object(a, &brig_change_type_, c, len);
}

char *change_sums_print(struct arena *a, const struct brig_change_sums *s, size_t *len)
{
	return json_print_object(a, &brig_change_sums_type_, s, len);
}

char *change_layers_print(struct arena *a, const struct brig_change_layer *l, size_t n, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_array(&o);
	for (size_t i = 0; i < n; i++)
		json_print_type(&o, &brig_change_layer_type_, &l[i]);
	json_end_array(&o);
	return json_done(&o, len);
}
