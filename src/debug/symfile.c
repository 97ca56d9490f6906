/* Writing that file (see symfile.h). Its code is where it is: .text has an address and no content. */
#include "symfile.h"

#include <elf.h>
#include <stdlib.h>

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
	SECTIONS
};

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab\0.debug_abbrev\0.debug_info\0.debug_line\0"
				    ".debug_frame\0.debug_ranges\0.debug_loc\0.debug_str";

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

static void name_sections(struct file *f)
{
	const char *name = section_names;

	for (int i = 0; i < SECTIONS; i++, name += strlen(name) + 1) {
		f->sections[i].sh_name = (Elf64_Word)(name - section_names);
	}
}

static void put_symbol(struct bytes *symbols, const struct code *c, uint32_t name)
{
	Elf64_Sym sym = { .st_name = name,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			  .st_shndx = TEXT,
			  .st_value = c->addr,
			  .st_size = c->size };

	put(symbols, &sym, sizeof(sym));
}

/* Takes the content; returns whether memory has sufficed. */
static bool assemble(struct file *f, const struct dwarf *d, const struct bytes *symbols, uintptr_t low, uintptr_t high)
{
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_ehsize = sizeof(header),
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = SECTIONS,
			      .e_shstrndx = SHSTRTAB };
	const struct bytes names = { .p = (uint8_t *)section_names, .n = sizeof(section_names) };

	put(&f->out, &header, sizeof(header));
	f->sections[TEXT] = (Elf64_Shdr){ .sh_type = SHT_NOBITS,
					  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					  .sh_addr = low,
					  .sh_size = high - low,
					  .sh_addralign = 16 };
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
	name_sections(f);
	put_align(&f->out, 8, 0);
	header.e_shoff = f->out.n;
	put(&f->out, f->sections, sizeof(f->sections));
	if (!f->out.failed) {
		memcpy(f->out.p, &header, sizeof(header));
	}
	return !f->out.failed;
}

uint8_t *symfile_write(const char *name, const struct code *code, size_t n, const struct gl_abi *abi,
		       const struct variables *variables, size_t *size)
{
	struct file f = { 0 };
	struct dwarf d;
	struct bytes symbols = { 0 };
	uintptr_t low = UINTPTR_MAX, high = 0;

	for (size_t i = 0; i < n; i++) {
		low = code[i].addr < low ? code[i].addr : low;
		high = code[i].addr + code[i].size > high ? code[i].addr + code[i].size : high;
	}
	dwarf_begin(&d, name, low, high, abi, variables);
	put(&symbols, &(Elf64_Sym){ 0 }, sizeof(Elf64_Sym));
	for (size_t i = 0; i < n; i++) {
		put_symbol(&symbols, &code[i], dwarf_add(&d, &code[i]));
	}
	bool written = dwarf_finish(&d) && !symbols.failed && assemble(&f, &d, &symbols, low, high);
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
