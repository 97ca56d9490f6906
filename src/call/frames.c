/* Tracebacks across the borders of Lua and Go.
 *
 * No side's error unwinds the other's frames (callback.c): one that goes from Lua through Go to Lua is caught by C,
 * goes on as a panic, and is raised anew. Who handles it in the end looks at the stack of Lua, as Lua's own
 * debug.traceback and the C function luaL_traceback do, and frames are gone by then: those of Lua functions that Go had
 * called, and Go's own, which never were on that stack.
 *
 * So frames are noted while they are there: Lua's by the message handler of the call from Go, Go's by what it defers
 * (see src/host/traceback.go). The error is raised anew from functions that stand for them: made for this once, with
 * file, line and name of each, they call each other and the last one raises. Whoever looks at the stack then sees
 *
 *     [C]: in function 'error'
 *     shop.lua:6: in function 'visit'            Lua, which Go has called
 *     shop.go:14: in function 'shop.walk'        Go, which Lua has called
 *     shop.go:8: in function <shop.go:8>
 *     [C]: in function 'Walk'
 *     shop.lua:9: in main chunk
 *
 * The text of a panic has Go's traceback. Where Lua's functions are between parts of that, they are written there at
 * once: when the panic becomes an error in Lua, all frames are still there. And where Go ends the process, what is told
 * of its goroutines has Lua's functions before it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../grow.h"
#include "plan.h"

struct frame {
	char *name;   /* as its caller calls it, or NULL */
	char *source; /* as Lua has it: "@shop.lua", "=stdin", or the code itself; NULL: a function in C */
	int line, first_line;
	bool is_main; /* a main chunk */
};

struct gl_frames {
	struct frame *list;
	size_t n, cap;
};

/* How many frames of Lua are told between two borders, and how many are looked through for the second. */
enum { MOST_TOLD = 40, MOST_PASSED = 1000 };

/* Sources that are code may be long, and lines behind them are not told. */
enum { MAX_SOURCE = 400 };

void gl_frames_free(struct gl_frames *frames)
{
	for (size_t i = 0; frames != NULL && i < frames->n; i++) {
		free(frames->list[i].name);
		free(frames->list[i].source);
	}
	if (frames != NULL) {
		free(frames->list);
	}
	free(frames);
}

/* A name or source that is missing for want of memory is as one that nobody knows. */
static void add_frame(struct gl_frames *frames, const struct frame *frame)
{
	if (GL_GROW(frames->list, frames->n, frames->cap)) {
		frames->list[frames->n++] = *frame;
	} else {
		free(frame->name);
		free(frame->source);
	}
}

/* ---- Lua's stack ------------------------------------------------------------------------------------------------- */

/* A walk from a function to those that have called it, up to where Go has called Lua, and on from there. */
struct walk {
	lua_State *L;
	int level;                      /* of the next one */
	int passed;                     /* since the last border */
	const struct gl_border *border; /* the next one, or NULL */
};

/* The next function; false at the border, and where the stack ends. A coroutine's functions were called by who resumed
 * it: of those, the ones of the Lua state that Go has called are known. */
static bool walk_next(struct walk *w, lua_Debug *ar)
{
	if (!lua_getstack(w->L, w->level, ar)) {
		if (w->border == NULL || w->border->L == w->L || !lua_checkstack(w->border->L, 1)) {
			return false;
		}
		w->L = w->border->L;
		w->level = 0;
		return walk_next(w, ar);
	}
	w->level++;
	lua_getinfo(w->L, "Slnf", ar);
	bool at_border = lua_tocfunction(w->L, -1) == gl_callback_protected;
	lua_pop(w->L, 1);
	return !at_border && w->passed++ < MOST_PASSED;
}

/* Passes the border, and the function that has called Go there; false where no part can follow. */
static bool walk_on(struct walk *w)
{
	if (w->border == NULL || w->passed > MOST_PASSED) {
		return false;
	}
	w->border = w->border->up;
	w->level++;
	w->passed = 0;
	return true;
}

/* A function of Lua's with debug information, or one of C's that has a name: pcall, table.sort. */
static bool is_worth_telling(const lua_Debug *ar)
{
	return *ar->what == 'C' ? *ar->namewhat != '\0' : ar->currentline > 0;
}

struct gl_frames *gl_frames_take(lua_State *L)
{
	struct gl_frames *frames = calloc(1, sizeof(*frames));
	struct walk w = { .L = L, .level = 1 }; /* 0 is the message handler */
	lua_Debug ar;

	while (frames != NULL && frames->n < MOST_TOLD && walk_next(&w, &ar)) {
		if (is_worth_telling(&ar)) {
			add_frame(frames,
				  &(struct frame){ .name = *ar.namewhat != '\0' ? strdup(ar.name) : NULL,
						   .source = *ar.what != 'C' ? strndup(ar.source, MAX_SOURCE) : NULL,
						   .line = ar.currentline,
						   .first_line = ar.linedefined,
						   .is_main = *ar.what == 'm' });
		}
	}
	return frames;
}

/* ---- the text of a panic ----------------------------------------------------------------------------------------- */

