#include "guard/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/str.h"

enum { LABEL_MAX = 4096 }; /* a page: what one write to attr/exec takes */

bool lsm_apparmor_enabled(void)
{
	char text[8];

	return file_peek(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text)) >
		       0 &&
	       text[0] == 'Y';
}

bool lsm_selinux_enabled(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

int lsm_apparmor_exec(int proc, const char *profile, struct err *e)
{
	char text[LABEL_MAX];

	if (!profile || !*profile)
		return 0;
	if (!lsm_apparmor_enabled()) {
		if (str_eq(profile, "unconfined"))
			return 0; /* already so */
		return err_msg(
			e, ENOTSUP,
			"apparmor profile \"%.128s\" is asked for, but apparmor is not enabled",
			profile);
	}
	if ((size_t)snprintf(text, sizeof(text), "exec %s", profile) >= sizeof(text))
		return err_set(e, ENAMETOOLONG, "apparmor profile");
	/* The directory of its own exists since 5.8; attr/exec may be another LSM's. */
	if (procfd_write(proc, "thread-self/attr/apparmor/exec", text, e) == 0)
		return 0;
	if (e->code != ENOENT)
		return err_wrap(e, "apply apparmor profile %.128s", profile);
	if (procfd_write(proc, "thread-self/attr/exec", text, e) < 0)
		return err_wrap(e, "apply apparmor profile %.128s", profile);
	return 0;
}

int lsm_selinux_exec(int proc, const char *label, struct err *e)
{
	if (!label || !*label)
		return 0;
	if (!lsm_selinux_enabled())
		return err_msg(e, ENOTSUP,
			       "selinux label is specified in config, but selinux is disabled or "
			       "not supported");
	if (strlen(label) >= LABEL_MAX)
		return err_set(e, ENAMETOOLONG, "selinux label");
	if (procfd_write(proc, "thread-self/attr/exec", label, e) < 0)
		return err_wrap(e, "apply selinux label %.128s", label);
	return 0;
}
