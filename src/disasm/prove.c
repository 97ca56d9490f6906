/* The prover (see prove.h): abstract interpretation of amd64 code, each function once for all its callers.
 *
 * A state says what each register and each word of the frame holds; where paths meet, what holds on all of them. The
 * frame is known by offsets from where the return address lies:
 *
 *     16, 24, …   spilled arguments and, for some callees, arguments and results: memory of the caller's
 *     8           the first of it
 *     0           the return address
 *     -8, …       this function's own frame, down to the stack pointer
 *
 * Functions are gone over until no entry or exit state changes any more; a last sweep then collects what the copy
 * needs to know, and what forbids one. */
#include "prove.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../object/pool.h"
#include "values.h"

enum { MOST_STORED = 64 }; /* bytes by one instruction */
enum { RED_ZONE = 128 };   /* bytes below the stack pointer that nobody else writes */
enum { MOST_ARGS = 512 };  /* bytes above the return address that a function may use */
/* Addresses that can't be followed: a load faults, which is as good as a nil dereference. */
enum { FAULTING = 4096 };

/* ---- functions ------------------------------------------------------------------------------------------------------
 */

enum { MOST_FUNCS = 400, MOST_CODE = 1 << 18, MOST_REMARKS = 1000, MOST_PASSES = 100 };

struct func {
	struct gl_routine code;
	uintptr_t entry; /* where it is entered: code.addr, or behind it */
	uint32_t size;
	struct insn *insns;
	uint32_t ninsns, cap;
	uint32_t *insn_at;     /* by offset: index + 1 */
	struct state **states; /* by offset: where paths begin or meet */
	uint32_t *todo;        /* offsets */
	uint32_t ntodo, todo_cap;
	uint8_t *leads;  /* by offset: paths meet there */
	uint8_t *doomed; /* by offset: from that instruction on, nothing but a panic can come */
	bool entered, returns;
	struct state at_entry, at_exit;
	size_t args; /* bytes above the return address */
	struct gl_fact *facts;
	uint32_t nfacts;
};

struct gl_prover {
	struct capstone cs;
	cs_insn *decoded;
};

struct prover {
	struct gl_prover *decoder;
	const struct gl_prove_env *env;
	struct func **funcs;
	uint32_t nfuncs;
	size_t code; /* bytes */
	struct gl_jump_table *tables;
	uint32_t ntables;
	struct gl_remark *remarks;
	uint32_t nremarks;
	struct gl_pool pool;
	uint32_t written;
	bool checks_stack, sets_direction;
	bool changed, again; /* since the last pass; of the function at hand: it has more code than was known */
	bool all_remarks;    /* wanted, not only the first */
	bool refuted;        /* the first is there, and that is enough */
	bool reporting;
	bool forbidden; /* what the last instruction did, and why */
	char why[512];
	bool failed;  /* out of memory */
	bool gave_up; /* too much code */
};

