/* Names of code that has gone.
 *
 * For each stretch of its code that is of one line, and of one function inlined into another, a row says which
 * functions those are. Strings are kept once for each module. All of that takes about as much memory as the code did;
 * what is kept is bounded, and the oldest goes first: then nobody knows the addresses, as it would be without. The
 * arena has addresses rest for longer than that (memory/arena.c), so that what is found is what was there, unless the
 * addresses have become another module's since. */
#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { MOST_BYTES = 16 * 1024 * 1024, MOST_FRAMES = 32 };

struct row {
	uint32_t from;     /* from where the code begins; up to the next row */
	uint32_t first, n; /* of the frames */
};

struct kept_frame {
	uint32_t function, file; /* where among the strings */
	int32_t line, first_line;
};

/* One module's, or those of some copies. */
struct names {
	struct names *next; /* a younger one */
	uintptr_t low, high;
	size_t bytes;                       /* that it takes */
	uint32_t label;                     /* where among the strings */
	struct bytes rows, frames, strings; /* of struct row and struct kept_frame */
};

static struct {
	struct names *oldest, *youngest;
	size_t bytes;
} kept;

/* ---- reading the runtime's tables -------------------------------------------------------------------------------- */

size_t names_of(const struct func *f, uint32_t off, struct gl_debug_frame *frames, size_t most)
{
	int32_t inlined = func_value_at(f, VALUES_INLINED, off);
	size_t n = 0;

	/* as runtime.inlineUnwinder does: the line is that of where the next one was called */
	for (; inlined >= 0 && n + 1 < most; n++) {
		struct inlined node = func_inlined(f, inlined);
		const char *file = func_file(f, func_value_at(f, VALUES_FILE, off));

		frames[n] = (struct gl_debug_frame){ .function = node.name,
						     .file = file,
						     .line = func_value_at(f, VALUES_LINE, off),
						     .first_line = node.start_line };
		off = node.parent_pc;
		inlined = func_value_at(f, VALUES_INLINED, off);
	}
	frames[n] = (struct gl_debug_frame){ .function = func_name(f),
					     .file = func_file(f, func_value_at(f, VALUES_FILE, off)),
					     .line = func_value_at(f, VALUES_LINE, off),
					     .first_line = func_start_line(f) };
	return n + 1;
}

/* ---- keeping ----------------------------------------------------------------------------------------------------- */

/* A string of the tables, known by where they have it. */
struct string {
	const char *p;
	uint32_t at;
	UT_hash_handle hh;
};

struct keeping {
	struct names *names;
	struct string *strings;
};

static uint32_t keep_string(struct keeping *k, const char *p)
{
	struct string *s = NULL;

	if (p == NULL) {
		p = "";
	}
	HASH_FIND_PTR(k->strings, &p, s);
	if (s != NULL) {
		return s->at;
	}
	uint32_t at = (uint32_t)k->names->strings.n;
	put_string(&k->names->strings, p);
	s = calloc(1, sizeof(*s));
	if (s != NULL) {
		s->p = p;
		s->at = at;
		HASH_ADD_PTR(k->strings, p, s);
		if (s->hh.tbl == NULL) {
			free(s); /* it is kept once more the next time */
		}
	}
	return at;
}

static void keep_row(struct keeping *k, uintptr_t addr, const struct gl_debug_frame *frames, size_t n)
{
	struct names *names = k->names;
	struct row row = { .from = (uint32_t)(addr - names->low),
			   .first = (uint32_t)(names->frames.n / sizeof(struct kept_frame)),
			   .n = (uint32_t)n };

	for (size_t i = 0; i < n; i++) {
		struct kept_frame frame = { .function = keep_string(k, frames[i].function),
					    .file = keep_string(k, frames[i].file),
					    .line = frames[i].line,
					    .first_line = frames[i].first_line };
		put(&names->frames, &frame, sizeof(frame));
	}
	put(&names->rows, &row, sizeof(row));
}

/* Where the next row begins: at the next place where any of the values changes. */
static uint32_t next_change(struct pcvalue *values, size_t n, uint32_t off)
{
	uint32_t next = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		while (values[i].p != NULL && values[i].until <= off && pcvalue_next(&values[i])) {
		}
		if (values[i].p != NULL && values[i].until > off && values[i].until < next) {
			next = values[i].until;
		}
	}
	return next;
}

