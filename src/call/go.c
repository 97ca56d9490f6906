/* Every way from here into Go.
 *
 * None is taken in a process that has forked since the host was started: Go's threads are not in it, and a call would
 * wait for them without end. gl_host_check says so, and who can raise an error asks it first (gl_caller_check,
 * gl_plan_check); what only lets go of something that Go holds has nothing to do there. */
#include "../abi/runtime.h"
#include "plan.h"

/* ---- the short way --------------------------------------------------------------------------------------------------
 */

void gl_go_set_up(struct gl_caller *caller)
{
	struct gl_host *host = caller->host;
	void (*set_up)(struct gl_enter_setup *) = gl_host_export(host, "goloader_enter_setup");
	struct gl_enter_setup s = { 0 };

	if (set_up == NULL || !gl_runtime_fill_enter(gl_host_names(host), &s)) {
		return;
	}
	set_up(&s);
	caller->enter = s.enter;
	gl_host_note_forks(host, s.forked);
	caller->call.near = s.call;
	caller->call_fast.near = s.call_fast;
	caller->many.near = s.many;
	caller->handle.near = s.handle;
	caller->job_start.near = s.job_start;
	for (int i = 0; i < GL_FFI_SORTS; i++) {
		caller->call_ffi[i].near = s.ffi[i];
	}
	caller->ffi_many.near = s.ffi_many;
}

/* ---- the gate -------------------------------------------------------------------------------------------------------
 */

static bool can_enter(const struct gl_caller *caller)
{
	struct gl_error err;

	return gl_host_check(caller->host, &err) == 0;
}

bool gl_go_far(const struct gl_caller *caller, const struct gl_entry *entry, void *arg)
{
	if (!can_enter(caller)) {
		return false;
	}
	entry->far(arg);
	return true;
}

bool gl_go(const struct gl_caller *caller, const struct gl_entry *entry, void *arg)
{
	/* the short way looks for itself (src/host/internal/enter/cross.go) */
	return (entry->near != NULL && caller->enter != NULL && caller->enter(arg, entry->near)) ||
	       gl_go_far(caller, entry, arg);
}

void gl_go_or_raise(lua_State *L, struct gl_caller *caller, const struct gl_entry *entry, void *arg)
{
	if (!gl_go(caller, entry, arg)) {
		gl_caller_check(L, caller);
	}
}

bool gl_go_start_job(const struct gl_caller *caller, struct gl_job *job)
{
	job->refused = 1; /* also in a process where nobody is asked */
	return gl_go(caller, &caller->job_start, job) && job->refused == 0;
}

void gl_go_free_plan(const struct gl_caller *caller, uint64_t plan)
{
	if (can_enter(caller)) {
		caller->plan_free(plan);
	}
}

void gl_go_release(const struct gl_caller *caller, const uint64_t *handles, size_t n)
{
	if (can_enter(caller)) {
		caller->release(handles, n);
	}
}

size_t gl_go_count_handles(const struct gl_caller *caller) { return can_enter(caller) ? caller->handle_count() : 0; }

uint64_t gl_go_pin(const struct gl_caller *caller, uint32_t *busy) { return can_enter(caller) ? caller->pin(busy) : 0; }

void gl_go_unpin(const struct gl_caller *caller, uint64_t pins)
{
	if (can_enter(caller)) {
		caller->unpin(pins);
	}
}

void gl_go_drop(const struct gl_caller *caller, uint64_t pins)
{
	if (can_enter(caller)) {
		caller->drop(pins);
	}
}
