/* The reader of host descriptions, on descriptions made here and on that of the host this tree was built with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/abi.h"

#define REAL "build/host/default/libgoloader_host.so.desc"

/* ---- descriptions made from the lists of abi.h ---------------------------------------------------------------- */

static char *text; /* the description of the running test */
static size_t text_len;
static char path[] = "/tmp/goloader_abi_test_XXXXXX";

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_len += (size_t)vsnprintf(text + text_len, 65536 - text_len, fmt, ap);
	va_end(ap);
	assert_true(text_len < 65536);
}

/* The first of several names takes this many characters of them. */
static int first(const char *names) { return (int)strcspn(names, "|"); }

/* Writes a complete description: the n-th field of a struct is at 8n, the n-th constant is n. */
static void say_all(void)
{
	int n = 0;

	text_len = 0;
	say("goloader-description\t1\ngo\tgo1.99.1\ngoarch\tamd64\ngoamd64\tv3\ngoexperiment\t\nbuildmode\tc-shared\n");
	say("header\tgo object linux amd64 go1.99.1 GOAMD64=v3 X:a,b\n");
	say("builtin\t0\truntime.newobject\t1\nbuiltin\t1\truntime.racefuncenter\t0\n");
	say("abbrev\t1\t0x11\t1\t0x3:0x8 0x13:0xb\nabbrev\t2\t0x2e\t0\t\n");
#define X(name, need) say("const\t%s\t%d\n", #name, n++);
	GL_ABI_CONSTS(X)
#undef X
#define X(s, field, names, need) say("field\t%.*s\t%.*s\t%d\t8\n", first(owner), owner, first(names), names, 8 * n++);
#define S(s, names, FIELDS, size)                                                                                      \
	{                                                                                                              \
		const char *owner = names;                                                                             \
		n = 0;                                                                                                 \
		FIELDS(X, s)                                                                                           \
		say("struct\t%.*s\t%d\n", first(owner), owner, 8 * n);                                                 \
	}
	GL_ABI_STRUCTS(S)
#undef S
#undef X
}

static struct gl_abi *read_text(struct gl_error *err)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, text_len, file), text_len);
	assert_int_equal(fclose(file), 0);
	memset(err, 0, sizeof(*err));
	return gl_abi_read(path, err);
}

static struct gl_abi *accept(void)
{
	struct gl_error err;
	struct gl_abi *abi = read_text(&err);

	if (abi == NULL) {
		fail_msg("refused: %s", err.message);
		abort(); /* fail_msg does not return, but no tool knows */
	}
	return abi;
}

