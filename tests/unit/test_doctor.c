/* doctor: when the kernel was built. */
#include "check.h"
#include "doctor.h"

int main(void)
{
	static const char *const none[] = {
		"",
		"#1 SMP PREEMPT_DYNAMIC @0",
		"#1 SMP (gcc 12)",
		"#1 SMP Tue Foo  5 21:19:28 UTC 2024",
		"#1 SMP Tue Mar",
		"#1 SMP anF  5 21:19:28 UTC 2024",
	};
	long day = -1;

	CHECK(doctor_build_day("#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)", &day));
	CHECK(day == 20230);
	CHECK(doctor_build_day("#26-Ubuntu SMP PREEMPT_DYNAMIC Tue Mar  5 21:19:28 UTC 2024",
			       &day));
	CHECK(day == 19787);
	CHECK(doctor_build_day("#1 SMP Thu Jan 1 00:00:00 UTC 1970", &day) && day == 0);
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		CHECK(!doctor_build_day(none[i], &day));
	return check_done();
}
