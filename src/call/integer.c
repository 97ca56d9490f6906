/* Integers of any Lua form, for Go: numbers, digits as gl_decode gives them for what a number can't hold, 64-bit
 * integers of LuaJIT, and durations that are said. Which type it is for decides what is in range. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static const double two63 = 9223372036854775808.0, two64 = 18446744073709551616.0;

/* An integer of any Lua form: at most 64 bits and a sign. */
struct integer {
	uint64_t bits;
	bool is_unsigned; /* bits are not two's complement: the value is 2^63 or more */
};

/* Reads the digits that gl_decode gives for what a number can't hold, and no others. */
static bool parse_digits(const char *s, size_t len, struct integer *v)
{
	const char *digits = s + (s[0] == '-');
	char *end;

	if (len < 16 || strspn(digits, "0123456789") != len - (size_t)(digits - s)) {
		return false;
	}
	errno = 0;
	if (s[0] == '-') {
		v->bits = (uint64_t)strtoll(s, &end, 10);
		v->is_unsigned = false;
	} else {
		v->bits = strtoull(s, &end, 10);
		v->is_unsigned = v->bits > INT64_MAX;
	}
	return errno == 0 &&
	       (v->is_unsigned || (int64_t)v->bits > (int64_t)1 << 53 || (int64_t)v->bits < -((int64_t)1 << 53));
}

static void push_value(lua_State *L, struct integer v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), v.is_unsigned ? "%" PRIu64 : "%" PRId64, v.bits);
	lua_pushstring(L, digits);
}

/* A duration that is said: "30s". */
static bool read_duration(struct encoder *e, int idx, const struct type *type, const struct path *path,
			  struct integer *v)
{
	double seconds;

	if (strcmp(type->name, "time.Duration") != 0) {
		return false;
	}
	if (!gl_lua_seconds(e->L, idx, &seconds)) {
		gl_encode_fail(e, path, "%s", lua_tostring(e->L, -1));
	}
	double ns = round(seconds * 1e9);
	if (ns >= two63) {
		gl_encode_fail(e, path, "%s is out of range for %s", lua_tostring(e->L, idx), type->name);
	}
	*v = (struct integer){ .bits = (uint64_t)(int64_t)ns };
	return true;
}

static void read_integer(struct encoder *e, int idx, const struct type *type, const struct path *path,
			 struct integer *v)
{
	lua_State *L = e->L;

	switch (lua_type(L, idx)) {
	case LUA_TNUMBER: {
		if (lua_isinteger(L, idx)) {
			v->bits = (uint64_t)lua_tointeger(L, idx);
			v->is_unsigned = false;
			return;
		}
		double d = lua_tonumber(L, idx);
		if (d != floor(d) || d < -two63 || d >= two64) {
			if (isfinite(d) && d == floor(d)) {
				gl_encode_fail(e, path, "%f is out of range for %s", d, type->name);
			}
			gl_encode_fail(e, path, "%s expected, got %f", type->name, isnan(d) ? fabs(d) : d);
		}
		v->is_unsigned = d >= two63;
		v->bits = v->is_unsigned ? (uint64_t)d : (uint64_t)(int64_t)d;
		return;
	}
	case LUA_TSTRING: {
		size_t len;
		const char *s = lua_tolstring(L, idx, &len);
		if (parse_digits(s, len, v) || read_duration(e, idx, type, path, v)) {
			return;
		}
		break;
	}
	case GL_LUA_TCDATA:
		if (gl_lua_split(L, idx, &v->bits, &v->is_unsigned)) {
			v->is_unsigned = v->is_unsigned && v->bits > INT64_MAX;
			return;
		}
		break;
	default: break;
	}
	gl_encode_mismatch(e, idx, type->name, path);
}

uint64_t gl_encode_integer(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	struct integer v = { 0 };
	bool fits;

	read_integer(e, idx, type, path, &v);
	if (type->kind == GL_KIND_UINT) {
		fits = (v.is_unsigned || (int64_t)v.bits >= 0) && (type->bits == 64 || v.bits >> type->bits == 0);
	} else {
		int64_t max = INT64_MAX >> (64 - type->bits);
		fits = !v.is_unsigned && (int64_t)v.bits <= max && (int64_t)v.bits >= -max - 1;
	}
	if (!fits) {
		push_value(e->L, v);
		gl_encode_fail(e, path, "%s is out of range for %s", lua_tostring(e->L, -1), type->name);
	}
	return v.bits;
}
