/* The file that tells gdb of loaded code, from tables as the runtime has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "debug/symfile.h"

/* main.outer is 20 bytes of code, of which the first pushes the frame pointer and the twelfth pops it. From 4 to 8 it
 * is main.inner, called at 3 and inlined, and there from 5 to 6 main.innermost, called at 4. */
static const uint8_t code[20] = { 0x55 };
static const char names[] = "\0main.outer\0main.inner\0main.innermost", files[] = "/src/outer.go\0/src/inner.go";
static const uint32_t cutab[] = { 0, 14 };

/* pairs of a change of the value, zigzag, and of how far it holds */
enum { NOTHING, SP, FILES = 11, LINES = 18, INLINED = 25 };
static const uint8_t pctab[] = {
	0,  2, 1,  16, 11, 15, 8, 0, 0, 0,  0, /* the stack pointer: 0, 8, 0 */
	2,  4, 2,  4,  1,  12, 0,              /* files: 0, 1, 0 */
	22, 4, 20, 4,  19, 12, 0,              /* lines: 10, 20, 10 */
	0,  4, 2,  1,  2,  1,  1, 2, 1, 12, 0, /* inlined: -1, 0, 1, 0, -1 */
};

static const struct gl_abi abi = {
	.moduledata = { .funcnametab = 0,
			.cutab = 8,
			.filetab = 16,
			.pctab = 24,
			.pclntable = 32,
			.ftab = 40,
			.text = 56,
			.etext = 64,
			.gofunc = 72 },
	.func = { .entryOff = 0,
		  .nameOff = 4,
		  .pcsp = 8,
		  .pcfile = 12,
		  .pcln = 16,
		  .npcdata = 20,
		  .cuOffset = 24,
		  .startLine = 28,
		  .size = 32 },
	.inlinedCall = { .nameOff = 0, .parentPc = 4, .startLine = 8, .size = 12 },
};

/* the _func, a table of pcdata and one of funcdata: where, from the trees, its tree is */
static const uint32_t funcs[] = { 0, 1, SP, FILES, LINES, 1, 0, 9, INLINED, 0 };
static const uint32_t trees[] = { 12, 3, 19, 23, 4, 29 };
static const uint32_t ftab[] = { 0, 0, sizeof(code), 0 };

static uint8_t *write_file(const struct symfile_text *text, size_t *size)
{
	uintptr_t moduledata[] = { (uintptr_t)names,
				   (uintptr_t)cutab,
				   (uintptr_t)files,
				   (uintptr_t)pctab,
				   (uintptr_t)funcs,
				   (uintptr_t)ftab,
				   2,
				   (uintptr_t)code,
				   (uintptr_t)code + sizeof(code),
				   (uintptr_t)trees };
	struct functab tab;

	functab_open(&tab, &abi, (uintptr_t)moduledata);
	struct code c = { .addr = (uintptr_t)code, .size = sizeof(code) };
	assert_true(functab_find(&tab, (uintptr_t)code, &c.func));
	assert_false(functab_find(&tab, (uintptr_t)code + 1, &c.func));
	c.name = func_name(&c.func);
	const struct symfile s = { .name = "main", .code = &c, .n = 1, .text = text };
	uint8_t *file = symfile_write(&s, size);
	assert_non_null(file);
	return file;
}

static Elf_Data *find_section(Elf *elf, const char *name)
{
	size_t names_at;

	assert_int_equal(elf_getshdrstrndx(elf, &names_at), 0);
	for (Elf_Scn *s = elf_nextscn(elf, NULL); s != NULL; s = elf_nextscn(elf, s)) {
		GElf_Shdr header;
		assert_non_null(gelf_getshdr(s, &header));
		if (strcmp(elf_strptr(elf, names_at, header.sh_name), name) == 0) {
			return elf_rawdata(s, NULL);
		}
	}
	fail_msg("no section %s", name);
	return NULL;
}

static bool has(const Elf_Data *d, const void *bytes, size_t n)
{
	return memmem(d->d_buf, d->d_size, bytes, n) != NULL;
}

#define HAS(d, ...) assert_true(has(d, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })))

static void check(void (*look)(Elf *elf))
{
	size_t size;
	uint8_t *file = write_file(NULL, &size);

	elf_version(EV_CURRENT);
	Elf *elf = elf_memory((char *)file, size);
	assert_non_null(elf);
	look(elf);
	elf_end(elf);
	free(file);
}

