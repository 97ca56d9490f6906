#include "parts.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

int calls = 40;

char *upper(const char *s)
{
	char *copy = strdup(s);

	for (char *p = copy; *p != '\0'; p++) {
		*p = (char)toupper(*p);
	}
	return copy;
}

int negated(int x) { return -x; }
int apply(function f, int x) { return f(x); }

/* of the package counter */
extern int counter_next(void);
int next_from_parts(void) { return counter_next(); }

int call_go(int x) { return goDouble(x) + 1; }
function go_function(void) { return goDouble; }
char *text_of_go(int n) { return goText(n); }
int go_deeper(int n) { return goDeeper(n); }
void call_panic(void) { goPanic(); }
char *call_trace(void) { return goTrace(); }
void take(void *p) { (void)p; }

void each(uintptr_t handle, int n)
{
	for (int i = 1; i <= n; i++) {
		goAdd(handle, i);
	}
}

struct job {
	pthread_t thread;
	uintptr_t handle;
	int number;
};

static void *run(void *arg)
{
	struct job *job = arg;

	goThread(job->handle, job->number);
	return NULL;
}

void run_threads(uintptr_t handle, int n)
{
	struct job *jobs = calloc((size_t)n, sizeof(*jobs));

	for (int i = 0; i < n; i++) {
		jobs[i].handle = handle;
		jobs[i].number = i + 1;
		pthread_create(&jobs[i].thread, NULL, run, &jobs[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(jobs[i].thread, NULL);
	}
	free(jobs);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int waiting, released;

void wait_here(void)
{
	pthread_mutex_lock(&lock);
	waiting = 1;
	pthread_cond_broadcast(&changed);
	while (!released) {
		pthread_cond_wait(&changed, &lock);
	}
	waiting = released = 0;
	pthread_mutex_unlock(&lock);
}

void wait_until_waiting(void)
{
	pthread_mutex_lock(&lock);
	while (!waiting) {
		pthread_cond_wait(&changed, &lock);
	}
	pthread_mutex_unlock(&lock);
}

void release(void)
{
	pthread_mutex_lock(&lock);
	released = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}
