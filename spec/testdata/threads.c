/* Lua states in threads of their own: all run the same chunk, at the same time. */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void start(struct thread *threads, const char *chunk, int n)
{
	for (int i = 0; i < n; i++) {
		threads[i] = (struct thread){ .chunk = chunk, .number = i + 1 };
		pthread_create(&threads[i].id, NULL, run, &threads[i]);
	}
}

static int join(const struct thread *threads, int n)
{
	int failed = 0;

	for (int i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		failed += threads[i].has_failed;
	}
	return failed;
}

/* Returns how many have failed. The chunk knows its thread by the global THREAD, from 1 on. */
int run_states(const char *chunk, int n)
{
	struct thread threads[MOST];

	n = n < MOST ? n : MOST;
	start(threads, chunk, n);
	return join(threads, n);
}

/* The same for a caller who does something else meanwhile: the chunk is copied. */
static struct thread started[MOST];
static int nstarted;

void start_states(const char *chunk, int n)
{
	nstarted = n < MOST ? n : MOST;
	start(started, strdup(chunk), nstarted);
}

int join_states(void)
{
	int failed = join(started, nstarted);

	free((char *)started[0].chunk);
	nstarted = 0;
	return failed;
}
