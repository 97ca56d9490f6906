/* What Lua is at, told when a signal comes (goloader.host { dump = "SIGQUIT" }); what goroutines are at tells Go's
 * handler of that signal, which this one goes on to.
 *
 * Where Lua's thread is in Go, called by Lua's C API, its stack is complete and nothing changes it: the handler writes
 * it at once. Anywhere else it has Lua call a hook before the next instruction, as luajit does for an interrupt:
 * lua_sethook is made to be called by handlers. LuaJIT's compiled code looks for hooks when it ends. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"

static struct {
	lua_State *L; /* NULL when it was closed */
	struct sigaction go;
	lua_Hook hook; /* what was set before */
	int mask, count;
} dump;

static void write_running(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, dump.hook, dump.mask, dump.count);
	gl_frames_write_stack(L);
}

static void handle(int sig, siginfo_t *info, void *context)
{
	if (dump.L != NULL && !gl_frames_write()) {
		dump.hook = lua_gethook(dump.L);
		if (dump.hook != write_running) {
			dump.mask = lua_gethookmask(dump.L);
			dump.count = lua_gethookcount(dump.L);
			lua_sethook(dump.L, write_running, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
		}
	}
	if (dump.go.sa_flags & SA_SIGINFO) {
		dump.go.sa_sigaction(sig, info, context);
	}
}

/* What keeps the thread: its key in the registry, by its address */
static const char thread_key = 0;

/* Another Lua state may have taken the place of the one that is closed. */
static int forget(lua_State *L)
{
	lua_State *const *closed = lua_touserdata(L, 1);

	if (dump.L == *closed) {
		dump.L = NULL;
	}
	return 0;
}

/* The registry keeps the thread, and something that is finalized when the Lua state is closed. */
static void watch(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &thread_key);
	bool is_watched = !lua_isnil(L, -1);
	lua_pop(L, 1);
	if (is_watched) {
		return;
	}
	lua_createtable(L, 2, 0);
	lua_pushthread(L);
	lua_rawseti(L, -2, 1);
	lua_State **at = lua_newuserdata(L, sizeof(lua_State *));
	*at = L;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, forget);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawseti(L, -2, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
	dump.L = L;
}

void gl_dump_on(lua_State *L, int sig)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct sigaction now;

	watch(L);
	sigaction(sig, NULL, &now);
	if (now.sa_sigaction != handle) { /* else a Lua state before this one has set it */
		dump.go = now;
		sigaction(sig, &action, NULL);
	}
}
