/* Lua values into streams of words (call.h of src/host says what a stream is, call.h here what is taken for what).
 *
 * Everything that can be wrong with an argument is found here, before Go is entered, and named: which function, which
 * parameter, where in it, what was wanted and what was given. Tables are read raw: metatables are not asked. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* Where integers end that a number holds exactly, and those of int64 */
static const double two53 = 9007199254740992.0, two63 = 9223372036854775808.0;

/* Deeper tables are cyclic in all likelihood. A pointer and what it points to count as two. */
enum { MAX_DEPTH = 2000 };

/* ---- what was wrong --------------------------------------------------------------------------------------------- */

/* Adds the way from a parameter to a value in it, outermost first: ".Brands[3]". */
static void add_path(char *text, size_t size, lua_State *L, const struct path *path)
{
	if (path == NULL) {
		return;
	}
	add_path(text, size, L, path->up);
	size_t used = strlen(text);
	text += used;
	size -= used;
	if (path->field != NULL) {
		snprintf(text, size, ".%s", path->field);
	} else if (path->index != 0) {
		snprintf(text, size, "[%d]", path->index);
	} else {
		switch (lua_type(L, path->key)) { /* lua_tolstring would change a number that lua_next still needs */
		case LUA_TNUMBER: snprintf(text, size, "[%.17g]", lua_tonumber(L, path->key)); break;
		case LUA_TBOOLEAN: snprintf(text, size, "[%s]", lua_toboolean(L, path->key) ? "true" : "false"); break;
		case LUA_TSTRING: snprintf(text, size, "[\"%s\"]", lua_tostring(L, path->key)); break;
		default: snprintf(text, size, "[%s]", luaL_typename(L, path->key)); break;
		}
	}
}

void gl_push_argument(lua_State *L, const struct gl_plan *plan, uint32_t param, int arg, const char *way,
		      const char *what)
{
	const struct gl_export *export = plan->export;
	const char *name = export->kind == GL_EXPORT_VAR ? NULL : export->params[param].name;
	const char *sep = name != NULL || way[0] != '\0' ? ": " : "";

	if (name == NULL) {
		lua_pushliteral(L, ""); /* Go itself does not know what a method calls its parameters */
	} else if (name[0] == '\0' || strcmp(name, "_") == 0) {
		lua_pushliteral(L, "unnamed parameter");
	} else {
		lua_pushfstring(L, "parameter '%s'", name);
	}
	if (export->kind == GL_EXPORT_VAR) {
		lua_pushfstring(L, "bad value for '%s' (%s%s%s)", export->name, way, sep, what);
	} else if (arg == 0) {
		lua_pushfstring(L, "bad receiver of '%s' (%s%s%s)", export->name, way, sep, what);
	} else {
		lua_pushfstring(L, "bad argument #%d to '%s' (%s%s%s%s)", arg, export->name, lua_tostring(L, -1), way,
				sep, what);
	}
	lua_remove(L, -2);
}

int gl_encode_fail(struct encoder *e, const struct path *path, const char *fmt, ...)
{
	lua_State *L = e->L;
	char way[256] = "";
	va_list args;

	/* What was written so far is of no use, its memory is. */
	if (e->callback == NULL) {
		gl_plan_entered(e->plan);
		gl_buffer_give(&e->plan->caller->in, e->in);
		if (e->nfunctions > 0) {
			gl_functions_cut(L, e->plan->caller, e->functions);
		}
	}
	luaL_checkstack(L, 8, NULL);
	add_path(way, sizeof(way), L, path);
	gl_lua_where(L);
	va_start(args, fmt);
	const char *what = lua_pushvfstring(L, fmt, args);
	va_end(args);
	if (e->callback != NULL) {
		return gl_callback_fail(e, way, what);
	}
	gl_push_argument(L, e->plan, e->param, e->arg, way, what);
	lua_remove(L, -2);
	lua_concat(L, 2);
	return lua_error(L);
}

