// SPDX-License-Identifier: LGPL-2.1-or-later
/* swap A B: exchanges the two names as fast as it can until it is killed (races on paths). */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	while (!renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE))
		usleep(50); /* two cores are shared with the runtime under test */
	perror("swap");
	return 1;
}