/* Says what forbids the instruction at hand; the first reason stands. */
static void forbid(struct prover *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void forbid(struct prover *p, const char *fmt, ...)
{
	va_list args;

	if (!p->forbidden && (p->reporting || !p->all_remarks)) {
		va_start(args, fmt);
		vsnprintf(p->why, sizeof(p->why), fmt, args);
		va_end(args);
	}
	p->forbidden = true;
}

static void add_remark(struct prover *p, const struct func *f, uint32_t off, const char *text)
{
	if (p->nremarks == MOST_REMARKS) {
		return;
	}
	struct gl_remark *grown = realloc(p->remarks, (p->nremarks + 1) * sizeof(*grown));
	char *kept = gl_pool_string(&p->pool, text, strlen(text));
	if (grown != NULL) {
		p->remarks = grown;
	}
	if (grown == NULL || kept == NULL) {
		p->failed = true;
		return;
	}
	uint32_t index = 0;
	while (p->funcs[index] != f) {
		index++;
	}
	p->remarks[p->nremarks++] = (struct gl_remark){ index, f->entry + off, kept };
}

static const char *name_of(const struct prover *p, uintptr_t addr)
{
	const char *name;

	return p->env->symbolize(p->env->arg, addr, &name) >= 0 ? name : "an address that has no name";
}

static void func_free(struct func *f)
{
	if (f != NULL) {
		for (uint32_t i = 0; f->states != NULL && i < f->size; i++) {
			free(f->states[i]);
		}
		free(f->states);
		free(f->insns);
		free(f->insn_at);
		free(f->todo);
		free(f->leads);
		free(f->doomed);
		free(f->facts);
		free(f);
	}
}

static struct func *find_func(struct prover *p, const struct gl_routine *code, uintptr_t entry)
{
	for (uint32_t i = 0; i < p->nfuncs; i++) {
		if (p->funcs[i]->entry == entry) {
			return p->funcs[i];
		}
	}
	if (p->nfuncs == MOST_FUNCS || code->end - entry > MOST_CODE - p->code) {
		p->gave_up = true;
		return NULL;
	}
	struct func *f = calloc(1, sizeof(*f)), **grown = realloc(p->funcs, (p->nfuncs + 1) * sizeof(struct func *));
	if (grown != NULL) {
		p->funcs = grown;
	}
	if (f == NULL || grown == NULL) {
		free(f);
		p->failed = true;
		return NULL;
	}
	p->funcs[p->nfuncs++] = f;
	f->code = *code;
	f->entry = entry;
	f->size = (uint32_t)(code->end - entry);
	f->insn_at = calloc(f->size + 1, sizeof(*f->insn_at));
	f->states = calloc(f->size + 1, sizeof(struct state *));
	f->leads = calloc(f->size + 1, 1);
	f->doomed = calloc(f->size + 1, 1);
	p->failed |= f->insn_at == NULL || f->states == NULL || f->leads == NULL || f->doomed == NULL;
	p->code += f->size;
	return f;
}

/* The instruction at off; NULL when there is none. */
static const struct insn *insn_at(struct prover *p, struct func *f, uint32_t off)
{
	const uint8_t *bytes = (const uint8_t *)f->entry + off;
	size_t left = f->size - off;
	uint64_t addr = f->entry + off;

	if (f->insn_at[off] != 0) {
		return &f->insns[f->insn_at[off] - 1];
	}
	struct gl_prover *d = p->decoder;
	if (!d->cs.disasm_iter(d->cs.handle, &bytes, &left, &addr, d->decoded)) {
		return NULL;
	}
	if (f->ninsns == f->cap) {
		uint32_t cap = f->cap * 2 + 64;
		struct insn *grown = realloc(f->insns, cap * sizeof(*grown));
		if (grown == NULL) {
			p->failed = true;
			return NULL;
		}
		f->insns = grown;
		f->cap = cap;
	}
	struct insn *in = &f->insns[f->ninsns++];
	insn_decode(&d->cs, d->decoded, in);
	in->off = off;
	f->insn_at[off] = f->ninsns;
	return in;
}

static void add_todo(struct prover *p, struct func *f, uint32_t off)
{
	if (f->ntodo == f->todo_cap) {
		uint32_t cap = f->todo_cap * 2 + 64;
		uint32_t *grown = realloc(f->todo, cap * sizeof(*grown));
		if (grown == NULL) {
			p->failed = true;
			return;
		}
		f->todo = grown;
		f->todo_cap = cap;
	}
	f->todo[f->ntodo++] = off;
}

static bool is_inside(const struct func *f, uintptr_t addr) { return addr >= f->entry && addr < f->entry + f->size; }

/* Paths meet at off, too. */
static void add_lead(struct prover *p, struct func *f, uint32_t off)
{
	if (!f->leads[off]) {
		f->leads[off] = 1;
		p->again = true;
		add_todo(p, f, off);
	}
}

/* Finds where paths meet, as far as direct jumps tell. */
static void find_leads(struct prover *p, struct func *f)
{
	while (f->ntodo > 0 && !p->failed) {
		uint32_t off = f->todo[--f->ntodo];
		while (off < f->size) {
			bool known = f->insn_at[off] != 0;
			const struct insn *in = insn_at(p, f, off);
			if (in == NULL || (known && !f->leads[off])) {
				break;
			}
			if ((in->class == OP_JUMP || in->class == OP_BRANCH) && in->ops[0].type == OPERAND_IMM &&
			    is_inside(f, (uintptr_t)in->ops[0].n)) {
				add_lead(p, f, (uint32_t)((uintptr_t)in->ops[0].n - f->entry));
			}
			if (in->class == OP_JUMP || in->class == OP_RET || in->class == OP_TRAP) {
				break;
			}
			off += in->size;
		}
	}
}

/* Does the instruction lead to a place that is not doomed? Whoever is called may return, but for a panic. */
static bool has_future(const struct prover *p, const struct func *f, const struct insn *in)
{
	uintptr_t target = (uintptr_t)in->ops[0].n;
	uint32_t next = in->off + in->size;
	struct gl_routine code;

	switch (in->class) {
	case OP_RET: return true;
	case OP_TRAP: return false;
	case OP_JUMP:
	case OP_BRANCH:
		if (in->ops[0].type != OPERAND_IMM) {
			return true;
		}
		if (is_inside(f, target) ?
			    !f->doomed[target - f->entry] :
			    !p->env->find_code(p->env->arg, target, &code) || code.kind != GL_CALLEE_PANIC) {
			return true;
		}
		return in->class == OP_BRANCH && next < f->size && !f->doomed[next];
	case OP_CALL:
		if (in->ops[0].type == OPERAND_IMM && p->env->find_code(p->env->arg, target, &code) &&
		    code.kind == GL_CALLEE_PANIC) {
			return false;
		}
		break;
	default: break;
	}
	return next < f->size && !f->doomed[next];
}

static void find_doomed(const struct prover *p, struct func *f)
{
	bool changed;

	memset(f->doomed, 1, f->size);
	do {
		changed = false;
		for (uint32_t off = f->size; off-- > 0;) {
			if (f->insn_at[off] != 0 && f->doomed[off] &&
			    has_future(p, f, &f->insns[f->insn_at[off] - 1])) {
				f->doomed[off] = 0;
				changed = true;
			}
		}
	} while (changed);
}

/* ---- what a copy needs to know --------------------------------------------------------------------------------------
 */

static void add_fact(struct prover *p, struct func *f, struct gl_fact fact)
{
	if (p->reporting && f->nfacts < f->ninsns) {
		f->facts[f->nfacts++] = fact;
	}
}

static void flow(struct prover *p, struct func *f, uint32_t off, const struct state *s)
{
	if (p->reporting) {
		return;
	}
	if (f->states[off] == NULL) {
		f->states[off] = malloc(sizeof(*s));
		if (f->states[off] == NULL) {
			p->failed = true;
			return;
		}
		*f->states[off] = *s;
		add_todo(p, f, off);
	} else if (state_join(f->states[off], s)) {
		add_todo(p, f, off);
	}
}

/* ---- memory ---------------------------------------------------------------------------------------------------------
 */

static struct value address_of(const struct func *f, const struct insn *in, const struct operand *op,
			       const struct state *s)
{
	struct value base = value_const(0), index = value_const(0);

	if (op->base == RIP) {
		return (struct value){ SYMBOL, 0, (int64_t)(f->entry + in->off + in->size + (uint64_t)op->n) };
	}
	if (op->base == VECTOR || op->index == VECTOR) {
		return value_unknown;
	}
	if (op->base != NONE) {
		base = s->regs[op->base];
	}
	if (op->index != NONE) {
		index = s->regs[op->index];
		if (op->scale != 1 && index.kind != CONST) {
			index = value_unknown;
		}
		if (index.kind == CONST) {
			index.n = (int64_t)((uint64_t)index.n * op->scale);
		}
	}
	return value_add(value_add(base, value_const(op->n)), index);
}

static void use_args(struct func *f, int64_t off, unsigned size)
{
	size_t end = (size_t)(off - 8) + size;

	f->args = off >= 8 && end > f->args ? end : f->args;
}

/* What lies at an address where nobody ever writes: a generic function's dictionary leads to others. */
static struct value load_constant(const struct prover *p, uintptr_t addr)
{
	uintptr_t word;

	if (!p->env->is_constant(p->env->arg, addr, sizeof(word))) {
		return value_unknown;
	}
	memcpy(&word, (const void *)addr, sizeof(word));
	if (word == 0) {
		return value_const(0);
	}
	return p->env->is_constant(p->env->arg, word, 1) ? (struct value){ SYMBOL, MOVED, (int64_t)word } :
							   value_unknown;
}

/* A load of size bytes: forbidden, or what is loaded. */
static struct value load(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
			 const struct state *s)
{
	struct value at = address_of(f, in, op, s);

	if (op->segment) {
		forbid(p, "reads thread-local memory");
		return value_unknown;
	}
	switch (at.kind) {
	case FRAME:
		if (at.n > MOST_ARGS) {
			forbid(p, "reads its caller's frame");
		}
		use_args(f, at.n, op->size);
		return op->size == 8 ? state_load(s, at.n) : value_unknown;
	case SYMBOL: return op->size == 8 ? load_constant(p, (uintptr_t)at.n) : value_unknown;
	case STACK:
	case LENT: return value_unknown;
	case CONST:
		if (at.n < 0 || at.n >= FAULTING) {
			forbid(p, "reads memory at a fixed address");
		}
		return value_unknown;
	case GOROUTINE:
		if (at.n != p->env->stackguard || op->size != 8) {
			forbid(p, "looks into the goroutine that runs it");
		}
		p->checks_stack = true;
		return value_unknown;
	default: forbid(p, "follows a pointer that was itself read from memory, or made up"); return value_unknown;
	}
}

static void store(struct prover *p, struct func *f, const struct insn *in, const struct operand *op, struct state *s,
		  struct value v)
{
	struct value at = address_of(f, in, op, s);

	if (op->segment) {
		forbid(p, "writes thread-local memory");
		return;
	}
	switch (at.kind) {
	case FRAME:
		if (at.n > -(int64_t)op->size && at.n < 8) {
			forbid(p, "writes its return address");
		} else if (at.n < 0 && at.n < s->regs[RSP].n - RED_ZONE) {
			forbid(p, "writes below the stack pointer");
		} else if (at.n + op->size > MOST_ARGS) {
			forbid(p, "writes its caller's frame");
		} else {
			use_args(f, at.n, op->size);
			/* how much a vector instruction writes need not be known for sure */
			state_store(s, at.n, in->class == OP_WRITE ? MOST_STORED : op->size, v);
		}
		break;
	case STACK: state_forget_parts(s, at.parts); break;
	case CONST:
		if (at.n < 0 || at.n >= FAULTING) {
			forbid(p, "writes memory at a fixed address");
		}
		break;
	case SYMBOL: forbid(p, "stores to memory that is not the frame: %s", name_of(p, (uintptr_t)at.n)); break;
	case LENT: forbid(p, "stores to memory that it is only lent"); break;
	case GOROUTINE: forbid(p, "stores to the goroutine that runs it"); break;
	default: forbid(p, "stores to memory that is not the frame"); break;
	}
}

/* ---- operands -------------------------------------------------------------------------------------------------------
 */

static struct value read_operand(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
				 const struct state *s)
{
	switch (op->type) {
	case OPERAND_REG: return op->reg < NREGS && op->size == 8 ? s->regs[op->reg] : value_unknown;
	case OPERAND_IMM: return value_const(op->n);
	case OPERAND_MEM: return load(p, f, in, op, s);
	default: return value_unknown;
	}
}

/* What lies far below the stack pointer may be a signal handler's. */
static void move_stack(struct state *s, int64_t to)
{
	s->regs[RSP].n = to;
	state_forget(s, INT64_MIN + 8, to - RED_ZONE);
}

static void write_reg(struct prover *p, struct state *s, uint8_t reg, struct value v)
{
	if (reg >= NREGS) {
		return;
	}
	if (reg == RSP) {
		if (v.kind != FRAME || v.n > 0) {
			forbid(p, "moves the stack pointer to where it can't be followed");
		} else {
			move_stack(s, v.n);
		}
		return;
	}
	s->regs[reg] = v;
	p->written |= 1U << reg;
}

static void write_operand(struct prover *p, struct func *f, const struct insn *in, const struct operand *op,
			  struct state *s, struct value v)
{
	if (op->type == OPERAND_MEM) {
		store(p, f, in, op, s, v);
	} else if (op->type == OPERAND_REG && op->size == 4 && v.kind == CONST) {
		write_reg(p, s, op->reg, value_const((int64_t)(uint32_t)v.n));
	} else if (op->type == OPERAND_REG) {
		write_reg(p, s, op->reg, op->size == 8 ? v : value_unknown);
	}
}

static void write_implied(struct prover *p, const struct insn *in, struct state *s)
{
	for (int r = 0; r < NREGS; r++) {
		if (in->implied >> r & 1) {
			s->regs[r] = value_unknown;
			p->written |= 1U << r;
		}
	}
}

/* The address of data that an instruction names is told anew in the copy. */
static void note_data(struct prover *p, struct func *f, const struct insn *in)
{
	struct gl_fact fact = { .off = in->off, .size = in->size, .ref = GL_REF_NONE };

	for (uint8_t i = 0; i < in->nops; i++) {
		if (in->ops[i].type == OPERAND_MEM && in->ops[i].base == RIP) {
			fact.ref = GL_REF_DATA;
			fact.at = in->at;
			fact.target = (uintptr_t)address_of(f, in, &in->ops[i], NULL).n;
		}
	}
	add_fact(p, f, fact);
}

/* ---- calls ----------------------------------------------------------------------------------------------------------
 */

/* What a value of the caller's is to a callee whose frame begins at top (the caller's offset of what the callee knows
 * as 8), or to one that it jumps to. */
static struct value value_for_callee(struct value v, const struct func *callee, int64_t top, bool is_jump)
{
	switch (v.kind) {
	case FRAME:
		if (is_jump && v.n < 8) {
			return value_unknown;
		}
		return (struct value){
			STACK, is_jump || (v.n >= top && v.n < top + (int64_t)callee->args) ? OUTER | ARGS : OUTER, 0
		};
	case STACK:
		if (is_jump && v.parts & OWN) {
			return value_unknown;
		}
		return (struct value){ STACK, is_jump ? OUTER | ARGS : OUTER, 0 };
	case SYMBOL: return (struct value){ SYMBOL, MOVED, v.n };
	case CONST:
	case GOROUTINE: return v.n == 0 ? v : value_unknown;
	case LENT: return v;
	default: return value_unknown;
	}
}

/* The compiler's scratch registers tell a callee nothing; prologues of large frames leave addresses of the frame there.
 */
static bool is_passed(int reg, bool is_jump)
{
	return reg != RSP && reg != RBP && (is_jump || (reg != R12 && reg != R13));
}

static void enter(struct prover *p, struct func *callee, const struct state *s, int64_t top, bool is_jump)
{
	struct state entry = { .nslots = 0 };

	for (int r = 0; r < NREGS; r++) {
		entry.regs[r] =
			is_passed(r, is_jump) ? value_for_callee(s->regs[r], callee, top, is_jump) : value_unknown;
	}
	entry.regs[RSP] = (struct value){ FRAME, 0, 0 };
	entry.regs[RBP] = (struct value){ CALLERS, 0, 0 };
	for (uint32_t i = 0; i < s->nslots; i++) {
		int64_t off = s->slots[i].off - top + 8;
		struct value v = value_for_callee(s->slots[i].v, callee, top, is_jump);
		if (off >= 8 && off < MOST_ARGS && v.kind != UNKNOWN) {
			entry.slots[entry.nslots++] = (struct slot){ off, v };
		}
	}
	if (!callee->entered) {
		callee->entered = true;
		callee->at_entry = entry;
		p->changed = true;
	} else if (state_join(&callee->at_entry, &entry)) {
		p->changed = true;
	}
}

/* A register or result as the caller may use it: what lay in the frame of who returns is gone. */
static struct value value_for_caller(struct value v)
{
	switch (v.kind) {
	case FRAME: return v.n < 8 ? value_unknown : (struct value){ STACK, OWN | ARGS | OUTER, 0 };
	case STACK: return v.parts & OWN ? value_unknown : (struct value){ STACK, OWN | ARGS | OUTER, 0 };
	case SYMBOL: return (struct value){ LENT, 0, 0 };
	case CONST:
	case GOROUTINE: return v.n == 0 ? v : value_unknown;
	case LENT: return v;
	default: return value_unknown;
	}
}

static void leave(struct prover *p, struct func *f, const struct state *s, bool translated)
{
	struct state exit = { .nslots = 0 };

	for (int r = 0; r < NREGS; r++) {
		exit.regs[r] = translated ? s->regs[r] : value_for_caller(s->regs[r]);
	}
	exit.regs[RSP] = value_unknown;
	exit.regs[RBP] = s->regs[RBP].kind == CALLERS ? s->regs[RBP] : value_unknown;
	if (!f->returns) {
		f->returns = true;
		f->at_exit = exit;
		p->changed = true;
	} else if (state_join(&f->at_exit, &exit)) {
		p->changed = true;
	}
}

/* After a call of who knows what. */
static void forget_registers(struct state *s)
{
	for (int r = 0; r < NREGS; r++) {
		if (r != RSP && r != R14) {
			s->regs[r] = value_unknown;
		}
	}
}

/* Of which parts of the stack does a callee get hold, by registers or by arguments from top on? */
static unsigned shown_parts(const struct state *s, int64_t top)
{
	unsigned parts = 0;

	for (int r = 0; r < NREGS; r++) {
		struct value v = value_near(s->regs[r]);
		parts |= is_passed(r, false) && v.kind == STACK ? v.parts : 0;
	}
	for (uint32_t i = 0; i < s->nslots; i++) {
		struct value v = value_near(s->slots[i].v);
		parts |= s->slots[i].off >= top && v.kind == STACK ? v.parts : 0;
	}
	return parts;
}

static uint32_t func_index(const struct prover *p, const struct func *f)
{
	uint32_t i = 0;

	while (p->funcs[i] != f) {
		i++;
	}
	return i;
}

/* A call, or a jump out of the function. Tells whether what follows a call is reached. */
static bool call(struct prover *p, struct func *f, const struct insn *in, struct state *s, bool is_jump)
{
	struct gl_routine code;
	uintptr_t target = (uintptr_t)in->ops[0].n;
	struct gl_fact fact = { .off = in->off, .size = in->size, .at = in->at, .target = target };
	int64_t top = is_jump ? 8 : s->regs[RSP].n;

	if (in->ops[0].type != OPERAND_IMM) {
		forbid(p, is_jump ? "jumps to an address that it computes" :
				    "calls by a pointer: a closure, a function value or an interface's method");
		note_data(p, f, in);
		forget_registers(s);
		return !is_jump;
	}
	if (!p->env->find_code(p->env->arg, target, &code) || target < code.addr || target >= code.end) {
		forbid(p, "calls code that has no name");
		add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	}
	if (is_jump && s->regs[RSP].n != 0) {
		forbid(p, "jumps into %s with a frame of its own", code.name);
	}
	if (in->size < 5) {
		forbid(p, "a short jump into %s, which can't be told anew", code.name);
	}
	switch (code.kind) {
	case GL_CALLEE_PANIC:
		fact.ref = GL_REF_PANIC;
		fact.index = (uint32_t)code.why;
		add_fact(p, f, fact);
		return false;
	case GL_CALLEE_MORESTACK:
		fact.ref = GL_REF_MORESTACK;
		add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	case GL_CALLEE_REFUSED:
		forbid(p, "calls %s, which %s", code.name, code.does);
		add_fact(p, f, fact);
		forget_registers(s);
		return !is_jump;
	default: break;
	}
	if (f->doomed[in->off]) {
		forbid(p, "calls %s on the way to a panic", code.name);
		add_fact(p, f, fact);
		return false;
	}
	struct func *callee = find_func(p, &code, target);
	if (callee == NULL) {
		forbid(p, "calls %s: with that, there is too much code to look into", code.name);
		forget_registers(s);
		return !is_jump;
	}
	fact.ref = GL_REF_CODE;
	fact.index = func_index(p, callee);
	add_fact(p, f, fact);
	if (top + (int64_t)callee->args > 0 && !is_jump) {
		forbid(p, "calls %s with less room for arguments than that uses", code.name);
	}
	enter(p, callee, s, top, is_jump);
	if (!callee->returns) {
		return false;
	}
	if (is_jump) {
		use_args(f, 8, (unsigned)callee->args);
		struct state exit = callee->at_exit;
		if (s->regs[RBP].kind != CALLERS) {
			exit.regs[RBP] = value_unknown;
		}
		leave(p, f, &exit, true);
		return false;
	}
	unsigned shown = shown_parts(s, top);
	state_forget_parts(s, shown);
	state_forget(s, INT64_MIN + 8, top + (int64_t)callee->args);
	for (int r = 0; r < NREGS; r++) {
		if (r != RSP) {
			struct value v = callee->at_exit.regs[r];
			if (r == RBP) {
				v = v.kind == CALLERS ? s->regs[RBP] : value_unknown;
			}
			/* an address in the stack that it returns is one that it was given */
			if (r != RBP && v.kind == STACK) {
				v.parts &= (uint8_t)shown;
				v = v.parts == 0 ? value_unknown : v;
			}
			s->regs[r] = v;
		}
	}
	return true;
}

/* ---- jumps ----------------------------------------------------------------------------------------------------------
 */

/* The jump table at addr: as many entries as lead into the function. */
static struct gl_jump_table *find_table(struct prover *p, struct func *f, uintptr_t addr)
{
	enum { MOST_ENTRIES = 4096 };
	uint32_t func = func_index(p, f), n = 0;

	for (uint32_t i = 0; i < p->ntables; i++) {
		if (p->tables[i].addr == addr && p->tables[i].func == func) {
			return &p->tables[i];
		}
	}
	while (n < MOST_ENTRIES && p->env->is_constant(p->env->arg, addr + 8 * n, 8)) {
		uintptr_t target;
		memcpy(&target, (const uint8_t *)addr + 8 * (size_t)n, sizeof(target));
		if (!is_inside(f, target)) {
			break;
		}
		n++;
	}
	struct gl_jump_table *grown = n > 0 ? realloc(p->tables, (p->ntables + 1) * sizeof(*grown)) : NULL;
	if (grown == NULL) {
		p->failed |= n > 0;
		return NULL;
	}
	p->tables = grown;
	p->tables[p->ntables] = (struct gl_jump_table){ addr, func, n };
	return &p->tables[p->ntables++];
}

/* jmp *(table)(index*8), which is how the compiler writes a switch; it has checked the index. */
static bool jump_by_table(struct prover *p, struct func *f, const struct insn *in, const struct state *s)
{
	const struct operand *op = &in->ops[0];

	if (op->type != OPERAND_MEM || op->base >= NREGS || op->index >= NREGS || op->scale != 8 || op->n != 0 ||
	    s->regs[op->base].kind != SYMBOL || s->regs[op->base].parts != 0 || op->segment) {
		return false;
	}
	const struct gl_jump_table *table = find_table(p, f, (uintptr_t)s->regs[op->base].n);
	if (table == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < table->n; i++) {
		uintptr_t target;
		memcpy(&target, (const uint8_t *)table->addr + 8 * (size_t)i, sizeof(target));
		add_lead(p, f, (uint32_t)(target - f->entry));
		flow(p, f, (uint32_t)(target - f->entry), s);
	}
	add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
	return true;
}

/* Tells whether what follows is reached. */
static bool jump(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	if (in->ops[0].type == OPERAND_IMM && is_inside(f, (uintptr_t)in->ops[0].n)) {
		flow(p, f, (uint32_t)((uintptr_t)in->ops[0].n - f->entry), s);
		add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
	} else if (in->class == OP_BRANCH || !jump_by_table(p, f, in, s)) {
		struct state copy = *s;
		call(p, f, in, &copy, true);
	}
	return in->class == OP_BRANCH;
}

/* ---- one instruction ------------------------------------------------------------------------------------------------
 */

static bool is_same_reg(const struct insn *in)
{
	return in->nops == 2 && in->ops[0].type == OPERAND_REG && in->ops[1].type == OPERAND_REG &&
	       in->ops[0].reg == in->ops[1].reg && in->ops[0].reg < NREGS && in->ops[0].size >= 4 &&
	       in->ops[0].size == in->ops[1].size;
}

static bool writes_memory(const struct insn *in)
{
	return in->ops[0].type == OPERAND_MEM && in->class != OP_READ && in->class != OP_NOTHING &&
	       in->class != OP_CALL && in->class != OP_JUMP && in->class != OP_PUSH && in->id != X86_INS_BT;
}

/* What the instruction writes to its first operand. */
static struct value result_of(struct prover *p, struct func *f, const struct insn *in, const struct state *s)
{
	bool is_read = in->class != OP_MOV && in->class != OP_LEA && !writes_memory(in);
	struct value a = is_read ? read_operand(p, f, in, &in->ops[0], s) : value_unknown;
	struct value b = in->nops > 1 && in->class != OP_LEA ? read_operand(p, f, in, &in->ops[1], s) : value_unknown;

	switch (in->class) {
	case OP_MOV: return b;
	case OP_LEA: return address_of(f, in, &in->ops[1], s);
	case OP_ADD:
		if (in->nops == 1) {
			b = value_const(in->id == X86_INS_INC ? 1 : -1);
		}
		return value_add(a, b);
	case OP_SUB:
		if (b.kind == CONST) {
			return value_add(a, value_const((int64_t)(0 - (uint64_t)b.n)));
		}
		return value_is_pointer(a) && b.kind == UNKNOWN ? value_near(a) : value_unknown;
	case OP_XOR: return is_same_reg(in) ? value_const(0) : value_unknown;
	case OP_CMOV: return value_join(a, b);
	default: return value_unknown;
	}
}

static void push(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	struct value v = read_operand(p, f, in, &in->ops[0], s);

	if (in->ops[0].type == OPERAND_REG && in->ops[0].size != 8) {
		forbid(p, "pushes less than a word");
	}
	s->regs[RSP].n -= 8;
	state_store(s, s->regs[RSP].n, 8, v);
}

static void pop(struct prover *p, const struct insn *in, struct state *s)
{
	struct value v = state_load(s, s->regs[RSP].n);

	if (in->ops[0].type != OPERAND_REG || in->ops[0].size != 8 || in->ops[0].reg == RSP || s->regs[RSP].n >= 0) {
		forbid(p, "pops what is not its own");
		return;
	}
	move_stack(s, s->regs[RSP].n + 8);
	write_reg(p, s, in->ops[0].reg, v);
}

/* rep stosq and rep movsq, or one of these without rep: to where rdi points, from where rsi does. */
static void string_op(struct prover *p, const struct insn *in, struct state *s)
{
	struct value to = value_near(s->regs[RDI]), from = value_near(s->regs[RSI]);

	if (to.kind != STACK) {
		forbid(p, "stores to memory that is not the frame");
	}
	if (in->class == OP_MOVS && !value_is_pointer(from)) {
		forbid(p, "copies from where a pointer leads that was itself read from memory");
	}
	state_forget_parts(s, to.kind == STACK ? to.parts : 0);
	s->regs[RDI] = to;
	s->regs[RSI] = in->class == OP_MOVS ? from : s->regs[RSI];
	s->regs[RCX] = in->repeats ? value_const(0) : s->regs[RCX];
	p->written |= 1U << RDI | 1U << RSI | 1U << RCX;
}

static void exchange(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	struct value a, b;

	if (in->ops[0].type == OPERAND_MEM || in->ops[1].type == OPERAND_MEM) {
		forbid(p, "exchanges with memory: that is for other threads to see");
		return;
	}
	a = read_operand(p, f, in, &in->ops[0], s);
	b = read_operand(p, f, in, &in->ops[1], s);
	write_operand(p, f, in, &in->ops[0], s, b);
	write_operand(p, f, in, &in->ops[1], s, a);
}

/* After a call of assembly Go code loads the goroutine's address again: by mov %fs:(…), %r14, or, where the place is
 * known at start only, mov …(%rip), %r14 and mov %fs:(%r14), %r14. */
enum reload { RELOAD_NONE, RELOAD_WHOLE, RELOAD_FIRST, RELOAD_SECOND };

static bool is_load_of_r14(const struct insn *in)
{
	return in->class == OP_MOV && in->nops == 2 && in->ops[0].type == OPERAND_REG && in->ops[0].reg == R14 &&
	       in->ops[0].size == 8 && in->ops[1].type == OPERAND_MEM && in->ops[1].index == NONE;
}

static enum reload find_reload(const struct func *f, const struct insn *in, const struct state *s)
{
	uint32_t next = in->off + in->size;

	if (!is_load_of_r14(in)) {
		return RELOAD_NONE;
	}
	if (in->ops[1].segment) {
		struct value r14 = s->regs[R14];
		return in->ops[1].base == NONE && in->size >= 7 ? RELOAD_WHOLE :
		       in->ops[1].base == R14 && in->ops[1].n == 0 && r14.kind == GOROUTINE && r14.n == 0 ?
								  RELOAD_SECOND :
								  RELOAD_NONE;
	}
	if (in->ops[1].base != RIP || in->size != 7 || next >= f->size || f->leads[next] || f->insn_at[next] == 0) {
		return RELOAD_NONE;
	}
	const struct insn *second = &f->insns[f->insn_at[next] - 1];
	bool pairs =
		is_load_of_r14(second) && second->ops[1].segment && second->ops[1].base == R14 && second->ops[1].n == 0;
	return pairs ? RELOAD_FIRST : RELOAD_NONE;
}

/* Follows one instruction. Tells whether the next one is reached from it. */
static bool step(struct prover *p, struct func *f, const struct insn *in, struct state *s)
{
	if (s->regs[RSP].kind != FRAME) {
		forbid(p, "the stack pointer differs by the way that leads here");
		return false;
	}
	switch (in->class) {
	case OP_JUMP:
	case OP_BRANCH: return jump(p, f, in, s);
	case OP_CALL: return call(p, f, in, s, false);
	case OP_RET:
		if (s->regs[RSP].n != 0) {
			forbid(p, "returns with the stack pointer elsewhere");
		}
		leave(p, f, s, false);
		add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size });
		return false;
	default: break;
	}
	enum reload reload = find_reload(f, in, s);
	if (reload != RELOAD_NONE) {
		enum gl_ref ref = reload == RELOAD_SECOND ? GL_REF_DROPPED : GL_REF_G;
		add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = ref });
		write_reg(p, s, R14, (struct value){ GOROUTINE, 0, 0 });
		return true;
	}
	if (in->class == OP_TRAP) {
		add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = GL_REF_GIVE_UP });
		return false;
	}
	note_data(p, f, in);
	if (in->lock && writes_memory(in)) {
		forbid(p, "changes memory for other threads to see");
		return true;
	}
	struct state before = *s;
	switch (in->class) {
	case OP_FORBIDDEN: forbid(p, "%s: not known to be harmless", in->mnemonic); return true;
	case OP_NOTHING: p->sets_direction |= in->id == X86_INS_STD; break;
	case OP_PUSH: push(p, f, in, s); break;
	case OP_POP: pop(p, in, s); break;
	case OP_STOS:
	case OP_MOVS: string_op(p, in, s); break;
	case OP_XCHG: exchange(p, f, in, s); break;
	case OP_BITS:
		if (in->ops[0].type == OPERAND_MEM && in->ops[1].type != OPERAND_IMM) {
			forbid(p, "%s: a bit somewhere in memory", in->mnemonic);
		}
		/* fallthrough */
	default:
		for (uint8_t i = 2; i < in->nops; i++) {
			read_operand(p, f, in, &in->ops[i], &before);
		}
		struct value v = result_of(p, f, in, &before);
		if (in->class == OP_READ || in->id == X86_INS_BT) {
			break;
		}
		if (in->class == OP_WRITE_TWO && in->nops > 1) {
			write_operand(p, f, in, &in->ops[1], s, value_unknown);
		}
		if (in->nops > 0) {
			write_operand(p, f, in, &in->ops[0], s, v);
		}
		break;
	}
	write_implied(p, in, s);
	return true;
}

