/* What debuggers and profilers know of loaded code.
 *
 * They look up code in files, and loaded code has none. gdb asks a process for files in its memory instead (the JIT
 * Interface of its manual): symfile.c writes one for each module, from nothing but the tables by which the Go runtime
 * itself names functions, finds their lines and walks their stacks, and gdb.c tells gdb of it. perf reads names from a
 * file of the process's (perf.c). Where it is asked for, code is mapped from files of its own after all, for whatever
 * reads nothing else (files.c).
 *
 * Arguments and variables are told of functions whose objects have DWARF (variables.h), where somebody is told at the
 * time of the load: that takes a third of a load's time more, and the file is four times as large.
 *
 * To write such a file takes a tenth of the time of a load (3 us for a few functions, 95 us for 45 KB of code), and it
 * is half as large as the code. So it is written when there is somebody to read it: from the start where
 * gl_debug_choose says so, which core files need; at the next load or unload of anything once a debugger is there that
 * knows the interface; or when that calls goloader_debug (binding/core.c). All that was loaded before is told then,
 * too. Until then a module costs a note of where its tables are.
 *
 * All of it is called with the lock held (gl_lock). */
#ifndef GL_DEBUG_DEBUG_H
#define GL_DEBUG_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../error.h"

struct gl_abi;
struct variables;
struct gl_debug_code; /* code that they know, or will */

/* Before anything is added: the description of the host, and its own moduledata, the first of the runtime's list.
 * is_program: the host is the process's program. */
void gl_debug_begin(const struct gl_abi *abi, uintptr_t firstmoduledata, bool is_program);
/* Before gl_debug_choose: from then on, loaded code is in files. */
int gl_debug_open_files(struct gl_error *err);
/* Who is told of loaded code from now on, and of all that is loaded already. */
void gl_debug_choose(bool gdb, bool perf);

/* Is anybody told of variables? These are read from the objects, which are there only while they are linked: what is
 * not read then can't be told later. */
bool gl_debug_wants_variables(void);

/* Is there somebody who asks which type a descriptor is of (modules.c)? */
bool gl_debug_wants_types(void);

/* The code that a moduledata describes, in size bytes of whole pages. name is copied; variables (or NULL) become its
 * own. NULL when memory is short: then nobody knows of it. */
struct gl_debug_code *gl_debug_add_module(uintptr_t moduledata, const char *name, struct variables *variables,
					  const uint8_t *base, size_t size);

/* A copy of a function's code. */
struct gl_debug_copy {
	uintptr_t addr;
	size_t size;
	uintptr_t entry;  /* the function's own address; 0: code that is no function's, which only perf is told of */
	const char *name; /* of such code: its name, which is not copied */
};
/* The same for copies. Those of functions come first in the list, and nothing else is on their pages. */
struct gl_debug_code *gl_debug_add_copies(const struct gl_debug_copy *copies, size_t n, const uint8_t *base,
					  size_t size);

/* From now on the names and lines of unloaded code are kept, some 16 MB at most, so that its addresses can still be
 * named.
 */
void gl_debug_keep_names(void);

struct gl_debug_frame {
	const char *function;
	const char *file; /* "" or NULL: there is none */
	int32_t line, first_line;
};
/* Which functions the code at an address is of, the innermost first; their number is 0 where it is or was no loaded
 * code. label: the module and, as `name@3`, which of the process's loads brought it; what it and frames point to is
 * there until something is loaded or unloaded. */
size_t gl_debug_find(uintptr_t addr, char *label, size_t label_size, struct gl_debug_frame *frames, size_t most);

/* Before its memory goes; NULL is nothing. */
void gl_debug_remove(struct gl_debug_code *code);

#endif
