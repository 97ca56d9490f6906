/* Relocate: copy each symbol's bytes to its place and patch its references.
 *
 * What differs by processor is apply_amd64 and write_synthetic_amd64; the meaning of each type is
 * cmd/link/internal/ld/data.go, relocsym. */
#include "link.h"

#include <string.h>

/* The address that a relocation's target has; weak ones may have none. */
struct target {
	const struct lsym *sym;
	uintptr_t addr;
	bool absent;
};

static int out_of_reach(struct link *l, const struct lsym *s, const struct target *t, int64_t distance)
{
	return gl_fail(l->err, GL_ENOMEM, "%.*s can't reach %.*s, %lld bytes away", (int)s->name.n, s->name.p,
		       t->sym == NULL ? 0 : (int)t->sym->name.n, t->sym == NULL ? "" : t->sym->name.p,
		       (long long)distance);
}

static int put32(struct link *l, const struct lsym *s, const struct target *t, uint8_t *p, int64_t v)
{
	if (v != (int32_t)v) {
		return out_of_reach(l, s, t, v);
	}
	int32_t v32 = (int32_t)v;
	memcpy(p, &v32, sizeof(v32));
	return 0;
}

/* An addend is any number: what goes around the end of the address space is out of reach. */
static int64_t plus(int64_t distance, int64_t add) { return (int64_t)((uint64_t)distance + (uint64_t)add); }

static uintptr_t got_address(const struct unit *u, uint32_t sym)
{
	struct got_slot *slot = NULL;

	HASH_FIND(hh, u->got, &sym, sizeof(sym), slot);
	return slot == NULL ? 0 : u->got_start + (uintptr_t)slot->index * 8;
}

/* Does a patch of a type have the size that its bytes take? */
static bool is_sized(const struct gl_abi *abi, int type, uint8_t size)
{
	if (type == abi->R_CONST || type == abi->R_SIZE) {
		return size <= 8;
	}
	return size == 4 || (size == 8 && type == abi->R_ADDR);
}

/* What a weak reference to something that nobody defines is bound to: runtime functions that throw when called, or do
 * nothing (cmd/link/internal/ld/deadcode.go, mapinitnoop). */
static uintptr_t weak_address(struct link *l, int type)
{
	static const char method[] = "runtime.unreachableMethod", noop[] = "runtime.mapinitnoop";
	struct gl_image_sym sym;
	bool call = type == l->linker->abi->R_CALL;

	if (gl_image_lookup(l->linker->image, call ? noop : method, call ? sizeof(noop) - 1 : sizeof(method) - 1,
			    &sym)) {
		return sym.addr;
	}
	return 0;
}

static int unknown_reloc(struct link *l, const struct lsym *s, const struct gl_reloc *r)
{
	return gl_fail(l->err, GL_EUNSUPPORTED,
		       "%s: %.*s has a relocation of type %d and %u bytes, which no ordinary package has",
		       s->obj->pkg->file, (int)s->name.n, s->name.p, r->type, r->size);
}

/* A distance from what all modules' are counted from (lookup.h). */
static int put_offset(struct link *l, const struct unit *u, const struct lsym *s, const struct target *t, uint8_t *p,
		      const struct gl_reloc *r)
{
	const struct lsym *to = t->sym;

	if (to->is_func) {
		if (to->state != SYM_PLACED || to->unit != (int)u->id) {
			if (to->tramp[u->id] == NO_SYM) {
				return unknown_reloc(l, s, r);
			}
			to = link_sym(l, to->tramp[u->id]);
		}
		return put32(l, s, t, p, plus((int64_t)(to->addr - l->linker->lookup.text), r->add));
	}
	return put32(l, s, t, p, plus((int64_t)(t->addr - l->linker->lookup.base), r->add));
}

static int apply_amd64(struct link *l, const struct unit *u, const struct lsym *s, const struct gl_reloc *r,
		       uint32_t t_index)
{
	const struct gl_abi *abi = l->linker->abi;
	int type = r->type & ~abi->R_WEAK;
	bool weak = (r->type & abi->R_WEAK) != 0;
	uint8_t *p = (uint8_t *)s->addr + r->off;
	struct target t = { 0 };

	if (t_index != NO_SYM) {
		t.sym = link_sym(l, t_index);
		t.addr = t.sym->addr;
		t.absent = t.sym->state == SYM_ABSENT;
	}
	if (!is_sized(abi, type, r->size)) {
		return unknown_reloc(l, s, r);
	}
	if (type == abi->R_TLS_LE) {
		return put32(l, s, &t, p, plus(l->linker->tls_offset, r->add));
	}
	if (type == abi->R_TLS_IE) {
		/* as ELF counts: from the field itself, and r->add takes its four bytes off (cmd/internal/obj/x86/asm6.go) */
		return put32(l, s, &t, p, plus((int64_t)(got_address(u, GOT_TLS) - (uintptr_t)p), r->add));
	}
	if (type == abi->R_CONST || type == abi->R_SIZE) {
		uint64_t v = (uint64_t)r->add + (type == abi->R_SIZE && t.sym != NULL ? t.sym->size : 0);
		memcpy(p, &v, r->size);
		return 0;
	}
	if (type == abi->R_ADDROFF || type == abi->R_METHODOFF) {
		if (t.sym == NULL) {
			return unknown_reloc(l, s, r);
		}
		if (t.absent) {
			/* 0: no such offset; -1: the runtime's mark for a method that can't be called */
			int32_t none = type == abi->R_METHODOFF ? -1 : 0;
			memcpy(p, &none, sizeof(none));
			return 0;
		}
		return put_offset(l, u, s, &t, p, r);
	}
	if (t.absent && weak) {
		t.addr = weak_address(l, type);
	}
	if (type == abi->R_ADDR) {
		uintptr_t v = t.addr + (uintptr_t)r->add;
		if (r->size == 4) {
			return put32(l, s, &t, p, (int64_t)v);
		}
		memcpy(p, &v, sizeof(v));
		return 0;
	}
	if (t.sym == NULL || (type != abi->R_CALL && type != abi->R_PCREL && type != abi->R_GOTPCREL)) {
		return unknown_reloc(l, s, r);
	}
	if (type == abi->R_GOTPCREL) {
		t.addr = got_address(u, t_index);
	} else if (t.sym->is_far && (type == abi->R_CALL || clib_is_function(t.addr))) {
		/* the address of a C function may be that of the jump to it; a variable's must be its own */
		if (t.sym->tramp[u->id] == NO_SYM) {
			return unknown_reloc(l, s, r);
		}
		t.addr = link_sym(l, t.sym->tramp[u->id])->addr;
	}
	return put32(l, s, &t, p, plus((int64_t)(t.addr - ((uintptr_t)p + 4)), r->add));
}

