/* Listings of machine code (see disasm.h), by way of capstone.
 *
 * Decoding is capstone's. What is ours is to say which address an instruction refers to, and who lives there. In an
 * object that place is still empty, and a relocation within the instruction's bytes tells; in memory the operand tells.
 * All that depends on the processor is the table below the next line. */
#include "disasm.h"

#include "capstone.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../object/pool.h"

/* ---- processors ---------------------------------------------------------------------------------------------------
 */

/* What an instruction refers to. */
struct target {
	enum { TARGET_NONE, TARGET_CODE, TARGET_DATA } kind;
	uint64_t addr;
};

struct processor {
	const char *goarch;
	cs_arch arch;
	cs_mode mode;
	unsigned align; /* of instructions, in bytes: how far to go on after one that can't be decoded */
	struct target (*find_target)(const struct capstone *cs, const cs_insn *insn);
};

static struct target amd64_target(const struct capstone *cs, const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	bool jumps = cs->insn_group(cs->handle, insn, CS_GRP_JUMP) || cs->insn_group(cs->handle, insn, CS_GRP_CALL);

	for (uint8_t i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];
		if (jumps && op->type == X86_OP_IMM) {
			return (struct target){ TARGET_CODE, (uint64_t)op->imm };
		}
		if (op->type == X86_OP_MEM && op->mem.base == X86_REG_RIP) {
			return (struct target){ TARGET_DATA, insn->address + insn->size + (uint64_t)op->mem.disp };
		}
	}
	return (struct target){ TARGET_NONE, 0 };
}

static const struct processor processors[] = {
	{ "amd64", CS_ARCH_X86, CS_MODE_64, 1, amd64_target },
};

static const struct processor *find_processor(const char *goarch, struct gl_error *err)
{
	for (size_t i = 0; i < sizeof(processors) / sizeof(processors[0]); i++) {
		if (strcmp(processors[i].goarch, goarch) == 0) {
			return &processors[i];
		}
	}
	gl_fail(err, GL_EUNSUPPORTED, "no listings for the processor \"%s\" yet", goarch);
	return NULL;
}

/* ---- instructions -------------------------------------------------------------------------------------------------
 */

struct owned {
	struct gl_listings listings;
	struct gl_listing *list;
	size_t cap;
	struct gl_pool pool;
};

/* One function on its way to be a listing. */
struct code {
	const char *name;
	const uint8_t *bytes;
	size_t size;
	uint64_t addr;
	/* an object's function: */
	const struct gl_object *obj;
	const struct gl_abi *abi;
	uint32_t sym;
	/* code in memory: */
	gl_symbolize_fn *symbolize;
	const void *arg;
};

static struct gl_str ref_name(const struct code *code, struct gl_symref ref, char *buf, size_t size)
{
	if (ref.pkg == GL_PKG_BUILTIN) {
		if (ref.sym < code->abi->nbuiltins) {
			const char *name = code->abi->builtins[ref.sym].name;
			return (struct gl_str){ name, (uint32_t)strlen(name) };
		}
		return (struct gl_str){ buf, (uint32_t)snprintf(buf, size, "builtin %" PRIu32, ref.sym) };
	}
	uint32_t local = gl_object_local(code->obj, ref);
	struct gl_str name =
		local != UINT32_MAX ? gl_object_sym(code->obj, local).name : gl_object_refname(code->obj, ref);
	if (name.n == 0) {
		return (struct gl_str){ buf, (uint32_t)snprintf(buf, size, "symbol %" PRIu32, local) };
	}
	return name;
}

