/* The prover, on code that keeps to the rules and on code that breaks one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "disasm/prove.h"

#if defined(__x86_64__)

/* Every function gets an address that is lent in rax and numbers in rbx and rcx. EXPECTED is what forbids it. */
#define CODE(NAME, EXPECTED, TEXT)                                                                                     \
	extern const char code_##NAME[], end_##NAME[];                                                                 \
	__asm__(".text\n.intel_syntax noprefix\ncode_" #NAME ":\n" TEXT "\nend_" #NAME ":\nnop\n.att_syntax\n");
#include "prove_test.inc"
#undef CODE

/* Callees: none of this ever runs. */
extern const char code_panics[], code_morestack[], code_allocates[], code_end[];
__asm__(".text\ncode_panics: ret\ncode_morestack: ret\ncode_allocates: ret\ncode_end: nop\n");

static const struct {
	const char *name, *start, *end, *expected;
} codes[] = {
#define CODE(NAME, EXPECTED, TEXT) { #NAME, code_##NAME, end_##NAME, EXPECTED },
#include "prove_test.inc"
#undef CODE
};

static bool find_code(void *arg, uintptr_t addr, struct gl_routine *code)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (addr >= (uintptr_t)codes[i].start && addr < (uintptr_t)codes[i].end) {
			*code = (struct gl_routine){ .name = codes[i].name,
						     .addr = (uintptr_t)codes[i].start,
						     .end = (uintptr_t)codes[i].end };
			return true;
		}
	}
	*code = (struct gl_routine){ .name = "callee", .addr = addr, .end = addr + 1, .does = "allocates" };
	code->kind = addr == (uintptr_t)code_panics    ? GL_CALLEE_PANIC :
		     addr == (uintptr_t)code_morestack ? GL_CALLEE_MORESTACK :
							 GL_CALLEE_REFUSED;
	return addr >= (uintptr_t)code_panics && addr < (uintptr_t)code_end;
}

static bool is_constant(void *arg, uintptr_t addr, size_t size)
{
	struct gl_routine code;

	return find_code(arg, addr, &code) && addr + size <= code.end;
}

static int64_t symbolize(const void *arg, uintptr_t addr, const char **name)
{
	(void)arg;
	(void)addr;
	*name = "somewhere";
	return 0;
}

static struct gl_prover *prover;
static const enum gl_word words[] = { GL_WORD_LENT, GL_WORD_NUMBER, GL_WORD_NUMBER };

static struct gl_proof *prove(const char *start)
{
	const struct gl_prove_env env = {
		.find_code = find_code, .is_constant = is_constant, .symbolize = symbolize, .stackguard = 16
	};
	struct gl_proof *proof;
	struct gl_error err;

	assert_int_equal(gl_prove(prover, &env, (uintptr_t)start, words, 3, true, &proof, &err), 0);
	return proof;
}

static void code_is_judged(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct gl_proof *proof = prove(codes[i].start);
		const char *found = proof->holds ? NULL : proof->remarks[0].text, *expected = codes[i].expected;
		if ((found == NULL) != (expected == NULL) || (found != NULL && strstr(found, expected) == NULL)) {
			print_error("%s: %s, expected %s\n", codes[i].name, found != NULL ? found : "holds",
				    expected != NULL ? expected : "holds");
			wrong++;
		}
		gl_proof_free(proof);
	}
	assert_int_equal(wrong, 0);
}

static void one_remark_is_enough(void **state)
{
	const struct gl_prove_env env = {
		.find_code = find_code, .is_constant = is_constant, .symbolize = symbolize, .stackguard = 16
	};
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct gl_proof *all = prove(codes[i].start), *first;
		struct gl_error err;
		assert_int_equal(gl_prove(prover, &env, (uintptr_t)codes[i].start, words, 3, false, &first, &err), 0);
		wrong += all->holds != first->holds;
		gl_proof_free(all);
		gl_proof_free(first);
	}
	assert_int_equal(wrong, 0);
}

static void what_is_written_is_told(void **state)
{
	struct gl_proof *proof = prove(code_adds);

	(void)state;
	assert_int_equal(proof->written, 1U << 0);
	assert_false(proof->checks_stack);
	gl_proof_free(proof);
	proof = prove(code_checks_stack);
	assert_true(proof->checks_stack);
	assert_false(proof->sets_direction);
	gl_proof_free(proof);
	proof = prove(code_goes_down);
	assert_true(proof->sets_direction);
	gl_proof_free(proof);
}

static void tables_and_callees_are_told(void **state)
{
	struct gl_proof *proof = prove(code_switches);

	(void)state;
	assert_true(proof->holds);
	assert_int_equal(proof->ntables, 1);
	assert_int_equal(proof->tables[0].n, 2);
	gl_proof_free(proof);
	proof = prove(code_calls);
	assert_int_equal(proof->nfuncs, 2);
	assert_string_equal(proof->funcs[1].name, "adds");
	gl_proof_free(proof);
}

static int set_up(void **state)
{
	struct gl_error err;

	(void)state;
	prover = gl_prover_open("amd64", &err);
	return prover == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	gl_prover_close(prover);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_is_judged),
		cmocka_unit_test(one_remark_is_enough),
		cmocka_unit_test(what_is_written_is_told),
		cmocka_unit_test(tables_and_callees_are_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#else

int main(void) { return 0; }

#endif
