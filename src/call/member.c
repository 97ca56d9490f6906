/* What Lua does with a handle other than calling it or passing it on: reading and writing what is in it
 * (src/host/members.go). Each takes one crossing. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* Does it and pushes what Go wrote, as a value of the type that was read from inside. */
static void read_value(lua_State *L, int idx, struct gl_handle_op *op, const struct type *type)
{
	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_reading *r = gl_reading_begin(L, caller);

	op->out = &r->out;
	gl_handle_do(L, idx, op);
	gl_decode_kept(L, gl_reading_at(r), type, false);
	gl_reading_end(L, r);
}

static struct encoder encoder_of(lua_State *L, struct gl_class *class, struct gl_reading *r, const char *name)
{
	class->export.name = name;
	return (struct encoder){ .L = L, .plan = &class->plan, .in = &r->in };
}

/* Does it with what was written. */
static void write_value(lua_State *L, int idx, struct gl_handle_op *op, struct gl_reading *r)
{
	op->in = &r->in;
	op->out = &r->out;
	gl_handle_do(L, idx, op);
	gl_reading_end(L, r);
}

void gl_handle_field(lua_State *L, int idx, size_t i)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_FIELD, .n = i }, class->fields[i].type);
}

void gl_handle_set_field(lua_State *L, int idx, size_t i, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct encoder e = encoder_of(L, class, r, class->fields[i].name);

	gl_encode(&e, value, class->fields[i].type, NULL);
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET_FIELD, .n = i }, r);
}

void gl_handle_index(lua_State *L, int idx, uint64_t i)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_INDEX, .n = i }, class->elem);
}

void gl_handle_set_index(lua_State *L, int idx, uint64_t i, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct encoder e = encoder_of(L, class, r, class->name);

	gl_encode(&e, value, class->elem, &(struct path){ .index = (int)i + 1 });
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET_INDEX, .n = i }, r);
}

/* An element of a map; nil where the key is not there. */
void gl_handle_key(lua_State *L, int idx, int key)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct encoder e = encoder_of(L, class, r, class->name);
	struct gl_handle_op op = { .op = GL_OP_KEY, .in = &r->in, .out = &r->out };

	gl_encode(&e, key, class->key, &(struct path){ .key = key });
	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		gl_decode_kept(L, gl_reading_at(r), class->elem, false);
	} else {
		lua_pushnil(L);
	}
	gl_reading_end(L, r);
}

void gl_handle_set_key(lua_State *L, int idx, int key, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct encoder e = encoder_of(L, class, r, class->name);
	bool is_nil = lua_isnil(L, value);

	gl_encode(&e, key, class->key, &(struct path){ .key = key });
	if (!is_nil) {
		gl_encode(&e, value, class->elem, &(struct path){ .key = key });
	}
	write_value(L, idx, &(struct gl_handle_op){ .op = is_nil ? GL_OP_DELETE_KEY : GL_OP_SET_KEY }, r);
}

void gl_handle_get(lua_State *L, int idx)
{
	struct gl_class *class = gl_handle_open(L, idx);

	read_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_GET }, class->value);
}

void gl_handle_value(lua_State *L, int idx)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct gl_handle_op op = { .op = GL_OP_VALUE, .out = &r->out };

	gl_handle_do(L, idx, &op);
	gl_decode(L, gl_reading_at(r), class->value);
	gl_reading_end(L, r);
}

void gl_handle_set(lua_State *L, int idx, int value)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct encoder e = encoder_of(L, class, r, class->name);

	gl_encode(&e, value, class->value, NULL);
	write_value(L, idx, &(struct gl_handle_op){ .op = GL_OP_SET }, r);
}

int64_t gl_handle_ask(lua_State *L, int idx, enum gl_op what, uint64_t n)
{
	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_buffer out = gl_buffer_take(&caller->out);
	struct gl_handle_op op = { .op = what, .n = n, .out = &out };

	gl_handle_do(L, idx, &op);
	gl_buffer_give(&caller->out, &out);
	return op.result;
}

void gl_handle_text(lua_State *L, int idx)
{
	struct gl_caller *caller = gl_handle_caller(L, idx);
	struct gl_reading *r = gl_reading_begin(L, caller);
	size_t len;

	gl_handle_do(L, idx, &(struct gl_handle_op){ .op = GL_OP_TEXT, .out = &r->out });
	const char *s = gl_read_string(gl_reading_at(r), &len);
	lua_pushlstring(L, s, len);
	gl_reading_end(L, r);
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

enum gl_chan gl_handle_send(lua_State *L, int idx, int value, double seconds)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_reading *r = gl_reading_begin(L, class->plan.caller);
	struct encoder e = encoder_of(L, class, r, class->name);
	struct gl_handle_op op = { .op = GL_OP_SEND, .seconds = seconds };

	if (class->shape == GL_SHAPE_CHAN) {
		gl_encode(&e, value, class->elem, NULL);
	}
	write_value(L, idx, &op, r);
	return (enum gl_chan)op.result;
}

enum gl_chan gl_handle_receive(lua_State *L, int idx, double seconds)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_RECEIVE, .seconds = seconds, .out = &r->out };

	gl_handle_do(L, idx, &op);
	if (op.result == GL_CHAN_DONE) {
		gl_decode_kept(L, gl_reading_at(r), class->elem, false);
	}
	gl_reading_end(L, r);
	return (enum gl_chan)op.result;
}

/* ---- iteration -------------------------------------------------------------------------------------------------- */

void gl_handle_iterate(lua_State *L, int idx)
{
	idx = lua_absindex(L, idx);
	struct gl_handle *h = gl_handle_new(L, gl_handle_caller(L, idx), gl_handle_class(L, idx));

	h->id = (uint64_t)gl_handle_ask(L, idx, GL_OP_ITERATE, 0);
}

bool gl_handle_next_field(lua_State *L, int idx, size_t *i)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_NEXT_FIELD, .n = *i, .out = &r->out };

	gl_handle_do(L, idx, &op);
	if (op.result != 0) {
		*i = (size_t)op.result;
		const struct type_field *field = &class->fields[*i - 1];
		lua_pushstring(L, field->name);
		gl_decode_kept(L, gl_reading_at(r), field->type, false);
	}
	gl_reading_end(L, r);
	return op.result != 0;
}

/* Pushes keys and values, by turns; returns how many pairs. */
int gl_handle_next(lua_State *L, int idx, int most)
{
	struct gl_class *class = gl_handle_open(L, idx);
	struct gl_caller *caller = class->plan.caller;
	luaL_checkstack(L, 2 * most + 8, NULL);
	struct gl_reading *r = gl_reading_begin(L, caller);
	struct gl_handle_op op = { .op = GL_OP_NEXT, .n = (uint64_t)most, .out = &r->out };

	gl_handle_do(L, idx, &op);
	const uint64_t **at = gl_reading_at(r);
	for (int64_t i = 0; i < op.result; i++) {
		if (class->shape == GL_SHAPE_MAP || class->shape == GL_SHAPE_SEQ2) {
			gl_decode_kept(L, at, class->key, false);
			if (lua_isnil(L, -1)) {
				lua_pop(L, 1);
				lua_pushliteral(L, "nil"); /* as in a table: nil would end the loop */
			}
		} else {
			lua_pushnil(L);
		}
		if (class->shape == GL_SHAPE_SEQ) {
			lua_pushnil(L);
		} else {
			gl_decode_kept(L, at, class->elem, false);
		}
	}
	gl_reading_end(L, r);
	return (int)op.result;
}
