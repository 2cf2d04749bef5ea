/* start --idempotency-key: a start that is asked for twice happens once. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "late.h"
#include "store.h"

enum { KEY_MOST = 256 };

int late_key_check(const char *key, struct err *e)
{
	size_t n = key ? strlen(key) : 1;

	if (n == 0 || n > KEY_MOST)
		return err_msg(e, EINVAL, "--idempotency-key: not of 1 to %d bytes", KEY_MOST);
	return 0;
}

/* In the file that says that the program may have run, with which it goes. */
int late_key_write(int dir, const char *key, struct err *e)
{
	if (key)
		return file_replace(dir, STORE_GO, key, strlen(key), 0600, e);
	/* Of one that was killed before its program went there may be a key: this is not its. */
	own_fd int go =
		openat(dir, STORE_GO, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return go < 0 ? err_set(e, errno, "create %s", STORE_GO) : 0;
}

enum late_key late_key_seen(int dir, const char *key)
{
	own_arena struct arena a = {0};
	struct err ignored;
	char *text;

	if (faccessat(dir, STORE_GO, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return LATE_KEY_NONE;
	if (file_read(&a, dir, STORE_GO, KEY_MOST + 1, &text, NULL, &ignored) < 0)
		return LATE_KEY_OTHER;
	return str_eq(text, key) ? LATE_KEY_SAME : LATE_KEY_OTHER;
}
