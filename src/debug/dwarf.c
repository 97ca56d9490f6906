/* Writing DWARF, version 4 (see dwarf.h). */
#include "dwarf.h"

#include <stdio.h>
#include <stdlib.h>

#include "../abi/abi.h"
#include "../hash.h"
#include "abbrev.h"
#include "entries.h"

/* A name of functions, known by where the runtime's tables have it. */
struct dwarf_name {
	const char *name;
	uint32_t at;       /* among the strings */
	uint32_t abstract; /* the entry for what was inlined under this name; 0: there is none yet */
	UT_hash_handle hh;
};

struct dwarf_file {
	const char *name;
	uint32_t number; /* from 1 */
	UT_hash_handle hh;
};

static struct dwarf_name *name_of(struct dwarf *d, const char *name)
{
	struct dwarf_name *n = NULL;

	HASH_FIND_PTR(d->names, &name, n);
	if (n != NULL) {
		return n;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		d->strings.failed = true;
		return NULL;
	}
	n->name = name;
	n->at = (uint32_t)d->strings.n;
	put_string(&d->strings, name);
	HASH_ADD_PTR(d->names, name, n);
	if (n->hh.tbl == NULL) {
		free(n);
		d->strings.failed = true;
		return NULL;
	}
	return n;
}

uint32_t dwarf_string(struct dwarf *d, const char *name)
{
	const struct dwarf_name *n = name_of(d, name);

	return n != NULL ? n->at : 0;
}

uint32_t dwarf_file(struct dwarf *d, const char *name)
{
	struct dwarf_file *f = NULL;

	if (name == NULL) {
		return 0;
	}
	HASH_FIND_PTR(d->file_numbers, &name, f);
	if (f != NULL) {
		return f->number;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		d->files.failed = true;
		return 0;
	}
	f->name = name;
	f->number = ++d->nfiles;
	put_string(&d->files, name);
	put(&d->files, "\0\0\0", 3); /* directory, time and size, all unknown */
	HASH_ADD_PTR(d->file_numbers, name, f);
	if (f->hh.tbl == NULL) {
		free(f);
		d->files.failed = true;
		return 0;
	}
	return f->number;
}

/* ---- .debug_frame ------------------------------------------------------------------------------------------------
 *
 * The runtime's table of stack pointers says for each instruction how much of the stack the function has used. The
 * caller's frame is as far above, and the return address between both. */

enum { REG_BP = 6, REG_SP = 7, REG_RETURN = 16, WORD = 8 };

static void begin_frames(struct bytes *b)
{
	put_32(b, 0);          /* length */
	put_32(b, UINT32_MAX); /* this is what the entries for functions refer to */
	put_8(b, 3);           /* version */
	put_8(b, 0);           /* augmentation */
	put_8(b, 1);           /* of code */
	put_sleb(b, -WORD);    /* of data */
	put_uleb(b, REG_RETURN);
	put_8(b, DW_CFA_def_cfa);
	put_uleb(b, REG_SP);
	put_uleb(b, WORD);
	put_8(b, DW_CFA_offset | REG_RETURN);
	put_uleb(b, 1);
	put_align(b, WORD, DW_CFA_nop);
	set_length(b, 0);
}

static void put_advance(struct bytes *b, uint32_t by)
{
	if (by < 0x40) {
		put_8(b, (uint8_t)(DW_CFA_advance_loc | by));
	} else if (by <= UINT8_MAX) {
		put_8(b, DW_CFA_advance_loc1);
		put_8(b, (uint8_t)by);
	} else if (by <= UINT16_MAX) {
		put_8(b, DW_CFA_advance_loc2);
		put_16(b, (uint16_t)by);
	} else {
		put_8(b, DW_CFA_advance_loc4);
		put_32(b, by);
	}
}