/* The description must be refused with code, and with a message that holds says. */
static void refuse(enum gl_code code, const char *says)
{
	struct gl_error err;
	struct gl_abi *abi = read_text(&err);

	assert_null(abi);
	assert_int_equal(err.code, code);
	if (strstr(err.message, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.message, says);
	assert_null(strchr(err.message, '\n'));
}

/* Replaces the one place where old stands in the description. */
static void edit(const char *old, const char *new)
{
	char *at = strstr(text, old);

	assert_non_null(at);
	assert_null(strstr(at + 1, old));
	size_t old_len = strlen(old), new_len = strlen(new);
	assert_true(text_len + new_len - old_len < 65536);
	memmove(at + new_len, at + old_len, text_len - (size_t)(at - text) - old_len + 1);
	for (size_t i = 0; i < new_len; i++)
		at[i] = new[i];
	text_len += new_len - old_len;
}

static int set_up(void **state)
{
	(void)state;
	text = malloc(65536);
	int fd = mkstemp(path);
	return text == NULL || fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(text);
	return unlink(path);
}

/* ---- what is read --------------------------------------------------------------------------------------------- */

static void every_number_lands_in_its_member(void **state)
{
	int n = 0;
	(void)state;

	say_all();
	struct gl_abi *abi = accept();
#define X(name, need) assert_int_equal(abi->name, n++);
	GL_ABI_CONSTS(X)
#undef X
#define X(s, field, names, need) assert_int_equal(abi->s.field, 8 * n++);
#define S(s, names, FIELDS, size)                                                                                      \
	n = 0;                                                                                                         \
	FIELDS(X, s)                                                                                                   \
	assert_int_equal(abi->s.size, 8 * n);
	GL_ABI_STRUCTS(S)
#undef S
#undef X
	gl_abi_free(abi);
}

static void headers_builtins_and_abbreviations_are_read(void **state)
{
	(void)state;
	say_all();
	struct gl_abi *abi = accept();
	assert_string_equal(abi->go_version, "go1.99.1");
	assert_string_equal(abi->goarch, "amd64");
	assert_string_equal(abi->goamd64, "v3");
	assert_string_equal(abi->goexperiment, "");
	assert_string_equal(abi->buildmode, "c-shared");
	assert_string_equal(abi->object_header, "go object linux amd64 go1.99.1 GOAMD64=v3 X:a,b");
	assert_int_equal(abi->nbuiltins, 2);
	assert_string_equal(abi->builtins[1].name, "runtime.racefuncenter");
	assert_int_equal(abi->builtins[0].abi, 1);
	assert_int_equal(abi->builtins[1].abi, 0);

	const struct gl_abbrev *unit = gl_abi_abbrev(abi, 1);
	assert_int_equal(unit->tag, 0x11);
	assert_true(unit->has_children);
	assert_int_equal(unit->nattrs, 2);
	assert_int_equal(unit->attrs[1].attr, 0x13);
	assert_int_equal(unit->attrs[1].form, 0xb);
	assert_int_equal(gl_abi_abbrev(abi, 2)->nattrs, 0);
	assert_null(gl_abi_abbrev(abi, 0));
	assert_null(gl_abi_abbrev(abi, 3));
	assert_null(gl_abi_abbrev(abi, UINT64_MAX));
	gl_abi_free(abi);
}

static void a_field_that_moved_is_read_where_it_is_now(void **state)
{
	(void)state;
	say_all();
	edit("field\truntime.moduledata\tnext\t312\t8\n", "field\truntime.moduledata\tnext\t1288\t8\n");
	edit("struct\truntime.moduledata\t320\n", "struct\truntime.moduledata\t1296\n");
	struct gl_abi *abi = accept();
	assert_int_equal(abi->moduledata.next, 1288);
	assert_int_equal(abi->moduledata.size, 1296);
	assert_int_equal(abi->moduledata.gcbssmask, 296);
	gl_abi_free(abi);
}

static void a_struct_is_found_by_its_older_name(void **state)
{
	(void)state;
	say_all();
	edit("field\tinternal/abi.ITab\tInter\t0\t8\nfield\tinternal/abi.ITab\tType\t8\t8\n"
	     "field\tinternal/abi.ITab\tFun\t16\t8\nstruct\tinternal/abi.ITab\t24\n",
	     "field\truntime.itab\tinter\t8\t8\nfield\truntime.itab\t_type\t0\t8\n"
	     "field\truntime.itab\tfun\t24\t8\nstruct\truntime.itab\t32\n");
	struct gl_abi *abi = accept();
	assert_int_equal(abi->itab.Inter, 8);
	assert_int_equal(abi->itab.Type, 0);
	assert_int_equal(abi->itab.Fun, 24);
	assert_int_equal(abi->itab.size, 32);
	gl_abi_free(abi);
}

static void what_is_optional_and_absent_is_minus_one(void **state)
{
	(void)state;
	say_all();
	edit("field\truntime.m\tpcvalueCache\t8\t8\n", "");
	edit("field\truntime.pcvalueCache\tentries\t0\t8\nstruct\truntime.pcvalueCache\t8\n", "");
	edit("const\tR_SIZE\t8\n", "");
	struct gl_abi *abi = accept();
	assert_int_equal(abi->m.pcvalueCache, -1);
	assert_int_equal(abi->pcvalueCache.entries, -1);
	assert_int_equal(abi->pcvalueCache.size, 0);
	assert_int_equal(abi->R_SIZE, -1);
	gl_abi_free(abi);
}

static void anything_can_be_looked_up_by_name(void **state)
{
	(void)state;
	say_all();
	say("struct\truntime.hmap\t48\nfield\truntime.hmap\tB\t9\t1\nconst\truntime._"
	    "Gwaiting\t4\nconst\tBig\t99999999999\n");
	struct gl_abi *abi = accept();
	assert_int_equal(gl_abi_struct_size(abi, "runtime.hmap"), 48);
	assert_int_equal(gl_abi_field(abi, "runtime.hmap", "B"), 9);
	assert_int_equal(gl_abi_const(abi, "runtime._Gwaiting"), 4);
	assert_int_equal(gl_abi_field(abi, "runtime.hmap", "C"), -1);
	assert_int_equal(gl_abi_field(abi, "runtime.hma", "pB"), -1);
	assert_int_equal(gl_abi_field(abi, "", ""), -1);
	assert_int_equal(gl_abi_struct_size(abi, "runtime.hma"), -1);
	assert_int_equal(gl_abi_struct_size(abi, "runtime.hmap\tB"), -1);
	assert_int_equal(gl_abi_const(abi, "runtime._Gwaitin"), -1);
	assert_int_equal(gl_abi_const(abi, "Big"), -1); /* no int holds it */
	gl_abi_free(abi);
}

/* ---- what is refused ------------------------------------------------------------------------------------------ */

static void a_missing_field_is_named(void **state)
{
	(void)state;
	say_all();
	edit("field\truntime.moduledata\tfindfunctab\t56\t8\n", "");
	edit("const\tR_PCREL\t4\n", "");
	refuse(GL_EHOST, "go1.99.1: runtime.moduledata.findfunctab, R_PCREL");
}

static void a_missing_header_is_named(void **state)
{
	(void)state;
	say_all();
	edit("header\tgo object linux amd64 go1.99.1 GOAMD64=v3 X:a,b\n", "");
	edit("builtin\t0\truntime.newobject\t1\nbuiltin\t1\truntime.racefuncenter\t0\n", "");
	refuse(GL_EHOST, "go1.99.1: header, builtin");
}

static void a_list_of_what_is_missing_ends_somewhere(void **state)
{
	(void)state;
	text_len = 0;
	say("goloader-description\t1\n");
	refuse(GL_EHOST, "runtime.moduledata.pcHeader");
	refuse(GL_EHOST, "…");
}

static void a_field_outside_its_struct_is_refused(void **state)
{
	(void)state;
	say_all();
	edit("field\truntime.g\tgoid\t16\t8\n", "field\truntime.g\tgoid\t17\t8\n");
	refuse(GL_EFORMAT, "goid of runtime.g is 8 bytes at 17, but the struct has 24");
}

static void a_fact_stated_twice_is_refused(void **state)
{
	(void)state;
	say_all();
	say("field\truntime.g\tgoid\t8\t8\n");
	refuse(GL_EFORMAT, "states again what line");
	say_all();
	say("go\tgo1.98\n");
	refuse(GL_EFORMAT, "\"go\" is given a second time");
}

static void a_malformed_line_is_refused_by_its_number(void **state)
{
	static const char *const lines[] = {
		"field\truntime.x\ta\t0",
		"field\truntime.x\ta\t0\t8\t9",
		"field\truntime.x\ta\t-8\t8",
		"field\truntime.x\ta\t0x\t8",
		"field\truntime.x\ta\t99999999999999999999\t8",
		"field\truntime.x\ta\t100000000\t8",
		"field\t\ta\t0\t8",
		"field",
		"struct\truntime.x",
		"struct\truntime.x\t",
		"struct\t\t8",
		"const\tA",
		"const\tA\t",
		"const\tA\t1\t2",
		"const\tA\tB",
		"const\t\t1",
		"builtin\t3\truntime.x\t1",
		"builtin\t2\truntime.x\t2",
		"builtin\t2\t\t1",
		"abbrev\t3\t0x2e\t0",
		"abbrev\t4\t0x2e\t0\t",
		"abbrev\t3\t0x10000\t0\t",
		"abbrev\t3\t0x2e\t2\t",
		"abbrev\t3\t0x2e\t0\t0x3",
		"abbrev\t3\t0x2e\t0\t0x3:0",
		"abbrev\t3\t0x2e\t0\t0x3:0x8 :",
		"something\telse",
		"nothing",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unsigned line = 1;
		char says[32];

		say_all();
		for (size_t j = 0; j < text_len; j++)
			line += text[j] == '\n';
		say("%s\n", lines[i]);
		snprintf(says, sizeof(says), ":%u: ", line);
		refuse(GL_EFORMAT, says);
	}
}

static void a_foreign_file_is_refused(void **state)
{
	(void)state;
	text_len = 0;
	refuse(GL_EFORMAT, "no host description");
	say("\177ELF\2\1\1\n");
	refuse(GL_EFORMAT, "no host description");
	text_len = 0;
	say("goloader-description\t2\n");
	refuse(GL_EFORMAT, "no host description of version 1");
	say_all();
	text[text_len / 2] = '\0';
	refuse(GL_EFORMAT, "NUL");
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct gl_error err;
	(void)state;

	assert_null(gl_abi_read("/nonexistent/host.desc", &err));
	assert_int_equal(err.code, GL_EIO);
	assert_non_null(strstr(err.message, "/nonexistent/host.desc: No such file"));
	assert_null(gl_abi_read("/", &err));
	assert_int_equal(err.code, GL_EFORMAT);
}

static void a_file_cut_off_anywhere_is_refused(void **state)
{
	(void)state;
	say_all();
	size_t whole = text_len;
	for (size_t len = 0; len < whole; len += 7) {
		text_len = len;
		struct gl_error err;
		assert_null(read_text(&err));
		assert_true(err.code == GL_EFORMAT || err.code == GL_EHOST);
	}
}

/* Nothing may crash, whatever the bytes; what is accepted must have its offsets inside its structs. */
static void damage_does_no_harm(void **state)
{
	uint32_t seed = 1;
	(void)state;

	for (int round = 0; round < 3000; round++) {
		struct gl_error err;

		say_all();
		for (int hits = 0; hits < 3; hits++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % text_len] = "\t\n0129:- xR"[(seed >> 4) % 11];
		}
		struct gl_abi *abi = read_text(&err);
		if (abi == NULL) {
			assert_true(err.code == GL_EFORMAT || err.code == GL_EHOST);
			continue;
		}
#define X(s, field, names, need) assert_true(abi->s.field == -1 || (size_t)abi->s.field <= size_of);
#define S(s, names, FIELDS, size)                                                                                      \
	{                                                                                                              \
		size_t size_of = abi->s.size;                                                                          \
		FIELDS(X, s)                                                                                           \
	}
		GL_ABI_STRUCTS(S)
#undef S
#undef X
		gl_abi_free(abi);
	}
}

