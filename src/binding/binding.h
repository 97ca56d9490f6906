/* goloader.core, the Lua C module: arguments in, results out, no logic. One file for each kind of handle.
 *
 * What can fail in a correct program returns nil and an error table: code, message and, for "missing", packages. */
#ifndef GL_BINDING_H
#define GL_BINDING_H

#include <sodium.h>

#include "../call/call.h"
#include "../error.h"
#include "../module/module.h"

/* Pushes nil and the error. */
int binding_fail(lua_State *L, const struct gl_error *err);

/* Makes the metatable of a kind of handle: its functions, with itself as __index. */
void binding_new_class(lua_State *L, const char *name, const luaL_Reg *methods);

/* Set a field of the table on the top; there is none for a string that is NULL. */
void binding_set_string(lua_State *L, const char *key, const char *value);
void binding_set_integer(lua_State *L, const char *key, lua_Integer value);
void binding_set_number(lua_State *L, const char *key, double value);
void binding_set_bool(lua_State *L, const char *key, bool value);

/* Pushes what a way is to Lua (way.c). */
void binding_push_way(lua_State *L, const struct gl_way *way);

/* A host userdata; its user value is a table that its modules share. */
struct binding_host {
	struct gl_host *host;
	struct gl_caller *caller;
	size_t nmodules;             /* loaded by this Lua state and not unloaded */
	struct binding_state *state; /* NULL: finalized */
	/* the module that its Lua state waits for, which another one makes or hands over (share.c); or NULL */
	const struct binding_share *waits_for;
};

/* What a Lua state leaves behind (leftovers.c). */
struct binding_state;
struct binding_leftover;
struct binding_state *binding_state_new(void); /* with its host's handle as its one user */
/* Counts one more handle of a module that the Lua state has loaded. Returns the memory for leaving that module behind,
 * which is taken now so that it is there when the state is closed; NULL when memory is short. */
struct binding_leftover *binding_state_join(struct binding_state *state);
struct binding_leftover *binding_leftover_new(void); /* of no Lua state; NULL without memory */
void binding_leftover_free(struct binding_leftover *leftover);
/* Counts one handle less. For a module's handle, leftover is what binding_state_join returned for it and mod its
 * module, which is left behind if it is still loaded; for the host's handle both are NULL. */
void binding_state_leave(struct binding_state *state, struct binding_leftover *leftover, struct gl_module *mod);
/* Leaves a share's current version behind, in which no Lua state has a part any more: it is unloaded when somebody
 * loads or unloads a module next. Under the lock. */
void binding_leave_behind(struct binding_leftover *leftover, struct gl_module *mod);
/* Unloads what closed Lua states have left and nobody refers to. To be called under the lock, by whoever is about to
 * load or unload. */
void binding_unload_leftovers(void);
/* The same, of all of them, however often that was in vain. Returns how many are left. Under the lock. */
size_t binding_tidy_leftovers(void);
/* Has the module of that number been left by Lua states that are closed? Under the lock. */
bool binding_is_left_behind(uint64_t number);

struct binding_host *binding_check_host(lua_State *L, int idx);
void binding_open_host(lua_State *L);
int binding_host_start(lua_State *L);
int binding_host_self(lua_State *L);

/* A module userdata. */
struct binding_module {
	struct gl_module *mod;
	struct binding_host *host;
	struct binding_state *state;       /* the Lua state's that loaded it */
	struct binding_leftover *leftover; /* what it becomes when that is closed */
	const struct gl_export *exports;
	size_t nexports;
	struct gl_plan **plans;       /* by export, NULL where there is none yet */
	struct gl_counters *counters; /* by export, of plans that were freed */
	bool is_forced;               /* it was unloaded by force: there is nothing that Lua may do with it */
	double closed_until;          /* until this time, on binding_now's clock, calls raise; 0: they don't */
	char *name;

