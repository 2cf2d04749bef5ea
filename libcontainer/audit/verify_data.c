#include "audit/verify_data.h"

#include <stdio.h>
#include <string.h>

#include "specs/table.h"

#define L audit_place_lost
static const struct json_field audit_place_lost_fields[] = {
	ROW_NUM(L, "seq", seq, 0, JSON_U64, uint64_t),
	ROW_STR(L, "hash", hash, 0),
};
TYPE(audit_place_lost, NULL);
#undef L

#define D audit_log_data
static const struct json_field audit_log_data_fields[] = {
	ROW_STR(D, "log", log, 0),
	ROW_STR(D, "key", key, 0),
	ROW_STR(D, "file", file, 0),
	ROW_STR(D, "root", root, 0),
	ROW_NUM(D, "epoch_records", epoch_records, 0, JSON_U64, uint64_t),
	ROW_NUM(D, "epoch_seconds", epoch_seconds, 0, JSON_U64, uint64_t),
	ROW_NUM(D, "bytes", bytes, 0, JSON_U64, uint64_t),
	ROW_STR(D, "sha256", sha256, 0),
	ROW_NUM(D, "expected_seq", expected_seq, 0, JSON_U64, uint64_t),
	ROW_NUM(D, "found_seq", found_seq, 0, JSON_U64, uint64_t),
	ROW_STR(D, "expected_hash", expected_hash, 0),
	ROW_OBJ(D, "lost", lost, audit_place_lost),
};
TYPE(audit_log_data, NULL);
#undef D

void audit_log_data(struct arena *a, const struct audit_record *r, struct audit_log_data *out)
{
	struct err ignored;

	*out = (struct audit_log_data){0};
	if (r->data && json_read(a, &audit_log_data_type_, r->data, strlen(r->data), AUDIT_MAX_LINE,
				 out, &ignored) < 0)
		*out = (struct audit_log_data){0};
}

/* Of the calendar that RFC 3339 has: days since 1970-01-01. */
static int64_t days(int64_t year, unsigned int month, unsigned int day)
{
	/* Years from March on, so that a leap day is the last of one. */
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

uint64_t audit_time(const char *ts)
{
	unsigned int year, month, day, hour, minute, second, micro;
	int end = 0;

	if (!ts ||
	    sscanf(ts, "%4u-%2u-%2uT%2u:%2u:%2u.%6uZ%n", &year, &month, &day, &hour, &minute,
		   &second, &micro, &end) != 7 ||
	    !end || ts[end] || year < 1970 || !month || month > 12)
		return 0;
	uint64_t seconds =
		(uint64_t)days(year, month, day) * 86400 + hour * 3600U + minute * 60U + second;
	return seconds * 1000000 + micro;
}
