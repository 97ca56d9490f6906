/* Writing that file (see symfile.h). For gdb, .text has an address and no content: its code is where it is. A file on
 * disk begins with a page for the dynamic linker, then has the code, then the sections. */
#include "symfile.h"

#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "../memory/arena.h"

enum {
	TEXT = 1,
	SYMTAB,
	STRTAB,
	SHSTRTAB,
	DEBUG_ABBREV,
	DEBUG_INFO,
	DEBUG_LINE,
	DEBUG_FRAME,
	DEBUG_RANGES,
	DEBUG_LOC,
	DEBUG_STR,
	NOTE,
	DYNAMIC_SECTION,
	SECTIONS
};

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab\0.debug_abbrev\0.debug_info\0.debug_line\0"
				    ".debug_frame\0.debug_ranges\0.debug_loc\0.debug_str\0.note.gnu.build-id\0.dynamic";

struct file {
	struct bytes out;
	Elf64_Shdr sections[SECTIONS];
};

static void add_section(struct file *f, int i, uint32_t type, const struct bytes *content)
{
	put_align(&f->out, 8, 0);
	f->sections[i] =
		(Elf64_Shdr){ .sh_type = type, .sh_offset = f->out.n, .sh_size = content->n, .sh_addralign = 8 };
	put(&f->out, content->p, content->n);
}

static void name_sections(struct file *f, int n)
{
	const char *name = section_names;

	for (int i = 0; i < n; i++, name += strlen(name) + 1) {
		f->sections[i].sh_name = (Elf64_Word)(name - section_names);
	}
}

static void put_symbol(struct bytes *symbols, const struct code *c, uint32_t name, uintptr_t bias)
{
	Elf64_Sym sym = { .st_name = name,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			  .st_shndx = TEXT,
			  .st_value = c->addr - bias,
			  .st_size = c->size };

	put(symbols, &sym, sizeof(sym));
}

/* ---- the page for the dynamic linker ----------------------------------------------------------------------------- */

/* The segments; the dynamic linker sees all but the last. */
enum { FIRST_PAGE, DYNAMIC, STACK, BUILD_ID, CODE, SEGMENTS };

enum { DYNAMIC_ENTRIES = 6 };

struct first_page {
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint8_t id[SYMFILE_ID];
	} note;
	Elf64_Sym no_symbol;
	Elf64_Dyn dynamic[DYNAMIC_ENTRIES];
	uint32_t hash[4]; /* of one bucket, with one symbol */
	char no_string;
};

/* What a library must have that has no symbols. Its segment may be written, since old dynamic linkers relocate the
 * entries in place; and its stack is not executable, which without a word about it all stacks of the process would
 * become. */
static void put_first_page(struct file *f, const struct symfile_text *text)
{
	uintptr_t at = text->header;
	size_t page = gl_page_size();
	const struct first_page first = {
		.segments = { [FIRST_PAGE] = { .p_type = PT_LOAD,
					       .p_flags = PF_R | PF_W,
					       .p_vaddr = at,
					       .p_paddr = at,
					       .p_filesz = page,
					       .p_memsz = page,
					       .p_align = page },
			      [DYNAMIC] = { .p_type = PT_DYNAMIC,
					    .p_flags = PF_R | PF_W,
					    .p_offset = offsetof(struct first_page, dynamic),
					    .p_vaddr = at + offsetof(struct first_page, dynamic),
					    .p_filesz = sizeof(first.dynamic),
					    .p_memsz = sizeof(first.dynamic),
					    .p_align = 8 },
			      [STACK] = { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 },
			      [BUILD_ID] = { .p_type = PT_NOTE,
					     .p_flags = PF_R,
					     .p_offset = offsetof(struct first_page, note),
					     .p_vaddr = at + offsetof(struct first_page, note),
					     .p_filesz = sizeof(first.note),
					     .p_memsz = sizeof(first.note),
					     .p_align = 4 },
			      [CODE] = { .p_type = PT_LOAD,
					 .p_flags = PF_R | PF_X,
					 .p_offset = page,
					 .p_vaddr = (uintptr_t)text->p - text->bias,
					 .p_paddr = (uintptr_t)text->p - text->bias,
					 .p_filesz = text->size,
					 .p_memsz = text->size,
					 .p_align = page } },
		.note = { .header = { .n_namesz = sizeof(first.note.name),
				      .n_descsz = sizeof(first.note.id),
				      .n_type = NT_GNU_BUILD_ID },
			  .name = ELF_NOTE_GNU },
		.dynamic = { { DT_HASH, { at + offsetof(struct first_page, hash) } },
			     { DT_STRTAB, { at + offsetof(struct first_page, no_string) } },
			     { DT_SYMTAB, { at + offsetof(struct first_page, no_symbol) } },
			     { DT_STRSZ, { 1 } },
			     { DT_SYMENT, { sizeof(Elf64_Sym) } },
			     { DT_NULL, { 0 } } },
		.hash = { 1, 1 },
	};

	put(&f->out, &first, sizeof(first));
	if (!f->out.failed) {
		memcpy(f->out.p + offsetof(struct first_page, note.id), text->id, sizeof(text->id));
	}
	f->sections[NOTE] = (Elf64_Shdr){ .sh_type = SHT_NOTE,
					  .sh_flags = SHF_ALLOC,
					  .sh_addr = at + offsetof(struct first_page, note),
					  .sh_offset = offsetof(struct first_page, note),
					  .sh_size = sizeof(first.note),
					  .sh_addralign = 4 };
	f->sections[DYNAMIC_SECTION] = (Elf64_Shdr){ .sh_type = SHT_DYNAMIC,
						     .sh_flags = SHF_ALLOC | SHF_WRITE,
						     .sh_addr = at + offsetof(struct first_page, dynamic),
						     .sh_offset = offsetof(struct first_page, dynamic),
						     .sh_size = sizeof(first.dynamic),
						     .sh_link = STRTAB,
						     .sh_addralign = 8,
						     .sh_entsize = sizeof(Elf64_Dyn) };
}