	/* ---- where several Lua states have it (share.c); share is NULL where they don't ---- */
	struct binding_share *share;
	struct binding_note *note;   /* what Lua knows of this version */
	struct binding_module *next; /* of the list of all these, which is only touched under the lock */
	uint32_t version;            /* calls are let in while share->version is the same */
	/* This is an instance of a generic function of that shared module: it is replaced when the module is, but no
	 * other Lua state has it. NULL: it is none. */
	struct gl_module *instance_of;
	bool is_old;   /* this Lua state has a later version */
	bool has_left; /* this Lua state has no part in it any more */
	/* By these three a Lua state's thread learns that another one uses the module, or unloads it: */
	uint32_t entering; /* 1: a call begins here, and its plan has not counted it yet */
	uint32_t holds;    /* how many functions of the binding read the module at the moment */
	uint32_t is_taken; /* 1: another Lua state unloads it, and this one is to leave it alone */

	struct binding_unloading *unloading; /* by a thread of C's (beside.c); NULL: there is none */
};

/* Pushes a new module userdata of the host at stack index host. It is made before the module is loaded, so that no
 * error of Lua's can come between the load and who holds what it gives. */
struct binding_module *binding_push_module(lua_State *L, int host);
/* Makes it mod's; name is for messages. Short of memory, mod is unloaded again. */
int binding_fill_module(struct binding_module *m, struct gl_module *mod, const char *name, struct gl_error *err);
/* The same of a module that stays where memory is short. */
int binding_hold_module(struct binding_module *m, struct gl_module *mod, const char *name, struct gl_error *err);
struct binding_module *binding_to_module(lua_State *L, int idx);
/* Raises that it was unloaded. */
void binding_raise_unloaded(lua_State *L, const struct binding_module *m);
bool binding_module_is_loaded(const struct binding_module *m);
void binding_module_free_plans(struct binding_module *m);
/* This Lua state has it no more. Under the lock. */
void binding_module_forget(struct binding_module *m);
void binding_open_module(lua_State *L);

/* A module and those that go along with it. The arrays are Lua's, on the stack. */
struct binding_group {
	struct binding_module **members; /* the module itself first */
	size_t n;
	struct gl_module **along;
};
/* module:unload's arguments from idx on: the list of modules that go along, or nil */
void binding_read_group(lua_State *L, struct binding_module *m, int idx, struct binding_group *group);
/* Is a call or a job of it under way? */
bool binding_group_is_busy(const struct binding_group *group, struct gl_unload *how, struct gl_error *err);

/* An unload that may be refused. What tells of it is pushed before anything is known that must be freed: to push more
 * may raise, as memory may be short. */
struct binding_refusal {
	struct gl_unload how;
	struct gl_error err;
};
void binding_prepare_refusal(lua_State *L, struct binding_refusal *refusal);
/* What binding_prepare_refusal pushed is on the top. Pushes nil, the error with the way that keeps the module, and
 * whether a handle of Lua's is what holds it. */
int binding_tell_refusal(lua_State *L, struct binding_refusal *refusal);
/* Unloads the group, or where other Lua states have a part in it, ends this one's: then only what goes along is
 * unloaded. is_let_go: others may have nothing but this version, which is an old one. What binding_prepare_refusal
 * pushed is on the top. Pushes true, or what binding_tell_refusal does; returns the number of values. */
int binding_end_group(lua_State *L, struct binding_group *group, bool is_let_go, struct binding_refusal *refusal);
/* After modules were unloaded, without the lock: pushes true, and returns 1. */
int binding_tell_gone(lua_State *L, struct binding_host *h);

/* ---- unloading by a thread (beside.c) ---- */

/* Is a thread about to unload it? While one is, nothing is to be done with it. */
bool binding_is_unloading(const struct binding_module *m);
/* The module's userdata is collected. A thread that has not begun to unload it won't. Under the lock. */
void binding_leave_unloading(struct binding_module *m);
void binding_open_beside(lua_State *L);
extern const luaL_Reg binding_beside_methods[];

/* ---- modules of several Lua states (share.c) ----------------------------------------------------------------------
 */

