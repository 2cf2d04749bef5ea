/* Built and run under a level's filter: threads, a timer, a child. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void *one(void *n)
{
	(*(int *)n)++;
	return NULL;
}

int main(void)
{
	int n = 0;
	pthread_t t;
	timer_t timer;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&t, NULL, one, &n) || pthread_join(t, NULL))
			return 1;
	if (n != 4 || timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0 || system("true") != 0)
		return 1;
	puts("ok");
	return 0;
}
