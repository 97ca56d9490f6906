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
#include <stdlib.h>
#include <string.h>

#include "prover.h"

enum { MOST_PASSES = 100 };

/* ---- functions, and all of them -------------------------------------------------------------------------------------
 */

/* The instruction does what is forbidden. Tells whether the path ends there. */
static bool give_up(struct prover *p, struct func *f, const struct insn *in)
{
	bool ends = f->doomed[in->off];

	if (!ends && !p->all_remarks) {
		prover_add_remark(p, f, in->off, p->why);
		p->refuted = true;
		return true;
	}
	if (!p->reporting) {
		return ends;
	}
	if (!ends) {
		prover_add_remark(p, f, in->off, p->why);
	} else {
		if (f->nfacts > 0 && f->facts[f->nfacts - 1].off == in->off) {
			f->nfacts--;
		}
		prover_add_fact(p, f, (struct gl_fact){ .off = in->off, .size = in->size, .ref = GL_REF_GIVE_UP });
	}
	return ends;
}

/* Follows a path from off to where it ends or meets another. */
static void follow(struct prover *p, struct func *f, uint32_t off)
{
	struct state s = *f->states[off];
	const struct insn *in;

	while ((in = func_insn(p, f, off)) != NULL) {
		p->forbidden = false;
		bool goes_on = step_insn(p, f, in, &s);
		if (p->failed || (p->forbidden && give_up(p, f, in)) || !goes_on) {
			return;
		}
		off += in->size;
		if (off >= f->size) {
			break;
		}
		if (f->leads[off]) {
			prover_flow(p, f, off, &s);
			return;
		}
	}
	if (!p->failed && p->reporting) {
		prover_add_remark(p, f, off,
				  off >= f->size ? "runs on beyond its end" : "no instruction that can be decoded");
	}
}

static void analyse(struct prover *p, struct func *f)
{
	if (f->ninsns == 0) {
		f->leads[0] = 1;
		func_add_todo(p, f, 0);
	}
	do {
		func_find_leads(p, f);
		func_find_doomed(p, f);
		for (uint32_t i = 0; i < f->size; i++) {
			free(f->states[i]);
			f->states[i] = NULL;
		}
		p->again = false;
		prover_flow(p, f, 0, &f->at_entry);
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
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are nfacts of them */
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
				prover_add_remark(p, f, f->facts[k].off, "jumps into the middle of an instruction");
			}
		}
	}
	p->reporting = false;
	if (p->funcs[0]->doomed[0]) {
		prover_add_remark(p, p->funcs[0], 0, "never returns");
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
		prover_add_remark(p, p->funcs[0], 0, "calls too much code to look into");
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
	struct func *f = prover_find_func(&p, &code, addr);
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