static void look_at_symbols(Elf *elf)
{
	const Elf_Data *symbols = find_section(elf, ".symtab"), *strings = find_section(elf, ".strtab");
	Elf64_Sym sym;

	assert_int_equal(symbols->d_size, 2 * sizeof(sym));
	memcpy(&sym, (const uint8_t *)symbols->d_buf + sizeof(sym), sizeof(sym));
	assert_string_equal((const char *)strings->d_buf + sym.st_name, "main.outer");
	assert_int_equal(sym.st_value, (uintptr_t)code);
	assert_int_equal(sym.st_size, sizeof(code));
}

static void test_symbols(void **state)
{
	(void)state;
	check(look_at_symbols);
}

/* Behind the push the caller's frame ends 16 bytes above, and its frame pointer lies there; at the return 8 above. */
static void look_at_frames(Elf *elf)
{
	HAS(find_section(elf, ".debug_frame"), 0x40 | 1, 0x0e, 16, 0x80 | 6, 2, 0x40 | 11, 0x0e, 8, 0x08, 6);
}

static void test_frames(void **state)
{
	(void)state;
	check(look_at_frames);
}

/* Rows: line 10 at 0, line 20 of the second file at 4, line 10 of the first at 8. */
static void look_at_lines(Elf *elf)
{
	const Elf_Data *lines = find_section(elf, ".debug_line");

	HAS(lines, '/', 's', 'r', 'c', '/', 'o', 'u', 't', 'e', 'r', '.', 'g', 'o', 0, 0, 0, 0, '/', 's');
	HAS(lines, 3, 9, 14, 4, 2, 3, 10, 54, 4, 1, 3, 0x76, 54, 2, 12, 0, 1, 1);
}

static void test_lines(void **state)
{
	(void)state;
	check(look_at_lines);
}

/* main.innermost is in main.inner, which is in one piece with it. */
static void look_at_inlined(Elf *elf)
{
	const Elf_Data *info = find_section(elf, ".debug_info");
	const uint64_t inner = (uintptr_t)code + 4, innermost = (uintptr_t)code + 5;
	uint8_t entry[12] = { 0 };

	memcpy(entry, &inner, sizeof(inner));
	entry[8] = 4;
	assert_true(has(info, entry, sizeof(entry)));
	memcpy(entry, &innermost, sizeof(innermost));
	entry[8] = 1;
	assert_true(has(info, entry, sizeof(entry)));
	assert_int_equal(find_section(elf, ".debug_ranges")->d_size, 0);
}

static void test_inlined(void **state)
{
	(void)state;
	check(look_at_inlined);
}

/* A file with the code in it: where it is, is told from a place of its own, less what the dynamic linker adds. */
static void test_text(void **state)
{
	enum { HEADER = 0x7000, BIAS = 0x1000 };
	const struct symfile_text text = { .p = code, .size = sizeof(code), .header = HEADER, .bias = BIAS };
	size_t size;
	uint8_t *file = write_file(&text, &size);
	GElf_Phdr first, segment;
	Elf64_Sym sym;

	(void)state;
	elf_version(EV_CURRENT);
	Elf *elf = elf_memory((char *)file, size);
	assert_non_null(elf);
	const Elf_Data *content = find_section(elf, ".text"), *symbols = find_section(elf, ".symtab");
	assert_int_equal(content->d_size, sizeof(code));
	assert_memory_equal(content->d_buf, code, sizeof(code));
	memcpy(&sym, (const uint8_t *)symbols->d_buf + sizeof(sym), sizeof(sym));
	assert_int_equal(sym.st_value, (uintptr_t)code - BIAS);
	/* the dynamic linker is shown the first page, and not the code */
	Elf64_Ehdr header;
	memcpy(&header, file, sizeof(header));
	for (size_t i = 0; i < header.e_phnum; i++) {
		assert_non_null(gelf_getphdr(elf, (int)i, &segment));
		assert_true((segment.p_flags & PF_X) == 0);
	}
	assert_non_null(gelf_getphdr(elf, 0, &first));
	assert_int_equal(first.p_vaddr, HEADER);
	Elf64_Phdr last;
	memcpy(&last, file + header.e_phoff + header.e_phnum * sizeof(last), sizeof(last));
	assert_int_equal(last.p_type, PT_LOAD);
	assert_int_equal(last.p_flags, PF_R | PF_X);
	assert_int_equal(last.p_vaddr, (uintptr_t)code - BIAS);
	assert_memory_equal(file + last.p_offset, code, sizeof(code));
	elf_end(elf);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols), cmocka_unit_test(test_frames), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_inlined), cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
