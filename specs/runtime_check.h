#ifndef BRIG_SPECS_RUNTIME_CHECK_H
#define BRIG_SPECS_RUNTIME_CHECK_H

#include "base/arena.h"
#include "base/err.h"

/*
 * Shape rules of config.json that one object shows by itself, called by the reader when the
 * object is complete (specs/json.h).  What the words mean (capabilities, mount options,
 * seccomp actions, signals) is judged where they are used.
 */
int check_config(struct arena *a, void *object, struct err *e);
int check_root(struct arena *a, void *object, struct err *e);
int check_mount(struct arena *a, void *object, struct err *e);
int check_rlimit(struct arena *a, void *object, struct err *e);
int check_affinity(struct arena *a, void *object, struct err *e);
int check_process(struct arena *a, void *object, struct err *e);
int check_hook(struct arena *a, void *object, struct err *e);
int check_namespace(struct arena *a, void *object, struct err *e);
int check_device(struct arena *a, void *object, struct err *e);
int check_hugepage(struct arena *a, void *object, struct err *e);
int check_syscall(struct arena *a, void *object, struct err *e);
int check_seccomp(struct arena *a, void *object, struct err *e);
int check_intel_rdt(struct arena *a, void *object, struct err *e);
int check_linux(struct arena *a, void *object, struct err *e);

#endif