/* Does the function begin by pushing the frame pointer, as most do, but not all assembly? */
static bool pushes_frame_pointer(const struct code *c)
{
	static const uint8_t push_bp = 0x55;
	struct pcvalue sp = func_values(&c->func, VALUES_SP);
	uint32_t end = 0;

	while (pcvalue_next(&sp) && sp.value == 0) {
		end = sp.until;
	}
	return sp.value == WORD && end > 0 && ((const uint8_t *)c->addr)[end - 1] == push_bp;
}

static void add_frame(struct dwarf *d, const struct code *c)
{
	struct bytes *b = &d->frame;
	struct pcvalue sp = func_values(&c->func, VALUES_SP);
	bool pushes = pushes_frame_pointer(c);
	size_t at = b->n;
	uint32_t from = 0, last = 0;
	int32_t used = 0;

	put_32(b, 0);
	put_32(b, 0); /* the first entry of all */
	put_64(b, c->addr - d->bias);
	put_64(b, c->size);
	for (; pcvalue_next(&sp) && from < c->size; from = sp.until) {
		if (sp.value == used || sp.value < 0) {
			continue;
		}
		put_advance(b, from - last);
		last = from;
		put_8(b, DW_CFA_def_cfa_offset);
		put_uleb(b, (uint64_t)sp.value + WORD);
		if (pushes && used == 0) {
			put_8(b, DW_CFA_offset | REG_BP);
			put_uleb(b, 2);
		} else if (pushes && sp.value == 0) {
			put_8(b, DW_CFA_same_value);
			put_uleb(b, REG_BP);
		}
		used = sp.value;
	}
	put_align(b, WORD, DW_CFA_nop);
	set_length(b, at);
}

/* ---- .debug_line ------------------------------------------------------------------------------------------------- */

/* A step of the program that sets a row in one byte: cmd/link has these. */
enum { LINE_BASE = -4, LINE_RANGE = 10, OPCODE_BASE = 10 };

static void put_row(struct bytes *b, uint32_t pc_change, int32_t line_change)
{
	if (line_change < LINE_BASE || line_change >= LINE_BASE + LINE_RANGE) {
		put_8(b, DW_LNS_advance_line);
		put_sleb(b, line_change);
		line_change = 0;
	}
	uint32_t opcode = (uint32_t)(line_change - LINE_BASE) + LINE_RANGE * pc_change + OPCODE_BASE;
	if (pc_change > UINT8_MAX || opcode > UINT8_MAX) {
		put_8(b, DW_LNS_advance_pc);
		put_uleb(b, pc_change);
		opcode = (uint32_t)(line_change - LINE_BASE) + OPCODE_BASE;
	}
	put_8(b, (uint8_t)opcode);
}

static void put_extended(struct bytes *b, uint8_t opcode, const void *data, size_t n)
{
	put_8(b, 0);
	put_uleb(b, n + 1);
	put_8(b, opcode);
	put(b, data, n);
}

/* A sequence of rows for each function. Files and lines are in two tables, which change at different places. */
static void add_lines(struct dwarf *d, const struct code *c)
{
	struct bytes *b = &d->lines;
	struct pcvalue file = func_values(&c->func, VALUES_FILE), line = func_values(&c->func, VALUES_LINE);
	uintptr_t start = c->addr - d->bias;
	uint32_t pc = 0, row = 0, number = 1;
	int32_t at_line = 1, in_file = -1;
	bool begun = false;

	if (!pcvalue_next(&file) || !pcvalue_next(&line)) {
		return;
	}
	put_extended(b, DW_LNE_set_address, &start, sizeof(start));
	while (pc < c->size) {
		bool changes = file.value != in_file;
		uint32_t to = changes ? dwarf_file(d, func_file(&c->func, file.value)) : number;
		if (to != 0 && to != number) {
			put_8(b, DW_LNS_set_file);
			put_uleb(b, to);
			number = to;
		}
		if (to != 0 && (!begun || changes || line.value != at_line)) {
			put_row(b, pc - row, line.value - at_line);
			row = pc;
			at_line = line.value;
			begun = true;
		}
		in_file = file.value;
		pc = file.until < line.until ? file.until : line.until;
		if ((file.until == pc && !pcvalue_next(&file)) || (line.until == pc && !pcvalue_next(&line))) {
			break;
		}
	}
	put_8(b, DW_LNS_advance_pc);
	put_uleb(b, c->size - row);
	put_extended(b, DW_LNE_end_sequence, NULL, 0);
}

