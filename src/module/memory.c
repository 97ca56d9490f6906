/* An unloaded module's memory, and its way back to the arena.
 *
 *   - Code goes at once: it has been proved that nobody runs it or can call it.
 *   - Data and types rest until two garbage collections have ended. An object on Go's heap may have a pointer to its
 *     type in front of it (those of more than 512 bytes, runtime/mbitmap.go) and the collector reads the type of all
 *     it marks. What nobody refers to any more isn't marked, but a stack scanned conservatively, or a collection that
 *     starts from stale registers, may still hit on such an object before it is swept: two collections later it can't.
 *   - Constant data that somebody has kept (a string given to log.SetPrefix, say) stays. Each later unload walks over
 *     all that is in use anyway and learns what of it nobody refers to any more: that rests, and goes. */
#include "internal.h"

#include <malloc.h>
#include <stdlib.h>

/* How much may rest before collections are run for it. The number of ranges counts, too, but for what lies among
 * that of others: each is a mapping or two of the process, which the kernel limits (vm.max_map_count), and a program
 * that hardly allocates hardly ever collects. */
enum { MOST_RESTING = 8 << 20, MOST_RANGES_RESTING = 24 };

/* Of modules that have gone, before the heap is trimmed. */
enum { MUCH = 1 << 20 };

/* Where a reference may be left, what leads nowhere is better than what leads into another module. */
static void give(struct gl_host *host, uint8_t *base, size_t size, bool unproved)
{
	if (unproved) {
		gl_arena_abandon(host->linker.arena, base, size);
	} else {
		gl_arena_give(host->linker.arena, base, size);
	}
}

void module_release_rested(struct gl_host *host)
{
	uint64_t gc = host->resting != NULL ? host->gc_count() : 0;

	while (host->resting != NULL && host->resting->gc + 2 <= gc) {
		struct remains *r = host->resting;
		host->resting = r->next;
		if (host->resting == NULL) {
			host->end_of_resting = &host->resting;
		}
		host->resting_bytes -= r->size;
		host->nresting -= r->kind == PAGES;
		switch (r->kind) {
		case VARIABLES: lookup_drop_variables(&host->linker, r->base, r->size, r->unproved); break;
		case FUNCTIONS: lookup_drop_functions(&host->linker, r->base, r->size, r->unproved); break;
		case PAGES: give(host, r->base, r->size, r->unproved); break;
		}
		free(r);
	}
}

static void rest(struct gl_host *host, struct remains *r)
{
	r->gc = host->gc_count();
	r->next = NULL;
	if (host->resting == NULL) {
		host->end_of_resting = &host->resting;
	}
	*host->end_of_resting = r;
	host->end_of_resting = &r->next;
	host->resting_bytes += r->size;
	host->nresting += r->kind == PAGES;
}

/* Puts records by, as many as a module has parts: where there is no memory for one in the middle of an unload, which
 * can't be taken back then, those of an earlier unload do. */
static void keep_spare(struct gl_host *host)
{
	enum { PARTS = 5 };

	while (host->nspare < PARTS) {
		struct remains *r = malloc(sizeof(*r));
		if (r == NULL) {
			return;
		}
		r->next = host->spare;
		host->spare = r;
		host->nspare++;
	}
}

/* Without memory for the record, and a spare one, what it is about stays mapped: better that than a crash. */
static struct remains *remains_of(struct gl_host *host, uint8_t *low, const uint8_t *high)
{
	struct remains *r = low < high ? malloc(sizeof(*r)) : NULL;

	if (r == NULL && low < high && host->spare != NULL) {
		r = host->spare;
		host->spare = r->next;
		host->nspare--;
	}
	if (r != NULL) {
		*r = (struct remains){ .base = low, .size = (size_t)(high - low) };
	}
	return r;
}

static void rest_between(const struct gl_module *mod, uint8_t *low, const uint8_t *high, enum remains_kind kind)
{
	struct remains *r = remains_of(mod->host, low, high);

	if (r != NULL) {
		r->unproved = mod->unproved;
		r->kind = kind;
		rest(mod->host, r);
	}
}

void module_count_memory(struct gl_module *mod)
{
	struct gl_host *host = mod->host;

	mod->is_counted = true;
	host->bytes += mod->size;
	host->most_bytes = host->bytes > host->most_bytes ? host->bytes : host->most_bytes;
}

/* What is known of modules lies all over the C library's heap, which gives nothing back but its end. When much of them
 * has gone it is told to. */
void module_trim_heap(const struct gl_module *mod)
{
	struct gl_host *host = mod->host;

	if (!mod->is_counted) {
		return;
	}
	host->bytes -= mod->size;
	if (host->most_bytes - host->bytes >= MUCH && host->bytes < host->most_bytes / 2) {
		malloc_trim(0);
		host->most_bytes = host->bytes;
	}
}

