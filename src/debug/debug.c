/* What there is to be known, and who knows it (see debug.h). */
#include "debug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../abi/abi.h"
#include "files.h"
#include "gdb.h"
#include "modules.h"
#include "names.h"
#include "perf.h"
#include "symfile.h"
#include "variables.h"

struct gl_debug_code {
	struct gl_debug_code *next, **link; /* of the list of all, and what points to this one there */
	uintptr_t moduledata;               /* 0: copies */
	struct variables *variables;        /* of a module's functions, where somebody has read them; or NULL */
	struct gl_debug_copy *copies;
	size_t ncopies;
	const uint8_t *base; /* whole pages that have the code; NULL: it lies among other code */
	size_t size;
	struct code_file *mapped; /* the file that they are mapped from, or NULL */
	struct listed *listed;    /* what Delve knows the module's types by, or NULL */
	struct gdb_file *file;    /* gdb's, or NULL */
	bool is_mapped;           /* perf knows it */
	unsigned long number;     /* of what was loaded in this process */
	char name[];
};

/* A process has one list of what debuggers know, and so has one of what they could. */
static struct {
	const struct gl_abi *abi;
	uintptr_t firstmoduledata;
	bool gdb, files, perf, keeps_names;
	unsigned long loads, copies;
	struct gl_debug_code *all; /* the youngest first */
} known;

/* The functions of some code, with what tables there are of them. */
struct functions {
	struct code *list;
	size_t n;
	struct functab *tabs; /* one for each moduledata of the process, or that of the code alone */
};

static size_t func_size(const struct func *f)
{
	struct pcvalue sp = func_values(f, VALUES_SP);

	while (pcvalue_next(&sp)) {
	}
	/* what follows it up to the next function is padding */
	size_t most = f->next - f->entry;
	return sp.until > 0 && sp.until < most ? sp.until : most;
}

static bool list_module(const struct gl_debug_code *code, struct functions *found)
{
	found->tabs = malloc(sizeof(*found->tabs));
	if (found->tabs == NULL) {
		return false;
	}
	functab_open(found->tabs, known.abi, code->moduledata);
	found->list = malloc((found->tabs->nfuncs + 1) * sizeof(*found->list));
	for (size_t i = 0; found->list != NULL && i < found->tabs->nfuncs; i++) {
		struct func f = functab_func(found->tabs, i);
		found->list[found->n++] =
			(struct code){ .addr = f.entry, .size = func_size(&f), .func = f, .name = func_name(&f) };
	}
	return found->list != NULL;
}

static uintptr_t next_moduledata(uintptr_t moduledata)
{
	uintptr_t next;

	memcpy(&next, (const uint8_t *)moduledata + known.abi->moduledata.next, sizeof(next));
	return next;
}

static bool list_copies(const struct gl_debug_code *code, struct functions *found)
{
	size_t ntabs = 0;

	for (uintptr_t md = known.firstmoduledata; md != 0; md = next_moduledata(md)) {
		ntabs++;
	}
	/* and those of modules, which the runtime has in its list only where they are large */
	for (const struct gl_debug_code *other = known.all; other != NULL; other = other->next) {
		ntabs += other->moduledata != 0;
	}
	found->tabs = malloc((ntabs + 1) * sizeof(*found->tabs));
	found->list = malloc((code->ncopies + 1) * sizeof(*found->list));
	if (found->tabs == NULL || found->list == NULL) {
		return false;
	}
	size_t n = 0;
	for (uintptr_t md = known.firstmoduledata; md != 0; md = next_moduledata(md)) {
		functab_open(&found->tabs[n++], known.abi, md);
	}
	for (const struct gl_debug_code *other = known.all; other != NULL; other = other->next) {
		if (other->moduledata != 0) {
			functab_open(&found->tabs[n++], known.abi, other->moduledata);
		}
	}
	for (size_t i = 0; i < code->ncopies; i++) {
		const struct gl_debug_copy *copy = &code->copies[i];
		struct code *c = &found->list[found->n];
		*c = (struct code){ .addr = copy->addr, .size = copy->size, .name = copy->name };
		for (size_t t = 0; t < ntabs && copy->entry != 0; t++) {
			if (functab_find(&found->tabs[t], copy->entry, &c->func)) {
				c->name = func_name(&c->func);
				break;
			}
		}
		found->n += c->name != NULL;
	}
	return true;
}

static bool list_functions(const struct gl_debug_code *code, struct functions *found)
{
	return code->moduledata != 0 ? list_module(code, found) : list_copies(code, found);
}

