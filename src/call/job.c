/* Jobs: calls that run in goroutines of their own, while Lua goes on.
 *
 * A job is started by one crossing into Go, which decodes its arguments and returns. When its goroutine is done, the
 * results lie in the job's own memory, and the job on a list that any thread adds to and this Lua state's takes as a
 * whole. Nobody is told of that, unless he sleeps: then the list is armed, and whoever adds to it writes to an eventfd.
 *
 * So a job is one of these:
 *
 *     under way    the Go half has it, and will put it on the list
 *     done         its results are here; only Lua has it
 *     dropped      Lua has lost it while it was under way: it goes back to the others when it is found on the list
 *
 * The memory of jobs comes in slabs and is used again with the streams that it owns. It is given back when the Lua
 * state is closed, or, when jobs are under way then, by the last one of them that finishes. What they are put on stays
 * for another Lua state: a goroutine may be about to look at it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "plan.h"

enum { SLAB = 64, FIRST_WORDS = 8, KEPT_WORDS = 512 };

/* What C alone knows of a job. */
struct job {
	struct gl_job shared; /* first: one is cast to the other */
	struct job *next;     /* of those that are free, or ready */
	struct gl_plan *plan;
	bool done, dropped, watched;
	const uint64_t *at; /* what Lua has not read yet of the results; NULL: all of them */
	/* a thread's: there is no plan, nor anything of Go's */
	const char *name;
	void (*run)(void *arg);
	void *arg;
	bool runs_modules; /* as in gl_job_start_thread */
};

struct slab {
	struct slab *next;
	struct job jobs[SLAB];
};

struct jobs {
	struct gl_jobs shared; /* first */
	struct jobs *next;     /* of those that no Lua state has */
	struct slab *slabs;
	struct job *free;
	struct job *ready, **ready_end; /* watched and done */
	uint64_t under_way, finished;   /* finished: since the last step */
	int epoll, timer;               /* -1 till somebody asks for a file descriptor */
	int event;                      /* the eventfd */
	int listener, ring;             /* of gl_jobs_listen and gl_jobs_accept; -1: none */
	char *path;                     /* where the listener lies */
};

/* ---- life and memory --------------------------------------------------------------------------------------------- */

/* The jobs structs of Lua states that were closed, to be used by others. The lock is for goroutines: the last job of
 * such a state puts its struct here. */
static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static struct jobs *spare;

/* Threads of C's jobs that have none at the moment, and jobs that one of them is about to take. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t has_job;
	unsigned nidle, njobs;
	struct job *jobs;
} threads = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void open_threads(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&threads.has_job, &attr);
	pthread_condattr_destroy(&attr);
	threads.lock = unlocked;
	threads.nidle = threads.njobs = 0;
	threads.jobs = NULL;
}

/* A thread that held a lock at a fork is not in the child, nor is any other but the one that has forked. */
static void start_in_child(void)
{
	spare_lock = unlocked;
	open_threads();
}

static void start_in_process(void)
{
	open_threads();
	pthread_atfork(NULL, NULL, start_in_child);
}

static void free_slabs(struct jobs *jobs)
{
	for (struct slab *slab = jobs->slabs, *next; slab != NULL; slab = next) {
		next = slab->next;
		for (size_t i = 0; i < SLAB; i++) {
			free(slab->jobs[i].shared.out.p);
		}
		free(slab);
	}
	jobs->slabs = NULL;
	jobs->free = NULL;
}

/* Keeps the struct for another Lua state, once none of its jobs is under way. Called by gl_jobs_close, or by the
 * goroutine of the last job. */
static void release(struct gl_jobs *shared)
{
	struct jobs *jobs = (struct jobs *)shared;

	free_slabs(jobs);
	pthread_mutex_lock(&spare_lock);
	jobs->next = spare;
	spare = jobs;
	pthread_mutex_unlock(&spare_lock);
}