/* Code of the linker's own: a jump, or calls, which reach everything a module can refer to but C. */
static void write_branch_amd64(uint8_t *p, uint8_t opcode, uintptr_t target)
{
	int32_t distance = (int32_t)(target - ((uintptr_t)p + 5));

	p[0] = opcode;
	memcpy(p + 1, &distance, sizeof(distance));
}

static void write_synthetic_amd64(const struct link *l, const struct lsym *s, uintptr_t target)
{
	enum { CALL = 0xe8, JMP = 0xe9, RET = 0xc3 };
	static const uint8_t jmp_next_word[6] = { 0xff, 0x25 }; /* jmp *0(%rip) */
	uint8_t *p = (uint8_t *)s->addr;

	if (s->synthetic == SYNTH_TRAMPOLINE && link_sym(l, s->target)->is_far) {
		memcpy(p, jmp_next_word, sizeof(jmp_next_word));
		memcpy(p + sizeof(jmp_next_word), &target, sizeof(target));
		return;
	}
	if (s->synthetic == SYNTH_TRAMPOLINE) {
		write_branch_amd64(p, JMP, target);
		return;
	}
	write_branch_amd64(p, CALL, l->linker->before_main);
	write_branch_amd64(p + 5, CALL, target);
	write_branch_amd64(p + 10, CALL, l->linker->after_main);
	p[15] = RET;
}

static int relocate_symbol(struct link *l, const struct unit *u, const struct lsym *s)
{
	const struct gl_abi *abi = l->linker->abi;

	if (s->synthetic != SYNTH_NONE) {
		uintptr_t target = link_sym(l, s->target)->addr;
		if (s->synthetic == SYNTH_FUNCVAL) {
			memcpy((void *)s->addr, &target, sizeof(target));
		} else {
			write_synthetic_amd64(l, s, target);
		}
		return 0;
	}
	uint32_t size;
	const uint8_t *data = gl_object_data(s->obj->obj, s->idx, &size);
	memcpy((void *)s->addr, data, size);

	uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);
	for (uint32_t j = 0; j < n; j++) {
		struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
		int type = r.type & ~abi->R_WEAK;
		if (r.size == 0 || type == abi->R_USETYPE || type == abi->R_INITORDER || type == abi->R_KEEP) {
			continue; /* markers */
		}
		if (r.off < 0 || (uint64_t)r.off + r.size > s->size) {
			return gl_fail(l->err, GL_EFORMAT, "%s: %.*s has a relocation outside itself, at %d",
				       s->obj->pkg->file, (int)s->name.n, s->name.p, r.off);
		}
		uint32_t t = NO_SYM;
		if (r.sym.pkg != GL_PKG_INVALID) {
			t = link_resolve_ref(l, s->obj, r.sym, (enum unit_id)s->unit, s->self);
		}
		if (apply_amd64(l, u, s, &r, t) != 0) {
			return -1;
		}
	}
	return 0;
}

int link_relocate(struct link *l, enum unit_id id)
{
	struct unit *u = &l->units[id];

	if (u->norder == 0) {
		return 0;
	}
	memset(u->base, 0xcc, u->text_pages); /* INT3 where no function is */
	for (uint32_t i = 0; i < u->norder; i++) {
		const struct lsym *s = link_sym(l, u->order[i]);
		if (s->synthetic == SYNTH_NONE && s->section >= SEC_BSS) {
			continue; /* zero already */
		}
		if (relocate_symbol(l, u, s) != 0) {
			return -1;
		}
	}
	uintptr_t addr = u->got_start;
	for (const struct got_slot *slot = u->got; slot != NULL; slot = slot->hh.next, addr += 8) {
		uint64_t v = slot->sym == NO_SYM ? (uint64_t)l->linker->tls_offset : link_sym(l, slot->sym)->addr;
		memcpy((void *)addr, &v, sizeof(v));
	}
	return 0;
}
