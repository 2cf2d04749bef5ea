/* The key of a log: made once, shown once, evolved; what is left of the one before. */
#include <time.h>

#include "audit_fixture.h"

static void must_be(struct audit_fixture *f, const char *key, uint64_t records, uint64_t epoch)
{
	struct audit_seen s = audit_look(f, key);

	CHECK(!s.bad && !s.stray && s.records == records && s.epoch == epoch);
	if (s.bad || s.records != records || s.epoch != epoch)
		fprintf(stderr, "%llu bad, %llu records, epoch %llu\n", (unsigned long long)s.bad,
			(unsigned long long)s.records, (unsigned long long)s.epoch);
}

static void add(struct audit_fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		CHECK(audit_add(f, "SandboxStarted") == 0);
}

static void test_made(void)
{
	char hex[SHA256_HEX], other[SHA256_HEX], first[SHA256_HEX];
	uint8_t key[SHA256_BYTES];
	struct audit_fixture f;
	struct stat st;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0);
	add(&f, 2);
	CHECK(audit_key_make(f.log, hex, &f.e) == 0 && hex_read(hex, key) == 0);
	CHECK(stat(audit_beside(&f, ".key"), &st) == 0 && (st.st_mode & 07777) == 0600);
	sha256_hex(key, sizeof(key), first);
	CHECK(strstr(audit_text(&f, "", NULL),
		     arena_printf(&f.arena,
				  "\"ev\":\"LogKeyed\",\"sev\":\"notice\",\"data\":"
				  "{\"key\":\"sha256:%s\"}",
				  first)));
	add(&f, 2);
	must_be(&f, hex, 6, 0);
	CHECK(audit_key_make(f.log, other, &f.e) == -EEXIST);
	CHECK(audit_reopen(&f) == 0);
	add(&f, 1);
	must_be(&f, hex, 7, 0);
	/* with another key no MAC is right, and the log never says the key itself */
	CHECK(audit_look(&f, first).bad == 4);
	CHECK(!strstr(audit_text(&f, "", NULL), hex));
	/* the lock file lost: the last record tells that there is a key */
	CHECK(unlink(audit_beside(&f, ".lock")) == 0);
	add(&f, 1);
	must_be(&f, hex, 8, 0);
	audit_done(&f);
}

/* The key file as text; NULs would end it early. */
static char *key_text(struct audit_fixture *f)
{
	size_t len;
	char *text = audit_text(f, ".key", &len);

	CHECK(len == 1024 && !memchr(text, 0, len));
	return text;
}

static void next_key(const char *hex, char out[SHA256_HEX])
{
	uint8_t text[11 + SHA256_BYTES] = "brig-evolve";

	CHECK(hex_read(hex, text + 11) == 0);
	sha256_hex(text, sizeof(text), out);
}

static void test_evolves_by_count(void)
{
	char hex[SHA256_HEX], second[SHA256_HEX], third[SHA256_HEX];
	struct audit_fixture f;

	audit_setup(&f);
	f.config.max_bytes = 200000; /* an epoch goes over files */
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	next_key(hex, second);
	next_key(second, third);
	CHECK(strstr(key_text(&f), hex));
	while (audit_look(&f, NULL).seq < AUDIT_EPOCH_RECORDS)
		add(&f, 1 + (int)(AUDIT_EPOCH_RECORDS - audit_look(&f, NULL).seq) / 2);
	struct audit_seen s = audit_look(&f, hex);
	CHECK(!s.bad && s.keyed == s.seq - 1);
	add(&f, 2); /* LogKeyed is number 2, and the first of its epoch */
	const char *text = key_text(&f);
	CHECK(!strstr(text, hex) && strstr(text, second) && strstr(text, "epoch=1 seq=1002 "));
	add(&f, 1000);
	text = key_text(&f);
	CHECK(!strstr(text, hex) && !strstr(text, second) && strstr(text, third));
	s = audit_look(&f, hex);
	CHECK(!s.bad && s.epoch == 2 && s.files > 2);
	audit_done(&f);
}

/* Writes another time into the key file, of as many digits. */
static void set_time(struct audit_fixture *f, long long by)
{
	char *text = key_text(f), *at = strstr(text, " time=") + 6;
	char *number = arena_printf(&f->arena, "%lld", atoll(at) + by);

	memcpy(at, number, strlen(number));
	audit_scribble(f, ".key", 0, text, 1024);
}

static void test_evolves_by_time(void)
{
	char hex[SHA256_HEX];
	struct audit_fixture f;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	set_time(&f, -AUDIT_EPOCH_SECONDS + 100);
	add(&f, 1);
	must_be(&f, hex, 3, 0);
	set_time(&f, -100);
	add(&f, 2);
	must_be(&f, hex, 5, 1);
	/* the clock was set back */
	set_time(&f, 5000);
	add(&f, 2);
	must_be(&f, hex, 7, 2);
	audit_done(&f);
}

