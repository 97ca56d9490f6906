/* Values and states (see values.h). Each operation gives what is true whatever the values stand for: to know less is
 * always right. */
#include "values.h"

const struct value value_unknown = { UNKNOWN, 0, 0 };

struct value value_const(int64_t n) { return (struct value){ CONST, 0, n }; }

static bool value_is_same(struct value a, struct value b)
{
	return a.kind == b.kind && a.parts == b.parts && a.n == b.n;
}

bool value_is_pointer(struct value v)
{
	return v.kind == FRAME || v.kind == STACK || v.kind == SYMBOL || v.kind == LENT;
}

static bool value_is_nil(struct value v) { return v.kind == CONST && v.n == 0; }

struct value value_near(struct value v)
{
	switch (v.kind) {
	case FRAME: return (struct value){ STACK, v.n < 0 ? OWN : ARGS, 0 };
	case SYMBOL: return (struct value){ LENT, 0, 0 };
	default: return v;
	}
}

struct value value_join(struct value a, struct value b)
{
	if (value_is_same(a, b)) {
		return a;
	}
	if (value_is_nil(a) && value_is_pointer(b)) {
		return b;
	}
	if (value_is_nil(b) && value_is_pointer(a)) {
		return a;
	}
	if (!value_is_pointer(a) || !value_is_pointer(b)) {
		return value_unknown;
	}
	a = value_near(a);
	b = value_near(b);
	if (a.kind == STACK && b.kind == STACK) {
		return (struct value){ STACK, a.parts | b.parts, 0 };
	}
	return (struct value){ LENT, 0, 0 };
}

struct value value_add(struct value a, struct value b)
{
	if (a.kind == CONST && b.kind != CONST) {
		struct value swapped = a;
		a = b;
		b = swapped;
	}
	if (b.kind == CONST && b.n != 0 && a.kind == SYMBOL) {
		a.parts = MOVED;
	}
	if (b.kind == CONST && (a.kind == CONST || a.kind == FRAME || a.kind == SYMBOL || a.kind == GOROUTINE)) {
		a.n = (int64_t)((uint64_t)a.n + (uint64_t)b.n);
		return a;
	}
	if (value_is_pointer(a) && (b.kind == CONST || b.kind == UNKNOWN)) {
		return value_near(a);
	}
	if (value_is_pointer(b) && a.kind == UNKNOWN) {
		return value_near(b);
	}
	return value_unknown;
}

struct value state_load(const struct state *s, int64_t off)
{
	for (uint32_t i = 0; i < s->nslots; i++) {
		if (s->slots[i].off == off) {
			return s->slots[i].v;
		}
	}
	return value_unknown;
}

void state_forget(struct state *s, int64_t low, int64_t high)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->nslots; i++) {
		if (s->slots[i].off >= high || s->slots[i].off + 8 <= low) {
			s->slots[kept++] = s->slots[i];
		}
	}
	s->nslots = kept;
}

void state_store(struct state *s, int64_t off, unsigned size, struct value v)
{
	state_forget(s, off, off + size);
	if (size == 8 && v.kind != UNKNOWN && s->nslots < MOST_SLOTS) {
		s->slots[s->nslots++] = (struct slot){ off, v };
	}
}

void state_forget_parts(struct state *s, unsigned parts)
{
	if (parts & OWN) {
		state_forget(s, INT64_MIN + 8, 0);
	}
	if (parts & ARGS) {
		state_forget(s, 8, INT64_MAX - 8);
	}
}

bool state_join(struct state *to, const struct state *from)
{
	bool changed = false;
	uint32_t kept = 0;

	for (int r = 0; r < NREGS; r++) {
		struct value v = value_join(to->regs[r], from->regs[r]);
		changed |= !value_is_same(v, to->regs[r]);
		to->regs[r] = v;
	}
	for (uint32_t i = 0; i < to->nslots; i++) {
		struct slot slot = { to->slots[i].off, value_join(to->slots[i].v, state_load(from, to->slots[i].off)) };
		changed |= !value_is_same(slot.v, to->slots[i].v);
		if (slot.v.kind != UNKNOWN) {
			to->slots[kept++] = slot;
		}
	}
	to->nslots = kept;
	return changed;
}