static struct jobs *new_jobs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_in_process);
	pthread_mutex_lock(&spare_lock);
	struct jobs *jobs = spare;
	if (jobs != NULL) {
		spare = jobs->next;
	}
	pthread_mutex_unlock(&spare_lock);
	if (jobs == NULL) {
		jobs = calloc(1, sizeof(*jobs));
		if (jobs == NULL) {
			return NULL;
		}
		jobs->shared.release = release;
		jobs->event = jobs->shared.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		jobs->epoll = jobs->timer = jobs->listener = jobs->ring = -1;
		if (jobs->event < 0) {
			free(jobs);
			return NULL;
		}
	}
	jobs->next = NULL;
	jobs->ready = NULL;
	jobs->ready_end = &jobs->ready;
	jobs->under_way = jobs->finished = 0;
	__atomic_store_n(&jobs->shared.left, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&jobs->shared.done, 0, __ATOMIC_RELEASE);
	return jobs;
}

static struct jobs *jobs_of(struct gl_caller *caller, struct gl_error *err)
{
	if (caller->jobs == NULL) {
		caller->jobs = new_jobs();
		if (caller->jobs == NULL) {
			gl_fail(err, GL_ENOMEM, "no eventfd for jobs: %s", strerror(errno));
		}
	}
	return caller->jobs;
}

static struct job *take_job(struct jobs *jobs)
{
	if (jobs->free == NULL) {
		struct slab *slab = calloc(1, sizeof(*slab));

		if (slab == NULL) {
			return NULL;
		}
		slab->next = jobs->slabs;
		jobs->slabs = slab;
		for (size_t i = SLAB; i-- > 0;) {
			slab->jobs[i].next = jobs->free;
			jobs->free = &slab->jobs[i];
		}
	}
	struct job *job = jobs->free;
	struct gl_buffer *out = &job->shared.out;
	if (out->p == NULL) {
		out->p = malloc(FIRST_WORDS * sizeof(*out->p));
		if (out->p == NULL) {
			return NULL;
		}
		out->cap = FIRST_WORDS;
	}
	out->len = out->nhandles = 0;
	jobs->free = job->next;
	job->done = job->dropped = job->watched = false;
	job->at = NULL;
	job->run = NULL;
	job->next = NULL;
	job->shared.cancel = 0;
	job->shared.fate = 0;
	job->shared.under_way = NULL;
	job->shared.jobs = &jobs->shared;
	return job;
}

/* Nobody will ask for its results: releases the handles among them. If it has not finished yet, the Go half does. */
static void drop_handles(struct job *job)
{
	struct gl_buffer *out = &job->shared.out;

	if (__atomic_exchange_n(&job->shared.fate, GL_JOB_DROPPED, __ATOMIC_ACQ_REL) == GL_JOB_FINISHED) {
		gl_release_unread(job->plan->caller, out, job->at);
		out->nhandles = 0;
	}
}

/* Lua asks for nothing of it any more. */
static void forget_results(struct job *job)
{
	if (job->plan == NULL) {
		return;
	}
	drop_handles(job);
	gl_plan_release(job->plan);
	job->plan = NULL;
}

static void give_job(struct jobs *jobs, struct job *job)
{
	struct gl_buffer *out = &job->shared.out;

	forget_results(job);
	if (out->cap > KEPT_WORDS) {
		free(out->p);
		*out = (struct gl_buffer){ 0 };
	}
	job->next = jobs->free;
	jobs->free = job;
}

/* ---- what has finished ------------------------------------------------------------------------------------------- */

static void wake(struct jobs *jobs)
{
	uint64_t one = 1;

	/* This fails when the counter or the socket is full. Then nobody has read it yet, and whoever waits is woken
	 * anyway. */
	(void)!write(jobs->shared.fd, &one, sizeof(one));
}

/* Sets which file descriptor is written to when a job finishes: the eventfd, or the socket. A goroutine that has just
 * read the other number may still write to that one, so both stay open. */
static void ring_at(struct jobs *jobs, int fd) { __atomic_store_n(&jobs->shared.fd, fd, __ATOMIC_SEQ_CST); }