static void finish_lines(struct dwarf *d)
{
	static const uint8_t operands[OPCODE_BASE - 1] = { 0, 1, 1, 1, 1, 0, 0, 0, 1 };
	struct bytes b = { 0 };

	put_32(&b, 0);
	put_16(&b, 4); /* version */
	put_32(&b, 0);
	put_8(&b, 1); /* instructions are measured in bytes */
	put_8(&b, 1);
	put_8(&b, 1); /* each row may take a breakpoint */
	put_8(&b, (uint8_t)LINE_BASE);
	put_8(&b, LINE_RANGE);
	put_8(&b, OPCODE_BASE);
	put(&b, operands, sizeof(operands));
	put_8(&b, 0); /* no directories */
	put(&b, d->files.p, d->files.n);
	put_8(&b, 0);
	set_length(&b, 6);
	put(&b, d->lines.p, d->lines.n);
	set_length(&b, 0);
	b.failed = b.failed || d->lines.failed || d->files.failed;
	free(d->lines.p);
	d->lines = b;
}

/* ---- .debug_info ------------------------------------------------------------------------------------------------- */

static void begin_info(struct dwarf *d, const char *name, uintptr_t low, uintptr_t high)
{
	char producer[80];
	struct bytes *b = &d->info;

	put_abbreviations(&d->abbrev, d->descriptors != 0);
	put_32(b, 0);
	put_16(b, 4); /* version */
	put_32(b, 0); /* of .debug_abbrev */
	put_8(b, sizeof(uintptr_t));
	put_8(b, UNIT);
	/* Delve reads of it which Go it was, and whether arguments are in registers */
	snprintf(producer, sizeof(producer), "Go cmd/compile %s; regabi", d->abi != NULL ? d->abi->go_version : "");
	put_string(b, producer);
	put_8(b, DW_LANG_Go);
	put_string(b, name);
	put_string(b, ".");
	put_64(b, low - d->bias);
	put_64(b, high - low);
	put_32(b, 0); /* of .debug_line */
}

/* ---- what was inlined --------------------------------------------------------------------------------------------
 *
 * A table says for each instruction which node of the function's tree it is of, and a node from where in its parent it
 * was called. DWARF wants it the other way round: for each node its stretches of code, its children's included, and
 * its children in it. */

struct node {
	struct inlined inlined;
	int32_t parent;         /* -1: the function itself */
	int32_t child, sibling; /* its first child, and the next one of its parent; -1: there is none */
	uint32_t first; /* stretch of code, which has a number in the function's list; UINT32_MAX: there is none */
	uint32_t last, nparts;
};

struct stretch {
	uint32_t from, to;
	uint32_t next; /* of the same node */
};

/* The most that is told of one function: behind it, the deepest are left out. */
enum { MOST_NODES = 1 << 14 };

struct tree {
	const struct code *code;
	struct node *nodes;
	uint32_t nnodes, cap_nodes;
	int32_t child; /* the function's first */
	struct stretch *stretches;
	uint32_t nstretches, cap_stretches;
};

static bool add_stretch(struct tree *t, struct node *node, uint32_t from, uint32_t to)
{
	struct stretch *last = node->nparts > 0 && t->stretches != NULL ? &t->stretches[node->last] : NULL;

	if (last != NULL && last->to == from) {
		last->to = to;
		return true;
	}
	if (!GL_GROW(t->stretches, t->nstretches, t->cap_stretches)) {
		return false;
	}
	t->stretches[t->nstretches] = (struct stretch){ .from = from, .to = to, .next = UINT32_MAX };
	if (node->nparts == 0) {
		node->first = t->nstretches;
	} else {
		t->stretches[node->last].next = t->nstretches;
	}
	node->last = t->nstretches++;
	node->nparts++;
	return true;
}

