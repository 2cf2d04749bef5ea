#ifndef BRIG_BASE_ARENA_H
#define BRIG_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Memory of one command: config, plan and strings live until it ends and are freed in one
 * call.  A zeroed struct arena is an empty one.  Running out of memory ends the process with
 * a fixed message (a runtime cannot go on), so no caller checks for NULL.
 */
struct arena {
	struct arena_chunk *head;
};

/* n zeroed bytes, aligned for any type. */
void *arena_new(struct arena *a, size_t n) __attribute__((returns_nonnull));
/* count zeroed items of size bytes; overflow counts as out of memory. */
void *arena_array(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));
/* A copy of s; NULL stays NULL. */
char *arena_strdup(struct arena *a, const char *s);
/* A terminated copy of n bytes. */
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0), returns_nonnull));
/* Room for n bytes at once, which cost nothing until they are used: a page of it is there from then
 * on. */
void arena_reserve(struct arena *a, size_t n);
/* Everything of from lives as long as a from now on; from is empty. */
void arena_adopt(struct arena *a, struct arena *from);
/* Frees everything; the arena is empty again. */
void arena_free(struct arena *a);

/* own_arena struct arena a = { 0 }: freed at the end of the scope. */
#define own_arena __attribute__((cleanup(arena_free)))

#endif