static bool is_rung(const struct jobs *jobs) { return jobs->shared.fd == jobs->ring; }

static void set_ready(struct jobs *jobs, struct job *job)
{
	job->next = NULL;
	*jobs->ready_end = job;
	jobs->ready_end = &job->next;
}

static void finish(struct jobs *jobs, struct job *job)
{
	struct gl_plan *plan = job->plan;
	struct gl_buffer *out = &job->shared.out;

	job->done = true;
	jobs->under_way--;
	jobs->finished++;
	if (plan != NULL) {
		plan->counters.panics += job->shared.status == GL_CALL_PANICKED;
		plan->counters.bytes_out += out->len * sizeof(*out->p);
	}
	if (job->dropped) {
		give_job(jobs, job);
	} else if (job->watched) {
		set_ready(jobs, job);
	}
}

/* Takes the list, whose last job came first. */
static uint64_t finish_list(struct jobs *jobs, uintptr_t list)
{
	struct gl_job *first = NULL;
	uint64_t n = 0;

	while (list != 0) {
		struct gl_job *job = (struct gl_job *)list; /* NOLINT(performance-no-int-to-ptr) */

		list = job->next;
		job->next = (uintptr_t)first;
		first = job;
	}
	while (first != NULL) {
		struct job *job = (struct job *)first;

		first = (struct gl_job *)first->next; /* NOLINT(performance-no-int-to-ptr) */
		finish(jobs, job);
		n++;
	}
	return n;
}

static uint64_t drain(struct jobs *jobs)
{
	if (__atomic_load_n(&jobs->shared.done, __ATOMIC_RELAXED) == 0) {
		return 0;
	}
	return finish_list(jobs, __atomic_exchange_n(&jobs->shared.done, 0, __ATOMIC_ACQ_REL));
}

/* Has the next job that finishes write to the file descriptor. False if one has finished already, which did not. */
static bool arm(struct jobs *jobs)
{
	__atomic_store_n(&jobs->shared.armed, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&jobs->shared.done, __ATOMIC_SEQ_CST) == 0;
}

static void close_listener(struct jobs *jobs)
{
	if (jobs->listener < 0) {
		return;
	}
	close(jobs->listener);
	jobs->listener = -1;
	unlink(jobs->path);
	*strrchr(jobs->path, '/') = '\0';
	rmdir(jobs->path);
	free(jobs->path);
	jobs->path = NULL;
}

void gl_jobs_close(struct gl_caller *caller)
{
	struct jobs *jobs = caller->jobs;

	if (jobs == NULL) {
		return;
	}
	caller->jobs = NULL;
	close_listener(jobs);
	if (is_rung(jobs)) {
		ring_at(jobs, jobs->event);
		shutdown(jobs->ring, SHUT_RDWR); /* not closed: a goroutine may be about to write to it */
	}
	drain(jobs);
	__atomic_store_n(&jobs->shared.armed, 0, __ATOMIC_SEQ_CST);
	finish_list(jobs, __atomic_exchange_n(&jobs->shared.done, GL_JOBS_CLOSED, __ATOMIC_ACQ_REL));
	for (struct slab *slab = jobs->slabs; slab != NULL; slab = slab->next) {
		for (size_t i = 0; i < SLAB; i++) {
			forget_results(&slab->jobs[i]);
		}
	}
	/* Each job that has finished since GL_JOBS_CLOSED was stored has taken 1 from `left`: 0 means that it was all.
	 */
	if (__atomic_add_fetch(&jobs->shared.left, (int64_t)jobs->under_way, __ATOMIC_ACQ_REL) == 0) {
		release(&jobs->shared);
	}
}

/* ---- one job ----------------------------------------------------------------------------------------------------- */