/* Killed between two writes of the key file: both are there; then the earlier one is not. */
static void test_two_slots(void)
{
	char hex[SHA256_HEX], second[SHA256_HEX];
	struct audit_fixture f;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	next_key(hex, second);
	char *text = key_text(&f);
	add(&f, 1);
	set_time(&f, -AUDIT_EPOCH_SECONDS);
	add(&f, 1);
	must_be(&f, hex, 4, 1);
	char *later = key_text(&f);
	memcpy(strstr(text, "brig-audit-key") == text ? later : later + 512, text, 512);
	audit_scribble(&f, ".key", 0, later, 1024);
	CHECK(strstr(key_text(&f), hex) && strstr(key_text(&f), second));
	add(&f, 1);
	must_be(&f, hex, 5, 1);
	CHECK(!strstr(key_text(&f), hex) && strstr(key_text(&f), second));
	audit_done(&f);
}

/* Evolved, and killed before the record: the epoch is the next record's, however long that takes.
 */
static void test_evolved_unused(void)
{
	char hex[SHA256_HEX], second[SHA256_HEX];
	struct audit_fixture f;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	next_key(hex, second);
	char *text = key_text(&f);
	memset(text, ' ', 1024);
	snprintf(text, 500, "brig-audit-key/1 epoch=1 seq=3 time=%lld first=%s key=%s",
		 (long long)time(NULL) - 5000, hex, second);
	text[strlen(text)] = ' ';
	text[511] = text[1023] = '\n';
	audit_scribble(&f, ".key", 0, text, 1024);
	add(&f, 1);
	must_be(&f, hex, 3, 1);
	add(&f, 1);
	must_be(&f, hex, 4, 2);
	audit_done(&f);
}

static void must_fail(struct audit_fixture *f, int code, const char *why)
{
	int r = audit_add(f, "SandboxStarted");

	CHECK(r == -code && strstr(f->e.msg, why));
	if (r != -code || !strstr(f->e.msg, why))
		fprintf(stderr, "%d for %s: %s\n", r, why, r < 0 ? f->e.msg : "");
}

/* Never on without it: the log would look as if it had never had one. */
static void test_lost(void)
{
	char hex[SHA256_HEX], other[SHA256_HEX];
	struct audit_fixture f;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	char *text = key_text(&f);
	CHECK(unlink(audit_beside(&f, ".key")) == 0);
	must_fail(&f, ENOKEY, "there is no log.key");
	CHECK(audit_key_make(f.log, other, &f.e) == -EEXIST);
	audit_scribble(&f, ".key", O_CREAT, "", 0);
	must_fail(&f, EBADMSG, "there is no key in log.key");
	char *wrong = arena_strndup(&f.arena, text, 1024);
	strstr(wrong, "key=")[4] = 'X';
	audit_scribble(&f, ".key", 0, wrong, 1024);
	must_fail(&f, EBADMSG, "there is no key in log.key");
	audit_scribble(&f, ".key", 0, text, 1024);
	CHECK(chmod(audit_beside(&f, ".key"), 0640) == 0);
	must_fail(&f, EPERM, "log.key can be read by others");
	CHECK(rename(audit_beside(&f, ".key"), audit_beside(&f, ".elsewhere")) == 0);
	CHECK(symlink("log.elsewhere", audit_beside(&f, ".key")) == 0);
	must_fail(&f, ELOOP, "open log.key");
	CHECK(rename(audit_beside(&f, ".elsewhere"), audit_beside(&f, ".key")) == 0);
	CHECK(chmod(audit_beside(&f, ".key"), 0600) == 0);
	add(&f, 1);
	must_be(&f, hex, 3, 0);
	audit_done(&f);
}

/* The log gone or cut, its key not: the key goes on. */
static void test_log_gone(void)
{
	char hex[SHA256_HEX];
	struct audit_fixture f;
	struct stat st;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && audit_key_make(f.log, hex, &f.e) == 0);
	add(&f, 3);
	CHECK(unlink(f.path) == 0);
	add(&f, 1);
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(s.records == 2 && s.keyed == 2 && s.epoch == 1 && !s.bad);
	CHECK(strstr(audit_text(&f, "", NULL), "\"key\":\"sha256:") &&
	      strstr(audit_text(&f, "", NULL), "\"lost\":{\"seq\":5,"));
	/* cut to before the key: what follows has MACs all the same */
	audit_done(&f);
	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && stat(f.path, &st) == 0);
	CHECK(audit_key_make(f.log, hex, &f.e) == 0);
	CHECK(truncate(f.path, st.st_size) == 0);
	add(&f, 1);
	s = audit_look(&f, NULL);
	CHECK(s.records == 3 && s.keyed == 2 && s.repairs == 1);
	audit_done(&f);
}

/* Killed between the key file and LogKeyed: nobody has seen that key, another one is made. */
static void test_unused_file(void)
{
	char hex[SHA256_HEX];
	struct audit_fixture f;
	size_t len;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0);
	char *log = audit_text(&f, "", &len);
	CHECK(audit_key_make(f.log, hex, &f.e) == 0);
	audit_scribble(&f, "", O_TRUNC, log, len);
	CHECK(unlink(audit_beside(&f, ".lock")) == 0);
	add(&f, 1);
	CHECK(audit_look(&f, NULL).keyed == 0);
	CHECK(audit_key_make(f.log, hex, &f.e) == 0);
	add(&f, 1);
	must_be(&f, hex, 4, 0);
	audit_done(&f);
}

int main(void)
{
	test_made();
	test_evolves_by_count();
	test_evolves_by_time();
	test_two_slots();
	test_evolved_unused();
	test_lost();
	test_log_gone();
	test_unused_file();
	return check_done();
}