static const char *typename_at(lua_State *L, int idx)
{
	return lua_type(L, idx) == GL_LUA_TCDATA ? "cdata" : luaL_typename(L, idx);
}

int gl_encode_mismatch(struct encoder *e, int idx, const char *wanted, const struct path *path)
{
	return gl_encode_fail(e, path, "%s expected, got %s", wanted, typename_at(e->L, idx));
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static __attribute__((noinline)) void grow(struct encoder *e, size_t n)
{
	struct gl_buffer *b = e->in;
	size_t cap = (b->len + n) * 2;
	uint64_t *p = cap > SIZE_MAX / sizeof(*p) ? NULL : realloc(b->p, cap * sizeof(*p));

	if (p == NULL) {
		gl_encode_fail(e, NULL, "no memory for it");
		return; /* not reached */
	}
	b->p = p;
	b->cap = cap;
}

/* Makes room for n words at the end. */
static inline uint64_t *reserve(struct encoder *e, size_t n)
{
	struct gl_buffer *b = e->in;

	if (b->cap - b->len < n) {
		grow(e, n);
	}
	uint64_t *words = b->p + b->len;
	b->len += n;
	return words;
}

static void put_word(struct encoder *e, uint64_t word) { *reserve(e, 1) = word; }

/* A value that is there already, in Go. */
static void put_handle(struct encoder *e, uint64_t id)
{
	uint64_t *words = reserve(e, 2);

	words[0] = GL_BY_HANDLE;
	words[1] = id;
}

static void put_float(struct encoder *e, double v) { memcpy(reserve(e, 1), &v, sizeof(v)); }

static void put_string(struct encoder *e, const char *s, size_t len)
{
	uint64_t *words = reserve(e, 1 + (len + 7) / 8);

	words[0] = len;
	memcpy(words + 1, s, len);
}

/* ---- single words ----------------------------------------------------------------------------------------------- */

/* Nearly all integers are Lua numbers well within range: those take this way, everything else that of integer.c. */
static inline bool small_integer(double d, const struct type *type, uint64_t *word)
{
	if (!(d > -two53 && d < two53)) { /* that itself may be an integer of Lua 5.3, rounded */
		return false;
	}
	int64_t i = (int64_t)d;
	*word = (uint64_t)i;
	if (type->kind == GL_KIND_UINT) {
		return (double)i == d && i >= 0 && (type->bits == 64 || i >> type->bits == 0);
	}
	int64_t max = INT64_MAX >> (64 - type->bits);
	return (double)i == d && i <= max && i >= -max - 1;
}

static uint64_t encode_word_of_handle(struct encoder *e, int idx, const struct type *type, const struct path *path);

uint64_t gl_encode_word(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	int given = lua_type(L, idx);
	uint64_t word = 0;

	if (given == LUA_TUSERDATA && gl_handle_at(L, idx) != NULL) {
		return encode_word_of_handle(e, idx, type, path);
	}
	switch (type->kind) {
	case GL_KIND_BOOL:
		if (given != LUA_TBOOLEAN) {
			gl_encode_mismatch(e, idx, type->name, path);
		}
		return (uint64_t)lua_toboolean(L, idx);
	case GL_KIND_FLOAT: {
		if (given != LUA_TNUMBER) {
			gl_encode_mismatch(e, idx, type->name, path);
		}
		double d = lua_tonumber(L, idx);
		if (type->bits == 32 && isfinite(d) && isinf((float)d)) {
			gl_encode_fail(e, path, "%f is out of range for %s", d, type->name);
		}
		memcpy(&word, &d, sizeof(d));
		return word;
	}
	default:
		if (given == LUA_TNUMBER && small_integer(lua_tonumber(L, idx), type, &word)) {
			return word;
		}
		return gl_encode_integer(e, idx, type, path);
	}
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static void check_table(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	if (!lua_istable(e->L, idx)) {
		gl_encode_fail(e, path, "%s expected (a table), got %s", type->name, typename_at(e->L, idx));
	}
}

static void enter(struct encoder *e, const struct path *path)
{
	/* Deep in a cycle the way there is of no interest, but how it began is. */
	if (++e->depth > MAX_DEPTH) {
		while (path != NULL && path->up != NULL) {
			path = path->up;
		}
		gl_encode_fail(e, path, "tables nest deeper than %d levels: is one of them in itself?", MAX_DEPTH / 2);
	}
	if (!lua_checkstack(e->L, 12)) {
		gl_encode_fail(e, NULL, "tables nest too deep");
	}
}

/* Number of elements of the sequence at idx; raises when the table holds something else as well. */
static size_t check_sequence(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;

	check_table(e, idx, type, path);
	size_t n = lua_rawlen(L, idx);
	if (n > INT32_MAX) {
		gl_encode_fail(e, path, "a sequence of more than 2^31 elements");
	}
	/* The first element is a table's first key and the last one its last in all but odd cases: then two looks are
	 * enough. */
	lua_pushnil(L);
	if (lua_next(L, idx) == 0) {
		return n;
	}
	bool is_first = n > 0 && lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) == 1;
	lua_pop(L, 2);
	if (is_first) {
		lua_pushinteger(L, (lua_Integer)n);
		if (lua_next(L, idx) == 0) {
			return n;
		}
		lua_pop(L, 2);
	}
	size_t keys = 0;
	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TNUMBER) {
			const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : typename_at(L, -2);
			gl_encode_fail(e, path, "%s expected (a sequence), got a table with the key '%s'", type->name,
				       key);
		}
		keys++;
	}
	if (keys != n) {
		gl_encode_fail(e, path, "%s expected (a sequence), got a table with holes", type->name);
	}
	return n;
}