/* ---- the host of this tree ------------------------------------------------------------------------------------ */

static void the_default_hosts_description_is_complete(void **state)
{
	struct gl_error err;
	(void)state;

	struct gl_abi *abi = gl_abi_read(REAL, &err);
	if (abi == NULL) {
		fail_msg("%s", err.message);
		return;
	}
	assert_int_equal(strncmp(abi->go_version, "go1.", 4), 0);
	assert_non_null(strstr(abi->object_header, abi->go_version));
	assert_string_equal(abi->buildmode, "c-shared");
	assert_string_equal(abi->builtins[0].name, "runtime.newobject");
	assert_int_equal(abi->R_WEAK, 0x8000);
	assert_int_equal(abi->type.size, 48);
	assert_int_equal(gl_abi_field(abi, "runtime.g", "goid"), abi->g.goid);

	/* A function's entry, in whatever version of DWARF: it has a name first, and entries for its parameters inside.
	 */
	bool function = false;
	for (uint64_t code = 1; gl_abi_abbrev(abi, code) != NULL; code++) {
		const struct gl_abbrev *abbrev = gl_abi_abbrev(abi, code);
		function |= abbrev->tag == 0x2e && abbrev->has_children && abbrev->nattrs >= 5 &&
			    abbrev->attrs[0].attr == 0x3 && abbrev->attrs[0].form == 0x8;
	}
	assert_true(function);
	gl_abi_free(abi);
}

