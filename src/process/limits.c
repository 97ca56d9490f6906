/* Go's runtime does not fail: where it gets no address space or no thread while it starts, it ends the process ("failed
 * to reserve page summary memory", "pthread_create failed"). So it is asked before. */
#include "limits.h"

#include <pthread.h>
#include <sched.h>

#include <stdio.h>

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const size_t mega = (size_t)1 << 20;

/* ---- address space ----------------------------------------------------------------------------------------------
 *
 * What a Go of 1.21 to 1.27 has reserved when it has started, in MiB: 585 for the summaries of its page allocator (one
 * for each of five levels, runtime.pageAlloc), 174 for its first two heap arenas and what describes them, and the
 * library itself. Each thread has a stack, and for a moment up to 128 for an arena of the C library's malloc. */
enum { GO_MEGA = 914, THREAD_MEGA = 128, THREADS = 6 };

/* Bytes of the process's memory, 0 where there is no /proc: of all address space, and of what can be written to. */
static void memory_in_use(size_t *all, size_t *data)
{
	unsigned long all_pages = 0, data_pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL || fscanf(file, "%lu %*u %*u %*u %*u %lu", &all_pages, &data_pages) != 2) {
		all_pages = data_pages = 0;
	}
	if (file != NULL) {
		fclose(file);
	}
	*all = all_pages * (size_t)sysconf(_SC_PAGESIZE);
	*data = data_pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t stack_of_thread(void)
{
	pthread_attr_t attr;
	size_t size = 8 * mega;

	if (pthread_attr_init(&attr) == 0) {
		pthread_attr_getstacksize(&attr, &size);
		pthread_attr_destroy(&attr);
	}
	return size;
}

static int check_space(size_t *room, size_t least, struct gl_error *err)
{
	struct rlimit limit;
	size_t need = GO_MEGA * mega + THREADS * (THREAD_MEGA * mega + stack_of_thread()), used, data;

	memory_in_use(&used, &data);
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
		return 0;
	}
	size_t left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
	if (left < need + least) {
		return gl_fail(
			err, GL_ELIMIT,
			"Go can't be started: the limit RLIMIT_AS (ulimit -v) leaves %zu MiB of address space, %zu "
			"of %llu are in use, and Go needs %zu, nearly all of it only reserved: raise it by %zu MiB",
			left / mega, used / mega, (unsigned long long)(limit.rlim_cur / mega), (need + least) / mega,
			(need + least - left) / mega + 1);
	}
	*room = left - need < *room ? left - need : *room;
	return 0;
}

/* Of what can be written to, the kernel counts all that is mapped, touched or not: a table of heap arenas of 32 MiB, a
 * first arena's 64, and the threads' stacks. */
static int check_data(struct gl_error *err)
{
	enum { GO_DATA_MEGA = 100 };
	struct rlimit limit;
	size_t need = GO_DATA_MEGA * mega + THREADS * stack_of_thread(), all, used;

	memory_in_use(&all, &used);
	if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= used + need) {
		return 0;
	}
	return gl_fail(
		err, GL_ELIMIT,
		"Go can't be started: of the limit RLIMIT_DATA (ulimit -d), %llu MiB, %zu are in use, and Go needs "
		"%zu: raise it by %zu MiB",
		(unsigned long long)(limit.rlim_cur / mega), used / mega, need / mega,
		(used + need - limit.rlim_cur) / mega + 1);
}

/* ---- threads ----------------------------------------------------------------------------------------------------
 *
 * How many threads a user has is nowhere to be read: as many are made as the runtime may want while it starts, one for
 * each processor and some of its own, and they end at once. */

static void *pass_gate(void *gate)
{
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

static size_t count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int check_threads(struct gl_error *err)
{
	enum { MOST = 32 };
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[MOST];
	pthread_attr_t attr;
	size_t need = THREADS + count_processors(), n = 0;
	struct rlimit limit;
	int refused = 0;

	need = need < MOST ? need : MOST;
	if (pthread_attr_init(&attr) != 0) {
		return gl_out_of_memory(err, "looking at the process's limits");
	}
	pthread_attr_setstacksize(&attr, 256 * (size_t)1024); /* room for the thread-local data of large programs */
	pthread_mutex_lock(&gate);
	while (n < need && (refused = pthread_create(&threads[n], &attr, pass_gate, &gate)) == 0) {
		n++;
	}
	pthread_mutex_unlock(&gate);
	for (size_t i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
	}
	pthread_attr_destroy(&attr);
	if (refused == 0) {
		return 0;
	}
	if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		return gl_fail(
			err, GL_ELIMIT,
			"Go can't be started: %zu threads more are all that may be made, and it needs %zu: the "
			"limit RLIMIT_NPROC (ulimit -u) is %llu for all threads of this user, or a control group's "
			"pids.max is reached (%s)",
			n, need, (unsigned long long)limit.rlim_cur, strerror(refused));
	}
	return gl_fail(err, GL_ELIMIT,
		       "Go can't be started: %zu threads more are all that may be made, and it needs %zu: a control "
		       "group's pids.max or kernel.threads-max is reached (%s)",
		       n, need, strerror(refused));
}

int gl_limits_check(size_t *room, size_t least, struct gl_error *err)
{
	return check_space(room, least, err) == 0 && check_data(err) == 0 ? check_threads(err) : -1;
}