/* The nodes that the function's tree has: as many as its table names, and their parents. */
static bool read_nodes(struct tree *t)
{
	const struct func *f = &t->code->func;
	struct pcvalue v = func_values(f, VALUES_INLINED);
	int32_t highest = -1;

	while (pcvalue_next(&v)) {
		highest = v.value > highest ? v.value : highest;
	}
	for (int32_t i = 0; i <= highest && i < MOST_NODES; i++) {
		if (!GL_GROW(t->nodes, t->nnodes, t->cap_nodes)) {
			return false;
		}
		struct node *node = &t->nodes[t->nnodes++];
		*node = (struct node){ .inlined = func_inlined(f, i), .child = -1, .first = UINT32_MAX };
		int32_t parent = func_value_at(f, VALUES_INLINED, node->inlined.parent_pc);
		/* the compiler numbers parents first (cmd/internal/obj/inl.go) */
		node->parent = parent < i ? parent : -1;
	}
	for (int32_t i = (int32_t)t->nnodes - 1; i >= 0; i--) {
		struct node *node = &t->nodes[i];
		int32_t *list = node->parent >= 0 ? &t->nodes[node->parent].child : &t->child;
		node->sibling = *list;
		*list = i;
	}
	return true;
}

static bool read_stretches(struct tree *t)
{
	struct pcvalue v = func_values(&t->code->func, VALUES_INLINED);
	uint32_t from = 0;

	for (; pcvalue_next(&v); from = v.until) {
		int32_t i = v.value < (int32_t)t->nnodes ? v.value : -1;
		for (; i >= 0; i = t->nodes[i].parent) {
			if (!add_stretch(t, &t->nodes[i], from, v.until)) {
				return false;
			}
		}
	}
	return true;
}

uint32_t dwarf_abstract(struct dwarf *d, const char *called, uint32_t line)
{
	struct dwarf_name *name = name_of(d, called);
	struct bytes *b = &d->info;

	if (name != NULL && name->abstract == 0) {
		name->abstract = (uint32_t)b->n;
		put_8(b, ABSTRACT);
		put_32(b, name->at);
		put_uleb(b, line);
		put_8(b, DW_INL_inlined);
	}
	return name != NULL ? name->abstract : 0;
}

static uint32_t abstract_of(struct dwarf *d, const struct inlined *inlined)
{
	return dwarf_abstract(d, inlined->name, inlined->start_line > 0 ? (uint32_t)inlined->start_line : 0);
}

static void put_parts(struct dwarf *d, const struct tree *t, const struct node *node)
{
	uintptr_t addr = t->code->addr;

	put_32(&d->info, (uint32_t)d->ranges.n);
	for (uint32_t s = node->first; s != UINT32_MAX; s = t->stretches[s].next) {
		/* from the start of the unit, which .debug_ranges counts from */
		put_64(&d->ranges, addr + t->stretches[s].from - d->low);
		put_64(&d->ranges, addr + t->stretches[s].to - d->low);
	}
	put_64(&d->ranges, 0);
	put_64(&d->ranges, 0);
}

static void put_node(struct dwarf *d, const struct tree *t, uint32_t i)
{
	const struct node *node = &t->nodes[i];
	const struct func *f = &t->code->func;
	const struct stretch *stretch = &t->stretches[node->first];
	int32_t line = func_value_at(f, VALUES_LINE, node->inlined.parent_pc);

	put_8(&d->info, node->nparts == 1 ? INLINED_ONCE : INLINED_PARTS);
	put_32(&d->info, abstract_of(d, &node->inlined));
	put_uleb(&d->info, dwarf_file(d, func_file(f, func_value_at(f, VALUES_FILE, node->inlined.parent_pc))));
	put_uleb(&d->info, line > 0 ? (uint32_t)line : 0);
	if (node->nparts == 1) {
		put_64(&d->info, t->code->addr - d->bias + stretch->from);
		put_32(&d->info, stretch->to - stretch->from);
	} else {
		put_parts(d, t, node);
	}
}

