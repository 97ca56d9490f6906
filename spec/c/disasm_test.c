/* Listings and nm: of spec/fuzz/seed.go, compiled by the Go that built build/host/default (or the host in the directory
 * GOLOADER_TEST_HOST), and of code of this very program. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disasm/disasm.h"
#include "disasm/nm.h"
#include "object/object.h"

static struct gl_abi *abi;
static char dir[] = "/tmp/goloader-disasm-XXXXXX";
static char object[64];

static int setup(void **state)
{
	const char *host = getenv("GOLOADER_TEST_HOST");
	char path[PATH_MAX], root[512], command[2 * PATH_MAX];
	struct gl_error err;

	(void)state;
	host = host != NULL ? host : "build/host/default";
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.desc", host);
	abi = gl_abi_read(path, &err);
	if (abi == NULL) {
		print_error("%s\n", err.message);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.goroot", host);
	FILE *f = fopen(path, "r");
	if (f == NULL || fgets(root, sizeof(root), f) == NULL || mkdtemp(dir) == NULL) {
		print_error("%s can't be read\n", path);
		return -1;
	}
	fclose(f);
	root[strcspn(root, "\n")] = '\0';
	snprintf(object, sizeof(object), "%s/seed.o", dir);
	snprintf(command, sizeof(command), "GOROOT=%s %s/bin/go tool compile -p shop/seed -o %s spec/fuzz/seed.go",
		 root, root, object);
	return system(command) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	gl_abi_free(abi);
	unlink(object);
	rmdir(dir);
	return 0;
}

static struct gl_listings *list(const char *symbol)
{
	struct gl_listings *listings;
	struct gl_error err;

	if (gl_disasm_file(object, symbol, abi, &listings, &err) != 0) {
		fail_msg("%s", err.message);
	}
	return listings;
}

/* The only instruction with that comment; NULL where there is none. */
static const struct gl_insn *find_comment(const struct gl_listing *listing, const char *comment)
{
	for (size_t i = 0; i < listing->n; i++) {
		if (strcmp(listing->insns[i].comment, comment) == 0) {
			return &listing->insns[i];
		}
	}
	return NULL;
}

static void test_a_function_is_found_by_its_short_and_its_whole_name(void **state)
{
	static const char *const names[][2] = { { "Sum", "shop/seed.Sum" },
						{ "shop/seed.Sum", "shop/seed.Sum" },
						{ "(*T).Area", "shop/seed.(*T).Area" } };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct gl_listings *listings = list(names[i][0]);
		assert_int_equal(listings->n, 1);
		assert_string_equal(listings->list[0].name, names[i][1]);
		gl_listings_free(listings);
	}
}

static void test_a_function_that_is_not_there_is_named(void **state)
{
	struct gl_listings *listings;
	struct gl_error err;

	(void)state;
	assert_int_equal(gl_disasm_file(object, "Su", abi, &listings, &err), -1);
	assert_int_equal(err.code, GL_EMISSING);
	assert_non_null(strstr(err.message, "has no function \"Su\""));
}

static void test_instructions_cover_every_byte_of_every_function(void **state)
{
	struct gl_error err;
	struct gl_package *pkg = gl_package_open(object, NULL, abi, &err);
	struct gl_listings *listings = list(NULL);
	size_t at = 0;

	(void)state;
	assert_non_null(pkg);
	const struct gl_object *obj = gl_package_object(pkg, 0);
	for (uint32_t s = 0; s < gl_object_nsyms(obj); s++) {
		if (gl_object_sym(obj, s).type != abi->STEXT) {
			continue;
		}
		uint32_t size;
		const uint8_t *bytes = gl_object_data(obj, s, &size);
		uint64_t pos = 0;
		assert_true(at < listings->n);
		const struct gl_listing *l = &listings->list[at++];
		for (size_t i = 0; i < l->n; i++) {
			assert_int_equal(l->insns[i].addr, pos);
			assert_memory_equal(l->insns[i].bytes, bytes + pos, l->insns[i].size);
			assert_string_not_equal(l->insns[i].mnemonic, ".byte");
			pos += l->insns[i].size;
		}
		assert_int_equal(pos, size);
	}
	assert_int_equal(at, listings->n);
	gl_listings_free(listings);
	gl_package_close(pkg);
}