/* In the form of Go's own lines. */
static void add_line(luaL_Buffer *b, const lua_Debug *ar)
{
	char line[32];

	luaL_addstring(b, "\nLua ");
	if (*ar->what == 'm') {
		luaL_addstring(b, "main chunk");
	} else {
		luaL_addstring(b, "function ");
		if (*ar->namewhat != '\0') {
			luaL_addstring(b, ar->name);
		} else {
			snprintf(line, sizeof(line), ":%d>", ar->linedefined);
			luaL_addstring(b, "<");
			luaL_addstring(b, ar->short_src);
			luaL_addstring(b, line);
		}
	}
	luaL_addstring(b, "\n\t");
	luaL_addstring(b, *ar->source == '@' ? ar->source + 1 : ar->short_src);
	if (*ar->what != 'C') {
		snprintf(line, sizeof(line), ":%d", ar->currentline);
		luaL_addstring(b, line);
	}
}

static void add_lua(luaL_Buffer *b, struct walk *w)
{
	lua_Debug ar;
	int told = 0;

	while (walk_next(w, &ar)) {
		if (is_worth_telling(&ar) && told++ <= MOST_TOLD) {
			if (told <= MOST_TOLD) {
				add_line(b, &ar);
			} else {
				luaL_addstring(b, "\n...");
			}
		}
	}
}

void gl_frames_push_panic(lua_State *L, const struct gl_caller *caller, const uint64_t *at)
{
	struct walk w = { .L = L, .level = 1, .border = caller->border };
	uint64_t nparts = *at++;
	size_t len;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (uint64_t i = 0; i < nparts; i++) {
		if (i > 0) {
			add_lua(&b, &w);
			if (!walk_on(&w)) {
				break;
			}
			luaL_addstring(&b, "\n");
		}
		const char *part = gl_read_string(&at, &len);
		luaL_addlstring(&b, part, len);
	}
	luaL_pushresult(&b);
}

/* ---- raising an error anew --------------------------------------------------------------------------------------- */

struct gl_frames *gl_frames_add_go(struct gl_frames *frames, const uint64_t *at)
{
	size_t name_len, file_len;

	if (frames == NULL) {
		return NULL;
	}
	for (uint64_t n = *at++; n > 0; n--) {
		const char *name = gl_read_string(&at, &name_len);
		const char *file = gl_read_string(&at, &file_len);
		int line = (int)*at++;
		char *source = malloc(file_len + 2);
		if (source != NULL) {
			*source = '@';
			memcpy(source + 1, file, file_len);
			source[file_len + 1] = '\0';
			add_frame(frames, &(struct frame){ .name = strndup(name, name_len),
							   .source = source,
							   .line = line,
							   .first_line = line });
		}
	}
	return frames;
}

static int raise_value(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	return lua_error(L);
}

static int call_next(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_call(L, 1, 0);
	return 0;
}

static int get_next(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	return 1;
}

/* Writes n empty lines. */
static char *put_lines(char *p, int n)
{
	if (n > 0) {
		memset(p, '\n', (size_t)n);
		p += n;
	}
	return p;
}

/* Writes the name as a Lua string. */
static char *put_name(char *p, const char *name)
{
	*p++ = '"';
	for (; *name != '\0'; name++) {
		p += sprintf(p, "\\%03d", (unsigned char)*name);
	}
	*p++ = '"';
	return p;
}

/* The code of a function that calls the next one, by that name if it has one, in the right line. What it calls lies in
 * a table: the function, under its name, or what returns it, and its argument. A main chunk gets that table as its
 * argument, any other function finds it as an upvalue. */
static char *code_of(const struct frame *frame, const char *next)
{
	int before = frame->is_main ? frame->line - 1 : frame->first_line - 1;
	int inside = frame->is_main ? 0 : frame->line - frame->first_line;
	size_t lines = (size_t)(before > 0 ? before : 0) + (size_t)(inside > 0 ? inside : 0);
	char *code = malloc(lines + (next != NULL ? 4 * strlen(next) : 0) + 80), *p = code;

	if (code == NULL) {
		return NULL;
	}
	p = put_lines(p, before);
	p = stpcpy(p, frame->is_main ? "local t=... " : "local t=... return function() ");
	p = put_lines(p, inside);
	p = stpcpy(p, "t[");
	p = next != NULL ? put_name(p, next) : stpcpy(p, "1");
	p = stpcpy(p, next != NULL ? "](t[2])" : "]()(t[2])");
	stpcpy(p, frame->is_main ? "" : " end");
	return code;
}

/* Replaces the function and its argument on the top by one that calls it, and the argument of that. */
static void push_caller(lua_State *L, const struct frame *frame, const char *next)
{
	if (frame->source == NULL) {
		lua_pushcclosure(L, call_next, 2);
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, 2, 1);
	lua_insert(L, -3);
	lua_rawseti(L, -3, 2);
	if (next != NULL) {
		lua_setfield(L, -2, next);
	} else {
		lua_pushcclosure(L, get_next, 1);
		lua_rawseti(L, -2, 1);
	}
	char *code = code_of(frame, next);
	int failed = code == NULL ? LUA_ERRMEM : luaL_loadbuffer(L, code, strlen(code), frame->source);
	free(code);
	if (failed != 0) {
		lua_error(L);
	}
	lua_insert(L, -2);
	if (!frame->is_main) {
		lua_call(L, 1, 1);
		lua_pushnil(L);
	}
}