static void encode_numbers(struct encoder *e, int idx, const struct type *elem, const struct path *path, size_t n)
{
	size_t place = e->in->len;

	(void)reserve(e, n);
	for (size_t i = 0; i < n; i++) {
		struct path at = { .up = path, .index = (int)i + 1 };

		lua_rawgeti(e->L, idx, (int)i + 1);
		/* The stream stays where it is: cdata may call Lua, but nothing is added to it meanwhile. */
		e->in->p[place + i] = gl_encode_word(e, -1, elem, &at);
		lua_pop(e->L, 1);
	}
}

static void encode_elements(struct encoder *e, int idx, const struct type *type, const struct path *path, size_t n)
{
	enum gl_kind kind = type->elem->kind;

	if (kind == GL_KIND_INT || kind == GL_KIND_UINT || kind == GL_KIND_FLOAT) {
		encode_numbers(e, idx, type->elem, path, n);
		return;
	}
	for (size_t i = 1; i <= n; i++) {
		struct path at = { .up = path, .index = (int)i };

		lua_rawgeti(e->L, idx, (int)i);
		gl_encode(e, lua_gettop(e->L), type->elem, &at);
		lua_pop(e->L, 1);
	}
}

/* NaN is no key of a table: a map of Go's that has it comes with the key "nan", and goes back with that. */
static bool is_nan_key(struct encoder *e, int idx, const struct type *type)
{
	return type->kind == GL_KIND_FLOAT && lua_type(e->L, idx) == LUA_TSTRING &&
	       strcmp(lua_tostring(e->L, idx), "nan") == 0;
}

static void encode_key(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	if (!is_nan_key(e, idx, type)) {
		gl_encode(e, idx, type, path);
		return;
	}
	lua_pushnumber(e->L, NAN);
	gl_encode(e, lua_gettop(e->L), type, path);
	lua_pop(e->L, 1);
}

static void encode_map(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	size_t place = e->in->len;
	uint64_t n = 0;

	put_word(e, 0);
	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		int key = lua_gettop(L) - 1;
		struct path at = { .up = path, .key = key };

		encode_key(e, key, type->key, &at);
		gl_encode(e, key + 1, type->elem, &at);
		n++;
	}
	e->in->p[place] = n;
}

