/* Signatures from DWARF.
 *
 * A function's DWARF is one entry with children: parameters, results, variables, blocks, inlined calls.
 *
 *     subprogram "main.Add"
 *         formal_parameter "a"    type: relocation to go:info.int
 *         formal_parameter "~r0"  variable_parameter (that is, a result)
 *         inlined_subroutine …    has parameters of its own, a level deeper
 *
 * A function that was inlined somewhere keeps names and types in an abstract entry (go:info.main.Add$abstract), and its
 * own children refer to those by offset. Children stand in the order of declaration (sortDeclsAndVars in
 * cmd/compile/internal/dwarfgen/dwarf.go, putAbstractVar and putvar in cmd/internal/dwarf/dwarf.go).
 *
 * The bytes are read with the host's own abbreviations, which its description lists. */
#include "signature.h"
#include "params.h"

#include <stdlib.h>
#include <string.h>

#include "dies.h"
#include "dwarf.h"

static const char type_prefix[] = "go:info.";

/* ---- a function's parameters ------------------------------------------------------------------------------------- */

static bool is_name(struct gl_str s, const char *name) { return strlen(name) == s.n && memcmp(name, s.p, s.n) == 0; }

static void add_param(struct params *ps, const struct die *die)
{
	size_t prefix = sizeof(type_prefix) - 1;

	/* a result that lives on the heap or that recover may change has two entries before Go 1.27 */
	for (uint32_t i = 0; i < ps->n; i++) {
		if (strcmp(ps->list[i].name, "_") != 0 && is_name(die->name, ps->list[i].name)) {
			return;
		}
	}

	if (die->type.n <= prefix || memcmp(die->type.p, type_prefix, prefix) != 0) {
		ps->partial = true; /* a type parameter has an entry of the function's own */
		return;
	}
	params_add(ps,
		   (struct gl_sigparam){ .name = gl_pool_string(ps->pool, die->name.p, die->name.n),
					 .type = gl_pool_string(ps->pool, die->type.p + prefix, die->type.n - prefix),
					 .is_result = die->is_result });
}

/* Collects the parameters that are children of the entry just read. Those that refer to an abstract entry have no name
 * and are skipped, as that one has given them already. */
static void collect(struct die_reader *r, struct params *ps)
{
	for (uint32_t depth = 1; depth > 0 && !r->bad;) {
		struct die die = die_read(r);
		if (die.tag == 0) {
			depth--;
			continue;
		}
		if (depth == 1 && die.tag == DIE_FORMAL_PARAMETER && die.name.n > 0) {
			add_param(ps, &die);
		}
		if (die.has_children) {
			depth++;
		}
	}
}

/* Counts the parameters that the function's traceback data describes, blank ones included, or returns -1 where the
 * list was cut (it holds ten words at most). internal/abi/type.go, "TraceArgs". */
static int64_t count_traced(const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi)
{
	enum { LAST = 0xff, START = 0xfe, END = 0xfd, CUT = 0xfc, FAR = 0xfb };
	uint32_t info = die_find_aux(obj, sym, GL_AUX_FUNCDATA, (uint32_t)abi->FUNCDATA_ArgInfo), size;
	int64_t count = 0;
	int depth = 0;

	if (info >= gl_object_nsyms(obj)) {
		return 0;
	}
	const uint8_t *p = gl_object_data(obj, info, &size);
	for (uint32_t i = 0; i < size; i++) {
		switch (p[i]) {
		case LAST: return count;
		case START: count += depth++ == 0; break;
		case END: depth--; break;
		case CUT:
			if (depth == 0) {
				return -1;
			}
			break;
		case FAR: count += depth == 0; break;
		default: count += depth == 0; i++; /* the size follows the offset */
		}
	}
	return size == 0 ? 0 : -1;
}

/* Does the function range over a function? Then its unnamed results are called #rv1, …, and DWARF leaves them out. The
 * loop's body is a function of its own, F-range1, which F mentions or has inlined. */
static bool ranges_over_func(const struct gl_object *obj, uint32_t sym)
{
	static const char suffix[] = "-range";
	struct gl_str fn = gl_object_sym(obj, sym).name;
	uint32_t nrelocs = gl_object_nrelocs(obj, sym);
	struct gl_funcinfo fi = { 0 };

	if (!gl_object_funcinfo(obj, sym, &fi)) {
		fi.ninltree = 0;
	}
	for (uint32_t i = 0; i < nrelocs + fi.ninltree; i++) {
		struct gl_symref ref =
			i < nrelocs ? gl_object_reloc(obj, sym, i).sym : gl_funcinfo_inlnode(&fi, i - nrelocs).func;
		struct gl_str name = gl_object_symref_name(obj, ref);
		if (name.n > fn.n + sizeof(suffix) - 1 && memcmp(name.p, fn.p, fn.n) == 0 &&
		    memcmp(name.p + fn.n, suffix, sizeof(suffix) - 1) == 0) {
			return true;
		}
	}
	return false;
}

int dwarf_read(struct owned_signature *own, const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi,
	       struct gl_error *err)
{
	struct params ps = { .pool = &own->pool };
	struct die_reader r, abstract;
	int ret = -1;

	if (gl_object_from_assembly(obj)) {
		return 0; /* it has an entry, but the assembler knows no types */
	}
	if (!die_open(&r, obj, die_find_aux(obj, sym, GL_AUX_DWARFINFO, 0), abi) || r.size == 0) {
		return 0;
	}
	struct die fn = die_read(&r);
	if (fn.tag != DIE_SUBPROGRAM) {
		r.bad = true;
	}
	if (!r.bad && fn.origin.sym != UINT32_MAX) {
		if (!die_open(&abstract, obj, fn.origin.sym, abi)) {
			r.bad = true;
		} else {
			die_read(&abstract);
			collect(&abstract, &ps);
			r.bad = abstract.bad;
		}
	}
	if (!r.bad && fn.has_children) {
		collect(&r, &ps);
	}
	if (r.bad) {
		struct gl_str name = gl_object_sym(obj, sym).name;
		gl_fail(err, GL_EFORMAT, "%s: the DWARF of %.*s is corrupt at byte %u",
			gl_package_file(gl_object_package(obj)), (int)(name.n < 200 ? name.n : 200), name.p, r.pos);
		goto done;
	}
	if (params_finish(own, &ps, err) != 0) {
		goto done;
	}
	/* a wrapper around assembly has no parameters in DWARF */
	own->sig.typed = !ps.partial && !fn.is_wrapper && !ranges_over_func(obj, sym) &&
			 count_traced(obj, sym, abi) == (int64_t)own->sig.nparams;
	if (!own->sig.typed) {
		own->sig = (struct gl_signature){ 0 };
	}
	ret = 0;
done:
	free(ps.list);
	return ret;
}

int gl_signature_read(const struct gl_object *obj, uint32_t sym, const struct gl_abi *abi, struct gl_signature **out,
		      struct gl_error *err)
{
	struct owned_signature *own = calloc(1, sizeof(*own));

	*out = NULL;
	if (own == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	if (dwarf_read(own, obj, sym, abi, err) != 0) {
		gl_signature_free(&own->sig);
		return -1;
	}
	*out = &own->sig;
	return 0;
}
