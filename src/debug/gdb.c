/* The list of files that gdb reads (the chapter "JIT Compilation Interface" of its manual), in a running process or a
 * core file. gdb looks for two names in each library and has a breakpoint in the function of that name.
 *
 * Both names are protected: gdb finds them, also where the library was stripped, but nobody else's definition takes
 * their place, nor ours that of a LuaJIT which was built with such a list of its own. The Makefile names this file when
 * it links the library, so that the names aren't hidden as the library's others are. */
#include "gdb.h"

#include <stdlib.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are gdb's */

struct jit_code_entry {
	struct jit_code_entry *next, *prev;
	const uint8_t *file;
	uint64_t size;
};

enum jit_action { JIT_NONE, JIT_REGISTER, JIT_UNREGISTER };

struct jit_descriptor {
	uint32_t version;
	uint32_t action; /* an enum jit_action */
	struct jit_code_entry *relevant, *first;
};

__attribute__((visibility("protected"))) extern struct jit_descriptor __jit_debug_descriptor;
struct jit_descriptor __jit_debug_descriptor = { .version = 1 };

__attribute__((visibility("protected"))) void __jit_debug_register_code(void);
__attribute__((noinline, used)) void __jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory"); /* there is something in it: calls of it stay */
}

/* NOLINTEND(bugprone-reserved-identifier) */

struct gdb_file {
	struct jit_code_entry entry;
	uint8_t *file;
};

static void tell(enum jit_action action, struct jit_code_entry *about)
{
	__jit_debug_descriptor.relevant = about;
	__jit_debug_descriptor.action = action;
	__jit_debug_register_code();
	__jit_debug_descriptor.action = JIT_NONE;
	__jit_debug_descriptor.relevant = NULL;
}

struct gdb_file *gdb_add(uint8_t *file, size_t size)
{
	struct gdb_file *f = malloc(sizeof(*f));
	struct jit_code_entry *first = __jit_debug_descriptor.first;

	if (f == NULL) {
		free(file);
		return NULL;
	}
	*f = (struct gdb_file){ .entry = { .next = first, .file = file, .size = size }, .file = file };
	if (first != NULL) {
		first->prev = &f->entry;
	}
	__jit_debug_descriptor.first = &f->entry;
	tell(JIT_REGISTER, &f->entry);
	return f;
}

void gdb_remove(struct gdb_file *f)
{
	struct jit_code_entry *e = &f->entry;

	*(e->prev != NULL ? &e->prev->next : &__jit_debug_descriptor.first) = e->next;
	if (e->next != NULL) {
		e->next->prev = e->prev;
	}
	tell(JIT_UNREGISTER, e);
	free(f->file);
	free(f);
}

/* A debugger that knows the interface has put a breakpoint where the function begins: there is int3. */
bool gdb_is_there(void)
{
#if defined(__x86_64__)
	return *(const volatile uint8_t *)(uintptr_t)__jit_debug_register_code == 0xcc;
#else
	return false;
#endif
}