/* Has the plan count its jobs; false without memory. */
static bool can_count(struct gl_plan *plan)
{
	if (plan->jobs == NULL) {
		uint32_t *jobs = malloc(sizeof(*jobs));
		if (jobs != NULL) {
			*jobs = 1;
		}
		__atomic_store_n(&plan->jobs, jobs, __ATOMIC_RELEASE); /* another thread may look */
	}
	return plan->jobs != NULL;
}

void gl_job_start(lua_State *L, struct gl_plan *plan, int first, bool keep, struct gl_job **owner)
{
	struct gl_caller *caller = plan->caller;
	struct gl_error err;

	struct gl_reading *r = gl_plan_encode(L, plan, first, true);
	struct jobs *jobs = jobs_of(caller, &err);
	struct job *job = jobs != NULL && can_count(plan) ? take_job(jobs) : NULL;
	if (job == NULL) {
		gl_reading_end(L, r);
		gl_plan_entered(plan);
		luaL_error(L, "%s", jobs == NULL ? err.message : "no memory for a job");
		return; /* not reached */
	}
	plan->counters.calls++;
	plan->counters.crossings++;
	plan->counters.bytes_in += r->in.len * sizeof(*r->in.p);
	plan->refs++;
	job->plan = plan;
	job->shared.plan = plan->handle;
	job->shared.addr = (void *)plan->export->addr;
	job->shared.in = &r->in;
	job->shared.keep = keep;
	job->shared.status = GL_CALL_DONE;
	job->shared.under_way = plan->jobs;
	__atomic_add_fetch(plan->jobs, 1, __ATOMIC_ACQ_REL);
	gl_plan_entered(plan);
	jobs->under_way++;
	/* When it returns the job may be done, and then its status is the call's: what is wrong with an argument says
	 * that it was not even started. */
	bool started = gl_go_start_job(caller, &job->shared);
	gl_reading_end(L, r);
	*owner = &job->shared;
	if (!started) {
		__atomic_sub_fetch(plan->jobs, 1, __ATOMIC_ACQ_REL);
		job->shared.fate = GL_JOB_FINISHED;
		jobs->under_way--;
		job->done = true; /* the owner gives it back, also where there is no memory to say what was wrong */
		gl_frames_raise(L, gl_push_failure(L, caller, plan, plan->name, job->shared.status, &job->shared.out));
	}
}