/* Called before a function of the module is called or a variable of it used. False if another version has replaced this
 * one: binding_share_follow finds that. If true, no other Lua state unloads it until its plan has counted the call, or
 * until binding_share_leave_call. */
bool binding_share_enter(struct binding_module *m);
void binding_share_leave_call(struct binding_module *m);
/* Has no other Lua state unload the module while something of it is read, until binding_share_let_go. False if it was
 * unloaded already; binding_share_let_go has to be called all the same. */
bool binding_share_hold(struct binding_module *m);
void binding_share_let_go(struct binding_module *m);
/* Calls the C function that is upvalue 1, which reads the module, in the place of the running one, and keeps the module
 * where it is meanwhile. Where another Lua state has taken it, nothing is done. A class's functions of that kind are
 * made by binding_add_looks: look is what calls this, upvalue 2 the function's name. */
int binding_share_look(lua_State *L, struct binding_module *m, bool *is_gone);
void binding_add_looks(lua_State *L, const char *class, const luaL_Reg *looks, lua_CFunction look);
/* Replaces the module at stack index idx by the version of the moment, or name's function of that where name is not
 * NULL. Raises where there is none. */
void binding_share_follow(lua_State *L, int idx, const char *name);
/* Is this Lua state's part in it to end, since others have one? (see binding_end_group) Under the lock. */
bool binding_share_can_leave(const struct binding_module *m, bool is_let_go);
/* An old version that is about to be unloaded is taken from the other Lua states that have it: they can't begin
 * anything with it from then on. Fails if one of them is using it. binding_share_give_back undoes that; both under the
 * lock. The instances that those states have made of its generic functions are unloaded with it: for them how->along
 * may become a new array, which the caller frees. */
int binding_share_take(struct binding_module *m, struct gl_unload *how, struct gl_error *err);
void binding_share_give_back(struct binding_module *m);
/* If m's Lua state is the last one that has a part in the share, the share has no version from now on. A version that
 * another Lua state has put there, and this one has not noticed yet, is left behind. Under the lock, too. */
void binding_share_withdraw(struct binding_module *m);
bool binding_share_is_others(const struct binding_module *m);
/* Its userdata is collected, or its Lua state is being closed: true where nobody else has the module. */
bool binding_share_drop(struct binding_module *m);
void binding_share_close(struct binding_host *h);
/* Does a userdata have the module, or its shell? Under the lock. */
bool binding_share_has(const struct gl_module *mod);
/* Adds to the table on the top under which name Lua states share the module of that number, and how many do. */
void binding_share_describe(lua_State *L, uint64_t number);
/* Pushes name, address of the version that calls look at, and which is this one's; nothing where it is not shared. */
int binding_share_push_cell(lua_State *L, const struct binding_module *m);
int binding_share_find(lua_State *L);
int binding_share_unmake(lua_State *L);
int binding_set_follower(lua_State *L);
extern const luaL_Reg binding_share_methods[];

/* The module of the userdata at stack index idx; raises when this Lua state has it no more. Another state may unload it
 * at any time, so whoever uses it looks again under the lock. */
struct gl_module *binding_used_module(lua_State *L, int idx);

/* The plan of its export number i, compiled at the first use. Raises when the module was unloaded, or is
 * about to be. */
struct gl_plan *binding_module_plan(lua_State *L, struct binding_module *module, size_t i);
/* Pushes what module:explain gives of its export number i. */
int binding_module_explain(lua_State *L, struct binding_module *module, size_t i);
/* Its export number i; NULL when the module was unloaded. */
const struct gl_export *binding_module_export(const struct binding_module *module, size_t i);

/* Push what Lua gets of a declaration (declaration.c): what module:exports gives of each export, module:type of a type.
 */
void binding_push_export(lua_State *L, const struct gl_export *export);
void binding_push_type(lua_State *L, const struct gl_export *export);
/* The same of a constant's value; returns the number of values, which is 0 for one that Lua can't have. */
struct gl_constant;
int binding_push_constant(lua_State *L, const struct gl_constant *constant);