/* A list of nodes, with their children in them. */
static void put_nodes(struct dwarf *d, const struct tree *t, int32_t i)
{
	for (; i >= 0; i = t->nodes[i].sibling) {
		if (t->nodes[i].nparts > 0) {
			put_node(d, t, (uint32_t)i);
			put_nodes(d, t, t->nodes[i].child);
		}
	}
	put_8(&d->info, 0);
}

static void put_func(struct dwarf *d, const struct code *c, uint32_t name, bool has_children)
{
	const struct func *f = &c->func;
	struct bytes *b = &d->info;
	int32_t line = func_start_line(f);

	put_8(b, has_children ? FUNC_WITH_CHILDREN : FUNC);
	put_32(b, name);
	put_64(b, c->addr - d->bias);
	put_32(b, (uint32_t)c->size);
	put_uleb(b, dwarf_file(d, func_file(f, func_value_at(f, VALUES_FILE, 0))));
	put_uleb(b, line > 0 ? (uint32_t)line : 0);
	put_uleb(b, 1);
	put_8(b, DW_OP_call_frame_cfa);
}

/* What the object says of the function's variables says of what was inlined, too. */
static void add_info(struct dwarf *d, const struct code *c, uint32_t name)
{
	struct tree t = { .code = c, .child = -1 };
	const struct variables_of *of = variables_find(d->variables, c->func.entry);

	if (of != NULL) {
		put_abstracts(d, of);
		put_func(d, c, name, true);
		put_locals(d, c, of);
		return;
	}

	if (!read_nodes(&t) || !read_stretches(&t)) {
		d->info.failed = true;
	}
	for (uint32_t i = 0; i < t.nnodes; i++) {
		abstract_of(d, &t.nodes[i].inlined);
	}
	put_func(d, c, name, t.nnodes > 0);
	if (t.nnodes > 0 && !d->info.failed) {
		put_nodes(d, &t, t.child);
	}
	free(t.nodes);
	free(t.stretches);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

void dwarf_begin(struct dwarf *d, const char *name, uintptr_t low, uintptr_t high, uintptr_t bias,
		 const struct gl_abi *abi, const struct variables *variables, uintptr_t descriptors)
{
	*d = (struct dwarf){ .low = low, .bias = bias, .abi = abi, .variables = variables, .descriptors = descriptors };
	put_8(&d->strings, 0);
	begin_frames(&d->frame);
	begin_info(d, name, low, high);
	types_begin(d);
}

uint32_t dwarf_add(struct dwarf *d, const struct code *code)
{
	const struct dwarf_name *name = name_of(d, code->name);

	add_frame(d, code);
	/* code of the linker's own, which leads to a function of the same name, has no lines, and is none */
	if (func_values(&code->func, VALUES_LINE).p != NULL) {
		add_lines(d, code);
		add_info(d, code, name != NULL ? name->at : 0);
	}
	return name != NULL ? name->at : 0;
}

bool dwarf_finish(struct dwarf *d)
{
	types_finish(d);
	put_8(&d->info, 0);
	set_length(&d->info, 0);
	finish_lines(d);
	return !d->info.failed && !d->abbrev.failed && !d->frame.failed && !d->ranges.failed && !d->locations.failed &&
	       !d->lines.failed && !d->strings.failed;
}

void dwarf_free(struct dwarf *d)
{
	struct dwarf_name *name = d->names;
	struct dwarf_file *file = d->file_numbers;

	HASH_CLEAR(hh, d->names);
	HASH_CLEAR(hh, d->file_numbers);
	for (struct dwarf_name *next; name != NULL; name = next) {
		next = name->hh.next;
		free(name);
	}
	for (struct dwarf_file *next; file != NULL; file = next) {
		next = file->hh.next;
		free(file);
	}
	free(d->info.p);
	free(d->abbrev.p);
	free(d->frame.p);
	free(d->ranges.p);
	free(d->locations.p);
	free(d->type_refs.p);
	free(d->type_entries);
	free(d->lines.p);
	free(d->files.p);
	free(d->strings.p);
}