/* Puts the job on the list, as the Go half does (src/host/jobs.go, post). */
static void post(struct job *job)
{
	struct jobs *jobs = (struct jobs *)job->shared.jobs;
	uintptr_t last = __atomic_load_n(&jobs->shared.done, __ATOMIC_ACQUIRE);

	do {
		if (last == GL_JOBS_CLOSED) {
			if (__atomic_sub_fetch(&jobs->shared.left, 1, __ATOMIC_ACQ_REL) == 0) {
				release(&jobs->shared);
			}
			return;
		}
		job->shared.next = last;
	} while (!__atomic_compare_exchange_n(&jobs->shared.done, &last, (uintptr_t)job, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	if (__atomic_load_n(&jobs->shared.armed, __ATOMIC_SEQ_CST) != 0 &&
	    __atomic_exchange_n(&jobs->shared.armed, 0, __ATOMIC_SEQ_CST) != 0) {
		wake(jobs);
	}
}

/* ---- threads of C's jobs -----------------------------------------------------------------------------------------
 *
 * To create a thread takes some 50 µs of whoever does, and as much of the thread itself; in nginx a worker waits for
 * edits in one, and looks at files and unloads in another. So a thread that is done waits a while for another job. */

static const time_t PATIENCE = 10; /* seconds */

/* Is there a thread that takes the job? */
static bool give_thread(struct job *job)
{
	pthread_mutex_lock(&threads.lock);
	bool is_given = threads.nidle > threads.njobs;
	if (is_given) {
		job->next = threads.jobs;
		threads.jobs = job;
		threads.njobs++;
		pthread_cond_signal(&threads.has_job);
	}
	pthread_mutex_unlock(&threads.lock);
	return is_given;
}

/* The next job of a thread that is done with one; NULL: none has come for a while. */
static struct job *await_job(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&threads.lock);
	threads.nidle++;
	while (threads.jobs == NULL && pthread_cond_timedwait(&threads.has_job, &threads.lock, &until) != ETIMEDOUT) {
	}
	threads.nidle--;
	struct job *job = threads.jobs;
	if (job != NULL) {
		threads.jobs = job->next;
		threads.njobs--;
	}
	pthread_mutex_unlock(&threads.lock);
	return job;
}

static void *run_thread(void *arg)
{
	struct job *job = arg;
	bool stays;

	do {
		stays = !job->runs_modules;
		job->run(job->arg);
		post(job);
	} while (stays && (job = await_job()) != NULL);
	return NULL;
}

struct gl_job *gl_job_start_thread(struct gl_caller *caller, const char *name, void (*run)(void *), void *arg,
				   bool runs_modules, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);
	struct job *job = jobs != NULL ? take_job(jobs) : NULL;
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;

	if (job == NULL) {
		if (jobs != NULL) {
			gl_out_of_memory(err, "starting %s", name);
		}
		return NULL;
	}
	job->name = name;
	job->run = run;
	job->arg = arg;
	job->runs_modules = runs_modules;
	job->shared.status = GL_CALL_DONE;
	jobs->under_way++;
	if (!runs_modules && give_thread(job)) {
		return &job->shared;
	}
	/* signals are for the process's own threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int why = pthread_create(&thread, &attr, run_thread, job);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (why != 0) {
		jobs->under_way--;
		give_job(jobs, job);
		gl_fail(err, GL_EIO, "no thread for %s: %s", name, strerror(why));
		return NULL;
	}
	return &job->shared;
}

/* Both descriptors are in the pointer. */
static void wait_for_input(void *arg)
{
	uint64_t both = (uintptr_t)arg;
	struct pollfd p[2] = { { .fd = (int32_t)(uint32_t)both, .events = POLLIN },
			       { .fd = (int32_t)(uint32_t)(both >> 32), .events = POLLIN } };

	while (poll(p, 2, -1) < 0 && errno == EINTR) {
	}
	/* A file is made, written, closed and renamed: whoever waits is woken once for all that. */
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

struct gl_job *gl_job_poll(struct gl_caller *caller, const int fds[2], struct gl_error *err)
{
	uint64_t both = (uint32_t)fds[0] | (uint64_t)(uint32_t)fds[1] << 32;

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): numbers, on their way to the thread */
	return gl_job_start_thread(caller, "poll", wait_for_input, (void *)(uintptr_t)both, false, err);
}

void gl_job_drop(struct gl_job *shared)
{
	struct job *job = (struct job *)shared;

	if (job->done) {
		give_job((struct jobs *)shared->jobs, job);
		return;
	}
	job->dropped = true;
	if (job->plan != NULL) {
		drop_handles(job);
	}
}

bool gl_job_is_done(struct gl_job *shared)
{
	struct job *job = (struct job *)shared;

	if (!job->done) {
		drain((struct jobs *)shared->jobs);
	}
	return job->done;
}

bool gl_job_can_cancel(const struct gl_job *shared) { return shared->cancel != 0; }

bool gl_job_cancel(struct gl_job *shared)
{
	struct job *job = (struct job *)shared;

	if (shared->cancel == 0) {
		return false;
	}
	if (!job->done) {
		gl_go(job->plan->caller, &job->plan->caller->job_cancel, shared);
	}
	return true;
}

int gl_job_results(lua_State *L, struct gl_job *shared)
{
	struct job *job = (struct job *)shared;

	if (job->run != NULL) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (shared->status != GL_CALL_DONE) {
		return gl_frames_raise(L, gl_push_failure(L, job->plan->caller, job->plan, job->plan->name,
							  shared->status, &shared->out));
	}
	/* Handles are given once. */
	const uint64_t *again = shared->out.p, **at = &again;
	if (shared->out.nhandles > 0) {
		if (job->at != NULL) {
			return luaL_error(L, "%s: an error ended the first reading of its results", job->plan->name);
		}
		at = &job->at;
		*at = shared->out.p;
	}
	return gl_plan_decode(L, job->plan, at, shared->keep);
}

bool gl_job_has_handles(const struct gl_job *shared) { return shared->out.nhandles > 0; }

const char *gl_job_name(const struct gl_job *shared)
{
	const struct job *job = (const struct job *)shared;

	return job->run != NULL ? job->name : job->plan->name;
}

void gl_job_watch(struct gl_job *shared)
{
	struct job *job = (struct job *)shared;
	struct jobs *jobs = (struct jobs *)shared->jobs;

	if (job->watched) {
		return;
	}
	job->watched = true;
	if (job->done) {
		set_ready(jobs, job);
		wake(jobs);
	}
}

uint32_t gl_plan_jobs(struct gl_plan *plan)
{
	if (plan->jobs == NULL) {
		return 0;
	}
	drain(plan->caller->jobs);
	return __atomic_load_n(plan->jobs, __ATOMIC_ACQUIRE) - 1;
}

void gl_plan_drop_jobs(struct gl_plan *plan)
{
	if (plan->jobs != NULL && __atomic_sub_fetch(plan->jobs, 1, __ATOMIC_ACQ_REL) == 0) {
		free(plan->jobs);
	}
	plan->jobs = NULL;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static int fail_fd(struct gl_error *err, const char *what)
{
	return gl_fail(err, GL_EIO, "no %s for jobs: %s", what, strerror(errno));
}

static bool add_to_epoll(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

int gl_jobs_fd(struct gl_caller *caller, int *fd, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);

	if (jobs == NULL) {
		return -1;
	}
	if (jobs->timer < 0) {
		jobs->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		if (jobs->timer < 0) {
			return fail_fd(err, "timerfd");
		}
	}
	if (jobs->epoll < 0) {
		int epoll = epoll_create1(EPOLL_CLOEXEC);

		if (epoll < 0 || !add_to_epoll(epoll, jobs->event) || !add_to_epoll(epoll, jobs->timer)) {
			fail_fd(err, "epoll");
			if (epoll >= 0) {
				close(epoll);
			}
			return -1;
		}
		jobs->epoll = epoll;
		if (!arm(jobs)) {
			wake(jobs);
		}
	}
	*fd = jobs->epoll;
	return 0;
}

/* ---- for event loops that can't poll a file descriptor of somebody else's -----------------------------------------
 */

const char *gl_jobs_listen(struct gl_caller *caller, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);
	const char *tmp = getenv("TMPDIR");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *dir = NULL;

	if (jobs == NULL) {
		return NULL;
	}
	close_listener(jobs);
	if (asprintf(&dir, "%s/goloader-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp") < 0) {
		gl_fail(err, GL_ENOMEM, "no memory for a socket's name");
		return NULL;
	}
	if (mkdtemp(dir) == NULL) { /* only this user can enter it */
		gl_fail(err, GL_EIO, "%s: %s", dir, strerror(errno));
		free(dir);
		return NULL;
	}
	if (asprintf(&jobs->path, "%s/jobs", dir) < 0) {
		gl_fail(err, GL_ENOMEM, "no memory for a socket's name");
		rmdir(dir);
		free(dir);
		return NULL;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", jobs->path);
	jobs->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool fits = strlen(jobs->path) < sizeof(address.sun_path);
	if (jobs->listener < 0 || !fits || bind(jobs->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(jobs->listener, 1) != 0) {
		gl_fail(err, GL_EIO, "no socket at %s: %s", jobs->path, strerror(fits ? errno : ENAMETOOLONG));
		if (jobs->listener >= 0) {
			close_listener(jobs);
		} else {
			rmdir(dir);
			free(jobs->path);
			jobs->path = NULL;
		}
		free(dir);
		return NULL;
	}
	free(dir);
	return jobs->path;
}

int gl_jobs_accept(struct gl_caller *caller, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);

	if (jobs == NULL) {
		return -1;
	}
	if (jobs->listener < 0) {
		return gl_fail(err, GL_EIO, "nothing listens for whoever waits for jobs");
	}
	int fd = accept4(jobs->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		return fail_fd(err, "connection");
	}
	close_listener(jobs);
	if (jobs->ring < 0) {
		jobs->ring = fd;
	} else { /* a goroutine may be writing to the earlier one's number: this connection gets that number */
		dup3(fd, jobs->ring, O_CLOEXEC);
		close(fd);
	}
	ring_at(jobs, jobs->ring);
	if (!arm(jobs)) {
		wake(jobs);
	}
	return 0;
}

int gl_jobs_ring(struct gl_caller *caller, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);

	if (jobs == NULL) {
		return -1;
	}
	wake(jobs);
	return 0;
}

static void clear(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Sleeps till a job finishes, or the time is over. If that is without end, it does not sleep while no job is under way.
 */
static void sleep_for(struct jobs *jobs, double seconds)
{
	double end = now() + seconds;
	bool rung = is_rung(jobs);

	if (rung) {
		ring_at(jobs, jobs->event);
	}
	while (drain(jobs) == 0 && jobs->ready == NULL && (seconds >= 0 || jobs->under_way > 0) && arm(jobs)) {
		struct pollfd p = { .fd = jobs->event, .events = POLLIN };
		double left = seconds < 0 ? 0 : end - now();

		if (left < 0) {
			break;
		}
		struct timespec timeout = { .tv_sec = left > 1e9 ? 1000000000 : (time_t)left };
		timeout.tv_nsec = left > 1e9 ? 0 : (long)((left - (double)timeout.tv_sec) * 1e9);
		if (ppoll(&p, 1, seconds < 0 ? NULL : &timeout, NULL) > 0) {
			clear(jobs->event);
		}
	}
	__atomic_store_n(&jobs->shared.armed, 0, __ATOMIC_SEQ_CST);
	if (rung) {
		ring_at(jobs, jobs->ring);
	}
}

int gl_jobs_step(struct gl_caller *caller, double seconds, uint64_t *finished, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);

	/* After a fork there is nobody who would finish them. */
	if (jobs == NULL || gl_host_check(caller->host, err) != 0) {
		return -1;
	}
	if (seconds != 0) {
		sleep_for(jobs, seconds);
	}
	if (jobs->epoll >= 0 || is_rung(jobs)) {
		clear(jobs->event);
		if (jobs->timer >= 0) {
			clear(jobs->timer);
		}
		do {
			drain(jobs);
		} while (!arm(jobs));
	} else {
		drain(jobs);
	}
	*finished = jobs->finished;
	jobs->finished = 0;
	return 0;
}

struct gl_job *gl_jobs_ready(struct gl_caller *caller)
{
	struct jobs *jobs = caller->jobs;
	struct job *job = jobs == NULL ? NULL : jobs->ready;

	if (job == NULL) {
		return NULL;
	}
	jobs->ready = job->next;
	if (jobs->ready == NULL) {
		jobs->ready_end = &jobs->ready;
	}
	job->watched = false;
	return &job->shared;
}

int gl_jobs_set_timer(struct gl_caller *caller, double seconds, struct gl_error *err)
{
	struct jobs *jobs = jobs_of(caller, err);
	struct itimerspec when = { .it_value = { 0 } };

	if (jobs == NULL) {
		return -1;
	}
	if (jobs->timer < 0) {
		return 0; /* nobody polls */
	}
	if (seconds >= 0) {
		seconds = fmin(seconds, 1e9);
		when.it_value.tv_sec = (time_t)seconds;
		when.it_value.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
		if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) {
			when.it_value.tv_nsec = 1; /* 0 would mean never */
		}
	}
	return timerfd_settime(jobs->timer, 0, &when, NULL) == 0 ? 0 : fail_fd(err, "timer");
}
