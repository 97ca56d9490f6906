/* To what a function of the host's refers (see refer.h). */
#include "refer.h"

#include <string.h>

#include "capstone.h"

struct reader {
	struct gl_image *image;
	struct gl_image_sym function;
	size_t i; /* its number */
	bool (*fn)(size_t i, const char *symbol, void *arg);
	void *arg;
	bool over;
};

static void refer(struct reader *r, uint64_t addr)
{
	struct gl_image_sym sym;

	if (!r->over && addr - r->function.addr >= r->function.size && gl_image_symbolize(r->image, addr, &sym)) {
		r->over = !r->fn(r->i, sym.name, r->arg);
	}
}

/* A function value is one word, the address of its code. */
static void refer_by_value(struct reader *r, uint64_t addr)
{
	struct gl_image_sym sym;
	uintptr_t code;

	refer(r, addr);
	if (gl_image_symbolize(r->image, addr, &sym) && addr == sym.addr && sym.size == sizeof(code)) {
		size_t n = strlen(sym.name);
		if (n > 3 && strcmp(sym.name + n - 3, "·f") == 0) {
			memcpy(&code, (const void *)addr, sizeof(code)); /* NOLINT(performance-no-int-to-ptr) */
			refer(r, code);
		}
	}
}

static void read_insn(struct reader *r, const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (uint8_t i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];
		if (op->type == X86_OP_MEM && op->mem.base == X86_REG_RIP) {
			refer_by_value(r, insn->address + insn->size + (uint64_t)op->mem.disp);
		}
		/* of calls and jumps, which capstone tells by their targets */
		if (op->type == X86_OP_IMM && (insn->bytes[0] == 0xe8 || insn->bytes[0] == 0xe9)) {
			refer(r, (uint64_t)op->imm);
		}
	}
}

static void read_function(struct reader *r, const struct capstone *cs, cs_insn *insn)
{
	const uint8_t *code = (const uint8_t *)r->function.addr; /* NOLINT(performance-no-int-to-ptr) */
	size_t left = r->function.size;
	uint64_t address = r->function.addr;

	while (left > 0 && !r->over) {
		if (cs->disasm_iter(cs->handle, &code, &left, &address, insn)) {
			read_insn(r, insn);
		} else { /* what it doesn't know, or padding */
			code++;
			left--;
			address++;
		}
	}
}

int gl_refer_each(struct gl_image *image, const char *const *functions, size_t n,
		  bool (*fn)(size_t i, const char *symbol, void *arg), void *arg, struct gl_error *err)
{
	struct reader r = { .image = image, .fn = fn, .arg = arg };
	struct capstone cs;

	if (capstone_open(&cs, CS_ARCH_X86, CS_MODE_64, err) != 0) {
		return -1;
	}
	cs_insn *insn = cs.malloc(cs.handle);
	for (size_t i = 0; insn != NULL && i < n; i++) {
		r.i = i;
		if (gl_image_lookup(image, functions[i], strlen(functions[i]), &r.function) && r.function.is_func) {
			read_function(&r, &cs, insn);
		}
	}
	if (insn != NULL) {
		cs.free(insn, 1);
	}
	capstone_close(&cs);
	return insn != NULL ? 0 : gl_fail(err, GL_ENOMEM, "out of memory");
}