/* ---- functions, and all of them -------------------------------------------------------------------------------------
 */

/* The instruction does what is forbidden. Tells whether the path ends there. */
static bool give_up(struct prover *p, struct func *f, const struct insn *in)
{
	bool ends = f->doomed[in->off];

	if (!ends && !p->all_remarks) {
		add_remark(p, f, in->off, p->why);
		p->refuted = true;
		return true;
	}
	if (!p->reporting) {
		return ends;
	}
	if (!ends) {
		add_remark(p, f, in->off, p->why);
	} else {
		if (f->nfacts > 0 && f->facts[f->nfacts - 1].off == in->off) {
			f->nfacts--;
		}
		add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = GL_REF_GIVE_UP });
	}
	return ends;
}

/* Follows a path from off to where it ends or meets another. */
static void follow(struct prover *p, struct func *f, uint32_t off)
{
	struct state s = *f->states[off];
	const struct insn *in;

	while ((in = insn_at(p, f, off)) != NULL) {
		p->forbidden = false;
		bool goes_on = step(p, f, in, &s);
		if (p->failed || (p->forbidden && give_up(p, f, in)) || !goes_on) {
			return;
		}
		off += in->size;
		if (off >= f->size) {
			break;
		}
		if (f->leads[off]) {
			flow(p, f, off, &s);
			return;
		}
	}
	if (!p->failed && p->reporting) {
		add_remark(p, f, off, off >= f->size ? "runs on beyond its end" : "no instruction that can be decoded");
	}
}

