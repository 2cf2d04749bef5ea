#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 16384, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) char data[];
};

static __attribute__((noreturn)) void no_memory(void)
{
	static const char text[] = "brig: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

void arena_reserve(struct arena *a, size_t n)
{
	struct arena_chunk *c = n > SIZE_MAX / 2 ? NULL : calloc(1, sizeof(*c) + n);

	if (!c)
		no_memory();
	c->next = a->head;
	c->size = n;
	a->head = c;
}

void *arena_new(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2)
		no_memory();
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!a->head || a->head->size - a->head->used < n)
		arena_reserve(a, n > CHUNK ? n : CHUNK);
	void *p = a->head->data + a->head->used;
	a->head->used += n;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		no_memory();
	return arena_new(a, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_new(a, n + 1);

	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char text[512]; /* most fit: they are formatted once */
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		no_memory();
	char *p = arena_new(a, (size_t)n + 1);
	if ((size_t)n < sizeof(text))
		memcpy(p, text, (size_t)n + 1);
	else
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}

void arena_adopt(struct arena *a, struct arena *from)
{
	struct arena_chunk **end = &from->head;

	while (*end)
		end = &(*end)->next;
	*end = a->head;
	a->head = from->head;
	from->head = NULL;
}

void arena_free(struct arena *a)
{
	for (struct arena_chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	a->head = NULL;
}
