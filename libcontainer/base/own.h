#ifndef BRIG_BASE_OWN_H
#define BRIG_BASE_OWN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Ownership in the declaration:  own_fd int fd = open(...);  closes at the end of the scope;
 * take_fd(&fd) hands it on.  The cleanup functions accept -1 and NULL.
 */
static inline void own_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}
static inline void own_freep(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}
static inline void own_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
	*d = NULL;
}
static inline void own_fclose(FILE **f)
{
	if (*f)
		(void)fclose(*f);
	*f = NULL;
}
static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define own_fd   __attribute__((cleanup(own_close)))
#define own_free __attribute__((cleanup(own_freep)))
#define own_dir  __attribute__((cleanup(own_closedir)))
#define own_file __attribute__((cleanup(own_fclose)))
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(*(p)) taken_ = *(p);                                                    \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})
#define LEN(a) (sizeof(a) / sizeof(*(a)))

#endif
