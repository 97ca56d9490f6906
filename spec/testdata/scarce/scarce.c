/* Runs a Lua script whose memory runs short when it says so: scarce(n) has the n-th allocation from now on fail, and
 * all that follow, till scarce(0), which tells whether it came to that. */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long left; /* 0: memory is plenty */
static int failed;

static void *allocate(void *unused, void *p, size_t old, size_t size)
{
	(void)unused;
	if (size == 0) {
		free(p);
		return NULL;
	}
	/* to shrink must not fail */
	if ((p == NULL || size > old) && left > 0 && (left == 1 || --left == 1)) {
		failed = 1;
		return NULL;
	}
	return realloc(p, size);
}

static int scarce(lua_State *L)
{
	int had_failed = failed;

	left = (long)luaL_checknumber(L, 1);
	left += left > 0; /* 1 is the one that fails */
	failed = 0;
	lua_pushboolean(L, had_failed);
	return 1;
}

/* Bytes that the C library has given out: Lua's, and those of C that nobody may have forgotten. */
static int used(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)mallinfo2().uordblks);
	return 1;
}

static lua_State *open(lua_State *L)
{
	if (L != NULL) {
		luaL_openlibs(L);
		lua_pushcfunction(L, scarce);
		lua_setglobal(L, "scarce");
		lua_pushcfunction(L, used);
		lua_setglobal(L, "used");
	}
	return L;
}

static const char *path, *other;

static void *run_other(void *unused)
{
	lua_State *L = open(luaL_newstate());

	(void)unused;
	if (luaL_dofile(L, other) != 0) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	}
	lua_close(L);
	return NULL;
}

/* Can a Lua state of another thread use the host? Not when the lock is held. */
static int others_can_enter(lua_State *L)
{
	pthread_t thread;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_create(&thread, NULL, run_other, NULL);
	lua_pushboolean(L, pthread_timedjoin_np(thread, NULL, &until) == 0);
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = open(lua_newstate(allocate, NULL
#if LUA_VERSION_NUM >= 505
					 ,
					 0
#endif
					 ));

	if (L == NULL || argc != 3) {
		return 2;
	}
	path = argv[1];
	other = argv[2];
	lua_pushcfunction(L, others_can_enter);
	lua_setglobal(L, "others_can_enter");
	if (luaL_dofile(L, path) != 0) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return 1;
	}
	lua_close(L);
	return 0;
}