static int refuse_unknown_field(struct encoder *e, int key, const struct type *type, const struct path *path)
{
	if (lua_type(e->L, key) != LUA_TSTRING) {
		return gl_encode_fail(e, path, "%s has only named fields, got a table with a key of type %s",
				      type->name, typename_at(e->L, key));
	}
	return gl_encode_fail(e, path, "%s has no exported field '%s'", type->name, lua_tostring(e->L, key));
}

/* The number of the field that the key at the index names. Lua has every string once, so that its address tells it; but
 * Lua 5.2 and later have long strings more than once. */
static size_t find_field(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	const void *key = gl_key_at(e->L, idx);

	if (type->by_key == NULL) {
		gl_type_make_keys(e->L, type);
		if (type->by_key == NULL) {
			return 0; /* not reached: it raises without memory */
		}
	}
	for (uint32_t at = gl_key_hash(key); type->by_key[at & type->mask] != 0; at++) {
		size_t i = type->by_key[at & type->mask] - 1;
		if (type->fields[i].key == key) {
			return i;
		}
	}
	for (size_t i = 0; i < type->nfields && lua_type(e->L, idx) == LUA_TSTRING; i++) {
		const char *name = type->fields[i].name;
		if (strcmp(name, lua_tostring(e->L, idx)) == 0 && strlen(name) == lua_rawlen(e->L, idx)) {
			return i;
		}
	}
	return (size_t)refuse_unknown_field(e, idx, type, path);
}

/* One walk over the table: looking every field up, and then for others, would take two. */
static void encode_struct(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	size_t place = e->in->len;
	int key = lua_gettop(L) + 1;
	uint64_t n = 0;

	put_word(e, 0);
	for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
		size_t i = find_field(e, key, type, path);
		struct path at = { .up = path, .field = type->fields[i].name };

		put_word(e, i);
		gl_encode(e, key + 1, type->fields[i].type, &at);
		n++;
	}
	e->in->p[place] = n;
}

static void encode_complex(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	const struct type part = { .kind = GL_KIND_FLOAT,
				   .bits = type->bits / 2,
				   .name = type->bits == 64 ? "float32" : "float64" };

	if (!lua_istable(e->L, idx)) {
		gl_encode_fail(e, path, "%s expected (a table of two numbers), got %s", type->name,
			       typename_at(e->L, idx));
	}
	size_t n = check_sequence(e, idx, type, path);
	if (n != 2) {
		gl_encode_fail(e, path, "%s expected (a table of two numbers), got a sequence of %d", type->name,
			       (int)n);
	}
	for (int i = 1; i <= 2; i++) {
		struct path at = { .up = path, .index = i };

		lua_rawgeti(e->L, idx, i);
		if (lua_type(e->L, -1) != LUA_TNUMBER) {
			gl_encode_mismatch(e, -1, part.name, &at);
		}
		put_word(e, gl_encode_word(e, -1, &part, &at));
		lua_pop(e->L, 1);
	}
}

static void encode_time(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	size_t len;

	if (lua_type(e->L, idx) == LUA_TNUMBER) {
		double seconds = lua_tonumber(e->L, idx);
		if (!(seconds > -two53 && seconds < two53)) {
			gl_encode_fail(e, path, "%f seconds are out of range for %s",
				       isnan(seconds) ? fabs(seconds) : seconds, type->name);
		}
		put_word(e, GL_TAG_FLOAT);
		put_float(e, seconds);
	} else if (lua_type(e->L, idx) == LUA_TSTRING) {
		const char *s = lua_tolstring(e->L, idx, &len);
		put_word(e, GL_TAG_STRING);
		put_string(e, s, len);
	} else {
		gl_encode_fail(e, path, "%s expected (a string, or seconds since 1970), got %s", type->name,
			       typename_at(e->L, idx));
	}
}

