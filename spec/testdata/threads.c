/* Lua states in threads of their own: all run the same chunk, at the same time. */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>

enum { MOST = 16 };

struct thread {
	pthread_t id;
	const char *chunk;
	int number, has_failed;
};

static void *run(void *arg)
{
	struct thread *t = arg;
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_pushinteger(L, t->number);
	lua_setglobal(L, "THREAD");
	if (luaL_loadstring(L, t->chunk) != 0 || lua_pcall(L, 0, 0, 0) != 0) {
		fprintf(stderr, "thread %d: %s\n", t->number, lua_tostring(L, -1));
		t->has_failed = 1;
	}
	lua_close(L);
	return NULL;
}

/* Returns how many have failed. The chunk knows its thread by the global THREAD, from 1 on. */
int run_states(const char *chunk, int n)
{
	struct thread threads[MOST];
	int failed = 0;

	n = n < MOST ? n : MOST;
	for (int i = 0; i < n; i++) {
		threads[i] = (struct thread){ .chunk = chunk, .number = i + 1 };
		pthread_create(&threads[i].id, NULL, run, &threads[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		failed += threads[i].has_failed;
	}
	return failed;
}
