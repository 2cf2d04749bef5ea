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

void clock_rfc3339(char *text, size_t size, int digits)
{
	struct timespec ts;
	char fraction[16] = "";
	long year;
	int month, day;

	clock_gettime(CLOCK_REALTIME, &ts);
	long s = ts.tv_sec % 86400;
	civil(ts.tv_sec / 86400, &year, &month, &day);
	if (digits > 0) {
		snprintf(fraction, sizeof(fraction), ".%09ld", ts.tv_nsec);
		fraction[1 + digits] = '\0';
	}
	snprintf(text, size, "%04ld-%02d-%02dT%02ld:%02ld:%02ld%sZ", year, month, day, s / 3600,
		 s / 60 % 60, s % 60, fraction);
}