/* Can values of the class be used as one of that type? Go is asked once for each class. */
static bool class_fits(struct encoder *e, const struct gl_class *class, const struct type *constant)
{
	struct gl_plan *plan = gl_encoder_types(e);
	struct type *type = &plan->types[constant - plan->types];
	struct gl_buffer none = { 0 };
	struct gl_handle_op op = { .op = GL_OP_CLASS_FITS,
				   .handle = class->id,
				   .plan = plan->handle,
				   .n = (uint64_t)(type - plan->types),
				   .out = &none };

	if (type->fits == class->id) {
		return true;
	}
	gl_go_or_raise(e->L, e->plan->caller, &e->plan->caller->handle, &op);
	free(none.p); /* what has gone meanwhile does not fit */
	bool does_fit = op.status == GL_CALL_DONE && op.result != 0;
	if (does_fit) {
		type->fits = class->id;
	}
	return does_fit;
}

/* Appends the table at idx, where an interface is expected, as what it is by its methods, if it has any: the word, then
 * the class and its value. */
static bool encode_classed(struct encoder *e, int idx, uint64_t word, const struct type *type, const struct path *path)
{
	struct gl_plan *before = e->of_class;
	struct gl_class *class;

	idx = lua_absindex(e->L, idx);
	if (!lua_istable(e->L, idx) || (class = gl_push_class_of_table(e->L, idx)) == NULL) {
		return false;
	}
	if (type->kind != GL_KIND_ANY && !class_fits(e, class, type)) {
		gl_encode_fail(e, path, "%s expected, got a table that is a %s", type->name, class->name);
	}
	put_word(e, word);
	put_word(e, class->id);
	e->of_class = &class->plan;
	gl_encode(e, idx, class->value, path);
	e->of_class = before;
	lua_pop(e->L, 1);
	return true;
}

static void encode_error(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	size_t len;

	if (lua_isnil(L, idx)) {
		put_word(e, 0);
		return;
	}
	bool has_value = lua_istable(L, idx) && gl_error_handle(L, idx);
	if (has_value) {
		put_word(e, GL_TAG_ERROR);
		put_word(e, gl_handle_at(L, -1)->id);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, idx);
	if (lua_istable(L, idx)) {
		lua_pushliteral(L, "message");
		lua_rawget(L, idx);
	}
	if (lua_type(L, -1) != LUA_TSTRING && type->kind == GL_KIND_ERROR &&
	    encode_classed(e, idx, GL_BY_CLASS, type, path)) {
		lua_pop(L, 2);
		return;
	}
	if (lua_type(L, -1) != LUA_TSTRING) {
		gl_encode_fail(e, path, "error expected (nil, a string or a table with a message), got %s",
			       lua_istable(L, idx) ? "a table without one" : typename_at(L, idx));
	}
	const char *message = lua_tolstring(L, -1, &len);
	if (!has_value) {
		put_word(e, 1);
	}
	put_string(e, message, len);
	lua_pop(L, lua_istable(L, idx) ? 2 : 1);
}

/* ---- handles ---------------------------------------------------------------------------------------------------- */

/* Is the handle's value of that type, or can it be used as one? Go is asked once for each class. */
static bool fits(struct encoder *e, int idx, const struct type *constant)
{
	struct gl_plan *plan = gl_encoder_types(e);
	struct gl_handle *h = gl_handle_at(e->L, idx);
	struct type *type = &plan->types[constant - plan->types];
	struct gl_handle_op op = {
		.op = GL_OP_FITS, .plan = plan->handle, .n = (uint64_t)(type - plan->types), .in = e->in
	};

	if (type->fits != 0 && type->fits == h->class) {
		return true;
	}
	gl_handle_do(e->L, idx, &op);
	if (op.result != 0) {
		type->fits = h->class;
	}
	return op.result != 0;
}