/* Makes of a value, and the frames as a light userdata, a function that raises it and its argument. Run protected. */
static int stand_in(lua_State *L)
{
	const struct gl_frames *frames = lua_touserdata(L, 2);
	const char *name = "error";

	lua_settop(L, 1);
	lua_pushcclosure(L, raise_value, 1);
	lua_pushnil(L);
	/* what raised may have been a function of C itself, as error is */
	for (size_t i = frames->n > 0 && frames->list[0].source == NULL ? 1 : 0; i < frames->n; i++) {
		push_caller(L, &frames->list[i], name);
		name = frames->list[i].name;
	}
	return 2;
}

int gl_frames_raise(lua_State *L, struct gl_frames *frames)
{
	if (frames == NULL) {
		return lua_error(L);
	}
	lua_pushcfunction(L, stand_in);
	lua_pushvalue(L, -2);
	lua_pushlightuserdata(L, frames);
	int failed = lua_pcall(L, 2, 2, 0);
	gl_frames_free(frames);
	if (failed == 0) {
		lua_call(L, 1, 0);
	}
	lua_pop(L, 1); /* there is no memory for functions: then without */
	return lua_error(L);
}

/* ---- all Lua states ---------------------------------------------------------------------------------------------- */

/* A thread that dies may have been hit anywhere: it does not wait for the lock. */
static struct gl_caller *callers;
static pthread_mutex_t callers_lock = PTHREAD_MUTEX_INITIALIZER;

void gl_frames_add_caller(struct gl_caller *caller)
{
	pthread_mutex_lock(&callers_lock);
	caller->next = callers;
	callers = caller;
	pthread_mutex_unlock(&callers_lock);
}

void gl_frames_drop_caller(struct gl_caller *caller)
{
	struct gl_caller **link = &callers;

	pthread_mutex_lock(&callers_lock);
	while (*link != NULL && *link != caller) {
		link = &(*link)->next;
	}
	if (*link != NULL) {
		*link = caller->next;
	}
	pthread_mutex_unlock(&callers_lock);
}

void gl_callers_flush(const struct gl_caller *caller)
{
	size_t n;

	do {
		uint64_t handles[GL_RELEASED];

		n = 0;
		pthread_mutex_lock(&callers_lock);
		for (struct gl_caller *each = callers; each != NULL && n == 0; each = each->next) {
			n = gl_caller_take_released(each, handles);
		}
		pthread_mutex_unlock(&callers_lock); /* a Lua state may end while Go is told */
		if (n > 0) {
			gl_go_release(caller, handles, n);
		}
	} while (n > 0);
}

/* ---- a process that dies ----------------------------------------------------------------------------------------- */

static void write_frame(const lua_Debug *ar)
{
	char line[LUA_IDSIZE + 200], name[100];
	int n;

	if (*ar->namewhat != '\0') {
		snprintf(name, sizeof(name), "function '%s'", ar->name);
	} else if (*ar->what == 'm') {
		snprintf(name, sizeof(name), "main chunk");
	} else {
		snprintf(name, sizeof(name), "function <%s:%d>", ar->short_src, ar->linedefined);
	}
	if (*ar->what == 'C') {
		n = snprintf(line, sizeof(line), "\t[C]: in %s\n", name);
	} else {
		n = snprintf(line, sizeof(line), "\t%s:%d: in %s\n", ar->short_src, ar->currentline, name);
	}
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
		return;
	}
}

static void write_stack(const struct gl_caller *caller)
{
	static const char head[] = "goloader: Go was called by Lua:\n";
	struct walk w = { .L = caller->calling, .border = caller->border };
	lua_Debug ar;

	if (write(STDERR_FILENO, head, sizeof(head) - 1) < 0) {
		return;
	}
	do {
		int told = 0;
		while (walk_next(&w, &ar)) { /* up to the border, also where no more is told */
			if (is_worth_telling(&ar) && told++ < MOST_TOLD) {
				write_frame(&ar);
			}
		}
	} while (walk_on(&w));
}

void gl_frames_write_stack(lua_State *L)
{
	static const char head[] = "goloader: Lua is at:\n";
	lua_Debug ar;

	if (write(STDERR_FILENO, head, sizeof(head) - 1) < 0) {
		return;
	}
	for (int level = 0; level < 2 * MOST_TOLD && lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sln", &ar);
		if (is_worth_telling(&ar)) {
			write_frame(&ar);
		}
	}
}

bool gl_frames_write(void)
{
	bool found = false;

	if (pthread_mutex_trylock(&callers_lock) != 0) {
		return false;
	}
	for (const struct gl_caller *caller = callers; caller != NULL; caller = caller->next) {
		if (caller->calling != NULL && pthread_equal(caller->thread, pthread_self())) {
			write_stack(caller);
			found = true;
		}
	}
	pthread_mutex_unlock(&callers_lock);
	return found;
}