static void objects_of_other_levels_are_taken_and_of_other_gos_refused(void **state)
{
	(void)state;
	struct gl_abi abi = { .object_header = "go object linux amd64 go1.99.1 GOAMD64=v2 X:a,b" };
	static const struct {
		const char *header;
		const char *why; /* part of the message; NULL: it is taken */
	} cases[] = {
		{ "go object linux amd64 go1.99.1 GOAMD64=v2 X:a,b", NULL },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:a,b", NULL },
		/* no processor has it */
		{ "go object linux amd64 go1.99.1 GOAMD64=v9 X:a,b",
		  "was compiled for GOAMD64=v9, but this processor is v" },
		{ "go object linux amd64 go1.99.2 GOAMD64=v1 X:a,b", "was made by \"go object linux amd64 go1.99.2" },
		{ "go object linux amd64 go1.99.3 GOAMD64=v1 X:a,b",
		  "but the host needs \"go object linux amd64 go1.99.1" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:a", "GOEXPERIMENT=nob is what" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:ab,b,c", "GOEXPERIMENT=ab,c,noa is what" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v2 X:b,a", "was made by" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v", "was made by" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v11 X:a,b", "was made by" },
		{ "go object linux amd64 go1.99.1 X:a,b", "was made by" },
		/* experiments that change nothing which packages agree upon */
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:a,arenas,b", NULL },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:jsonv2,a,b,simd", NULL },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:a,jsonv,b", "GOEXPERIMENT=jsonv is what" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 X:simd", "GOEXPERIMENT=noa,nob is what" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1 Y:a,b", "was made by" },
		{ "go object linux amd64 go1.99.1 GOAMD64=v1", "was made by" },
		{ "", "was made by" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gl_error err = { 0 };
		int ret = gl_abi_check_header(&abi, "x.o", cases[i].header, strlen(cases[i].header), &err);
		if (cases[i].why == NULL) {
			assert_int_equal(ret, 0);
			continue;
		}
		assert_int_equal(ret, -1);
		assert_int_equal(err.code, GL_EMISMATCH);
		assert_non_null(strstr(err.message, cases[i].why));
		assert_non_null(strstr(err.message, "x.o "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_lands_in_its_member),
		cmocka_unit_test(headers_builtins_and_abbreviations_are_read),
		cmocka_unit_test(a_field_that_moved_is_read_where_it_is_now),
		cmocka_unit_test(a_struct_is_found_by_its_older_name),
		cmocka_unit_test(what_is_optional_and_absent_is_minus_one),
		cmocka_unit_test(anything_can_be_looked_up_by_name),
		cmocka_unit_test(a_missing_field_is_named),
		cmocka_unit_test(a_missing_header_is_named),
		cmocka_unit_test(a_list_of_what_is_missing_ends_somewhere),
		cmocka_unit_test(a_field_outside_its_struct_is_refused),
		cmocka_unit_test(a_fact_stated_twice_is_refused),
		cmocka_unit_test(a_malformed_line_is_refused_by_its_number),
		cmocka_unit_test(a_foreign_file_is_refused),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(a_file_cut_off_anywhere_is_refused),
		cmocka_unit_test(damage_does_no_harm),
		cmocka_unit_test(the_default_hosts_description_is_complete),
		cmocka_unit_test(objects_of_other_levels_are_taken_and_of_other_gos_refused),
	};

	return cmocka_run_group_tests_name("abi", tests, set_up, tear_down);
}