static void analyse(struct prover *p, struct func *f)
{
	if (f->ninsns == 0) {
		f->leads[0] = 1;
		add_todo(p, f, 0);
	}
	do {
		find_leads(p, f);
		find_doomed(p, f);
		for (uint32_t i = 0; i < f->size; i++) {
			free(f->states[i]);
			f->states[i] = NULL;
		}
		p->again = false;
		flow(p, f, 0, &f->at_entry);
		while (f->ntodo > 0 && !p->failed && !p->again && !p->refuted) {
			follow(p, f, f->todo[--f->ntodo]);
		}
		if (p->again) {
			/* places that were to do may be new: paths that meet there are found first */
			uint32_t n = 0;
			for (uint32_t i = 0; i < f->ntodo; i++) {
				if (f->insn_at[f->todo[i]] == 0) {
					f->todo[n++] = f->todo[i];
				}
			}
			f->ntodo = n;
		}
	} while (p->again && !p->failed && !p->refuted);
}

/* Data that is a jump table is one in the copy too. */
static void name_tables(struct prover *p)
{
	for (uint32_t i = 0; i < p->nfuncs; i++) {
		for (uint32_t k = 0; k < p->funcs[i]->nfacts; k++) {
			struct gl_fact *fact = &p->funcs[i]->facts[k];
			for (uint32_t t = 0; fact->ref == GL_REF_DATA && t < p->ntables; t++) {
				if (p->tables[t].func == i && p->tables[t].addr == fact->target) {
					fact->ref = GL_REF_TABLE;
					fact->index = t;
				}
			}
		}
	}
}