void symfile_show_text(int fd)
{
	Elf64_Half n = SEGMENTS;

	if (pwrite(fd, &n, sizeof(n), offsetof(Elf64_Ehdr, e_phnum)) != sizeof(n)) {
		return; /* it is no worse a file for debuggers, which read sections */
	}
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void put_text(struct file *f, const struct symfile_text *text, Elf64_Shdr *section)
{
	put_first_page(f, text);
	put_align(&f->out, gl_page_size(), 0);
	section->sh_type = SHT_PROGBITS;
	section->sh_offset = f->out.n + (section->sh_addr + text->bias - (uintptr_t)text->p);
	put(&f->out, text->p, text->size);
}

/* Takes the content; returns whether memory has sufficed. */
static bool assemble(struct file *f, const struct dwarf *d, const struct bytes *symbols, uintptr_t low, uintptr_t high,
		     const struct symfile_text *text)
{
	int n = text != NULL ? SECTIONS : NOTE;
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_ehsize = sizeof(header),
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = (Elf64_Half)n,
			      .e_shstrndx = SHSTRTAB };
	const struct bytes names = { .p = (uint8_t *)section_names, .n = sizeof(section_names) };

	f->sections[TEXT] = (Elf64_Shdr){ .sh_type = SHT_NOBITS,
					  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					  .sh_addr = low - d->bias,
					  .sh_size = high - low,
					  .sh_addralign = 16 };
	if (text != NULL) {
		header.e_type = ET_DYN;
		header.e_phoff = offsetof(struct first_page, segments);
		header.e_phentsize = sizeof(Elf64_Phdr);
		header.e_phnum = CODE;
		put_text(f, text, &f->sections[TEXT]);
	} else {
		put(&f->out, &header, sizeof(header));
	}
	add_section(f, SYMTAB, SHT_SYMTAB, symbols);
	add_section(f, STRTAB, SHT_STRTAB, &d->strings);
	add_section(f, SHSTRTAB, SHT_STRTAB, &names);
	add_section(f, DEBUG_ABBREV, SHT_PROGBITS, &d->abbrev);
	add_section(f, DEBUG_INFO, SHT_PROGBITS, &d->info);
	add_section(f, DEBUG_LINE, SHT_PROGBITS, &d->lines);
	add_section(f, DEBUG_FRAME, SHT_PROGBITS, &d->frame);
	add_section(f, DEBUG_RANGES, SHT_PROGBITS, &d->ranges);
	add_section(f, DEBUG_LOC, SHT_PROGBITS, &d->locations);
	/* both have the names of functions */
	f->sections[DEBUG_STR] = f->sections[STRTAB];
	f->sections[DEBUG_STR].sh_type = SHT_PROGBITS;
	f->sections[SYMTAB].sh_link = STRTAB;
	f->sections[SYMTAB].sh_info = 1; /* the first global one */
	f->sections[SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	name_sections(f, n);
	put_align(&f->out, 8, 0);
	header.e_shoff = f->out.n;
	put(&f->out, f->sections, (size_t)n * sizeof(f->sections[0]));
	if (!f->out.failed) {
		memcpy(f->out.p, &header, sizeof(header));
	}
	return !f->out.failed;
}

uint8_t *symfile_write(const struct symfile *s, size_t *size)
{
	struct file f = { 0 };
	struct dwarf d;
	struct bytes symbols = { 0 };
	uintptr_t low = UINTPTR_MAX, high = 0, bias = s->text != NULL ? s->text->bias : 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct code *c = &s->code[i];
		low = c->addr < low ? c->addr : low;
		high = c->addr + c->size > high ? c->addr + c->size : high;
	}
	dwarf_begin(&d, s->name, low, high, bias, s->abi, s->variables, s->text != NULL ? s->text->descriptors : 0);
	put(&symbols, &(Elf64_Sym){ 0 }, sizeof(Elf64_Sym));
	for (size_t i = 0; i < s->n; i++) {
		put_symbol(&symbols, &s->code[i], dwarf_add(&d, &s->code[i]), bias);
	}
	bool written = dwarf_finish(&d) && !symbols.failed && assemble(&f, &d, &symbols, low, high, s->text);
	dwarf_free(&d);
	free(symbols.p);
	if (!written) {
		free(f.out.p);
		return NULL;
	}
	*size = f.out.n;
	uint8_t *fitting = realloc(f.out.p, f.out.n);
	return fitting != NULL ? fitting : f.out.p;
}
