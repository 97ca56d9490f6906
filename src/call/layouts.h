/* What the Lua half has to know of structs that its compiled code reads and writes (lua/goloader/roads/layouts.lua). */
#ifndef GL_CALL_LAYOUTS_H
#define GL_CALL_LAYOUTS_H

#include "lua_compat.h"

/* Pushes a table by the names of types: { size = bytes that Lua declares, offsets = { field = bytes, … } }. */
void gl_push_layouts(lua_State *L);
/* Pushes a table of the statuses that Lua tells apart, by their names. */
void gl_push_statuses(lua_State *L);

#endif
