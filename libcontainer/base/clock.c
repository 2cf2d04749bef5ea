#include "base/clock.h"

#include <stdio.h>
#include <time.h>

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar; years start in March. */
static void civil(long days, long *year, int *month, int *day)
{
	days += 719468; /* from 0000-03-01 */
	long era = days / 146097;
	long doe = days % 146097;
	long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	long mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

enum { NS = 1000000000 };

static int64_t now(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* both clocks are there */
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void clock_rfc3339_of(int64_t ns, char *text, size_t size, int digits)
{
	char fraction[16] = "";
	long year, day_s;
	int month, day;

	day_s = ns / NS % 86400;
	civil(ns / NS / 86400, &year, &month, &day);
	if (digits > 0) {
		snprintf(fraction, sizeof(fraction), ".%09ld", (long)(ns % NS));
		fraction[1 + digits] = '\0';
	}
	snprintf(text, size, "%04ld-%02d-%02dT%02ld:%02ld:%02ld%sZ", year, month, day, day_s / 3600,
		 day_s / 60 % 60, day_s % 60, fraction);
}

void clock_rfc3339(char *text, size_t size, int digits)
{
	clock_rfc3339_of(now(CLOCK_REALTIME), text, size, digits);
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)now(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
	return (int64_t)(clock_monotonic_ns() / 1000000);
}

int64_t clock_offset_ns(void)
{
	return now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC);
}
