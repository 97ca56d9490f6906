/* Which words of a frame code may still read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disasm/slots.h"

#if defined(__x86_64__)

/* Each is code that goes on at its start, with a stack pointer at which the word at 16 is asked about. */
#define CODE(NAME, TEXT)                                                                                               \
	extern const char code_##NAME[], end_##NAME[];                                                                 \
	__asm__(".text\n.intel_syntax noprefix\ncode_" #NAME ":\n" TEXT "\nend_" #NAME ":\nnop\n.att_syntax\n")

CODE(loads, "mov rax, [rsp+16]\nret");
CODE(loads_part, "movzx eax, byte ptr [rsp+19]\nret");
CODE(compares, "cmp rax, [rsp+16]\nret");
CODE(overwrites, "mov [rsp+16], rax\nmov rax, [rsp+16]\nret");
CODE(overwrites_part, "mov dword ptr [rsp+16], 1\nmov rax, [rsp+16]\nret");
CODE(overwrites_by_sixteen, "movups [rsp+8], xmm15\nmov rax, [rsp+16]\nret");
CODE(overwrites_and_loads_part, "mov byte ptr [rsp+23], cl\nmovzx eax, byte ptr [rsp+23]\nret");
CODE(loads_sixteen, "movups xmm1, [rsp+8]\nret");
CODE(leaves, "add rsp, 64\npop rbp\nret\nmov rax, [rsp+16]");
CODE(reads_a_neighbour, "mov rax, [rsp+8]\nmov rcx, [rsp+24]\nret");
CODE(on_one_path, "test rax, rax\njne 1f\nmov [rsp+16], rax\n1: mov rcx, [rsp+16]\nret");
CODE(on_no_path, "test rax, rax\njne 1f\nmov [rsp+16], rax\nmov rcx, [rsp+16]\n1: ret");
CODE(in_a_loop, "1: mov [rsp+8], rax\ncall 2f\nmov rcx, [rsp+16]\njmp 1b\n2: ret");
CODE(late_in_a_loop, "1: mov [rsp+16], rax\ncall 2f\nmov rcx, [rsp+16]\njmp 1b\n2: ret");
CODE(after_a_push, "push rax\nmov rcx, [rsp+24]\nret");
CODE(by_an_index, "mov rcx, [rsp+rax*8+8]\nret");
CODE(takes_an_address, "lea rdi, [rsp+16]\ncall 1f\n1: ret");
CODE(moves_the_stack, "mov rsp, rax\nret");
CODE(adds_to_it, "add [rsp+16], rax\nret");

static int is_read(const char *code, const char *end, int64_t variables)
{
	struct gl_slot slot = { .entry = (uintptr_t)code,
				.end = (uintptr_t)end,
				.pc = (uintptr_t)code,
				.offset = 16,
				.variables = variables };

	gl_slots_find_reads(&slot, 1);
	return slot.is_read;
}

#define IS_READ(NAME) assert_int_equal(is_read(code_##NAME, end_##NAME, INT64_MAX), 1)
#define IS_DEAD(NAME) assert_int_equal(is_read(code_##NAME, end_##NAME, INT64_MAX), 0)

static void a_word_that_is_loaded_is_in_use(void **state)
{
	(void)state;
	IS_READ(loads);
	IS_READ(compares);
	IS_READ(adds_to_it);
	IS_READ(after_a_push);
	IS_READ(by_an_index);
	IS_READ(overwrites_part);
}

static void a_word_that_is_overwritten_first_is_not(void **state)
{
	(void)state;
	IS_DEAD(overwrites);
	IS_DEAD(overwrites_by_sixteen);
	IS_DEAD(leaves);
	IS_DEAD(reads_a_neighbour);
	IS_DEAD(takes_an_address);
}

/* chanrecv has a flag in such a word, which is read when the goroutine goes on: that may be never. */
static void a_part_of_a_word_is_no_pointer(void **state)
{
	(void)state;
	IS_DEAD(loads_part);
	IS_DEAD(overwrites_and_loads_part);
	IS_READ(loads_sixteen);
}

static void every_path_counts(void **state)
{
	(void)state;
	IS_READ(on_one_path);
	IS_DEAD(on_no_path);
	IS_READ(in_a_loop);
	IS_DEAD(late_in_a_loop);
}

static void an_address_counts_where_it_may_be_of_a_variable_with_the_word(void **state)
{
	(void)state;
	assert_int_equal(is_read(code_takes_an_address, end_takes_an_address, 8), 1);
	assert_int_equal(is_read(code_takes_an_address, end_takes_an_address, 16), 1);
	assert_int_equal(is_read(code_takes_an_address, end_takes_an_address, 24), 0);
}

static void what_cannot_be_told_is_in_use(void **state)
{
	(void)state;
	IS_READ(moves_the_stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_that_is_loaded_is_in_use),
		cmocka_unit_test(a_word_that_is_overwritten_first_is_not),
		cmocka_unit_test(a_part_of_a_word_is_no_pointer),
		cmocka_unit_test(every_path_counts),
		cmocka_unit_test(an_address_counts_where_it_may_be_of_a_variable_with_the_word),
		cmocka_unit_test(what_cannot_be_told_is_in_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) { return 0; }

#endif
