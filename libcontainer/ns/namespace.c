#include "ns/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static const struct word words[] = {
	{"mount",   CLONE_NEWNS    },
        {"pid",     CLONE_NEWPID   },
        {"network", CLONE_NEWNET   },
	{"uts",     CLONE_NEWUTS   },
        {"ipc",     CLONE_NEWIPC   },
        {"user",    CLONE_NEWUSER  },
	{"cgroup",  CLONE_NEWCGROUP},
        {"time",    CLONE_NEWTIME  },
        {NULL,      0              },
};

const char *ns_name(uint64_t flag)
{
	const char *name = word_name(words, flag);

	return name ? name : "unknown";
}

int ns_plan_make(const struct oci_linux *l, struct ns_plan *out, struct err *e)
{
	*out = (struct ns_plan){0};
	for (size_t i = 0; l && i < l->n_namespaces; i++) {
		const struct oci_namespace *n = &l->namespaces[i];
		const struct word *w = word_find(words, n->type);

		if (!w)
			return err_msg(e, EINVAL, "linux: namespaces[%zu]: type: \"%s\" is unknown",
				       i, n->type);
		if ((out->make | out->join) & w->value)
			return err_msg(e, EINVAL, "linux: namespaces[%zu]: \"%s\" is there twice",
				       i, n->type);
		if (!n->path || !*n->path) {
			out->make |= w->value;
			continue;
		}
		if (n->path[0] != '/')
			return err_msg(e, EINVAL,
				       "linux: namespaces[%zu]: path: %s is not absolute", i,
				       n->path);
		out->join |= w->value;
		out->joins[out->n_joins++] = (struct ns_join){w->value, n->path, -1};
	}
	return 0;
}

static bool is_own_userns(int fd)
{
	struct stat mine, theirs;

	return stat("/proc/self/ns/user", &mine) == 0 && fstat(fd, &theirs) == 0 &&
	       mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino;
}

int ns_open(struct ns_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_joins; i++) {
		struct ns_join *j = &p->joins[i];

		j->fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (j->fd < 0)
			return err_set(e, errno, "open %s namespace %s", ns_name(j->flag), j->path);
		int type = ioctl(j->fd, NS_GET_NSTYPE);
		if (type < 0 || (uint64_t)(unsigned int)type != j->flag)
			return err_msg(e, EINVAL, "%s is not a %s namespace", j->path,
				       ns_name(j->flag));
		if (j->flag == CLONE_NEWUSER && is_own_userns(j->fd)) {
			(void)close(j->fd);
			j->fd = -1;
		}
	}
	return 0;
}

void ns_close(struct ns_plan *p)
{
	for (size_t i = 0; i < p->n_joins; i++) {
		if (p->joins[i].fd >= 0)
			(void)close(p->joins[i].fd);
		p->joins[i].fd = -1;
	}
}
