#include "base/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A handful; qsort(3) asks the machine for its memory first. */
static void sort(int *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && v[k - 1] > v[k]; k--) {
			int t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

void fds_close_all_but(unsigned int first, int *keep, size_t n)
{
	unsigned int from = first;

	sort(keep, n);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 0 || (unsigned int)keep[i] < from)
			continue;
		if ((unsigned int)keep[i] > from)
			(void)close_range(from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

int fds_null_streams(int spared)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), code = null < 0 ? errno : 0;

	for (int fd = STDIN_FILENO; !code && fd <= STDERR_FILENO; fd++)
		if (fd != spared && dup2(null, fd) < 0)
			code = errno;
	if (null > STDERR_FILENO)
		(void)close(null);
	return -code;
}
