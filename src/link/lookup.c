/* The moduledata that stands for all modules (see lookup.h).
 *
 * A page without functions has a bucket of zeros, which leads to the first entry of ftab: that of a function without
 * file and frame, which lies in the lookup's own memory, and behind it is one that ends the search. So an address that
 * was code of a module which is gone (in a stack trace that an error has kept) is no function of anybody's. */
#include "link.h"

#include <string.h>

enum { BUCKET = 4096, SUBBUCKET = 256, SUBBUCKETS = BUCKET / SUBBUCKET, BUCKET_SIZE = 4 + SUBBUCKETS, WORD = 8 };

/* An entry of ftab: where a function begins, and its _func. */
enum { ENTRY = 8 };

/* The part of the arena that ftab has. A function of the shortest kind takes more than this many times its entry: 32
 * bytes of code, 44 of its _func, its name and tables. */
enum { PART_OF_FUNCTIONS = 32 };

/* The part of the arena that small modules' variables have, at most. */
enum { PART_OF_VARIABLES = 16, MOST_VARIABLES = 64 << 20 };

static const char none_name[] = "goloader.unloaded", module_name[] = "goloader modules";

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }

static void write_moduledata(const struct linker *linker, uintptr_t md, uintptr_t header, uintptr_t name)
{
	const struct gl_abi *abi = linker->abi;
	uintptr_t base = linker->lookup.base, end = gl_arena_high(linker->arena);
	const int starts[] = { abi->moduledata.minpc, abi->moduledata.types, abi->moduledata.etext };
	const int ends[] = { abi->moduledata.maxpc, abi->moduledata.etypes, abi->moduledata.epclntab,
			     abi->moduledata.end };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		moduledata_put(md, starts[i], base);
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		moduledata_put(md, ends[i], end);
	}
	moduledata_put_bases(linker, md);
	moduledata_put(md, abi->moduledata.pcHeader, header);
	moduledata_put(md, abi->moduledata.findfunctab, (uintptr_t)linker->lookup.buckets);
	moduledata_put(md, abi->moduledata.modulename, name);
	moduledata_put(md, abi->moduledata.modulename + 8, sizeof(module_name) - 1);
	((uint8_t *)md)[abi->moduledata.bad] = 1;
}

/* The moduledata of small modules' variables: it has nothing but those. */
static void write_roots(const struct linker *linker, uintptr_t md, uintptr_t header, uintptr_t name)
{
	const struct gl_abi *abi = linker->abi;
	const struct lookup *lookup = &linker->lookup;
	uintptr_t from = gl_arena_low(lookup->variables);
	int32_t words = (int32_t)((gl_arena_high(lookup->variables) - from) / WORD);

	moduledata_put(md, abi->moduledata.pcHeader, header);
	moduledata_put(md, abi->moduledata.data, from);
	moduledata_put(md, abi->moduledata.edata, from);
	memcpy((uint8_t *)md + abi->moduledata.gcdatamask, &words, sizeof(words)); /* runtime.bitvector.n */
	moduledata_put(md, abi->moduledata.gcdatamask + 8, (uintptr_t)lookup->mask);
	moduledata_put(md, abi->moduledata.modulename, name);
	moduledata_put(md, abi->moduledata.modulename + 8, sizeof(module_name) - 1);
}