/* Those that have tables come first. */
static size_t count_described(const struct functions *f)
{
	size_t n = 0;

	while (n < f->n && f->list[n].func.p != NULL) {
		n++;
	}
	return n;
}

static const struct gl_debug_code *module_at(uintptr_t addr, struct functab *tab);

/* Copies are of functions that their modules know the variables of. Those of one file are of one module most often. */
static const struct variables *variables_for(const struct gl_debug_code *code)
{
	struct functab tab;
	const struct gl_debug_code *module = code->ncopies > 0 ? module_at(code->copies[0].entry, &tab) : code;

	return module != NULL ? module->variables : NULL;
}

/* What a moduledata says of its module's types. */
static uintptr_t descriptors_of(const struct gl_debug_code *code)
{
	uintptr_t first = 0;

	if (code->moduledata != 0 && code->variables != NULL) {
		memcpy(&first, (const uint8_t *)code->moduledata + known.abi->moduledata.types, sizeof(first));
	}
	return first;
}

static void tell_delve(struct gl_debug_code *code, struct symfile *s)
{
	uintptr_t descriptors = descriptors_of(code);

	code->mapped = files_add(s, code->base, code->size, code->number, descriptors);
	if (code->mapped != NULL && descriptors != 0) {
		code->listed = modules_add(code->moduledata, s->code[0].addr);
	}
}

static void tell_gdb(struct gl_debug_code *code, const struct symfile *s)
{
	size_t size;
	uint8_t *file = symfile_write(s, &size);

	if (file != NULL) {
		code->file = gdb_add(file, size);
	}
}

static void tell(struct gl_debug_code *code)
{
	bool to_gdb = known.gdb && code->file == NULL, to_perf = known.perf && !code->is_mapped;
	/* where gdb knows it already, its breakpoints may be among the code */
	bool to_all = known.files && code->mapped == NULL && code->file == NULL && code->base != NULL;
	struct functions f = { 0 };

	if ((to_gdb || to_all || to_perf) && list_functions(code, &f)) {
		struct symfile s = { .name = code->name,
				     .code = f.list,
				     .n = count_described(&f),
				     .abi = known.abi,
				     .variables = variables_for(code) };
		if (to_all && s.n > 0) {
			tell_delve(code, &s);
		}
		if (to_gdb && s.n > 0) {
			tell_gdb(code, &s);
		}
		if (to_perf) {
			perf_add(f.list, f.n);
			code->is_mapped = true;
		}
	}
	free(f.list);
	free(f.tabs);
}

static void tell_all(void)
{
	for (struct gl_debug_code *code = known.all; code != NULL; code = code->next) {
		tell(code);
	}
}

void gl_debug_begin(const struct gl_abi *abi, uintptr_t firstmoduledata, bool is_program)
{
	known.abi = abi;
	known.firstmoduledata = firstmoduledata;
	modules_begin(abi, is_program ? firstmoduledata : 0);
}

int gl_debug_open_files(struct gl_error *err) { return files_open(err); }

void gl_debug_choose(bool gdb, bool perf)
{
	known.gdb = known.gdb || gdb;
	known.perf = known.perf || perf;
	known.files = files_are_open();
	if (known.files && known.perf) {
		files_keep(); /* perf reports when all is over */
	}
	tell_all();
}

static void look_for_gdb(void)
{
	if (!known.gdb && gdb_is_there()) {
		gl_debug_choose(true, false);
	}
}

bool gl_debug_wants_variables(void)
{
	look_for_gdb();
	return known.gdb;
}

bool gl_debug_wants_types(void) { return known.files; }

static struct gl_debug_code *add(uintptr_t moduledata, const char *name, struct variables *variables,
				 const struct gl_debug_copy *copies, size_t n, const uint8_t *base, size_t size)
{
	size_t len = strlen(name);
	struct gl_debug_code *code = malloc(sizeof(*code) + len + 1);
	struct gl_debug_copy *own = n > 0 ? malloc(n * sizeof(*own)) : NULL;

	if (code == NULL || (n > 0 && own == NULL)) {
		free(code);
		free(own);
		variables_free(variables);
		return NULL;
	}
	*code = (struct gl_debug_code){ .next = known.all,
					.link = &known.all,
					.moduledata = moduledata,
					.variables = variables,
					.copies = own,
					.ncopies = n,
					.base = base,
					.size = size,
					.number = moduledata != 0 ? ++known.loads : ++known.copies };
	memcpy(code->name, name, len + 1);
	if (n > 0) {
		memcpy(own, copies, n * sizeof(*own));
	}
	if (known.all != NULL) {
		known.all->link = &code->next;
	}
	known.all = code;
	tell(code);
	look_for_gdb();
	return code;
}

