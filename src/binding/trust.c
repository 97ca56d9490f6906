/* Keys and signatures of shipped modules, and whom a process trusts. */
#include <string.h>

#include "../object/gom.h"
#include "binding.h"

/* Pushes a key's number, and its line of text. */
static int push_key(lua_State *L, const struct gl_public_key *key)
{
	char name[GL_KEY_NAME_SIZE], text[GL_KEY_TEXT_SIZE];

	gl_key_name(key->id, name);
	gl_key_text(key, text);
	lua_pushstring(L, name);
	lua_pushstring(L, text);
	return 2;
}

/* core.keygen(secret file, public file) -> number, text of the public key */
int binding_keygen(lua_State *L)
{
	const char *secret = luaL_checkstring(L, 1), *public = luaL_checkstring(L, 2);
	struct gl_public_key made;
	struct gl_error err;

	if (gl_key_make(secret, public, &made, &err) != 0) {
		return binding_fail(L, &err);
	}
	return push_key(L, &made);
}

/* core.key(file, is_secret) -> number: whether it can be read */
int binding_key(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	char name[GL_KEY_NAME_SIZE];
	struct gl_public_key key;
	struct gl_secret_key secret;
	struct gl_error err;

	if (lua_toboolean(L, 2)) {
		if (gl_key_read_secret(file, &secret, &err) != 0) {
			return binding_fail(L, &err);
		}
		gl_key_name(secret.id, name);
		gl_key_forget(&secret);
	} else {
		if (gl_key_read(file, &key, &err) != 0) {
			return binding_fail(L, &err);
		}
		gl_key_name(key.id, name);
	}
	lua_pushstring(L, name);
	return 1;
}

/* core.sign(file, secret file, out) -> number of the key */
int binding_sign(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1), *key_file = luaL_checkstring(L, 2), *out = luaL_checkstring(L, 3);
	char name[GL_KEY_NAME_SIZE];
	struct gl_secret_key key;
	struct gl_error err;

	if (gl_key_read_secret(key_file, &key, &err) != 0) {
		return binding_fail(L, &err);
	}
	struct gl_gom *gom = gl_gom_open(file, &err);
	int ret = gom == NULL ? -1 : gl_gom_sign(out, gom, &key, &err);
	gl_gom_close(gom);
	gl_key_name(key.id, name);
	gl_key_forget(&key);
	if (ret != 0) {
		return binding_fail(L, &err);
	}
	lua_pushstring(L, name);
	return 1;
}

/* The list of keys at stack index keys, and of hashes at index hashes or nil: memory of Lua's, which stays on the
 * stack. Returns -1 where a key can't be read. */
static int read_trust(lua_State *L, int keys, int hashes, struct gl_trust *trust, struct gl_error *err)
{
	luaL_checktype(L, keys, LUA_TTABLE);
	size_t n = lua_rawlen(L, keys), nhashes = hashes != 0 && lua_istable(L, hashes) ? lua_rawlen(L, hashes) : 0;

	luaL_argcheck(L, n < 10000 && nhashes < 10000, keys, "a list of keys expected");
	*trust = (struct gl_trust){ 0 };
	trust->keys = lua_newuserdata(L, (n + 1) * sizeof(*trust->keys));
	trust->hashes = lua_newuserdata(L, (nhashes + 1) * sizeof(*trust->hashes));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, keys, (int)i + 1);
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, keys, "a list of keys expected");
		if (gl_key_read(lua_tostring(L, -1), &trust->keys[trust->nkeys++], err) != 0) {
			return -1;
		}
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < nhashes; i++) {
		size_t len;
		lua_rawgeti(L, hashes, (int)i + 1);
		const char *hash = luaL_checklstring(L, -1, &len);
		luaL_argcheck(L, len == sizeof(*trust->hashes) - 1, hashes, "a list of hashes expected");
		memcpy(trust->hashes[trust->nhashes++], hash, sizeof(*trust->hashes));
		lua_pop(L, 1);
	}
	return 0;
}

/* core.verify(file, { key, … }) -> number of the key that signed it */
int binding_verify(lua_State *L)
{
	const char *file = luaL_checkstring(L, 1);
	char name[GL_KEY_NAME_SIZE];
	const struct gl_public_key *by;
	struct gl_trust trust;
	struct gl_error err;

	lua_settop(L, 2);
	if (read_trust(L, 2, 0, &trust, &err) != 0) {
		return binding_fail(L, &err);
	}
	struct gl_gom *gom = gl_gom_open(file, &err);
	int ret = gom == NULL ? -1 : gl_gom_verify(gom, &trust, &by, &err);
	gl_gom_close(gom);
	if (ret != 0) {
		return binding_fail(L, &err);
	}
	gl_key_name(by->id, name);
	lua_pushstring(L, name);
	return 1;
}

/* host:trust({ key, … }, { hash of a shipped module that needs no signature, … }) -> true */
int binding_trust(lua_State *L)
{
	struct binding_host *h = binding_check_host(L, 1);
	struct gl_trust trust;
	struct gl_error err;

	lua_settop(L, 3);
	if (read_trust(L, 2, 3, &trust, &err) != 0) {
		return binding_fail(L, &err);
	}
	gl_lock();
	int ret = gl_host_trust(h->host, &trust, &err);
	gl_unlock();
	if (ret != 0) {
		return binding_fail(L, &err);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* host:is_strict() -> does the process load only what is signed? */
int binding_is_strict(lua_State *L)
{
	lua_pushboolean(L, gl_host_is_strict(binding_check_host(L, 1)->host));
	return 1;
}