static void test_calls_and_data_are_named_by_their_relocations(void **state)
{
	struct gl_listings *sum = list("Sum"), *apply = list("Apply"), *init = list("init");

	(void)state;
	const struct gl_insn *insn = find_comment(&apply->list[0], "R_CALL runtime.deferreturn");
	assert_non_null(insn);
	assert_string_equal(insn->mnemonic, "call");
	assert_non_null(find_comment(&apply->list[0], "R_CALL shop/seed.Apply.func1"));
	assert_non_null(find_comment(&init->list[0], "R_PCREL type:map[string]shop/seed.T"));
	assert_non_null(find_comment(&init->list[0], "R_PCREL shop/seed.Table"));
	/* nothing is called that has no name */
	for (size_t i = 0; i < apply->list[0].n; i++) {
		const struct gl_insn *call = &apply->list[0].insns[i];
		if (strcmp(call->mnemonic, "call") == 0 && call->bytes[0] == 0xe8) {
			assert_memory_equal(call->comment, "R_CALL ", 7);
		}
	}
	gl_listings_free(sum);
	gl_listings_free(apply);
	gl_listings_free(init);
}

static void test_a_jump_within_the_function_tells_its_place(void **state)
{
	struct gl_listings *listings = list("Sum");
	const struct gl_listing *l = &listings->list[0];
	size_t jumps = 0;

	(void)state;
	for (size_t i = 0; i < l->n; i++) {
		unsigned long to;
		if (l->insns[i].mnemonic[0] != 'j') {
			continue;
		}
		assert_int_equal(sscanf(l->insns[i].comment, "+0x%lx", &to), 1);
		bool starts_there = false;
		for (size_t k = 0; k < l->n; k++) {
			starts_there = starts_there || l->insns[k].addr == to;
		}
		assert_true(starts_there);
		jumps++;
	}
	assert_true(jumps >= 2);
	gl_listings_free(listings);
}

/* ---- code in memory -----------------------------------------------------------------------------------------------
 */

static int64_t name_it(const void *arg, uintptr_t addr, const char **name)
{
	uintptr_t at = (uintptr_t)arg;

	if (addr < at || addr >= at + 16) {
		return -1;
	}
	*name = "target";
	return (int64_t)(addr - at);
}

static void test_code_in_memory_is_named_by_address(void **state)
{
	/* call +0; call elsewhere; lea rax, [rip+…]; je -2; two bytes that are no instruction; nop */
	static uint8_t code[] = { 0xe8, 0,    0, 0, 0, 0xe8, 0,    0,    0,    0,   0x48,
				  0x8d, 0x05, 0, 0, 0, 0,    0x74, 0xfe, 0x06, 0x90 };
	static const char *const want[][3] = { { "call", "target", "" },       { "call", "", "" },
					       { "lea", "target+0x8", "rax" }, { "je", "+0x11", "" },
					       { ".byte", "", "0x06" },        { "nop", "", "" } };
	struct gl_listings *listings;
	struct gl_error err;
	uintptr_t base = (uintptr_t)code, target = base + 0x100;
	int32_t rel = 0x100 - 5;

	(void)state;
	memcpy(code + 1, &rel, 4);
	rel = 0x100 + 8 - 17;
	memcpy(code + 13, &rel, 4);
	rel = 0x4000;
	memcpy(code + 6, &rel, 4);
	if (gl_disasm_memory("amd64", "code", base, sizeof(code), name_it, (const void *)target, &listings, &err) !=
	    0) {
		fail_msg("%s", err.message);
	}
	const struct gl_listing *l = &listings->list[0];
	assert_int_equal(listings->n, 1);
	assert_string_equal(l->name, "code");
	assert_int_equal(l->n, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < l->n; i++) {
		assert_string_equal(l->insns[i].mnemonic, want[i][0]);
		assert_string_equal(l->insns[i].comment, want[i][1]);
		assert_memory_equal(l->insns[i].operands, want[i][2], strlen(want[i][2]));
	}
	assert_int_equal(l->insns[1].addr, base + 5);
	gl_listings_free(listings);
}

static void test_an_unknown_processor_is_refused(void **state)
{
	struct gl_listings *listings;
	struct gl_error err;

	(void)state;
	assert_int_equal(gl_disasm_memory("mips", "x", (uintptr_t)object, 4, NULL, NULL, &listings, &err), -1);
	assert_int_equal(err.code, GL_EUNSUPPORTED);
	assert_non_null(strstr(err.message, "\"mips\""));
}