static const char *reloc_name(const struct gl_abi *abi, uint16_t type)
{
#define X(name, need)                                                                                                  \
	if (strncmp(#name, "R_", 2) == 0 && abi->name == type) {                                                       \
		return #name;                                                                                          \
	}
	GL_ABI_CONSTS(X)
#undef X
	return NULL;
}

/* Adds what the relocations within the instruction at off say. *first moves past those before it: they are in order. */
static void add_relocs(struct gl_text *t, const struct code *code, size_t off, size_t size, uint32_t *first)
{
	uint32_t n = gl_object_nrelocs(code->obj, code->sym);

	for (uint32_t i = *first; i < n; i++) {
		struct gl_reloc r = gl_object_reloc(code->obj, code->sym, i);
		char buf[64];
		if (r.off < (int64_t)off) {
			*first = i + 1;
			continue;
		}
		if (r.off >= (int64_t)(off + size)) {
			break;
		}
		if (r.size == 0 || (r.sym.pkg == GL_PKG_INVALID && r.sym.sym == 0)) {
			continue; /* a marker: it keeps a type alive and touches no byte */
		}
		/* weak: bound only when something else keeps its target */
		const char *type = reloc_name(code->abi, (uint16_t)(r.type & ~code->abi->R_WEAK));
		if (type == NULL) {
			snprintf(buf, sizeof(buf), "R_%u", r.type);
			type = buf;
		}
		gl_text_puts(t, t->n > 0 ? ", " : "");
		gl_text_puts(t, type);
		gl_text_puts(t, " ");
		struct gl_str name = ref_name(code, r.sym, buf, sizeof(buf));
		gl_text_add(t, name.p, name.n);
		if (r.add != 0) {
			uint64_t add = r.add < 0 ? -(uint64_t)r.add : (uint64_t)r.add;
			snprintf(buf, sizeof(buf), "%c0x%" PRIx64, r.add < 0 ? '-' : '+', add);
			gl_text_puts(t, buf);
		}
	}
}

static void add_target(struct gl_text *t, const struct code *code, struct target target)
{
	const char *name;
	char buf[32];

	if (target.kind == TARGET_CODE && target.addr >= code->addr && target.addr < code->addr + code->size) {
		snprintf(buf, sizeof(buf), "+0x%" PRIx64, target.addr - code->addr);
		gl_text_puts(t, buf);
	} else if (target.kind != TARGET_NONE && code->symbolize != NULL) {
		int64_t off = code->symbolize(code->arg, (uintptr_t)target.addr, &name);
		if (off >= 0) {
			gl_text_puts(t, name);
			if (off > 0) {
				snprintf(buf, sizeof(buf), "+0x%" PRIx64, (uint64_t)off);
				gl_text_puts(t, buf);
			}
		}
	}
}

struct insns {
	struct gl_insn *list;
	size_t n, cap;
};

static struct gl_insn *add_insn(struct insns *insns)
{
	if (insns->n == insns->cap) {
		size_t cap = insns->cap * 2 + 64;
		struct gl_insn *grown = realloc(insns->list, cap * sizeof(*grown));
		if (grown == NULL) {
			return NULL;
		}
		insns->list = grown;
		insns->cap = cap;
	}
	struct gl_insn *insn = &insns->list[insns->n++];
	*insn = (struct gl_insn){ .mnemonic = "", .operands = "", .comment = "" };
	return insn;
}

/* Decodes the next instruction into insn; what is none becomes a byte (or as many as the processor aligns to). */
static bool list_insn(struct owned *own, const struct processor *cpu, const struct capstone *cs, cs_insn *decoded,
		      const struct code *code, size_t *pos, uint32_t *first_reloc, struct gl_insn *insn)
{
	const uint8_t *p = code->bytes + *pos;
	size_t left = code->size - *pos;
	uint64_t addr = code->addr + *pos;
	struct gl_text comment = { 0 };

	insn->addr = addr;
	if (cs->disasm_iter(cs->handle, &p, &left, &addr, decoded)) {
		insn->size = (uint8_t)decoded->size;
		insn->mnemonic = gl_pool_string(&own->pool, decoded->mnemonic, strlen(decoded->mnemonic));
		insn->operands = gl_pool_string(&own->pool, decoded->op_str, strlen(decoded->op_str));
		if (code->obj != NULL) {
			add_relocs(&comment, code, *pos, decoded->size, first_reloc);
		}
		if (comment.n == 0) {
			struct target target = cpu->find_target(cs, decoded);
			/* an object has addresses only within the function */
			if (code->obj == NULL || target.kind == TARGET_CODE) {
				add_target(&comment, code, target);
			}
		}
	} else {
		char buf[16];
		left = code->size - *pos;
		insn->size = (uint8_t)(cpu->align < left ? cpu->align : left);
		snprintf(buf, sizeof(buf), "0x%02x", code->bytes[*pos]);
		insn->mnemonic = ".byte";
		insn->operands = gl_pool_string(&own->pool, buf, strlen(buf));
	}
	memcpy(insn->bytes, code->bytes + *pos, insn->size < sizeof(insn->bytes) ? insn->size : sizeof(insn->bytes));
	*pos += insn->size;

	bool ok = !comment.failed && insn->mnemonic != NULL && insn->operands != NULL;
	if (ok && comment.n > 0) {
		insn->comment = gl_pool_string(&own->pool, comment.p, comment.n);
		ok = insn->comment != NULL;
	}
	free(comment.p);
	return ok;
}

static int list_code(struct owned *own, const struct processor *cpu, const struct capstone *cs, const struct code *code,
		     struct gl_error *err)
{
	struct insns insns = { 0 };
	uint32_t first_reloc = 0;
	bool ok = true;

	cs_insn *decoded = cs->malloc(cs->handle);
	if (decoded == NULL) {
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	for (size_t pos = 0; pos < code->size && ok;) {
		struct gl_insn *insn = add_insn(&insns);
		ok = insn != NULL && list_insn(own, cpu, cs, decoded, code, &pos, &first_reloc, insn);
	}
	cs->free(decoded, 1);

	if (ok && own->listings.n == own->cap) {
		size_t cap = own->cap * 2 + 16;
		struct gl_listing *grown = realloc(own->list, cap * sizeof(*grown));
		ok = grown != NULL;
		own->list = ok ? grown : own->list;
		own->cap = ok ? cap : own->cap;
	}
	struct gl_insn *kept = ok ? gl_pool_take(&own->pool, (insns.n + 1) * sizeof(*kept)) : NULL;
	char *name = ok ? gl_pool_string(&own->pool, code->name, strlen(code->name)) : NULL;
	if (kept == NULL || name == NULL) {
		free(insns.list);
		return gl_fail(err, GL_ENOMEM, "out of memory");
	}
	if (insns.n > 0) {
		memcpy(kept, insns.list, insns.n * sizeof(*kept));
	}
	free(insns.list);
	own->list[own->listings.n++] = (struct gl_listing){ name, kept, insns.n };
	own->listings.list = own->list;
	return 0;
}

static struct owned *owned_new(struct gl_error *err)
{
	struct owned *own = calloc(1, sizeof(*own));

	if (own == NULL) {
		gl_fail(err, GL_ENOMEM, "out of memory");
	}
	return own;
}

int gl_disasm_memory(const char *goarch, const char *name, uintptr_t addr, size_t size, gl_symbolize_fn *symbolize,
		     const void *arg, struct gl_listings **out, struct gl_error *err)
{
	const struct processor *cpu = find_processor(goarch, err);
	struct capstone cs;

	*out = NULL;
	if (cpu == NULL || capstone_open(&cs, cpu->arch, cpu->mode, err) != 0) {
		return -1;
	}
	struct code code = { .name = name,
			     .bytes = (const uint8_t *)addr,
			     .size = size,
			     .addr = addr,
			     .symbolize = symbolize,
			     .arg = arg };
	struct owned *own = owned_new(err);
	if (own == NULL || list_code(own, cpu, &cs, &code, err) != 0) {
		capstone_close(&cs);
		gl_listings_free(own != NULL ? &own->listings : NULL);
		return -1;
	}
	capstone_close(&cs);
	*out = &own->listings;
	return 0;
}

/* ---- objects ------------------------------------------------------------------------------------------------------
 */

/* Does the user mean this symbol: by its name, or by what follows the package's path? */
static bool is_meant(struct gl_str name, const char *want, const char *path)
{
	size_t n = strlen(want), path_len = strlen(path);

	if (name.n == n && memcmp(name.p, want, n) == 0) {
		return true;
	}
	return name.n == path_len + 1 + n && memcmp(name.p, path, path_len) == 0 && name.p[path_len] == '.' &&
	       memcmp(name.p + path_len + 1, want, n) == 0;
}

static int list_object(struct owned *own, const struct processor *cpu, const struct capstone *cs,
		       const struct gl_object *obj, const char *symbol, const struct gl_abi *abi, struct gl_error *err)
{
	uint32_t nsyms = gl_object_nsyms(obj);
	const char *path = gl_package_path(gl_object_package(obj));

	for (uint32_t i = 0; i < nsyms; i++) {
		struct gl_sym sym = gl_object_sym(obj, i);
		uint32_t size;
		if (sym.type != abi->STEXT && (abi->STEXTFIPS < 0 || sym.type != abi->STEXTFIPS)) {
			continue;
		}
		if (symbol != NULL && !is_meant(sym.name, symbol, path)) {
			continue;
		}
		const uint8_t *bytes = gl_object_data(obj, i, &size);
		struct code code = { .bytes = bytes, .size = size, .obj = obj, .abi = abi, .sym = i };
		code.name = gl_pool_string(&own->pool, sym.name.p, sym.name.n);
		if (code.name == NULL) {
			return gl_fail(err, GL_ENOMEM, "out of memory");
		}
		if (list_code(own, cpu, cs, &code, err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int list_package(struct owned *own, const struct processor *cpu, const struct gl_package *pkg,
			const char *symbol, const struct gl_abi *abi, struct gl_error *err)
{
	int ret = 0;
	struct capstone cs;

	if (capstone_open(&cs, cpu->arch, cpu->mode, err) != 0) {
		return -1;
	}
	for (uint32_t o = 0; ret == 0 && o < gl_package_nobjects(pkg); o++) {
		ret = list_object(own, cpu, &cs, gl_package_object(pkg, o), symbol, abi, err);
	}
	capstone_close(&cs);
	return ret;
}

int gl_disasm_file(const char *path, const char *symbol, const struct gl_abi *abi, struct gl_listings **out,
		   struct gl_error *err)
{
	const struct processor *cpu = find_processor(abi->goarch, err);
	struct gl_package *pkg = NULL;
	struct owned *own = NULL;

	*out = NULL;
	if (cpu == NULL) {
		return -1;
	}
	pkg = gl_package_open(path, NULL, abi, err);
	if (pkg == NULL) {
		return -1;
	}
	own = owned_new(err);
	if (own == NULL || list_package(own, cpu, pkg, symbol, abi, err) != 0) {
		goto fail;
	}
	if (symbol != NULL && own->listings.n == 0) {
		gl_fail(err, GL_EMISSING, "%s has no function \"%s\"", path, symbol);
		goto fail;
	}
	gl_package_close(pkg);
	*out = &own->listings;
	return 0;

fail:
	gl_package_close(pkg);
	gl_listings_free(own != NULL ? &own->listings : NULL);
	return -1;
}

void gl_listings_free(struct gl_listings *listings)
{
	struct owned *own = (struct owned *)(void *)listings;

	if (own != NULL) {
		gl_pool_free(&own->pool);
		free(own->list);
		free(own);
	}
}
