/* The order in which packages are initialised: as cmd/link/internal/ld/inittask.go does it, of those whose imports are
 * done the first by name. An inittask names the tasks of its imports by R_INITORDER relocations. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

struct task {
	uint32_t sym;
	struct gl_str name;
	uint32_t waits; /* for so many others */
	bool ready;     /* waits for none, and isn't done yet */
	struct edge *waiters;
	size_t first; /* its imports' edges begin here */
	uint32_t nimports;
	uint32_t place;    /* in link->inits */
	UT_hash_handle hh; /* by sym */
};

/* One task waits for another: for its imports' sake. */
struct edge {
	struct task *waiter, *import;
	struct edge *next; /* of those that wait for the same import */
};

struct order {
	struct task *tasks; /* by name */
	uint32_t ntasks;
	struct edge *edges;
	size_t nedges;
	struct task *by_sym;
};

static int by_name(const void *a, const void *b)
{
	const struct gl_str *x = &((const struct task *)a)->name, *y = &((const struct task *)b)->name;
	int cmp = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return cmp != 0 ? cmp : (x->n > y->n) - (x->n < y->n);
}

static bool is_task(const struct lsym *s) { return s->obj != NULL && str_ends(s->name, "..inittask"); }

/* Fills tasks, and makes room for the edges. */
static int collect_tasks(struct link *l, struct order *o)
{
	size_t nedges = 0;

	for (uint32_t i = 0; i < l->nplaced; i++) {
		const struct lsym *s = link_sym(l, l->placed[i]);
		if (is_task(s)) {
			o->ntasks++;
			nedges += gl_object_nrelocs(s->obj->obj, s->idx);
		}
	}
	o->tasks = calloc(o->ntasks + 1, sizeof(*o->tasks));
	o->edges = calloc(nedges + 1, sizeof(*o->edges));
	l->inits = calloc(o->ntasks + 1, sizeof(*l->inits));
	l->init_imports = calloc(nedges + 1, sizeof(*l->init_imports));
	if (o->tasks == NULL || o->edges == NULL || l->inits == NULL || l->init_imports == NULL) {
		return link_out_of_memory(l);
	}
	for (uint32_t i = 0, n = 0; i < l->nplaced; i++) {
		const struct lsym *s = link_sym(l, l->placed[i]);
		if (is_task(s)) {
			o->tasks[n++] = (struct task){ .sym = s->self, .name = s->name, .ready = true };
		}
	}
	qsort(o->tasks, o->ntasks, sizeof(*o->tasks), by_name);
	for (uint32_t i = 0; i < o->ntasks; i++) {
		struct task *t = &o->tasks[i];
		HASH_ADD(hh, o->by_sym, sym, sizeof(t->sym), t);
		if (t->hh.tbl == NULL) {
			return link_out_of_memory(l);
		}
	}
	return 0;
}

/* Notes who waits for whom. Imports that the host or an earlier load has initialised are no tasks of this load. */
static void collect_edges(struct link *l, struct order *o)
{
	for (uint32_t i = 0; i < o->ntasks; i++) {
		struct task *t = &o->tasks[i], *import;
		const struct lsym *s = link_sym(l, t->sym);
		uint32_t n = gl_object_nrelocs(s->obj->obj, s->idx);
		t->first = o->nedges;
		for (uint32_t j = 0; j < n; j++) {
			struct gl_reloc r = gl_object_reloc(s->obj->obj, s->idx, j);
			if ((int)r.type != l->linker->abi->R_INITORDER) {
				continue;
			}
			uint32_t to = link_resolve_ref(l, s->obj, r.sym, (enum unit_id)s->unit, t->sym);
			HASH_FIND(hh, o->by_sym, &to, sizeof(to), import);
			if (import != NULL) {
				struct edge *e = &o->edges[o->nedges++];
				*e = (struct edge){ .waiter = t, .import = import, .next = import->waiters };
				import->waiters = e;
				t->nimports++;
				t->waits++;
				t->ready = false;
			}
		}
	}
}

/* A task is the next in the order; all its imports are there already. */
static void add_init(struct link *l, const struct order *o, const struct task *t)
{
	struct link_init *init = &l->inits[l->ninits++];

	*init = (struct link_init){ .sym = t->sym,
				    .has_functions = link_sym(l, t->sym)->size > l->linker->abi->initTask.size,
				    .imports = &l->init_imports[t->first],
				    .nimports = t->nimports };
	for (uint32_t i = 0; i < t->nimports; i++) {
		init->imports[i] = o->edges[t->first + i].import->place;
	}
}

static int sort_tasks(struct link *l, struct order *o)
{
	uint32_t ndone = 0, next = 0;

	while (next < o->ntasks) {
		struct task *t = &o->tasks[next++];
		if (!t->ready) {
			continue;
		}
		t->ready = false;
		t->place = ndone++;
		add_init(l, o, t);
		for (const struct edge *e = t->waiters; e != NULL; e = e->next) {
			if (--e->waiter->waits == 0) {
				e->waiter->ready = true;
				uint32_t at = (uint32_t)(e->waiter - o->tasks);
				next = at < next ? at : next;
			}
		}
	}
	if (ndone < o->ntasks) {
		return gl_fail(l->err, GL_EFORMAT, "the packages' init functions depend on each other in a cycle");
	}
	return 0;
}

int link_order_inits(struct link *l)
{
	struct order o = { 0 };
	int result = collect_tasks(l, &o);

	if (result == 0) {
		collect_edges(l, &o);
		result = l->failed ? -1 : sort_tasks(l, &o);
	}
	HASH_CLEAR(hh, o.by_sym);
	free(o.tasks);
	free(o.edges);
	return result;
}
