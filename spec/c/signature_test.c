/* Signatures: what spec/testdata/signatures declares, read back from its compiled object.
 *
 * The fixture states in comments what each export must read as, so that this file holds no second copy of it. It is
 * compiled by the Go that built build/host/default (or the host in the directory GOLOADER_TEST_HOST). */
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

#include "object/signature.h"

static const char fixture[] = "spec/testdata/signatures";
static const char prefix[] = "example.com/sigs%2ev2"; /* PKG in the fixture's comments */

static struct {
	char dir[64]; /* objects: whole.a, nodwarf.a, linkobj.o, bare.o */
	struct gl_abi *abi;
} env;

static void run(const char *fmt, ...)
{
	char command[3 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0) {
		fail_msg("failed: %s", command);
	}
}

static int setup(void **state)
{
	const char *host = getenv("GOLOADER_TEST_HOST");
	char path[PATH_MAX], root[512], go[PATH_MAX];
	struct gl_error err;

	(void)state;
	host = host != NULL ? host : "build/host/default";
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.desc", host);
	env.abi = gl_abi_read(path, &err);
	if (env.abi == NULL) {
		print_error("%s\n", err.message);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/libgoloader_host.so.goroot", host);
	FILE *f = fopen(path, "r");
	if (f == NULL || fgets(root, sizeof(root), f) == NULL) {
		print_error("%s can't be read\n", path);
		return -1;
	}
	fclose(f);
	root[strcspn(root, "\n")] = '\0';

	strcpy(env.dir, "/tmp/goloader-signature-XXXXXX");
	if (mkdtemp(env.dir) == NULL) {
		return -1;
	}
	snprintf(go, sizeof(go), "GOROOT=%s GOTOOLCHAIN=local GOFLAGS= GOWORK=off %s/bin/go", root, root);
	run("cd %s && %s build -o %s/whole.a .", fixture, go, env.dir);
	run("cd %s && %s build -gcflags=-dwarf=false -o %s/nodwarf.a .", fixture, go, env.dir);
	/* the two halves that a build system keeps apart: for the linker, and for those who import the package */
	run("cd %s && %s list -export -deps -f '{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}' . "
	    ">%s/importcfg",
	    fixture, go, env.dir);
	run("cd %s && for flag in true false; do %s tool compile -p example.com/sigs.v2 -importcfg %s/importcfg"
	    " -symabis /dev/null -dwarf=$flag -linkobj %s/linkobj-$flag.o -o %s/import-$flag.a"
	    " $(%s list -f '{{join .GoFiles \" \"}}') || exit; done",
	    fixture, go, env.dir, env.dir, env.dir, go);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gl_abi_free(env.abi);
	run("rm -rf %s", env.dir);
	return 0;
}

static struct gl_package *open_object(const char *name)
{
	char path[PATH_MAX];
	struct gl_error err;

	snprintf(path, sizeof(path), "%s/%s", env.dir, name);
	struct gl_package *pkg = gl_package_open(path, NULL, env.abi, &err);
	if (pkg == NULL) {
		fail_msg("%s", err.message);
	}
	return pkg;
}

static struct gl_declarations *read_declarations(const struct gl_package *pkg)
{
	struct gl_declarations *decls;
	struct gl_error err;

	if (gl_declarations_read(pkg, env.abi, GL_DECLARATIONS_OWN, &decls, &err) != 0) {
		fail_msg("%s", err.message);
	}
	return decls;
}

static const struct gl_declaration *find(const struct gl_declarations *decls, const char *name)
{
	for (uint32_t i = 0; i < decls->n; i++) {
		if (strcmp(decls->list[i].name, name) == 0) {
			return &decls->list[i];
		}
	}
	return NULL;
}

/* Was the object compiled from that file, too? */
static bool has_file(const struct gl_package *pkg, const char *base)
{
	const struct gl_object *obj = gl_package_object(pkg, 0);

	for (uint32_t i = 0; i < gl_object_nfiles(obj); i++) {
		struct gl_str file = gl_object_file(obj, i);
		size_t n = strlen(base);
		if (file.n >= n && memcmp(file.p + file.n - n, base, n) == 0) {
			return true;
		}
	}
	return false;
}

struct want {
	char name[64];
	char text[1024];
	bool hidden;   /* DWARF alone may not tell it */
	bool declared; /* it is no symbol: a constant, a type, a generic function */
};

/* The next "// want" line of the fixture; false at its end. */
static bool next_want(FILE *f, struct want *w)
{
	char line[1024];

	while (fgets(line, sizeof(line), f) != NULL) {
		char kind[16];
		int at = 0;
		if (sscanf(line, " // %15s %63s %n", kind, w->name, &at) < 2 || at == 0 ||
		    (strcmp(kind, "want") != 0 && strcmp(kind, "hidden") != 0 && strcmp(kind, "declared") != 0)) {
			continue;
		}
		w->hidden = strcmp(kind, "hidden") == 0;
		w->declared = strcmp(kind, "declared") == 0;
		line[strcspn(line, "\n")] = '\0';
		size_t n = 0;
		for (const char *p = line + at; *p != '\0' && n < sizeof(w->text) - sizeof(prefix); p++) {
			if (strncmp(p, "PKG", 3) == 0) {
				memcpy(w->text + n, prefix, sizeof(prefix) - 1);
				n += sizeof(prefix) - 1;
				p += 2;
			} else {
				w->text[n++] = *p;
			}
		}
		w->text[n] = '\0';
		return true;
	}
	return false;
}

static void each_want(const struct gl_package *pkg, void (*check)(const struct want *w, void *arg), void *arg)
{
	static const char *const files[] = { "signatures.go", "generic_alias.go" };

	for (size_t i = 0; i < 2; i++) {
		char path[PATH_MAX];
		struct want w;
		if (!has_file(pkg, files[i])) {
			assert_int_equal(i, 1); /* only the second is for newer compilers */
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", fixture, files[i]);
		FILE *f = fopen(path, "r");
		assert_non_null(f);
		while (next_want(f, &w)) {
			check(&w, arg);
		}
		fclose(f);
	}
}

struct exports {
	const struct gl_package *pkg;
	const struct gl_declarations *decls;
	uint32_t seen;
};

static void check_declared(const struct want *w, void *arg)
{
	struct exports *x = arg;
	const struct gl_declaration *decl = find(x->decls, w->name);

	if (decl == NULL) {
		fail_msg("%s is not among the exports", w->name);
		return;
	}
	char *got = gl_declaration_string(decl);
	assert_string_equal(got, w->text);
	free(got);
	assert_int_equal(decl->sym == UINT32_MAX, w->declared);
	x->seen++;
}

static void test_every_export_reads_as_declared(void **state)
{
	struct gl_package *pkg = open_object("whole.a");
	struct gl_declarations *decls = read_declarations(pkg);
	struct exports x = { pkg, decls, 0 };

	(void)state;
	each_want(pkg, check_declared, &x);
	/* and nothing else is one: no method, instance, closure or title-case letter */
	assert_int_equal(decls->n, x.seen);
	assert_true(x.seen > 30);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

static void test_export_data_needs_no_dwarf(void **state)
{
	struct gl_package *pkg = open_object("nodwarf.a");
	struct gl_declarations *decls = read_declarations(pkg);
	struct exports x = { pkg, decls, 0 };

	(void)state;
	each_want(pkg, check_declared, &x);
	assert_int_equal(decls->n, x.seen);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

static void test_what_a_function_does_not_keep_is_lent(void **state)
{
	struct gl_package *pkg = open_object("nodwarf.a");
	struct gl_declarations *decls = read_declarations(pkg);
	const struct gl_sigparam *lent = find(decls, "Lent")->signature.params;
	const struct gl_sigparam *kept = find(decls, "Kept")->signature.params;

	(void)state;
	assert_true(lent[0].is_lent && lent[1].is_lent);
	assert_true(!kept[0].is_lent && kept[1].is_lent && !kept[2].is_lent && !kept[3].is_lent);
	assert_false(kept[4].is_lent);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

static void test_each_export_has_its_symbol(void **state)
{
	struct gl_package *pkg = open_object("whole.a");
	struct gl_declarations *decls = read_declarations(pkg);

	(void)state;
	for (uint32_t i = 0; i < decls->n; i++) {
		char want[256];
		if (decls->list[i].sym == UINT32_MAX) {
			continue; /* a constant, a type, or a generic function */
		}
		struct gl_sym sym = gl_object_sym(gl_package_object(pkg, decls->list[i].object), decls->list[i].sym);
		snprintf(want, sizeof(want), "%s.%s", prefix, decls->list[i].name);
		assert_int_equal(sym.name.n, strlen(want));
		assert_memory_equal(sym.name.p, want, sym.name.n);
		if (decls->list[i].kind == GL_DECLARES_FUNC) {
			assert_int_equal(sym.type, env.abi->STEXT);
			assert_int_equal(sym.abi, GL_ABIINTERNAL);
		} else {
			assert_int_not_equal(sym.type, env.abi->STEXT);
		}
	}
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

/* DWARF names no "...", but apart from that it agrees, or says that it does not know. */
static void check_dwarf(const struct want *w, void *arg)
{
	struct exports *x = arg;
	const struct gl_declaration *decl = find(x->decls, w->name);
	struct gl_signature *sig;
	struct gl_error err;

	assert_non_null(decl);
	if (decl->kind != GL_DECLARES_FUNC || w->declared) {
		return;
	}
	const struct gl_object *obj = gl_package_object(x->pkg, decl->object);
	if (gl_signature_read(obj, decl->sym, env.abi, &sig, &err) != 0) {
		fail_msg("%s", err.message);
	}
	if (!sig->typed && !w->hidden) {
		fail_msg("DWARF does not type %s", w->name);
	}
	if (sig->typed) {
		const struct gl_signature *have = &decl->signature;
		assert_int_equal(sig->nparams, have->nparams);
		assert_int_equal(sig->nresults, have->nresults);
		for (uint32_t i = 0; i < have->nparams + have->nresults; i++) {
			assert_string_equal(sig->params[i].type, have->params[i].type);
			assert_int_equal(sig->params[i].is_result, i >= have->nparams);
			if (sig->params[i].name[0] != '\0') {
				assert_string_equal(sig->params[i].name, have->params[i].name);
			}
		}
		x->seen++;
	}
	gl_signature_free(sig);
}

static void test_dwarf_agrees_with_export_data(void **state)
{
	struct gl_package *pkg = open_object("whole.a");
	struct gl_declarations *decls = read_declarations(pkg);
	struct exports x = { pkg, decls, 0 };

	(void)state;
	each_want(pkg, check_dwarf, &x);
	assert_true(x.seen > 20);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

/* Without export data DWARF gives the signatures, and no wrong one. */
static void check_linkobj(const struct want *w, void *arg)
{
	struct exports *x = arg;
	const struct gl_declaration *decl = find(x->decls, w->name);

	if (w->declared || strcmp(w->name, "Asm") == 0) {
		return; /* only export data tells it; its body is in no object here */
	}
	assert_non_null(decl);
	x->seen++;
	if (decl->kind != GL_DECLARES_FUNC) {
		assert_true(decl->signature.typed);
		assert_string_equal(decl->signature.params[0].type, w->text);
	} else if (!w->hidden) {
		char *got = gl_declaration_string(decl);
		assert_string_equal(got, w->text);
		free(got);
	}
}

static void test_dwarf_types_an_object_without_export_data(void **state)
{
	struct gl_package *pkg = open_object("linkobj-true.o");
	struct gl_declarations *decls = read_declarations(pkg);
	struct exports x = { pkg, decls, 0 };
	size_t size;

	(void)state;
	assert_null(gl_package_exports(pkg, &size));
	each_want(pkg, check_linkobj, &x);
	assert_int_equal(decls->n, x.seen);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

static void test_neither_source_leaves_functions_untyped(void **state)
{
	struct gl_package *pkg = open_object("linkobj-false.o");
	struct gl_declarations *decls = read_declarations(pkg);

	(void)state;
	const struct gl_declaration *decl = find(decls, "Two");
	assert_non_null(decl);
	assert_false(decl->signature.typed);
	assert_int_equal(decl->signature.nparams, 0);
	char *got = gl_declaration_string(decl);
	assert_string_equal(got, "func(…)");
	free(got);
	gl_declarations_free(decls);
	gl_package_close(pkg);
}

/* ---- corruption ---------------------------------------------------------------------------------------------------
 */

static void test_corrupt_export_data_is_an_error(void **state)
{
	char path[PATH_MAX];
	struct gl_package *pkg = open_object("whole.a");
	size_t size;
	const uint8_t *exports = gl_package_exports(pkg, &size);
	struct gl_declarations *decls;
	struct gl_error err;

	(void)state;
	snprintf(path, sizeof(path), "%s/whole.a", env.dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	static uint8_t file[1 << 22];
	size_t n = fread(file, 1, sizeof(file), f);
	fclose(f);
	assert_int_equal(n, gl_package_size(pkg));
	const uint8_t *at = memmem(file, n, exports, 256);
	assert_non_null(at);
	gl_package_close(pkg);

	/* the ends of the elements: 'u', version, flags, ten sections, then these */
	memset(file + (at - file) + 1 + 4 + 4 + 40 + 400, 0xff, 400);
	snprintf(path, sizeof(path), "%s/corrupt.a", env.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(file, 1, n, f), n);
	fclose(f);
	pkg = open_object("corrupt.a");
	assert_int_equal(gl_declarations_read(pkg, env.abi, GL_DECLARATIONS_OWN, &decls, &err), -1);
	assert_int_equal(err.code, GL_EFORMAT);
	assert_non_null(strstr(err.message, "corrupt.a: the export data is corrupt"));
	gl_package_close(pkg);
}

/* Whatever byte of it is wrong: what is read then is something else, or an error. */
static void test_no_corruption_of_export_data_is_more_than_an_error(void **state)
{
	static const uint8_t wrong[] = { 0x00, 0x01, 0x7f, 0xff };
	static uint8_t file[1 << 22];
	char path[PATH_MAX];
	size_t size, failed = 0;
	struct gl_error err;

	(void)state;
	snprintf(path, sizeof(path), "%s/whole.a", env.dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(file, 1, sizeof(file), f);
	fclose(f);
	struct gl_package *pkg = gl_package_open_bytes("whole.a", file, n, NULL, env.abi, &err);
	assert_non_null(pkg);
	const uint8_t *exports = gl_package_exports(pkg, &size);
	uint8_t *at = memmem(file, n, exports, 256);
	assert_non_null(at);
	for (size_t i = 0; i < size; i += 11) {
		uint8_t right = at[i];
		struct gl_declarations *decls;
		at[i] = wrong[i % sizeof(wrong)];
		if (gl_declarations_read(pkg, env.abi, GL_DECLARATIONS_OWN, &decls, &err) != 0) {
			assert_int_equal(err.code, GL_EFORMAT);
			failed++;
		} else {
			for (uint32_t d = 0; d < decls->n; d++) {
				free(gl_declaration_string(&decls->list[d]));
			}
			gl_declarations_free(decls);
		}
		at[i] = right;
	}
	assert_true(failed > 100);
	gl_package_close(pkg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_export_reads_as_declared),
		cmocka_unit_test(test_export_data_needs_no_dwarf),
		cmocka_unit_test(test_what_a_function_does_not_keep_is_lent),
		cmocka_unit_test(test_each_export_has_its_symbol),
		cmocka_unit_test(test_dwarf_agrees_with_export_data),
		cmocka_unit_test(test_dwarf_types_an_object_without_export_data),
		cmocka_unit_test(test_neither_source_leaves_functions_untyped),
		cmocka_unit_test(test_corrupt_export_data_is_an_error),
		cmocka_unit_test(test_no_corruption_of_export_data_is_more_than_an_error),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