void module_leave_memory(struct gl_module *mod, enum what_stays stays)
{
	struct gl_host *host = mod->host;
	uintptr_t page = gl_page_size();
	uint8_t *rodata = mod->base + mod->text_pages, *end = mod->base + mod->size;
	/* the pages that stay */
	uint8_t *low = rodata, *high = rodata;

	if (stays == STRINGS_STAY && mod->strings < mod->estrings) {
		low = (uint8_t *)(mod->strings & ~(page - 1));
		high = (uint8_t *)((mod->estrings + page - 1) & ~(page - 1));
	}
	keep_spare(host);
	gl_debug_remove(mod->debug);
	mod->debug = NULL;
	lookup_remove(&host->linker, mod->base, mod->text_pages);
	give(host, mod->base, mod->text_pages, mod->unproved);
	rest_between(mod, rodata, low, PAGES);
	rest_between(mod, mod->variables, mod->variables + mod->variables_size, VARIABLES);
	rest_between(mod, mod->ftab, mod->ftab + mod->ftab_size, FUNCTIONS);
	struct remains *kept = remains_of(host, low, high);
	if (kept != NULL) {
		kept->next = host->kept;
		host->kept = kept;
	}
	rest_between(mod, high, end, PAGES);
}

void gl_host_give_back(struct gl_host *host)
{
	struct gl_error err;

	gl_lock();
	bool is_much = host->resting_bytes > MOST_RESTING || host->nresting > MOST_RANGES_RESTING;
	if (is_much && !host->is_collecting && gl_host_check(host, &err) == 0) {
		/* two collections take as long as the live heap is large: others load and unload meanwhile */
		host->is_collecting = true;
		gl_unlock();
		host->collect();
		host->collect();
		gl_lock();
		host->is_collecting = false;
		module_release_rested(host);
	}
	gl_unlock();
}

static int compare_kept(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t)((const struct gl_kept *)a)->low,
		  right = (uintptr_t)((const struct gl_kept *)b)->low;

	return (left > right) - (left < right);
}

static void add_library(const struct clib *lib, struct gl_kept *kept, size_t *n)
{
	uintptr_t low, high;

	if (lib != NULL) {
		clib_span(lib, &low, &high);
		kept[(*n)++] = (struct gl_kept){ .low = (void *)low, .high = (void *)high };
	}
}

struct gl_kept *module_list_kept(const struct gl_module *mod, const struct gl_unload *how, size_t *n)
{
	const struct gl_host *host = mod->host;
	size_t count = 1 + how->nalong;

	for (const struct remains *r = host->kept; r != NULL; r = r->next) {
		count++;
	}
	for (const struct clib *lib = host->kept_libraries; lib != NULL; lib = clib_next(lib)) {
		count++;
	}
	struct gl_kept *kept = calloc(count, sizeof(*kept));
	*n = 0;
	if (kept == NULL) {
		return NULL;
	}
	for (const struct remains *r = host->kept; r != NULL; r = r->next) {
		kept[(*n)++] = (struct gl_kept){ .low = r->base, .high = r->base + r->size };
	}
	for (const struct clib *lib = host->kept_libraries; lib != NULL; lib = clib_next(lib)) {
		add_library(lib, kept, n);
	}
	add_library(mod->clib, kept, n);
	for (size_t i = 0; i < how->nalong; i++) {
		add_library(how->along[i]->clib, kept, n);
	}
	qsort(kept, *n, sizeof(*kept), compare_kept);
	return kept;
}

static bool is_used(const struct gl_kept *kept, size_t n, uintptr_t low)
{
	struct gl_kept key = { .low = (void *)low };
	const struct gl_kept *found = bsearch(&key, kept, n, sizeof(*kept), compare_kept);

	return found == NULL || found->is_used;
}

static void note_library(struct clib *lib, const struct gl_kept *kept, size_t n)
{
	uintptr_t low, high;

	if (lib != NULL) {
		clib_span(lib, &low, &high);
		clib_set_go_refers(lib, is_used(kept, n, low));
	}
}

void module_settle_kept(struct gl_module *mod, const struct gl_unload *how, const struct gl_kept *kept, size_t n)
{
	struct gl_host *host = mod->host;

	for (struct remains **link = &host->kept; *link != NULL;) {
		struct remains *r = *link;
		if (is_used(kept, n, (uintptr_t)r->base)) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		rest(host, r);
	}
	for (struct clib *lib = host->kept_libraries; lib != NULL; lib = clib_next(lib)) {
		note_library(lib, kept, n);
	}
	note_library(mod->clib, kept, n);
	for (size_t i = 0; i < how->nalong; i++) {
		note_library(how->along[i]->clib, kept, n);
	}
}
