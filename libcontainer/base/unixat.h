#ifndef BRIG_BASE_UNIXAT_H
#define BRIG_BASE_UNIXAT_H

#include <sys/un.h>

#include "base/err.h"

/*
 * A SOCK_SEQPACKET socket, and in *sa the address of name in the directory dir: by descriptor, as
 * the directory may have a longer name than sun_path takes.
 */
int unixat_socket(int dir, const char *name, struct sockaddr_un *sa, struct err *e) MUST_CHECK;
/* Bound there with mode 0600, and listening. */
int unixat_listen(int dir, const char *name, int backlog, struct err *e) MUST_CHECK;

#endif