static void check_fits(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	if (gl_handle_at(e->L, idx)->id == 0) {
		gl_encode_fail(e, path, "%s expected, got a handle that was released", type->name);
	}
	if (type->kind != GL_KIND_ANY && !fits(e, idx, type)) {
		const char *given = gl_handle_type(e->L, idx);

		gl_encode_fail(e, path, "%s expected, got a handle of %s%s", type->name, given,
			       strcmp(given, type->name) == 0 ? " of another module" : "");
	}
}

static uint64_t encode_word_of_handle(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	check_fits(e, lua_absindex(e->L, idx), type, path);
	gl_handle_copy(e->L, idx);
	uint64_t word = gl_encode_word(e, -1, type, path);
	lua_pop(e->L, 1);
	return word;
}

static void encode_handle(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	check_fits(e, idx, type, path);
	switch (type->kind) {
	case GL_KIND_ANY:
		put_word(e, GL_TAG_HANDLE);
		put_word(e, gl_handle_at(e->L, idx)->id);
		break;
	case GL_KIND_BOOL:
	case GL_KIND_INT:
	case GL_KIND_UINT:
	case GL_KIND_FLOAT:
	case GL_KIND_COMPLEX:
	case GL_KIND_STRING:
		/* their streams have no room for a handle */
		gl_handle_copy(e->L, idx);
		gl_encode(e, lua_gettop(e->L), type, path);
		lua_pop(e->L, 1);
		break;
	default: put_handle(e, gl_handle_at(e->L, idx)->id); break;
	}
}

/* What Lua gives for a type, for messages. */
static const char *word_of_form(const struct type *form)
{
	switch (form->kind) {
	case GL_KIND_BOOL: return "boolean";
	case GL_KIND_INT:
	case GL_KIND_UINT:
	case GL_KIND_FLOAT: return "number";
	case GL_KIND_STRING:
	case GL_KIND_BYTES: return "string";
	default: return "table";
	}
}

/* Can a value of that type be made of what Lua gives, as far as the kind of either tells? */
static bool may_be_form(lua_State *L, int idx, const struct type *form)
{
	int given = lua_type(L, idx);

	switch (form->kind) {
	case GL_KIND_BOOL: return given == LUA_TBOOLEAN;
	case GL_KIND_INT:
	case GL_KIND_UINT:
	case GL_KIND_FLOAT: return given == LUA_TNUMBER || given == LUA_TSTRING || given == GL_LUA_TCDATA;
	case GL_KIND_STRING: return given == LUA_TSTRING;
	case GL_KIND_BYTES: return given == LUA_TSTRING || given == GL_LUA_TCDATA;
	case GL_KIND_SLICE:
	case GL_KIND_ARRAY: return given == LUA_TTABLE || given == GL_LUA_TCDATA;
	default: return given == LUA_TTABLE;
	}
}

static void encode_into_handle(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	bool has_form = type->elem != type;

	if (lua_isnil(e->L, idx) && type->len != 0) {
		put_word(e, 0);
		return;
	}
	if (!has_form && encode_classed(e, idx, GL_BY_CLASS, type, path)) {
		return;
	}
	if (!has_form || !may_be_form(e->L, idx, type->elem)) {
		gl_encode_fail(e, path, "%s expected (a handle%s%s), got %s", type->name, has_form ? " or a " : "",
			       has_form ? word_of_form(type->elem) : "", typename_at(e->L, idx));
	}
	put_word(e, 1);
	gl_encode(e, idx, type->elem, path);
}

/* ---- any -------------------------------------------------------------------------------------------------------- */

static void encode_any_table(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	size_t n = lua_rawlen(L, idx);

	enter(e, path);
	if (n > 0) {
		n = check_sequence(e, idx, type, path);
		put_word(e, GL_TAG_LIST);
		put_word(e, n);
		struct type list = *type;
		list.elem = type;
		encode_elements(e, idx, &list, path, n);
	} else {
		size_t place = e->in->len + 1;
		uint64_t entries = 0;

		put_word(e, GL_TAG_MAP);
		put_word(e, 0);
		for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
			int key = lua_gettop(L) - 1;
			struct path at = { .up = path, .key = key };
			size_t len;

			if (lua_type(L, key) != LUA_TSTRING) {
				gl_encode_fail(
					e, path,
					"%s can hold a sequence or a table with string keys, got a key of type %s",
					type->name, typename_at(L, key));
			}
			const char *s = lua_tolstring(L, key, &len);
			put_word(e, GL_TAG_STRING);
			put_string(e, s, len);
			gl_encode(e, key + 1, type, &at);
			entries++;
		}
		e->in->p[place] = entries;
	}
	e->depth--;
}

