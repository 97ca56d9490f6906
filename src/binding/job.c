/* Job handles: calls that run in goroutines, and what a host has for all of them. */
#include <time.h>

#include "binding.h"

#define JOB "goloader.job"

struct binding_job {
	const char *mark;          /* job_mark, which no other userdata holds */
	struct gl_job *job;        /* NULL before it was started, and once it was collected */
	struct binding_host *host; /* kept alive by the user value */
	int nkept;                 /* results that the user value holds, in the order of their numbers */
};

static const char job_mark[] = JOB;

struct gl_job **binding_push_job(lua_State *L, struct binding_host *host, int func)
{
	struct binding_job *j = lua_newuserdata(L, sizeof(*j));

	*j = (struct binding_job){ .mark = job_mark, .host = host };
	luaL_getmetatable(L, JOB);
	lua_setmetatable(L, -2);
	lua_getuservalue(L, func);
	lua_setuservalue(L, -2);
	return &j->job;
}

/* Jobs come by the thousand: a look at the mark is quicker than one at the metatable. */
static struct binding_job *check_job(lua_State *L)
{
	struct binding_job *j = lua_touserdata(L, 1);

	if (j == NULL || lua_rawlen(L, 1) != sizeof(*j) || j->mark != job_mark) {
		luaL_error(L, "a job expected, got %s: its methods are called with a colon", luaL_typename(L, 1));
		return NULL; /* not reached */
	}
	return j;
}

/* Finalizers run in any order when the Lua state is closed. */
static struct gl_job *check_open(lua_State *L)
{
	struct binding_job *j = check_job(L);

	if (j->job == NULL || j->host->caller == NULL) {
		luaL_error(L, "the Lua state is being closed");
	}
	return j->job;
}

static int job_done(lua_State *L)
{
	lua_pushboolean(L, gl_job_is_done(check_open(L)));
	return 1;
}

/* job:pending() -> nil when it is done; else whether it can be cancelled */
static int job_pending(lua_State *L)
{
	struct gl_job *job = check_open(L);

	if (gl_job_is_done(job)) {
		return 0;
	}
	lua_pushboolean(L, gl_job_can_cancel(job));
	return 1;
}

/* Keeps the n results on the top: each handle among them is Lua's once. */
static void keep_results(lua_State *L, struct binding_job *j, int n)
{
	int first = lua_gettop(L) - n + 1;

	lua_createtable(L, n, 1);
	for (int i = 0; i < n; i++) {
		lua_pushvalue(L, first + i);
		lua_rawseti(L, -2, i + 1);
	}
	lua_getuservalue(L, 1);
	lua_setfield(L, -2, "kept");
	lua_setuservalue(L, 1);
	j->nkept = n;
}

static int push_kept(lua_State *L, const struct binding_job *j)
{
	luaL_checkstack(L, j->nkept + 1, NULL);
	lua_getuservalue(L, 1);
	int list = lua_gettop(L);
	for (int i = 1; i <= j->nkept; i++) {
		lua_rawgeti(L, list, i);
	}
	return j->nkept;
}

/* job:results() -> what the call gave; of a job that is done */
static int job_results(lua_State *L)
{
	struct gl_job *job = check_open(L);
	struct binding_job *j = check_job(L);

	if (!gl_job_is_done(job)) {
		return luaL_error(L, "%s: the job is under way", gl_job_name(job));
	}
	if (j->nkept > 0) {
		return push_kept(L, j);
	}
	int n = gl_job_results(L, job);
	if (gl_job_has_handles(job)) {
		keep_results(L, j, n);
	}
	return n;
}

