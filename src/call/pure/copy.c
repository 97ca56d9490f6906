/* Copies (see copy.h): what the proof says of each instruction is told anew in the copy. */
#include "copy.h"

#include <string.h>

#include "../../memory/arena.h"

#if defined(__x86_64__)

size_t pure_lay_copy(const struct gl_proof *proof, struct copy *c)
{
	size_t at = 0;

	for (int i = 0; i < STUBS; i++, at += STUB_SIZE) {
		c->stubs[i] = at;
	}
	c->morestack = at;
	at += 2 * (size_t)STUB_SIZE;
	for (size_t i = 0; i < proof->nfuncs; i++) {
		c->funcs[i] = at;
		at = (at + proof->funcs[i].size + 15) & ~(size_t)15;
	}
	for (size_t i = 0; i < proof->ntables; i++) {
		c->tables[i] = at;
		at += 8 * (size_t)proof->tables[i].n;
	}
	return gl_page_round(at);
}

uintptr_t pure_address_in(const struct copy *c, size_t off) { return (uintptr_t)c->base + off; }

/* Does the instruction refer to what the proof says, by the bytes that will be changed? */
static bool is_told(const uint8_t *insn, const struct gl_fact *fact)
{
	int32_t off;

	if (fact->at == 0 || fact->at + sizeof(off) > fact->size) {
		return false;
	}
	memcpy(&off, insn + fact->at, sizeof(off));
	return (uintptr_t)insn + fact->size + (uintptr_t)(intptr_t)off == fact->target;
}

static int set_offset(uint8_t *insn, const struct gl_fact *fact, uintptr_t target, struct gl_error *err)
{
	int64_t off = (int64_t)(target - ((uintptr_t)insn + fact->size));
	int32_t word = (int32_t)off;

	if (word != off) {
		return gl_fail(err, GL_EUNSUPPORTED, "a reference that is out of a copy's reach");
	}
	memcpy(insn + fact->at, &word, sizeof(word));
	return 0;
}

static int copy_insn(const struct copy *c, uint8_t *to, const uint8_t *from, const struct gl_fact *fact,
		     const struct block *b, struct gl_error *err)
{
	static const uint8_t lea_r14[] = { 0x4c, 0x8d, 0x35 };
	struct gl_fact lea = { .size = 7, .at = 3 };

	memcpy(to, from, fact->size);
	if (fact->ref >= GL_REF_DATA && fact->ref <= GL_REF_TABLE && !is_told(from, fact)) {
		return gl_fail(err, GL_EUNSUPPORTED, "a reference that can't be told anew");
	}
	switch (fact->ref) {
	case GL_REF_NONE: return 0;
	case GL_REF_DATA: return set_offset(to, fact, fact->target, err);
	case GL_REF_CODE: return set_offset(to, fact, pure_address_in(c, c->funcs[fact->index]), err);
	case GL_REF_PANIC: return set_offset(to, fact, pure_address_in(c, c->stubs[fact->index]), err);
	case GL_REF_MORESTACK: return set_offset(to, fact, pure_address_in(c, c->morestack), err);
	case GL_REF_TABLE: return set_offset(to, fact, pure_address_in(c, c->tables[fact->index]), err);
	case GL_REF_G:
		memset(to, 0x90, fact->size);
		memcpy(to, lea_r14, sizeof(lea_r14));
		return set_offset(to, &lea, (uintptr_t)b->g, err);
	case GL_REF_GIVE_UP: *to = HLT; return 0;
	case GL_REF_DROPPED: memset(to, 0x90, fact->size); return 0;
	}
	return 0;
}

int pure_write_copy(const struct gl_proof *proof, const struct copy *c, size_t size, struct block *b,
		    const struct ends *ends, struct gl_error *err)
{
	memset(c->base, HLT, size);
	for (int i = 0; i < STUBS; i++) {
		struct text t = { .at = c->base + c->stubs[i] };
		put_failure(&t, b, (enum gl_pure_status)i, ends->fail);
		memcpy(c->base + c->stubs[i], t.bytes, t.n);
	}
	struct text t = { .at = c->base + c->morestack };
	put_morestack(&t, b, ends, pure_address_in(c, c->stubs[GL_PURE_DEEP]));
	if (t.failed || t.n > 2 * STUB_SIZE) {
		return gl_fail(err, GL_EUNSUPPORTED, "thunks are out of reach");
	}
	memcpy(c->base + c->morestack, t.bytes, t.n);
	for (size_t i = 0; i < proof->nfuncs; i++) {
		const struct gl_proved *f = &proof->funcs[i];
		for (size_t k = 0; k < f->nfacts; k++) {
			const struct gl_fact *fact = &f->facts[k];
			if (copy_insn(c, c->base + c->funcs[i] + fact->off, (const uint8_t *)f->addr + fact->off, fact,
				      b, err) != 0) {
				return -1;
			}
		}
	}
	for (size_t i = 0; i < proof->ntables; i++) {
		const struct gl_jump_table *table = &proof->tables[i];
		for (uint32_t k = 0; k < table->n; k++) {
			uintptr_t target;
			memcpy(&target, (const uint8_t *)table->addr + 8 * (size_t)k, sizeof(target));
			target += pure_address_in(c, c->funcs[table->func]) - proof->funcs[table->func].addr;
			memcpy(c->base + c->tables[i] + 8 * (size_t)k, &target, sizeof(target));
		}
	}
	return 0;
}

#endif
