/* What is in files, and whether it can have changed: hashes of their bytes, and their stamps.
 *
 * A stamp is what stat(2) tells of a file: which one it is, how long, and when it was written and changed. As long as
 * that is the same, so are the bytes, unless the file was written again within one tick of the file system's clock.
 *
 * Files may be large, so they can be read by a thread while the Lua state goes on. That and Lua both have the list of
 * them; who lets go last frees it. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../object/file.h"
#include "binding.h"

#define SUMS "goloader.sums"

/* Ticks are at most 10 ms long where times have fractions (HZ=100); elsewhere, as on FAT, they are 2 s. */
static const double TICK = 0.05, COARSE_TICK = 2;

struct sum {
	const char *file;
	bool is_there;
	bool is_scarce; /* it could not be read for want of memory or file descriptors: not yet */
	char hex[2 * crypto_generichash_BYTES + 1];
};

struct sums {
	int users;
	size_t n;
	struct sum each[]; /* and their names */
};

void binding_hash_begin(crypto_generichash_state *state)
{
	crypto_generichash_init(state, NULL, 0, crypto_generichash_BYTES);
}

void binding_hash_add(crypto_generichash_state *state, const void *bytes, size_t len)
{
	uint64_t len64 = len;

	crypto_generichash_update(state, (const unsigned char *)&len64, sizeof(len64));
	crypto_generichash_update(state, bytes, len);
}

void binding_hash_end(crypto_generichash_state *state, char hex[2 * crypto_generichash_BYTES + 1])
{
	unsigned char sum[crypto_generichash_BYTES];

	crypto_generichash_final(state, sum, sizeof(sum));
	sodium_bin2hex(hex, 2 * sizeof(sum) + 1, sum, sizeof(sum));
}

static bool is_scarcity(int number) { return number == ENOMEM || number == ENFILE || number == EMFILE; }

static void read_sum(struct sum *sum)
{
	crypto_generichash_state state;
	struct gl_error err;
	uint8_t *bytes;
	size_t size;

	errno = 0;
	sum->is_there = file_read(sum->file, &bytes, &size, &err) == 0;
	if (!sum->is_there) {
		sum->is_scarce = err.code == GL_ENOMEM || is_scarcity(errno);
		return;
	}
	binding_hash_begin(&state);
	binding_hash_add(&state, bytes, size);
	binding_hash_end(&state, sum->hex);
	free(bytes);
}

/* Pushes its hash, and whether there is none for want of something. */
static int push_sum(lua_State *L, const struct sum *sum)
{
	lua_pushstring(L, sum->is_there ? sum->hex : NULL);
	lua_pushboolean(L, sum->is_scarce);
	return 2;
}

/* core.sum(file) -> core.hash of its bytes; or nil, and whether that is for want of memory or file descriptors */
int binding_sum(lua_State *L)
{
	struct sum sum = { .file = luaL_checkstring(L, 1) };

	read_sum(&sum);
	return push_sum(L, &sum);
}

/* core.stamp(file) -> its stamp, and whether what is written from now on gives it another one; or nil */
int binding_stamp(lua_State *L)
{
	struct timespec now;
	struct stat st;
	char text[160];

	if (stat(luaL_checkstring(L, 1), &st) != 0) {
		return 0;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "%llx %llx %llx %lld.%09ld %lld.%09ld", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	double age = (double)(now.tv_sec - st.st_ctim.tv_sec) + (double)(now.tv_nsec - st.st_ctim.tv_nsec) * 1e-9;
	lua_pushstring(L, text);
	lua_pushboolean(L, age > (st.st_ctim.tv_nsec != 0 ? TICK : COARSE_TICK));
	return 2;
}

/* ---- by a thread ------------------------------------------------------------------------------------------------- */

static void let_go(struct sums *sums)
{
	if (sums != NULL && __atomic_sub_fetch(&sums->users, 1, __ATOMIC_ACQ_REL) == 0) {
		free(sums);
	}
}

static void read_sums(void *arg)
{
	struct sums *sums = arg;

	for (size_t i = 0; i < sums->n; i++) {
		read_sum(&sums->each[i]);
	}
	let_go(sums);
}

static int sums_gc(lua_State *L)
{
	struct sums **ref = luaL_checkudata(L, 1, SUMS);

	let_go(*ref);
	*ref = NULL;
	return 0;
}

/* The names in the list at that index, copied. NULL without memory. */
static struct sums *new_sums(lua_State *L, int list)
{
	size_t n = lua_rawlen(L, list), bytes = 0;

	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, list, (int)i);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, list, "a list of files expected");
		bytes += lua_rawlen(L, -1) + 1;
		lua_pop(L, 1);
	}
	struct sums *sums = calloc(1, sizeof(*sums) + n * sizeof(*sums->each) + bytes);
	if (sums == NULL) {
		return NULL;
	}
	char *name = (char *)&sums->each[n];
	for (size_t i = 1; i <= n; i++) {
		size_t len;
		lua_rawgeti(L, list, (int)i);
		const char *file = lua_tolstring(L, -1, &len);
		sums->each[i - 1].file = memcpy(name, file, len + 1);
		name += len + 1;
		lua_pop(L, 1);
	}
	sums->n = n;
	sums->users = 2;
	return sums;
}

/* host:sums_start({ file, … }) -> a job, and what host:sums_finish takes when that is done */
int binding_sums_start(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	struct gl_error err;

	luaL_checktype(L, 2, LUA_TTABLE);
	struct gl_job **job = binding_push_plain_job(L, 1);
	struct sums **ref = lua_newuserdata(L, sizeof(struct sums *));
	*ref = NULL;
	luaL_getmetatable(L, SUMS);
	lua_setmetatable(L, -2);
	struct sums *sums = new_sums(L, 2);
	if (sums == NULL) {
		gl_out_of_memory(&err, "reading files");
		return binding_fail(L, &err);
	}
	*job = gl_job_start_thread(h->caller, "sums", read_sums, sums, false, &err);
	if (*job == NULL) {
		free(sums);
		return binding_fail(L, &err);
	}
	*ref = sums;
	return 2;
}

/* host:sums_finish(what sums_start gave, i) -> as core.sum of the i-th file */
int binding_sums_finish(lua_State *L)
{
	struct sums **ref = luaL_checkudata(L, 2, SUMS);
	lua_Integer i = luaL_checkinteger(L, 3);

	luaL_argcheck(L, *ref != NULL && __atomic_load_n(&(*ref)->users, __ATOMIC_ACQUIRE) == 1, 2,
		      "files that were read expected");
	luaL_argcheck(L, i >= 1 && (size_t)i <= (*ref)->n, 3, "no such file");
	return push_sum(L, &(*ref)->each[i - 1]);
}

void binding_open_sums(lua_State *L)
{
	static const luaL_Reg methods[] = { { "__gc", sums_gc }, { NULL, NULL } };

	binding_new_class(L, SUMS, methods);
}