static void encode_any(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	uint64_t bits;
	bool is_unsigned;
	size_t len;

	switch (lua_type(L, idx)) {
	case LUA_TNIL: put_word(e, GL_TAG_NIL); return;
	case LUA_TBOOLEAN:
		put_word(e, GL_TAG_BOOL);
		put_word(e, (uint64_t)lua_toboolean(L, idx));
		return;
	case LUA_TNUMBER: {
		double d = lua_tonumber(L, idx);
		if (lua_isinteger(L, idx)) {
			put_word(e, GL_TAG_INT);
			put_word(e, (uint64_t)lua_tointeger(L, idx));
		} else if (LUA_VERSION_NUM < 503 && d == floor(d) && d >= -two63 && d < two63) {
			put_word(e, GL_TAG_INT);
			put_word(e, (uint64_t)(int64_t)d);
		} else {
			put_word(e, GL_TAG_FLOAT);
			put_float(e, d);
		}
		return;
	}
	case LUA_TSTRING: {
		const char *s = lua_tolstring(L, idx, &len);
		put_word(e, GL_TAG_STRING);
		put_string(e, s, len);
		return;
	}
	case LUA_TTABLE:
		if (gl_error_handle(L, idx)) {
			lua_pop(L, 1);
			encode_error(e, idx, type, path);
		} else if (!encode_classed(e, idx, GL_TAG_METHODS, type, path)) {
			encode_any_table(e, idx, type, path);
		}
		return;
	case GL_LUA_TCDATA:
		if (gl_lua_split(L, idx, &bits, &is_unsigned)) {
			put_word(e, is_unsigned ? GL_TAG_UINT : GL_TAG_INT);
			put_word(e, bits);
			return;
		}
		break;
	default: break;
	}
	gl_encode_mismatch(e, idx, type->name, path);
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

void gl_encode(struct encoder *e, int idx, const struct type *type, const struct path *path)
{
	lua_State *L = e->L;
	int given = lua_type(L, idx);

	if (given == LUA_TSTRING && (type->kind == GL_KIND_STRING || type->kind == GL_KIND_BYTES)) {
		size_t len;
		const char *s = lua_tolstring(L, idx, &len);
		put_string(e, s, len);
		return;
	}
	if (given == LUA_TUSERDATA && gl_handle_at(L, idx) != NULL) {
		encode_handle(e, idx, type, path);
		return;
	}
	switch (type->kind) {
	case GL_KIND_NONE: gl_encode_mismatch(e, idx, type->name, path); break; /* not reached: its plan refuses */
	case GL_KIND_BOOL:
	case GL_KIND_INT:
	case GL_KIND_UINT:
	case GL_KIND_FLOAT: put_word(e, gl_encode_word(e, idx, type, path)); break;
	case GL_KIND_COMPLEX: encode_complex(e, idx, type, path); break;
	case GL_KIND_BYTES:
		if (given == LUA_TNIL) {
			put_word(e, (uint64_t)-1);
			break;
		}
		size_t len;
		const char *bytes;
		if (given == GL_LUA_TCDATA && gl_bytes_of_array(L, idx, &bytes, &len)) {
			put_string(e, bytes, len);
			break;
		}
		gl_encode_fail(e, path, "%s expected (a string), got %s", type->name, typename_at(L, idx));
		break;
	case GL_KIND_STRING: gl_encode_mismatch(e, idx, type->name, path); break;
	case GL_KIND_SLICE:
	case GL_KIND_MAP:
		if (lua_isnil(L, idx)) {
			put_word(e, (uint64_t)-1);
			break;
		}
		if (given == GL_LUA_TCDATA && type->kind == GL_KIND_SLICE && gl_encode_array(e, idx, type, path)) {
			break;
		}
		enter(e, path);
		if (type->kind == GL_KIND_MAP) {
			check_table(e, idx, type, path);
			encode_map(e, idx, type, path);
		} else {
			size_t n = check_sequence(e, idx, type, path);
			put_word(e, n);
			encode_elements(e, idx, type, path, n);
		}
		e->depth--;
		break;
	case GL_KIND_ARRAY: {
		if (given == GL_LUA_TCDATA && gl_encode_array(e, idx, type, path)) {
			break;
		}
		enter(e, path);
		size_t n = check_sequence(e, idx, type, path);
		if (n != type->len) {
			gl_encode_fail(e, path, "%s expected, got a sequence of %d", type->name, (int)n);
		}
		put_word(e, n);
		encode_elements(e, idx, type, path, n);
		e->depth--;
		break;
	}
	case GL_KIND_STRUCT:
		enter(e, path);
		check_table(e, idx, type, path);
		encode_struct(e, idx, type, path);
		e->depth--;
		break;
	case GL_KIND_POINTER:
		put_word(e, !lua_isnil(L, idx));
		if (!lua_isnil(L, idx)) {
			enter(e, path);
			gl_encode(e, idx, type->elem, path);
			e->depth--;
		}
		break;
	case GL_KIND_ERROR: encode_error(e, idx, type, path); break;
	case GL_KIND_TIME: encode_time(e, idx, type, path); break;
	case GL_KIND_HANDLE: encode_into_handle(e, idx, type, path); break;
	case GL_KIND_ANY: encode_any(e, idx, type, path); break;
	case GL_KIND_CONTEXT: gl_encode_context(e, idx, type, path); break;
	case GL_KIND_FUNC: gl_encode_function(e, idx, type, path); break;
	}
}

void gl_encode_name(struct encoder *e, const struct path *path, char *text, size_t size)
{
	const char *name = e->plan->export->params[e->param].name;

	if (name == NULL || name[0] == '\0' || strcmp(name, "_") == 0) {
		snprintf(text, size, "parameter %d", e->arg);
	} else {
		snprintf(text, size, "'%s'", name);
	}
	add_path(text, size, e->L, path);
}

void gl_encode_raw(struct encoder *e, uint64_t word) { put_word(e, word); }

/* Bytes one by one, as Go takes them. */
static void encode_bytes(struct encoder *e, int idx, int n, const struct type *type)
{
	int before = (int)e->param;
	size_t place = e->in->len;

	*reserve(e, 1 + ((size_t)n + 7) / 8) = (uint64_t)n;
	for (int i = 0; i < n; i++) {
		e->arg = before + i + 1 - (int)e->plan->receiver;
		uint8_t byte = (uint8_t)gl_encode_word(e, idx + i, type->elem, NULL);
		((uint8_t *)(e->in->p + place + 1))[i] = byte;
	}
}

void gl_encode_variadic(struct encoder *e, int idx, int n, const struct type *type)
{
	int before = (int)e->param;

	if (type->kind == GL_KIND_BYTES && n > 0) {
		e->arg = before + 1 - (int)e->plan->receiver;
		if (n == 1 && lua_type(e->L, idx) != LUA_TNUMBER) {
			gl_encode(e, idx, type, NULL);
		} else {
			encode_bytes(e, idx, n, type);
		}
		return;
	}
	/* As in Go, no argument at all makes a nil slice. */
	put_word(e, n > 0 ? (uint64_t)n : (uint64_t)-1);
	for (int i = 0; i < n; i++) {
		e->arg = before + i + 1 - (int)e->plan->receiver;
		gl_encode(e, idx + i, type->elem, NULL);
	}
}
