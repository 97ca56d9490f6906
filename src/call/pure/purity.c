/* Which functions may take the pure path, by their types and by their code (see ../call.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../abi/abi.h"
#include "../plan.h"

static void add_reason(struct gl_reasons *why, const char *text)
{
	char **grown = realloc(why->list, (why->n + 1) * sizeof(char *));

	if (grown == NULL) {
		return;
	}
	why->list = grown;
	why->list[why->n] = strdup(text);
	why->n += why->list[why->n] != NULL;
}

static void free_reasons(struct gl_reasons *why)
{
	for (size_t i = 0; i < why->n; i++) {
		free(why->list[i]);
	}
	free(why->list);
	*why = (struct gl_reasons){ 0 };
}

static const char *number_kind(const struct type *type)
{
	switch (type->kind) {
	case GL_KIND_BOOL: return "bool";
	case GL_KIND_INT: return "int";
	case GL_KIND_UINT: return "uint";
	case GL_KIND_FLOAT: return "float";
	default: return NULL;
	}
}

bool gl_plan_pure_place(const struct gl_plan *plan, size_t i, struct gl_pure_place *place)
{
	if (i >= plan->nplaces || plan->refusal != NULL) {
		return false;
	}
	const struct type *type = plan->places[i].type;
	*place = (struct gl_pure_place){ .kind = number_kind(type), .bits = type->bits, .reg = plan->places[i].reg };
	if (place->kind != NULL || i >= plan->nparams) {
		return place->kind != NULL && place->reg >= 0;
	}
	switch (type->kind) {
	case GL_KIND_STRING: place->kind = "string"; break;
	case GL_KIND_BYTES:
		place->kind = "bytes";
		place->bits = 8;
		break;
	case GL_KIND_SLICE:
		place->kind = "slice";
		place->elem = number_kind(type->elem);
		place->bits = type->elem->bits;
		break;
	default: return false;
	}
	return place->reg >= 0 && (type->kind != GL_KIND_SLICE || place->elem != NULL);
}

/* Adds a parameter's words. They come in registers one after the other, in the order of the parameters. */
static bool add_words(struct gl_pure_shape *shape, const struct type *type, int reg)
{
	size_t n = type->kind == GL_KIND_STRING                               ? 2 :
		   type->kind == GL_KIND_BYTES || type->kind == GL_KIND_SLICE ? 3 :
										1;

	if (type->kind == GL_KIND_FLOAT) {
		return (size_t)reg == shape->nfloats++;
	}
	if ((size_t)reg != shape->nints || shape->nints + n > sizeof(shape->words) / sizeof(shape->words[0])) {
		return false;
	}
	shape->words[shape->nints] = n > 1 ? GL_WORD_LENT : GL_WORD_NUMBER;
	shape->nints += n;
	return true;
}

/* "parameter ps has type []main.P" */
static void add_place_reason(const struct gl_plan *plan, size_t i, const char *more, struct gl_reasons *why)
{
	const char *name = plan->export->params[i].name, *type = plan->places[i].type->name;
	char text[512];

	if (i >= plan->nparams) {
		snprintf(text, sizeof(text), "a result has type %s%s", type, more);
	} else if (name == NULL) {
		snprintf(text, sizeof(text), "parameter %zu has type %s%s", i - plan->receiver + 1, type, more);
	} else {
		snprintf(text, sizeof(text), "parameter %s has type %s%s", name, type, more);
	}
	add_reason(why, text);
}

/* What the types allow; says why where they don't. */
static bool find_shape(const struct gl_plan *plan, struct gl_pure_shape *shape, struct gl_reasons *why)
{
	enum { C_FLOATS = 8 };
	size_t had = why->n;

	*shape = (struct gl_pure_shape){ 0 };
	if (plan->export->kind != GL_EXPORT_FUNC || plan->refusal != NULL) {
		add_reason(why, plan->refusal != NULL ? plan->refusal : "it is a variable");
		return false;
	}
	if (plan->export->variadic) {
		add_reason(why, "it is variadic");
	}
	if (plan->receiver > 0) {
		add_reason(why, "it is a method: what it is called on is in Go, where handles are looked up");
	}
	for (size_t i = plan->receiver; i < plan->nplaces; i++) {
		const struct place *place = &plan->places[i];
		bool is_result = i >= plan->nparams;
		struct gl_pure_place as;

		if (!gl_plan_pure_place(plan, i, &as)) {
			bool by_stack = place->reg < 0 && number_kind(place->type) != NULL;
			add_place_reason(plan, i, by_stack ? ", and comes by the stack" : "", why);
		} else if (plan->receiver > 0) {
			continue; /* it has no shape */
		} else if (is_result) {
			bool is_float = place->type->kind == GL_KIND_FLOAT;
			shape->singles |= is_float && place->type->bits == 32 ? 1U << shape->float_results : 0;
			shape->int_results += !is_float;
			shape->float_results += is_float;
		} else if (!add_words(shape, place->type, place->reg)) {
			add_reason(why, "its parameters take more registers than C has");
			break;
		}
	}
	if (shape->nfloats > C_FLOATS) {
		add_reason(why, "its parameters take more registers than C has");
	}
	return why->n == had;
}

