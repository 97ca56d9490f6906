/* Lua states on threads of their own. */
#include <pthread.h>
#include <stdio.h>

typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *L);
int luaL_loadstring(lua_State *L, const char *chunk);
int lua_pcall(lua_State *L, int nargs, int nresults, int handler);
const char *lua_tolstring(lua_State *L, int index, size_t *size);
void lua_pushinteger(lua_State *L, long n);
void lua_close(lua_State *L);

enum { MOST = 16 };
struct work {
	pthread_t thread;
	const char *chunk;
	int number;
	int failed;
};

static void *run(void *arg)
{
	struct work *w = arg;
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (luaL_loadstring(L, w->chunk) == 0) {
		lua_pushinteger(L, w->number);
		w->failed = lua_pcall(L, 1, 0, 0);
	} else {
		w->failed = 1;
	}
	if (w->failed) {
		fprintf(stderr, "%s\n", lua_tolstring(L, -1, NULL));
	}
	lua_close(L);
	return NULL;
}

/* Runs a chunk in n states at once, each with its number; returns in how many it failed. */
int run_states(int n, const char *chunk)
{
	struct work work[MOST];
	int failed = 0;

	for (int i = 0; i < n; i++) {
		work[i] = (struct work){ .chunk = chunk, .number = i };
		pthread_create(&work[i].thread, NULL, run, &work[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(work[i].thread, NULL);
		failed += work[i].failed != 0;
	}
	return failed;
}
