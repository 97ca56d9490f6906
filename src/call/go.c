/* Every way from here into Go.
 *
 * None is taken in a process that has forked since the host was started: Go's threads are not in it, and a call would
 * wait for them without end. gl_host_check says so, and who can raise an error asks it first (gl_caller_check,
 * gl_plan_check); what only lets go of something that Go holds has nothing to do there. */
#include "../abi/abi.h"
#include "plan.h"

/* ---- the short way --------------------------------------------------------------------------------------------------
 */

void gl_go_set_up(struct gl_caller *caller)
{
	struct gl_host *host = caller->host;
	const struct gl_abi *abi = gl_host_abi(host);
	void (*set_up)(struct gl_enter_setup *) = gl_host_export(host, "goloader_enter_setup");
	struct gl_enter_setup s = {
		.exitsyscall = gl_find_func(host, "runtime.exitsyscall"),
		.reentersyscall = gl_find_func(host, "runtime.reentersyscall"),
		.g_m = gl_abi_field(abi, "runtime.g", "m"),
		.g_stack = gl_abi_field(abi, "runtime.g", "stack"),
		.g_sched = gl_abi_field(abi, "runtime.g", "sched"),
		.g_syscallsp = gl_abi_field(abi, "runtime.g", "syscallsp"),
		.g_syscallpc = gl_abi_field(abi, "runtime.g", "syscallpc"),
		.g_syscallbp = gl_abi_field(abi, "runtime.g", "syscallbp"),
		.g_lockedm = gl_abi_field(abi, "runtime.g", "lockedm"),
		.m_g0 = gl_abi_field(abi, "runtime.m", "g0"),
		.m_curg = gl_abi_field(abi, "runtime.m", "curg"),
		.m_incgo = gl_abi_field(abi, "runtime.m", "incgo"),
		.m_isextra = gl_abi_field(abi, "runtime.m", "isextra"),
		.m_is_extra_in_c = gl_abi_field(abi, "runtime.m", "isExtraInC"),
		.m_ncgo = gl_abi_field(abi, "runtime.m", "ncgo"),
		.m_locked_int = gl_abi_field(abi, "runtime.m", "lockedInt"),
		.m_locked_ext = gl_abi_field(abi, "runtime.m", "lockedExt"),
		.m_lockedg = gl_abi_field(abi, "runtime.m", "lockedg"),
	};
	const int32_t needed[] = { s.g_m,       s.g_stack,      s.g_sched,      s.g_syscallsp, s.g_syscallpc,
				   s.g_lockedm, s.m_g0,         s.m_curg,       s.m_incgo,     s.m_isextra,
				   s.m_ncgo,    s.m_locked_int, s.m_locked_ext, s.m_lockedg };
	bool is_known = set_up != NULL && s.exitsyscall != NULL && s.reentersyscall != NULL &&
			gl_abi_field(abi, "runtime.gobuf", "sp") == 0 && gl_abi_field(abi, "runtime.gobuf", "pc") == 8;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		is_known = is_known && needed[i] >= 0;
	}
	if (!is_known) {
		return;
	}
	set_up(&s);
	caller->enter = s.enter;
	gl_host_note_forks(host, s.forked);
	caller->call.near = s.call;
	caller->call_fast.near = s.call_fast;
	caller->many.near = s.many;
	caller->handle.near = s.handle;
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
	return can_enter(caller) && caller->job_start(job) == 0;
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

uint64_t gl_go_pin(const struct gl_caller *caller) { return can_enter(caller) ? caller->pin() : 0; }

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