static void add_remarks(struct gl_reasons *why, const struct gl_proof *proof)
{
	char text[1024];

	for (size_t i = 0; i < proof->nremarks; i++) {
		const struct gl_remark *r = &proof->remarks[i];
		if (r->func == 0) {
			add_reason(why, r->text);
		} else {
			snprintf(text, sizeof(text), "%s %s", proof->funcs[r->func].name, r->text);
			add_reason(why, text);
		}
	}
}

struct gl_pure *gl_plan_pure(struct gl_plan *plan, struct gl_reasons *why)
{
	struct gl_caller *caller = plan->caller;
	struct gl_pure_shape shape;
	struct gl_proof *refused = NULL;
	struct gl_error err;

	if (!plan->pure_known) {
		plan->pure_known = true;
		if (find_shape(plan, &shape, &plan->pure_reasons)) {
			if (caller->pure == NULL) {
				caller->pure = gl_pure_room_new(caller->host, &err);
			}
			if (caller->pure != NULL) {
				plan->pure = gl_pure_new(caller->pure, plan->mod, plan->export->addr, &shape, &refused,
							 &err);
			}
			if (refused != NULL) {
				add_remarks(&plan->pure_reasons, refused);
			} else if (plan->pure == NULL) {
				add_reason(&plan->pure_reasons, err.message);
			}
			gl_proof_free(refused);
		}
	}
	*why = plan->pure_reasons;
	return plan->pure;
}

/* What gl_plan_find_road asks of them. */
static void find_ffi_reasons(const struct gl_plan *plan, struct gl_reasons *why)
{
	if (plan->fast) {
		return;
	}
	if (plan->refusal != NULL || plan->export->kind != GL_EXPORT_FUNC) {
		add_reason(why, plan->refusal != NULL ? plan->refusal : "it is a variable");
		return;
	}
	if (plan->export->variadic) {
		add_reason(why, "it is variadic");
	}
	if (plan->receiver > 0 && !plan->by_pointer) {
		add_reason(why, "it is a method of a value, not of a pointer");
	}
	for (size_t i = plan->receiver; i < plan->nplaces; i++) {
		enum gl_kind kind = plan->places[i].type->kind;
		bool is_error = kind == GL_KIND_ERROR && i >= plan->nparams && i + 1 == plan->nplaces;
		bool is_known = number_kind(plan->places[i].type) != NULL || kind == GL_KIND_STRING ||
				kind == GL_KIND_BYTES || is_error;

		if (!is_known || plan->places[i].reg < 0) {
			add_place_reason(plan, i, is_known ? ", and comes by the stack" : "", why);
		}
	}
	if (why->n == 0) {
		add_reason(why, "its values take more words than there are");
	}
}

static int explain_code(const struct gl_module *mod, uintptr_t addr, const struct gl_pure_shape *shape,
			struct gl_explanation *out, struct gl_error *err)
{
	struct gl_prover *prover = gl_prover_open(gl_host_abi(gl_module_host(mod))->goarch, err);
	int ret = prover == NULL ? -1 : gl_pure_prove(prover, mod, addr, shape, true, &out->proof, err);

	gl_prover_close(prover);
	if (ret != 0) {
		gl_explanation_free(out);
	}
	return ret;
}

/* The shape of a function that gets more than can be passed, for a look at its code. */
static const struct gl_pure_shape all_lent = {
	.words = { GL_WORD_LENT, GL_WORD_LENT, GL_WORD_LENT, GL_WORD_LENT, GL_WORD_LENT, GL_WORD_LENT, GL_WORD_LENT,
		   GL_WORD_LENT, GL_WORD_LENT },
	.nints = 9,
};

int gl_plan_explain(const struct gl_plan *plan, const struct gl_module *mod, struct gl_explanation *out,
		    struct gl_error *err)
{
	struct gl_pure_shape shape;

	*out = (struct gl_explanation){ 0 };
	find_ffi_reasons(plan, &out->ffi);
	bool fits = find_shape(plan, &shape, &out->pure);
	return explain_code(mod, plan->export->addr, fits ? &shape : &all_lent, out, err);
}

int gl_code_explain(const struct gl_module *mod, uintptr_t addr, struct gl_explanation *out, struct gl_error *err)
{
	*out = (struct gl_explanation){ 0 };
	return explain_code(mod, addr, &all_lent, out, err);
}

void gl_explanation_free(struct gl_explanation *out)
{
	free_reasons(&out->ffi);
	free_reasons(&out->pure);
	gl_proof_free(out->proof);
	out->proof = NULL;
}

void gl_plan_pure_free(struct gl_plan *plan)
{
	if (plan->pure != NULL) {
		gl_pure_close(plan->pure);
		gl_pure_drop(plan->pure);
		plan->pure = NULL;
	}
	plan->pure_known = false;
	free_reasons(&plan->pure_reasons);
}