int lookup_open(struct linker *linker, struct gl_error *err)
{
	const struct gl_abi *abi = linker->abi;
	struct lookup *lookup = &linker->lookup;
	size_t room = gl_arena_high(linker->arena) - gl_arena_low(linker->arena), npages = room / BUCKET;
	size_t variables = gl_page_round(room / PART_OF_VARIABLES);
	size_t functions = gl_page_round(room / PART_OF_FUNCTIONS);

	variables = variables < MOST_VARIABLES ? variables : MOST_VARIABLES;
	size_t none = 0, none_name_at = none + round_up(abi->func.size, 8);
	size_t name = none_name_at + sizeof(none_name), header = round_up(name + sizeof(module_name), 64);
	size_t moduledata = round_up(header + abi->pcHeader.size, 64);
	size_t roots = round_up(moduledata + abi->moduledata.size, 64);
	size_t buckets = round_up(roots + abi->moduledata.size, 64);
	size_t mask = round_up(buckets + npages * BUCKET_SIZE, 64);
	size_t owners = round_up(mask + variables / WORD / 8, 64);
	uint8_t *p = gl_arena_take(linker->arena, gl_page_round(owners + npages * sizeof(*lookup->owners)), err);
	struct gl_arena *of_functions = p != NULL ? gl_arena_of_variables(linker->arena, functions, err) : NULL;
	struct gl_arena *arena = of_functions != NULL ? gl_arena_of_variables(linker->arena, variables, err) : NULL;
	if (arena == NULL) {
		gl_arena_free(of_functions);
		return -1;
	}
	uintptr_t text;
	memcpy(&text, (const uint8_t *)linker->firstmoduledata + abi->moduledata.text, sizeof(text));
	*lookup = (struct lookup){ .base = (uintptr_t)p,
				   .text = text,
				   .moduledata = (uintptr_t)p + moduledata,
				   .buckets = p + buckets,
				   .none = (uint32_t)none,
				   .functions = of_functions,
				   .variables = arena,
				   .roots = (uintptr_t)p + roots,
				   .mask = p + mask,
				   .owners = (uintptr_t *)(p + owners) };
	put32(p + none + abi->func.entryOff, (uint32_t)(lookup->base - text));
	put32(p + none + abi->func.nameOff, (uint32_t)none_name_at);
	put32(p + none + abi->func.cuOffset, UINT32_MAX);
	p[none + (size_t)abi->func.flag] = (uint8_t)abi->FuncFlagAsm;
	memcpy(p + none_name_at, none_name, sizeof(none_name));
	memcpy(p + name, module_name, sizeof(module_name));
	const uint8_t *host_header;
	memcpy(&host_header, (const uint8_t *)linker->firstmoduledata + abi->moduledata.pcHeader, sizeof(host_header));
	memcpy(p + header, host_header, abi->pcHeader.size);
	write_moduledata(linker, lookup->moduledata, (uintptr_t)p + header, (uintptr_t)p + name);
	write_roots(linker, lookup->roots, (uintptr_t)p + header, (uintptr_t)p + name);
	size_t size;
	uint8_t *first = lookup_take_functions(linker, 0, &size, err);
	if (first == NULL) {
		lookup_close(lookup);
		return -1;
	}
	put32(first, (uint32_t)(lookup->base - text));
	return 0;
}

void lookup_close(struct lookup *lookup)
{
	gl_arena_free(lookup->functions);
	gl_arena_free(lookup->variables);
	lookup->functions = lookup->variables = NULL;
}

uintptr_t lookup_buckets(const struct linker *linker, uintptr_t page)
{
	return (uintptr_t)linker->lookup.buckets + (page - linker->lookup.base) / BUCKET * BUCKET_SIZE;
}

static uintptr_t *owner_of(const struct linker *linker, uintptr_t page)
{
	return &linker->lookup.owners[(page - linker->lookup.base) / BUCKET];
}

void lookup_add(struct linker *linker, const struct unit *u)
{
	const uint8_t *ftab = u->ftab;
	uint32_t base = (uint32_t)(((uintptr_t)ftab - gl_arena_low(linker->lookup.functions)) / ENTRY), f = 0;
	uint32_t text = (uint32_t)(u->sec_start[SEC_TEXT] - linker->lookup.text), entry;
	uint8_t *bucket = (uint8_t *)lookup_buckets(linker, u->sec_start[SEC_TEXT]);
	uintptr_t *owner = owner_of(linker, u->sec_start[SEC_TEXT]);

	/* the last of a unit's entries are where its code ends, and one that ends any search */
	memcpy(u->ftab, (const uint8_t *)u->tables_start + u->pclntab.functab, ((size_t)u->nfuncs + 1) * ENTRY);
	for (size_t page = 0; page < u->text_pages; page += BUCKET, bucket += BUCKET_SIZE) {
		owner[page / BUCKET] = u->moduledata;
		uint32_t first = f;
		for (uint32_t k = 0; k < SUBBUCKETS; k++) {
			/* the last function that begins before the place, or there; behind the last of all, its end */
			while (memcpy(&entry, ftab + (size_t)(f + 1) * ENTRY, sizeof(entry)),
			       entry <= text + page + (size_t)k * SUBBUCKET) {
				f++;
			}
			first = k == 0 ? f : first;
			bucket[4 + k] = (uint8_t)(f - first);
		}
		put32(bucket, base + first);
	}
}

