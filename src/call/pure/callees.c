/* What the prover asks: who is called, and what is never written. */
#include <string.h>

#include "../../abi/runtime.h"
#include "../../image/image.h"
#include "pure.h"

struct known {
	const char *name; /* what follows "runtime.", or its beginning */
	enum gl_callee kind;
	int why;
	const char *does;
};

/* The first that fits wins. */
static const struct known knowns[] = {
	{ "morestack", GL_CALLEE_MORESTACK, 0, NULL },
	{ "panicCheck", GL_CALLEE_REFUSED, 0, "is a part of the runtime" },
	{ "panicIndex", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicSlice", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicBounds", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "goPanic", GL_CALLEE_PANIC, GL_PURE_BOUNDS, NULL },
	{ "panicdivide", GL_CALLEE_PANIC, GL_PURE_DIVIDE, NULL },
	{ "panicmem", GL_CALLEE_PANIC, GL_PURE_NIL, NULL },
	{ "panicnil", GL_CALLEE_PANIC, GL_PURE_NIL, NULL },
	{ "panic", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "gopanic", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "throw", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "fatal", GL_CALLEE_PANIC, GL_PURE_PANIC, NULL },
	{ "newobject", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "malloc", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "makeslice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "growslice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "moveSlice", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "concat", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "slicebyte", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "slicerune", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "stringto", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "intstring", GL_CALLEE_REFUSED, 0, "allocates" },
	{ "convT", GL_CALLEE_REFUSED, 0, "allocates what an interface holds" },
	{ "gcWriteBarrier", GL_CALLEE_REFUSED, 0, "tells the collector of a pointer that is stored" },
	{ "wb", GL_CALLEE_REFUSED, 0, "tells the collector of pointers that are stored" },
	{ "typed", GL_CALLEE_REFUSED, 0, "tells the collector of pointers that are stored" },
	{ "makemap", GL_CALLEE_REFUSED, 0, "makes a map" },
	{ "map", GL_CALLEE_REFUSED, 0, "works on a map" },
	{ "makechan", GL_CALLEE_REFUSED, 0, "makes a channel" },
	{ "chan", GL_CALLEE_REFUSED, 0, "works on a channel" },
	{ "closechan", GL_CALLEE_REFUSED, 0, "works on a channel" },
	{ "select", GL_CALLEE_REFUSED, 0, "works on channels" },
	{ "block", GL_CALLEE_REFUSED, 0, "waits for ever" },
	{ "newproc", GL_CALLEE_REFUSED, 0, "starts a goroutine" },
	{ "defer", GL_CALLEE_REFUSED, 0, "keeps account of deferred calls" },
	{ "gorecover", GL_CALLEE_REFUSED, 0, "recovers from panics" },
	{ "assert", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "typeAssert", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "interface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "iface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "eface", GL_CALLEE_REFUSED, 0, "looks into an interface" },
	{ "print", GL_CALLEE_REFUSED, 0, "writes to standard error" },
	{ "race", GL_CALLEE_REFUSED, 0, "reports to the race detector" },
	/* what is code like any other */
	{ "memmove", GL_CALLEE_CODE, 0, NULL },
	{ "memclrNoHeapPointers", GL_CALLEE_CODE, 0, NULL },
	{ "memequal", GL_CALLEE_CODE, 0, NULL },
	{ "cmpstring", GL_CALLEE_CODE, 0, NULL },
	{ "decoderune", GL_CALLEE_CODE, 0, NULL },
	{ "countrunes", GL_CALLEE_CODE, 0, NULL },
	{ "duff", GL_CALLEE_CODE, 0, NULL },
	{ "fmin", GL_CALLEE_CODE, 0, NULL },
	{ "fmax", GL_CALLEE_CODE, 0, NULL },
	{ "forbits", GL_CALLEE_CODE, 0, NULL },
	{ "fandbits", GL_CALLEE_CODE, 0, NULL },
	{ "", GL_CALLEE_REFUSED, 0, "is a part of the runtime" },
};

static bool starts_with(const char *s, const char *start) { return strncmp(s, start, strlen(start)) == 0; }

