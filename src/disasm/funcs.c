/* The functions that a proof looks into: their instructions, where paths meet in them, and where they are lost. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prover.h"

enum { MOST_FUNCS = 400, MOST_CODE = 1 << 18, MOST_REMARKS = 1000 };

void prover_forbid(struct prover *p, const char *fmt, ...)
{
	va_list args;

	if (!p->forbidden && (p->reporting || !p->all_remarks)) {
		va_start(args, fmt);
		vsnprintf(p->why, sizeof(p->why), fmt, args);
		va_end(args);
	}
	p->forbidden = true;
}

uint32_t prover_func_index(const struct prover *p, const struct func *f)
{
	uint32_t i = 0;

	while (p->funcs[i] != f) {
		i++;
	}
	return i;
}

void prover_add_remark(struct prover *p, const struct func *f, uint32_t off, const char *text)
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
	p->remarks[p->nremarks++] = (struct gl_remark){ prover_func_index(p, f), f->entry + off, kept };
}

void func_free(struct func *f)
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

struct func *prover_find_func(struct prover *p, const struct gl_routine *code, uintptr_t entry)
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

const struct insn *func_insn(struct prover *p, struct func *f, uint32_t off)
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

void func_add_todo(struct prover *p, struct func *f, uint32_t off)
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

bool func_has(const struct func *f, uintptr_t addr) { return addr >= f->entry && addr < f->entry + f->size; }

void func_add_lead(struct prover *p, struct func *f, uint32_t off)
{
	if (!f->leads[off]) {
		f->leads[off] = 1;
		p->again = true;
		func_add_todo(p, f, off);
	}
}

void func_find_leads(struct prover *p, struct func *f)
{
	while (f->ntodo > 0 && !p->failed) {
		uint32_t off = f->todo[--f->ntodo];
		while (off < f->size) {
			bool known = f->insn_at[off] != 0;
			const struct insn *in = func_insn(p, f, off);
			if (in == NULL || (known && !f->leads[off])) {
				break;
			}
			if ((in->class == OP_JUMP || in->class == OP_BRANCH) && in->ops[0].type == OPERAND_IMM &&
			    func_has(f, (uintptr_t)in->ops[0].n)) {
				func_add_lead(p, f, (uint32_t)((uintptr_t)in->ops[0].n - f->entry));
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
		if (func_has(f, target) ?
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

void func_find_doomed(const struct prover *p, struct func *f)
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

void prover_add_fact(struct prover *p, struct func *f, struct gl_fact fact)
{
	if (p->reporting && f->nfacts < f->ninsns) {
		f->facts[f->nfacts++] = fact;
	}
}

void prover_flow(struct prover *p, struct func *f, uint32_t off, const struct state *s)
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
		func_add_todo(p, f, off);
	} else if (state_join(f->states[off], s)) {
		func_add_todo(p, f, off);
	}
}