static void keep_function(struct keeping *k, const struct code *code)
{
	struct gl_debug_frame frames[MOST_FRAMES];

	if (code->func.p == NULL) {
		frames[0] = (struct gl_debug_frame){ .function = code->name };
		keep_row(k, code->addr, frames, 1);
	} else {
		struct pcvalue values[] = { func_values(&code->func, VALUES_FILE),
					    func_values(&code->func, VALUES_LINE),
					    func_values(&code->func, VALUES_INLINED) };
		for (uint32_t off = 0; off < code->size; off = next_change(values, 3, off)) {
			keep_row(k, code->addr + off, frames, names_of(&code->func, off, frames, MOST_FRAMES));
		}
	}
	keep_row(k, code->addr + code->size, NULL, 0);
}

static void free_names(struct names *names)
{
	free(names->rows.p);
	free(names->frames.p);
	free(names->strings.p);
	free(names);
}

static void drop_oldest(void)
{
	struct names *names = kept.oldest;

	kept.bytes -= names->bytes;
	kept.oldest = names->next;
	if (kept.oldest == NULL) {
		kept.youngest = NULL;
	}
	free_names(names);
}

static int compare_code(const void *a, const void *b)
{
	uintptr_t x = ((const struct code *)a)->addr, y = ((const struct code *)b)->addr;

	return (x > y) - (x < y);
}

/* The rows of copies are in order, too, when the functions are. */
static struct code *sorted(const struct code *code, size_t n)
{
	struct code *copy = malloc((n + 1) * sizeof(*copy));

	if (copy != NULL) {
		memcpy(copy, code, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), compare_code);
	}
	return copy;
}

void names_keep(const char *label, const struct code *code, size_t n)
{
	struct names *names = n > 0 ? calloc(1, sizeof(*names)) : NULL;
	struct code *list = names != NULL ? sorted(code, n) : NULL;
	struct keeping k = { .names = names };
	struct string *s;

	if (list == NULL) {
		free(names);
		return;
	}
	names->low = list[0].addr;
	names->high = list[n - 1].addr + list[n - 1].size;
	names->label = keep_string(&k, label);
	for (size_t i = 0; i < n; i++) {
		keep_function(&k, &list[i]);
	}
	s = k.strings;
	HASH_CLEAR(hh, k.strings);
	for (struct string *next; s != NULL; s = next) {
		next = s->hh.next;
		free(s);
	}
	free(list);
	names->bytes = sizeof(*names) + names->rows.cap + names->frames.cap + names->strings.cap;
	if (names->rows.failed || names->frames.failed || names->strings.failed || names->bytes > MOST_BYTES) {
		free_names(names);
		return;
	}
	*(kept.youngest != NULL ? &kept.youngest->next : &kept.oldest) = names;
	kept.youngest = names;
	kept.bytes += names->bytes;
	while (kept.bytes > MOST_BYTES) {
		drop_oldest();
	}
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static const struct row *find_row(const struct names *names, uint32_t off)
{
	const struct row *rows = (const struct row *)names->rows.p;
	size_t low = 0, high = names->rows.n / sizeof(*rows);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (rows[mid].from <= off) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low > 0 ? &rows[low - 1] : NULL;
}

size_t names_find(uintptr_t addr, const char **label, struct gl_debug_frame *frames, size_t most)
{
	size_t found = 0;

	/* the youngest that knows it: what was there last */
	for (const struct names *names = kept.oldest; names != NULL; names = names->next) {
		const struct row *row = addr >= names->low && addr < names->high ?
						find_row(names, (uint32_t)(addr - names->low)) :
						NULL;
		const char *strings = (const char *)names->strings.p;
		if (row == NULL || row->n == 0) {
			continue;
		}
		*label = strings + names->label;
		for (found = 0; found < row->n && found < most; found++) {
			const struct kept_frame *f = (const struct kept_frame *)names->frames.p + row->first + found;
			frames[found] = (struct gl_debug_frame){ .function = strings + f->function,
								 .file = strings + f->file,
								 .line = f->line,
								 .first_line = f->first_line };
		}
	}
	return found;
}