static int job_cancel(lua_State *L)
{
	struct gl_job *job = check_open(L);
	struct gl_error err;

	if (!gl_job_cancel(job)) {
		gl_fail(&err, GL_EUNSUPPORTED, "%s can't be cancelled: it has no parameter of type context.Context",
			gl_job_name(job));
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* job:watch() -> key; the host's jobs_ready gives it, once, when the job is done */
static int job_watch(lua_State *L)
{
	struct gl_job *job = check_open(L);

	gl_job_watch(job);
	lua_pushlightuserdata(L, job);
	return 1;
}

static int job_tostring(lua_State *L)
{
	struct gl_job *job = check_open(L);

	lua_pushfstring(L, JOB ": %s (%s)", gl_job_name(job), gl_job_is_done(job) ? "done" : "under way");
	return 1;
}

static int job_gc(lua_State *L)
{
	struct binding_job *j = check_job(L);

	if (j->job != NULL && j->host->caller != NULL) {
		gl_job_drop(j->job);
	}
	j->job = NULL;
	return 0;
}

/* ---- of a host --------------------------------------------------------------------------------------------------- */

static struct gl_caller *check_caller(lua_State *L) { return binding_check_host(L, 1)->caller; }

/* host:jobs_fd() -> file descriptor */
int binding_jobs_listen(lua_State *L)
{
	struct gl_error err;
	const char *path = gl_jobs_listen(check_caller(L), &err);

	if (path == NULL) {
		return binding_fail(L, &err);
	}
	lua_pushstring(L, path);
	return 1;
}

static int answer_jobs(lua_State *L, int (*f)(struct gl_caller *caller, struct gl_error *err))
{
	struct gl_error err;

	if (f(check_caller(L), &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

int binding_jobs_accept(lua_State *L) { return answer_jobs(L, gl_jobs_accept); }
int binding_jobs_ring(lua_State *L) { return answer_jobs(L, gl_jobs_ring); }

int binding_jobs_fd(lua_State *L)
{
	struct gl_error err;
	int fd;

	if (gl_jobs_fd(check_caller(L), &fd, &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_pushinteger(L, fd);
	return 1;
}

/* host:jobs_step(seconds) -> number of jobs that have finished since the last step */
int binding_jobs_step(lua_State *L)
{
	struct gl_error err;
	uint64_t finished;

	if (gl_jobs_step(check_caller(L), luaL_checknumber(L, 2), &finished, &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_pushinteger(L, (lua_Integer)finished);
	return 1;
}

/* host:jobs_ready() -> key of a watched job that is done, or nil */
int binding_jobs_ready(lua_State *L)
{
	struct gl_job *job = gl_jobs_ready(check_caller(L));

	if (job == NULL) {
		lua_pushnil(L);
	} else {
		lua_pushlightuserdata(L, job);
	}
	return 1;
}

struct gl_job **binding_push_plain_job(lua_State *L, int host)
{
	struct binding_host *h = binding_check_host(L, host);
	struct binding_job *j = lua_newuserdata(L, sizeof(*j));

	*j = (struct binding_job){ .mark = job_mark, .host = h };
	luaL_getmetatable(L, JOB);
	lua_setmetatable(L, -2);
	lua_newtable(L); /* the user value keeps the host */
	lua_pushvalue(L, host);
	lua_rawseti(L, -2, 1);
	lua_setuservalue(L, -2);
	return &j->job;
}

/* host:jobs_poll(fd, other fd|nil) -> a job that is done when one of them can be read from */
int binding_jobs_poll(lua_State *L)
{
	struct gl_caller *caller = check_caller(L);
	int fds[2] = { (int)luaL_checkinteger(L, 2), (int)luaL_optinteger(L, 3, -1) };
	struct gl_error err;
	struct gl_job **job = binding_push_plain_job(L, 1);

	*job = gl_job_poll(caller, fds, &err);
	return *job != NULL ? 1 : binding_fail(L, &err);
}

/* host:jobs_set_timer(seconds|nil) -> true */
int binding_jobs_set_timer(lua_State *L)
{
	struct gl_error err;

	if (gl_jobs_set_timer(check_caller(L), luaL_optnumber(L, 2, -1), &err) != 0) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

double binding_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* core.clock() -> seconds since some time */
int binding_clock(lua_State *L)
{
	lua_pushnumber(L, binding_now());
	return 1;
}

void binding_open_job(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "done", job_done },     { "results", job_results },
		{ "cancel", job_cancel }, { "pending", job_pending },
		{ "watch", job_watch },   { "__tostring", job_tostring },
		{ "__gc", job_gc },       { NULL, NULL },
	};

	binding_new_class(L, JOB, methods);
}