static int compare_facts(const void *a, const void *b)
{
	const struct gl_fact *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static int compare_remarks(const void *a, const void *b)
{
	const struct gl_remark *x = a, *y = b;

	if (x->func != y->func) {
		return x->func < y->func ? -1 : 1;
	}
	return (x->addr > y->addr) - (x->addr < y->addr);
}

static void report(struct prover *p)
{
	p->written = 0;
	p->checks_stack = p->sets_direction = false;
	p->reporting = true;
	for (uint32_t i = 0; i < p->nfuncs && !p->failed; i++) {
		struct func *f = p->funcs[i];
		f->facts = calloc(f->ninsns + 1, sizeof(*f->facts));
		p->failed |= f->facts == NULL;
		for (uint32_t off = 0; off < f->size && !p->failed; off++) {
			if (f->states[off] != NULL) {
				follow(p, f, off);
			}
		}
		if (!p->failed) {
			qsort(f->facts, f->nfacts, sizeof(*f->facts), compare_facts);
		}
		/* two readings of the same bytes can't both be copied */
		for (uint32_t k = 1; k < f->nfacts && !p->failed; k++) {
			if (f->facts[k].off < f->facts[k - 1].off + f->facts[k - 1].size) {
				add_remark(p, f, f->facts[k].off, "jumps into the middle of an instruction");
			}
		}
	}
	p->reporting = false;
	if (p->funcs[0]->doomed[0]) {
		add_remark(p, p->funcs[0], 0, "never returns");
	}
	name_tables(p);
	if (p->nremarks > 1) {
		qsort(p->remarks, p->nremarks, sizeof(*p->remarks), compare_remarks);
	}
}

static void prove(struct prover *p)
{
	int passes = 0;

	do {
		p->changed = false;
		for (uint32_t i = 0; i < p->nfuncs && !p->failed && !p->refuted; i++) {
			size_t args = p->funcs[i]->args;
			if (p->funcs[i]->entered) {
				analyse(p, p->funcs[i]);
			}
			p->changed |= args != p->funcs[i]->args;
		}
		p->gave_up |= ++passes == MOST_PASSES;
	} while (p->changed && !p->failed && !p->refuted && passes < MOST_PASSES);
	if (p->refuted) {
		return;
	}
	report(p);
	if (p->gave_up && p->nremarks == 0) {
		add_remark(p, p->funcs[0], 0, "calls too much code to look into");
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------------------
 */

struct owned {
	struct gl_proof proof;
	struct gl_pool pool;
	struct gl_jump_table *tables;
	struct gl_remark *remarks;
};

static int hand_over(struct prover *p, struct gl_proof **out)
{
	struct owned *own = calloc(1, sizeof(*own));
	struct gl_proved *funcs = gl_pool_take(&p->pool, (p->nfuncs + 1) * sizeof(*funcs));
	bool ok = own != NULL && funcs != NULL;

	for (uint32_t i = 0; ok && i < p->nfuncs; i++) {
		const struct func *f = p->funcs[i];
		struct gl_fact *facts = gl_pool_take(&p->pool, (f->nfacts + 1) * sizeof(*facts));
		char *name = gl_pool_string(&p->pool, f->code.name, strlen(f->code.name));
		ok = facts != NULL && name != NULL;
		if (ok && f->nfacts > 0) {
			memcpy(facts, f->facts, f->nfacts * sizeof(*facts));
		}
		funcs[i] = (struct gl_proved){ name, f->entry, f->size, facts, f->nfacts };
	}
	if (!ok) {
		free(own);
		return -1;
	}
	*own = (struct owned){ .pool = p->pool, .tables = p->tables, .remarks = p->remarks };
	own->proof = (struct gl_proof){
		.holds = p->nremarks == 0,
		.funcs = funcs,
		.nfuncs = p->nfuncs,
		.tables = p->tables,
		.ntables = p->ntables,
		.remarks = p->remarks,
		.nremarks = p->nremarks,
		.written = p->written,
		.checks_stack = p->checks_stack,
		.sets_direction = p->sets_direction,
		.args = p->funcs[0]->args,
	};
	*out = &own->proof;
	return 0;
}

/* Go's integer argument registers (cmd/compile/abi-internal.md). */
static const uint8_t argument_regs[] = { RAX, RBX, RCX, RDI, RSI, R8, R9, R10, R11 };

struct gl_prover *gl_prover_open(const char *goarch, struct gl_error *err)
{
	struct gl_prover *prover = NULL;

	if (strcmp(goarch, "amd64") != 0) {
		gl_fail(err, GL_EUNSUPPORTED, "no proofs about code for the processor \"%s\" yet", goarch);
		return NULL;
	}
	prover = calloc(1, sizeof(*prover));
	if (prover == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory to look into code");
		return NULL;
	}
	if (capstone_open(&prover->cs, CS_ARCH_X86, CS_MODE_64, err) != 0) {
		free(prover);
		return NULL;
	}
	prover->decoded = prover->cs.malloc(prover->cs.handle);
	if (prover->decoded == NULL) {
		gl_fail(err, GL_ENOMEM, "no memory to look into code");
		gl_prover_close(prover);
		return NULL;
	}
	return prover;
}

void gl_prover_close(struct gl_prover *prover)
{
	if (prover != NULL) {
		if (prover->decoded != NULL) {
			prover->cs.free(prover->decoded, 1);
		}
		capstone_close(&prover->cs);
		free(prover);
	}
}

int gl_prove(struct gl_prover *prover, const struct gl_prove_env *env, uintptr_t addr, const enum gl_word *words,
	     size_t nwords, bool all_remarks, struct gl_proof **out, struct gl_error *err)
{
	struct prover p = { .decoder = prover, .env = env, .all_remarks = all_remarks };
	struct gl_routine code;
	int ret = -1;

	*out = NULL;
	if (!env->find_code(env->arg, addr, &code) || addr < code.addr || addr >= code.end) {
		return gl_fail(err, GL_EMISSING, "no function at %" PRIxPTR, addr);
	}
	struct func *f = find_func(&p, &code, addr);
	if (f != NULL && !p.failed) {
		f->entered = true;
		for (int r = 0; r < NREGS; r++) {
			f->at_entry.regs[r] = value_unknown;
		}
		f->at_entry.regs[RSP] = (struct value){ FRAME, 0, 0 };
		f->at_entry.regs[RBP] = (struct value){ CALLERS, 0, 0 };
		f->at_entry.regs[R14] = (struct value){ GOROUTINE, 0, 0 };
		for (size_t i = 0; i < nwords && i < sizeof(argument_regs); i++) {
			f->at_entry.regs[argument_regs[i]].kind = words[i] == GL_WORD_LENT ? LENT : UNKNOWN;
		}
		prove(&p);
	}
	if (f == NULL && p.gave_up) {
		gl_fail(err, GL_EUNSUPPORTED, "%s is too large to look into", code.name);
	} else if (p.failed || f == NULL || hand_over(&p, out) != 0) {
		gl_fail(err, GL_ENOMEM, "%s: no memory to look into its code", code.name);
	} else {
		ret = 0;
	}
	for (uint32_t i = 0; i < p.nfuncs; i++) {
		func_free(p.funcs[i]);
	}
	free(p.funcs);
	if (ret != 0) {
		gl_pool_free(&p.pool);
		free(p.tables);
		free(p.remarks);
	}
	return ret;
}

void gl_proof_free(struct gl_proof *proof)
{
	struct owned *own = (struct owned *)(void *)proof;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->tables);
		free(own->remarks);
		free(own);
	}
}