/* ---- nm ------------------------------------------------------------------------------------------------------------
 */

static void test_nm_lists_kinds_sizes_and_signatures(void **state)
{
	static const struct {
		const char *name;
		char kind;
		int abi;
		const char *signature; /* of an export */
	} want[] = {
		{ "shop/seed.Sum", 'T', 1, "func(a int, b ...string) (shop/seed.T, error)" },
		{ "shop/seed.Apply", 'T', 1,
		  "func(f func(int) shop/seed.T, s shop/seed.Shape, _ chan<- shop/seed.Pair[string,[]shop/seed.T]) (n "
		  "int)" },
		{ "shop/seed.Table", 'B', -1, "map[string]shop/seed.T" },
		{ "shop/seed.Count", 'B', -1, "int" },
		{ "shop/seed.(*T).Area", 'T', 1, NULL },
		{ "shop/seed.init", 'T', 1, NULL },
		{ "shop/seed..inittask", 'D', -1, NULL },
		{ "type:shop/seed.T", 'R', -1, NULL },
		{ "runtime.deferreturn", 'U', -1, NULL },
		{ "type:string", 'U', -1, NULL },
	};
	struct gl_nm *nm;
	struct gl_error err;

	(void)state;
	if (gl_nm_read(object, abi, &nm, &err) != 0) {
		fail_msg("%s", err.message);
	}
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct gl_nm_symbol *found = NULL;
		for (size_t k = 0; k < nm->n; k++) {
			if (strcmp(nm->symbols[k].name, want[i].name) == 0) {
				assert_null(found);
				found = &nm->symbols[k];
			}
		}
		if (found == NULL) {
			fail_msg("%s is not listed", want[i].name);
			break;
		}
		assert_int_equal(found->kind, want[i].kind);
		assert_int_equal(found->abi, want[i].abi);
		assert_int_equal(found->is_export, want[i].signature != NULL);
		assert_int_equal(found->size == 0, want[i].kind == 'U');
		if (want[i].signature != NULL) {
			assert_string_equal(found->signature, want[i].signature);
		}
	}
	size_t exports = 0, declared = 0;
	for (size_t k = 0; k < nm->n; k++) {
		exports += nm->symbols[k].is_export && nm->symbols[k].kind != '-';
		declared += nm->symbols[k].is_export && nm->symbols[k].kind == '-';
		assert_true(nm->symbols[k].name[0] != '\0');
		assert_non_null(strchr("TtRrDdBbU-", nm->symbols[k].kind));
		if (k > 0) {
			assert_true(strcmp(nm->symbols[k - 1].name, nm->symbols[k].name) <= 0);
		}
	}
	assert_int_equal(exports, 5); /* Sum, Apply, Shapes, Table, Count */
	/* six constants, five types, and the generic function Keys, which the compiler makes no symbol of */
	assert_int_equal(declared, 12);
	gl_nm_free(nm);
}

static void test_files_that_are_no_objects_are_refused(void **state)
{
	struct gl_nm *nm;
	struct gl_listings *listings;
	struct gl_error err;

	(void)state;
	assert_int_equal(gl_nm_read("spec/fuzz/seed.go", abi, &nm, &err), -1);
	assert_int_equal(err.code, GL_EFORMAT);
	assert_int_equal(gl_disasm_file("spec/fuzz/seed.go", NULL, abi, &listings, &err), -1);
	assert_int_equal(err.code, GL_EFORMAT);
	assert_int_equal(gl_nm_read("/nonexistent/a.o", abi, &nm, &err), -1);
	assert_int_equal(err.code, GL_EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_function_is_found_by_its_short_and_its_whole_name),
		cmocka_unit_test(test_a_function_that_is_not_there_is_named),
		cmocka_unit_test(test_instructions_cover_every_byte_of_every_function),
		cmocka_unit_test(test_calls_and_data_are_named_by_their_relocations),
		cmocka_unit_test(test_a_jump_within_the_function_tells_its_place),
		cmocka_unit_test(test_code_in_memory_is_named_by_address),
		cmocka_unit_test(test_an_unknown_processor_is_refused),
		cmocka_unit_test(test_nm_lists_kinds_sizes_and_signatures),
		cmocka_unit_test(test_files_that_are_no_objects_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