/* Who is called by nearly every function: to know them by their addresses saves reading the host's table of symbols. */
static const char *const frequent[] = {
	"runtime.morestack_noctxt.abi0",
	"runtime.morestack.abi0",
	"runtime.panicBounds",
	"runtime.panicIndex",
	"runtime.panicIndexU",
	"runtime.panicSliceB",
	"runtime.panicSliceAcap",
	"runtime.panicdivide",
	"runtime.panicshift",
	"runtime.gopanic",
};
enum { NFREQUENT = sizeof(frequent) / sizeof(frequent[0]) };

struct world {
	const struct gl_module *mod;
	uintptr_t frequent[NFREQUENT];
};

static void find_frequent(struct world *w)
{
	struct gl_image *image = gl_host_image(gl_module_host(w->mod));

	for (size_t i = 0; i < NFREQUENT; i++) {
		struct gl_image_sym sym;
		w->frequent[i] = gl_image_lookup(image, frequent[i], strlen(frequent[i]), &sym) ? sym.addr : 0;
	}
}

static void know_runtime(struct gl_routine *code)
{
	const struct known *k = knowns;

	while (!starts_with(code->name + strlen("runtime."), k->name)) {
		k++;
	}
	code->kind = k->kind;
	code->why = k->why;
	code->does = k->does;
}

static bool find_code(void *arg, uintptr_t addr, struct gl_routine *code)
{
	const struct world *w = arg;
	struct gl_module_symbol sym;

	for (size_t i = 0; i < NFREQUENT; i++) {
		if (addr != 0 && w->frequent[i] == addr) {
			*code = (struct gl_routine){ .name = frequent[i], .addr = addr, .end = addr + 1 };
			know_runtime(code);
			return true;
		}
	}
	if (!gl_module_find_symbol(w->mod, addr, &sym) || (sym.kind | 32) != 't' || sym.size == 0) {
		return false;
	}
	*code = (struct gl_routine){
		.name = sym.name, .addr = sym.addr, .end = sym.addr + sym.size, .kind = GL_CALLEE_CODE
	};
	if (starts_with(sym.name, "runtime.")) {
		know_runtime(code);
	}
	return true;
}

/* The compiler's names for what it writes to memory that is sealed once it is relocated: dictionaries,
 * "pkg..dict.F[int]", and jump tables, "pkg.F.jump3". Variables have one dot behind the path. */
static bool is_sealed(const char *name)
{
	const char *slash = strrchr(name, '/'), *dot = strchr(slash != NULL ? slash : name, '.');
	const char *jump = dot != NULL ? strstr(dot + 1, ".jump") : NULL;

	if (strstr(name, "..dict.") != NULL) {
		return true;
	}
	return jump != NULL && jump[5] != '\0' && jump[5 + strspn(jump + 5, "0123456789")] == '\0';
}

static bool is_constant(void *arg, uintptr_t addr, size_t size)
{
	const struct gl_module *mod = ((const struct world *)arg)->mod;
	const struct gl_image *image = gl_host_image(gl_module_host(mod));
	struct gl_module_symbol sym;

	if (addr >= gl_image_low(image) && addr < gl_image_high(image)) {
		return gl_module_find_symbol(mod, addr, &sym) && addr + size <= sym.addr + sym.size &&
		       is_sealed(sym.name);
	}
	return gl_module_find_symbol(mod, addr, &sym) && (sym.kind | 32) == 'r' && addr + size <= sym.addr + sym.size;
}

static int64_t symbolize(const void *arg, uintptr_t addr, const char **name)
{
	return gl_module_symbolize(((const struct world *)arg)->mod, addr, name);
}

int gl_pure_prove(struct gl_prover *prover, const struct gl_module *mod, uintptr_t addr,
		  const struct gl_pure_shape *shape, bool all_remarks, struct gl_proof **proof, struct gl_error *err)
{
	const struct gl_abi *abi = gl_host_abi(gl_module_host(mod));
	struct world world = { .mod = mod };
	struct gl_prove_env env = {
		.find_code = find_code,
		.is_constant = is_constant,
		.symbolize = symbolize,
		.arg = &world,
		.stackguard = gl_runtime_stackguard(abi),
	};

	find_frequent(&world);
	return gl_prove(prover, &env, addr, shape->words, shape->nints, all_remarks, proof, err);
}