void lookup_remove(struct linker *linker, const uint8_t *text, size_t size)
{
	memset((void *)lookup_buckets(linker, (uintptr_t)text), 0, size / BUCKET * BUCKET_SIZE);
	memset(owner_of(linker, (uintptr_t)text), 0, size / BUCKET * sizeof(uintptr_t));
}

/* ---- entries of functions ---------------------------------------------------------------------------------------- */

uint8_t *lookup_take_functions(struct linker *linker, uint32_t nfuncs, size_t *size, struct gl_error *err)
{
	struct lookup *lookup = &linker->lookup;
	uintptr_t start = gl_arena_low(lookup->functions);

	*size = round_up(((size_t)nfuncs + 2) * ENTRY, GL_SMALL_BLOCK);
	uint8_t *block = gl_arena_take(lookup->functions, *size, err);
	if (block == NULL) {
		return NULL;
	}
	/* as long as they are nobody's they end any search, and lead to no function */
	for (size_t at = 0; at < *size; at += ENTRY) {
		put32(block + at, UINT32_MAX);
		put32(block + at + 4, lookup->none);
	}
	moduledata_put_slice(lookup->moduledata, linker->abi->moduledata.ftab, start,
			     (gl_arena_reached(lookup->functions) - start) / ENTRY);
	return block;
}

void lookup_drop_functions(struct linker *linker, uint8_t *block, size_t size, bool abandoned)
{
	if (abandoned) {
		gl_arena_abandon(linker->lookup.functions, block, size);
	} else {
		gl_arena_give(linker->lookup.functions, block, size);
	}
}

int lookup_add_host(struct linker *linker, struct gl_error *err)
{
	const struct gl_abi *abi = linker->abi;
	const uint8_t *md = (const uint8_t *)linker->firstmoduledata, *ftab;
	uint64_t n;
	size_t size;

	memcpy(&ftab, md + abi->moduledata.ftab, sizeof(ftab));
	memcpy(&n, md + abi->moduledata.ftab + 8, sizeof(n));
	uint8_t *block = linker->lookup.has_host ? NULL : lookup_take_functions(linker, (uint32_t)n, &size, err);
	if (block == NULL) {
		return linker->lookup.has_host ? 0 : -1;
	}
	/* their _funcs are out of reach: the runtime finds them by way of the host's own moduledata */
	for (uint64_t i = 0; i < n; i++) {
		memcpy(block + i * ENTRY, ftab + i * ENTRY, 4);
	}
	linker->lookup.has_host = true;
	return 0;
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

void *lookup_take_variables(struct linker *linker, size_t size)
{
	struct lookup *lookup = &linker->lookup;
	struct gl_error ignored;
	void *p = gl_arena_take(lookup->variables, size, &ignored);

	if (p != NULL) {
		/* the collector may be at it: of new variables it need not know before they are written */
		moduledata_put(lookup->roots, linker->abi->moduledata.edata, gl_arena_reached(lookup->variables));
	}
	return p;
}

uint8_t *lookup_mask(const struct linker *linker, uintptr_t *from)
{
	*from = gl_arena_low(linker->lookup.variables);
	return linker->lookup.mask;
}

uint8_t *lookup_mask_of(const struct linker *linker, const uint8_t *block, size_t size, size_t *n)
{
	*n = size / WORD / 8;
	return linker->lookup.mask + ((uintptr_t)block - gl_arena_low(linker->lookup.variables)) / WORD / 8;
}

void lookup_drop_variables(struct linker *linker, uint8_t *block, size_t size, bool abandoned)
{
	size_t n;
	uint8_t *mask = lookup_mask_of(linker, block, size, &n);

	memset(mask, 0, n);
	if (abandoned) {
		gl_arena_abandon(linker->lookup.variables, block, size);
	} else {
		gl_arena_give(linker->lookup.variables, block, size);
	}
}
