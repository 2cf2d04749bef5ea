/* Records and verdicts of the audit log as text and as JSON. */
#include "cmd/brig/audit_print.h"

#include "base/str.h"
#include "cmd/brig/safe.h"
#include "specs/json_print.h"

typedef unsigned long long ull;

/* --- records -------------------------------------------------------------------------------- */

static const char form[] = "%-27s  %7s  %-8s  %-21s  %-16s  %-7s ";

void audit_print_header(FILE *out)
{
	fprintf(out, form, "TIME", "SEQ", "SEVERITY", "EVENT", "ID", "OUTCOME");
	fputs(" WHAT\n", out);
}

static void print_word(FILE *out, struct arena *a, const char *before, const char *word, bool json)
{
	if (word)
		fprintf(out, " %s%s", before, safe_text(a, word, json));
}

void audit_print_record(FILE *out, const struct audit_record *r)
{
	own_arena struct arena a = {0};
	const char *seq = arena_printf(&a, "%llu", (ull)r->seq);

	fprintf(out, form, r->ts, seq, r->severity, r->event,
		r->id ? safe_text(&a, r->id, false) : "-",
		r->outcome ? safe_text(&a, r->outcome, false) : "-");
	print_word(out, &a, "", r->action, false);
	print_word(out, &a, "", r->resource, false);
	print_word(out, &a, "level=", r->level, false);
	print_word(out, &a, "source=", r->source, false);
	print_word(out, &a, "req=", r->request, false);
	print_word(out, &a, "principal=", r->principal, false);
	print_word(out, &a, "", r->data, true);
	fputc('\n', out);
}

/* --- verdicts ------------------------------------------------------------------------------- */

void audit_print_finding(FILE *out, const struct audit_finding *f)
{
	own_arena struct arena a = {0};

	fputs(safe_text(&a, f->file, false), out);
	if (f->line)
		fprintf(out, ":%llu", (ull)f->line);
	if (f->seq)
		fprintf(out, ": seq %llu", (ull)f->seq);
	fprintf(out, ": %s: %s", f->damage->word, f->damage->text);
	if (f->detail)
		fprintf(out, ": %s", safe_text(&a, f->detail, false));
	fputc('\n', out);
}

/* Texts, of which at most so many come together. */
struct list {
	const char *items[16];
	size_t n;
};

static void add(struct list *l, const char *text)
{
	if (l->n < sizeof(l->items) / sizeof(*l->items))
		l->items[l->n++] = text;
}

static void list_checked(struct arena *a, const struct audit_told *t, const struct audit_verdict *v,
			 struct list *out)
{
	add(out, "the form of each line");
	add(out, "sequence and hashes");
	add(out, "links between files");
	add(out, "times");
	add(out, "ends of sandboxes");
	if (v->lock)
		add(out, "the lock file");
	if (t->heads)
		add(out, arena_printf(a, "heads kept elsewhere (%llu met)", (ull)v->heads));
	if (t->key)
		add(out, arena_printf(a, "MACs (%llu right)", (ull)v->checked));
	else if (v->sealed)
		add(out, "epochs of the key");
}

/* What an attacker could have done all the same. */
static void list_unshown(struct arena *a, const struct audit_told *t, const struct audit_verdict *v,
			 struct list *out)
{
	if (v->partial)
		add(out, arena_printf(a, "what was before seq %llu: it is not in this file",
				      (ull)v->first.seq));
	if (v->head.seq && v->head.seq < v->last.seq)
		add(out, arena_printf(a,
				      "that seq %llu to %llu were not made anew, or that more were "
				      "not cut off: nothing is proven after the head of seq %llu",
				      (ull)(v->head.seq + 1), (ull)v->last.seq, (ull)v->head.seq));
	if (v->head.seq)
		add(out, "changes by root before the head was taken and left this machine");
	else if (!v->checked)
		add(out, "that the log was not made anew as a whole by who can write it: keep its "
			 "head elsewhere (audit head) and give it (--head), or give the log a key "
			 "(audit key)");
	if (!v->head.seq)
		add(out, "that no records were cut off at the end together with the lock file: "
			 "only a head kept elsewhere shows that");
	if (v->checked)
		add(out, "changes by who had the key of the epoch, as root of that time had");
	if (v->checked && v->keyed_from > v->first.seq)
		add(out,
		    arena_printf(a, "by its MACs, what was before seq %llu: the key is younger",
				 (ull)v->keyed_from));
	if (v->sealed && !t->key)
		add(out, "whether its MACs are right: give the first key (--key)");
	if (v->unwatched)
		add(out, arena_printf(a, "the ends of %llu sandboxes: too many at once",
				      (ull)v->unwatched));
	add(out, "what was never written");
}

