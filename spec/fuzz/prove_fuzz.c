/* Fuzzing the prover: whatever the bytes, it says something of each instruction that it follows, and nothing of a place
 * outside. The first bytes say how the rest is cut into functions. */
#include <stdlib.h>
#include <string.h>

#include "disasm/prove.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUNCS = 4, SPACE = 1 << 16 };

struct code {
	uintptr_t starts[FUNCS + 1];
	uint8_t *bytes;
};

static bool find_code(void *arg, uintptr_t addr, struct gl_routine *routine)
{
	static const enum gl_callee others[] = { GL_CALLEE_PANIC, GL_CALLEE_MORESTACK, GL_CALLEE_REFUSED };
	const struct code *c = arg;

	for (int i = 0; i < FUNCS; i++) {
		if (addr >= c->starts[i] && addr < c->starts[i + 1]) {
			*routine = (struct gl_routine){ .name = "function",
							.addr = c->starts[i],
							.end = c->starts[i + 1] };
			return true;
		}
	}
	/* around them lives the rest of the world */
	*routine = (struct gl_routine){
		.name = "other", .addr = addr, .end = addr + 1, .kind = others[addr % 3], .does = "allocates"
	};
	return addr > c->starts[0] - SPACE && addr < c->starts[FUNCS] + SPACE;
}

static bool is_constant(void *arg, uintptr_t addr, size_t size)
{
	const struct code *c = arg;

	return addr >= c->starts[0] && addr <= c->starts[FUNCS] && size <= c->starts[FUNCS] - addr;
}

static int64_t symbolize(const void *arg, uintptr_t addr, const char **name)
{
	(void)arg;
	*name = "something";
	return addr % 2 == 0 ? 0 : -1;
}

static void check(const struct gl_proof *proof)
{
	for (size_t i = 0; i < proof->nfuncs; i++) {
		const struct gl_proved *f = &proof->funcs[i];
		size_t end = 0;
		for (size_t k = 0; k < f->nfacts; k++) {
			const struct gl_fact *fact = &f->facts[k];
			bool apart = fact->off >= end;
			end = fact->off + fact->size;
			if (end > f->size || (proof->holds && !apart) ||
			    (fact->ref == GL_REF_CODE && fact->index >= proof->nfuncs) ||
			    (fact->ref == GL_REF_TABLE && fact->index >= proof->ntables)) {
				abort();
			}
		}
	}
	for (size_t i = 0; i < proof->nremarks; i++) {
		const struct gl_proved *f = &proof->funcs[proof->remarks[i].func];
		if (proof->remarks[i].addr - f->addr > f->size || proof->remarks[i].text[0] == '\0') {
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum gl_word words[] = { GL_WORD_LENT, GL_WORD_NUMBER, GL_WORD_LENT, GL_WORD_NUMBER };
	static struct gl_prover *prover;
	struct code c = { 0 };
	struct gl_proof *proof;
	struct gl_error err;

	if (prover == NULL && (prover = gl_prover_open("amd64", &err)) == NULL) {
		abort();
	}
	if (size <= FUNCS) {
		return 0;
	}
	size_t n = size - FUNCS;
	c.bytes = malloc(n);
	if (c.bytes == NULL) {
		abort();
	}
	memcpy(c.bytes, data + FUNCS, n);
	c.starts[0] = (uintptr_t)c.bytes;
	for (int i = 1; i < FUNCS; i++) {
		size_t left = (uintptr_t)c.bytes + n - c.starts[i - 1];
		c.starts[i] = c.starts[i - 1] + left * data[i] / 256;
	}
	c.starts[FUNCS] = (uintptr_t)c.bytes + n;

	const struct gl_prove_env env = {
		.find_code = find_code, .is_constant = is_constant, .symbolize = symbolize, .arg = &c, .stackguard = 16
	};
	for (int i = 0; i < FUNCS; i++) {
		if (gl_prove(prover, &env, c.starts[i], words, sizeof(words) / sizeof(words[0]), data[0] % 2, &proof,
			     &err) == 0) {
			check(proof);
			gl_proof_free(proof);
		}
	}
	free(c.bytes);
	return 0;
}