/* Its export's counters so far; they outlive the plan. */
struct gl_counters *binding_module_counters(struct binding_module *module, size_t i);
/* Pushes a table of the counters, and sets them to 0 where reset says so. */
void binding_push_counters(lua_State *L, struct gl_counters *counters, bool reset);

/* Pushes a new function userdata for export number i of the module at stack index module. */
void binding_push_func(lua_State *L, int module, size_t i);
void binding_open_func(lua_State *L);
int binding_func_class(lua_State *L);
/* Pushes what func:ffi gives behind the call, and returns the number of values. */
struct gl_ffi_call;
int binding_push_ffi(lua_State *L, const struct gl_ffi_call *call);

/* Pushes a new job userdata without a job, and returns where that goes; what it needs is kept by the user value of the
 * function at stack index func. */
struct gl_job **binding_push_job(lua_State *L, struct binding_host *host, int func);
/* The same of a job of C's, of the host at stack index host. */
struct gl_job **binding_push_plain_job(lua_State *L, int host);
void binding_open_job(lua_State *L);
/* What a host has for jobs */
int binding_jobs_fd(lua_State *L);
int binding_jobs_listen(lua_State *L);
int binding_jobs_accept(lua_State *L);
int binding_jobs_ring(lua_State *L);
int binding_jobs_step(lua_State *L);
int binding_jobs_poll(lua_State *L);
int binding_jobs_ready(lua_State *L);
int binding_jobs_set_timer(lua_State *L);
int binding_clock(lua_State *L);
double binding_now(void); /* what core.clock says: seconds since some time or other */

/* ---- what is in files (sums.c) ---- */

/* BLAKE2b over byte strings and their lengths, in hexadecimal. */
void binding_hash_begin(crypto_generichash_state *state);
void binding_hash_add(crypto_generichash_state *state, const void *bytes, size_t len);
void binding_hash_end(crypto_generichash_state *state, char hex[2 * crypto_generichash_BYTES + 1]);
int binding_sum(lua_State *L);
int binding_stamp(lua_State *L);
int binding_sums_start(lua_State *L);
int binding_sums_finish(lua_State *L);
void binding_open_sums(lua_State *L);

/* The host of a module. */
struct binding_host *binding_module_host(const struct binding_module *module);

void binding_open_handle(lua_State *L);
int binding_error_is(lua_State *L);
int binding_error_as(lua_State *L);
int binding_error_unwrap(lua_State *L);
int binding_handle_class(lua_State *L);
int binding_set_method_maker(lua_State *L);
int binding_method_job(lua_State *L); /* a method of a host's */
int binding_handle_classes(lua_State *L);
int binding_handle_members(lua_State *L);
int binding_method_ffi(lua_State *L);
int binding_field_ffi(lua_State *L);
int binding_ffi_finish(lua_State *L);

/* By enum gl_declaration_kind: what Lua calls it */
extern const char *const binding_kind_names[];

/* core.nm, core.manifest, core.cgo, core.disasm, and what module:disassemble does */
int binding_nm(lua_State *L);
int binding_manifest(lua_State *L);
int binding_cgo(lua_State *L);
int binding_variable_type(lua_State *L);
int binding_imports(lua_State *L);
int binding_disasm(lua_State *L);
int binding_explain(lua_State *L, const struct gl_module *mod, const char *name, const struct gl_plan *plan);
/* Pushes the same of a handle's method. */
int binding_explain_method(lua_State *L, const struct gl_host *host, const struct gl_plan *plan);
int binding_disassemble(lua_State *L, const struct gl_module *mod, const char *name);

/* core.keygen, core.key, core.sign, core.verify, host:trust, host:is_strict (trust.c) */
int binding_keygen(lua_State *L);
int binding_key(lua_State *L);
int binding_sign(lua_State *L);
int binding_verify(lua_State *L);
int binding_trust(lua_State *L);
int binding_is_strict(lua_State *L);

int luaopen_goloader_core(lua_State *L);

#endif
