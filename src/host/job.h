/* What the C half (src/call/job.c) and the Go half (src/host/jobs.go) say to each other of jobs: calls that run in
 * goroutines of their own.
 *
 * All of it is memory of C's. The Go half writes a job's results into it and puts the job on the list of its Lua state;
 * from then on nothing in Go knows of the job. So what Lua never asks for keeps nothing of a module alive. */
#ifndef GL_HOST_JOB_H
#define GL_HOST_JOB_H

#include "call.h"

/* done, once the Lua state was closed */
#define GL_JOBS_CLOSED 1

#define GL_JOB_FINISHED 1
#define GL_JOB_DROPPED 2

/* What finished jobs of one Lua state are put on. Several threads work on it, each word by itself, atomically. */
struct gl_jobs {
	uintptr_t done; /* the gl_job that finished last, or 0; the others follow by next */
	uint32_t armed; /* somebody sleeps: whoever turns it to 0 writes to fd */
	int32_t fd;     /* an eventfd */
	int64_t left;   /* after the state was closed: jobs that have yet to finish; the last has release called */
	void (*release)(struct gl_jobs *);
};

struct gl_job {
	uintptr_t next; /* in the list of finished ones */
	struct gl_jobs *jobs;
	/* as in a gl_call */
	uint64_t plan;
	void *addr;
	const struct gl_buffer *in; /* while it is started */
	struct gl_buffer out;
	enum gl_status status;
	uint64_t cancel; /* for goloader_job_cancel; 0 when the function takes no context.Context */
	bool keep;       /* the results stay in Go */
	/* Counts the jobs of a function that are under way. The Go half counts this one down when it has left the
	 * function, though Lua, which may be idle, has not taken notice yet; who counts down to 0 frees it. */
	uint32_t *under_way;
	/* 0, then what comes first: it has FINISHED, or Lua has DROPPED it. Whoever is second lets go of the handles
	 * among the results. */
	uint32_t fate;
	int32_t refused; /* by goloader_job_start: an argument is of no use, which status and out tell more of */
};

#endif