static void print_list(FILE *out, const char *label, const char *between, const struct list *l)
{
	fputs(label, out);
	for (size_t i = 0; i < l->n; i++)
		fprintf(out, "%s%s", i ? between : "", l->items[i]);
	fputc('\n', out);
}

static const char *conclusion(struct arena *a, const struct audit_verdict *v)
{
	if (v->worst)
		return arena_printf(a, "%llu finding(s); the exit code is that of the first, %d",
				    (ull)v->findings, v->worst->code);
	return arena_printf(a,
			    "no evidence of change between seq %llu, %.16s..., and seq %llu, "
			    "%.16s...",
			    (ull)v->first.seq, v->first.hash,
			    (ull)(v->head.seq ? v->head.seq : v->last.seq),
			    v->head.seq ? v->head.hash : v->last.hash);
}

void audit_print_verdict(FILE *out, const struct audit_told *t, const struct audit_verdict *v)
{
	struct list checked = {.n = 0}, unshown = {.n = 0};
	own_arena struct arena a = {0};

	for (size_t i = 0; i < t->n; i++)
		audit_print_finding(out, &t->findings[i]);
	if (v->findings > t->n)
		fprintf(out, "... and %llu more\n", (ull)(v->findings - t->n));
	list_checked(&a, t, v, &checked);
	list_unshown(&a, t, v, &unshown);
	fprintf(out, "verdict: %s\n", v->worst ? v->worst->word : "intact");
	fprintf(out, "log: %s, %llu record(s) in %llu file(s), seq %llu (%s) to seq %llu (%s)\n",
		v->log[0] ? safe_text(&a, v->log, false) : "of unknown id", (ull)v->records,
		(ull)v->files, (ull)v->first.seq, v->first.ts, (ull)v->last.seq, v->last.ts);
	if (v->repairs)
		fprintf(out, "repaired: %llu torn line(s), as their writers noted\n",
			(ull)v->repairs);
	if (v->open)
		fprintf(out, "open: %llu sandbox(es) have no end yet\n", (ull)v->open);
	print_list(out, "checked: ", ", ", &checked);
	fprintf(out, "result: %s\n", conclusion(&a, v));
	print_list(out, "not shown: ", "\n           ", &unshown);
}

static void put_place(struct json_out *o, const char *key, const struct audit_place *p)
{
	if (!p->seq)
		return;
	json_key(o, key);
	json_object(o);
	json_key_uint(o, "seq", p->seq);
	json_key_str(o, "hash", p->hash);
	json_key_str(o, "ts", p->ts);
	json_end_object(o);
}

static void put_finding(struct json_out *o, const struct audit_finding *f)
{
	json_object(o);
	json_key_str(o, "word", f->damage->word);
	json_key_int(o, "code", f->damage->code);
	json_key_str(o, "file", f->file);
	if (f->line)
		json_key_uint(o, "line", f->line);
	if (f->seq)
		json_key_uint(o, "seq", f->seq);
	json_key_str(o, "text", f->damage->text);
	if (f->detail)
		json_key_str(o, "detail", f->detail);
	json_end_object(o);
}

void audit_print_verdict_json(FILE *out, const struct audit_told *t, const struct audit_verdict *v)
{
	struct list checked = {.n = 0}, unshown = {.n = 0};
	own_arena struct arena a = {0};
	struct json_out o;

	list_checked(&a, t, v, &checked);
	list_unshown(&a, t, v, &unshown);
	json_begin(&o, &a, 2);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "verdict", v->worst ? v->worst->word : "intact");
	json_key_int(&o, "code", v->worst ? v->worst->code : 0);
	if (v->log[0])
		json_key_str(&o, "log", v->log);
	json_key_uint(&o, "records", v->records);
	json_key_uint(&o, "files", v->files);
	json_key_uint(&o, "repairs", v->repairs);
	json_key_uint(&o, "open", v->open);
	json_key_uint(&o, "sealed", v->sealed);
	json_key_uint(&o, "macs", v->checked);
	json_key_uint(&o, "heads", v->heads);
	put_place(&o, "first", &v->first);
	put_place(&o, "last", &v->last);
	put_place(&o, "head", &v->head);
	json_key_uint(&o, "count", v->findings);
	json_key(&o, "findings");
	json_array(&o);
	for (size_t i = 0; i < t->n; i++)
		put_finding(&o, &t->findings[i]);
	json_end_array(&o);
	json_key(&o, "checked");
	json_strs(&o, checked.items, checked.n);
	json_key_str(&o, "result", conclusion(&a, v));
	json_key(&o, "not_shown");
	json_strs(&o, unshown.items, unshown.n);
	json_end_object(&o);
	fprintf(out, "%s\n", json_done(&o, NULL));
}