struct gl_debug_code *gl_debug_add_module(uintptr_t moduledata, const char *name, struct variables *variables,
					  const uint8_t *base, size_t size)
{
	return add(moduledata, name, variables, NULL, 0, base, size);
}

struct gl_debug_code *gl_debug_add_copies(const struct gl_debug_copy *copies, size_t n, const uint8_t *base,
					  size_t size)
{
	return add(0, "pure", NULL, copies, n, base, size);
}

static const struct gl_debug_code *module_at(uintptr_t addr, struct functab *tab)
{
	for (const struct gl_debug_code *code = known.all; code != NULL; code = code->next) {
		if (code->moduledata != 0) {
			functab_open(tab, known.abi, code->moduledata);
			/* offsets may count from before the module's code (link/lookup.h) */
			if (tab->nfuncs > 0 && addr >= functab_func(tab, 0).entry && addr < tab->end) {
				return code;
			}
		}
	}
	return NULL;
}

/* Copies are of functions of a module, or of the host. */
static void write_label(const struct gl_debug_code *code, char *label, size_t size)
{
	struct functab tab;

	for (size_t i = 0; i < code->ncopies && code->moduledata == 0; i++) {
		const struct gl_debug_code *module = module_at(code->copies[i].entry, &tab);
		if (module != NULL) {
			code = module;
			break;
		}
	}
	if (code->moduledata != 0) {
		snprintf(label, size, "%s@%lu", code->name, code->number);
	} else {
		snprintf(label, size, "%s", code->name);
	}
}

static size_t find_copy(const struct functions *f, uintptr_t addr, struct gl_debug_frame *frames, size_t most)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct code *c = &f->list[i];
		if (addr - c->addr >= c->size) {
			continue;
		}
		if (c->func.p != NULL) {
			return names_of(&c->func, (uint32_t)(addr - c->addr), frames, most);
		}
		frames[0] = (struct gl_debug_frame){ .function = c->name };
		return 1;
	}
	return 0;
}

static size_t find_function(const struct functab *tab, uintptr_t addr, struct gl_debug_frame *frames, size_t most)
{
	for (size_t i = 0; i < tab->nfuncs; i++) {
		struct func f = functab_func(tab, i);
		if (addr >= f.entry && addr < f.next) {
			return names_of(&f, (uint32_t)(addr - f.entry), frames, most);
		}
	}
	return 0;
}

static bool has_copy_at(const struct gl_debug_code *code, uintptr_t addr)
{
	for (size_t i = 0; i < code->ncopies; i++) {
		if (addr - code->copies[i].addr < code->copies[i].size) {
			return true;
		}
	}
	return false;
}

size_t gl_debug_find(uintptr_t addr, char *label, size_t label_size, struct gl_debug_frame *frames, size_t most)
{
	struct functab tab;
	const struct gl_debug_code *code = module_at(addr, &tab);

	if (code != NULL) {
		write_label(code, label, label_size);
		return find_function(&tab, addr, frames, most);
	}
	for (code = known.all; code != NULL; code = code->next) {
		struct functions f = { 0 };
		size_t n = 0;
		if (!has_copy_at(code, addr)) {
			continue;
		}
		if (list_functions(code, &f)) {
			write_label(code, label, label_size);
			n = find_copy(&f, addr, frames, most);
		}
		free(f.list);
		free(f.tabs);
		return n;
	}
	const char *kept;
	size_t n = names_find(addr, &kept, frames, most);
	if (n > 0) {
		snprintf(label, label_size, "%s", kept);
	}
	return n;
}

void gl_debug_keep_names(void) { known.keeps_names = true; }

static void keep_names(const struct gl_debug_code *code)
{
	struct functions f = { 0 };
	char label[256];

	if (list_functions(code, &f)) {
		write_label(code, label, sizeof(label));
		names_keep(label, f.list, f.n);
	}
	free(f.list);
	free(f.tabs);
}

void gl_debug_remove(struct gl_debug_code *code)
{
	if (code == NULL) {
		return;
	}
	if (known.keeps_names) {
		keep_names(code);
	}
	modules_remove(code->listed);
	if (code->mapped != NULL) {
		files_remove(code->mapped);
	}
	if (code->file != NULL) {
		gdb_remove(code->file);
	}
	*code->link = code->next;
	if (code->next != NULL) {
		code->next->link = code->link;
	}
	variables_free(code->variables);
	free(code->copies);
	free(code);
	look_for_gdb();
}
