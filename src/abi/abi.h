/* Everything that differs between Go versions, read from the host's description.
 *
 * A description is a text file beside the host ("libgoloader_host.so.desc"), written once when the host is built by
 * src/host/describe. It holds what the host's DWARF says of the runtime's structs (size, and offset of every field),
 * and what the toolchain's own sources say of numbers that DWARF can't tell: relocation types, symbol kinds, funcdata
 * and pcdata indices, and the list of builtin symbols that objects name by number. So one C source serves all Go
 * versions, and a release that moves a field or adds a relocation needs no new code here. */
#ifndef GL_ABI_H
#define GL_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "../error.h"

/* Structs of the runtime and the fields of them that the library touches. A field marked OPTIONAL exists in some
 * versions only; its offset is -1 where it does not. Everything else is required: gl_abi_read names what is missing.
 * X(struct symbol, C name, field's name in Go, C name of the offset, REQUIRED or OPTIONAL) */
#define GL_ABI_FIELDS(X)                                                                                                \
	X("runtime.moduledata", moduledata, "pcHeader", pcHeader, REQUIRED)                                             \
	X("runtime.moduledata", moduledata, "funcnametab", funcnametab, REQUIRED)                                       \
	X("runtime.moduledata", moduledata, "cutab", cutab, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "filetab", filetab, REQUIRED)                                               \
	X("runtime.moduledata", moduledata, "pctab", pctab, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "pclntable", pclntable, REQUIRED)                                           \
	X("runtime.moduledata", moduledata, "ftab", ftab, REQUIRED)                                                     \
	X("runtime.moduledata", moduledata, "findfunctab", findfunctab, REQUIRED)                                       \
	X("runtime.moduledata", moduledata, "minpc", minpc, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "maxpc", maxpc, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "text", text, REQUIRED)                                                     \
	X("runtime.moduledata", moduledata, "etext", etext, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "noptrdata", noptrdata, REQUIRED)                                           \
	X("runtime.moduledata", moduledata, "enoptrdata", enoptrdata, REQUIRED)                                         \
	X("runtime.moduledata", moduledata, "data", data, REQUIRED)                                                     \
	X("runtime.moduledata", moduledata, "edata", edata, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "bss", bss, REQUIRED)                                                       \
	X("runtime.moduledata", moduledata, "ebss", ebss, REQUIRED)                                                     \
	X("runtime.moduledata", moduledata, "noptrbss", noptrbss, REQUIRED)                                             \
	X("runtime.moduledata", moduledata, "enoptrbss", enoptrbss, REQUIRED)                                           \
	X("runtime.moduledata", moduledata, "end", end, REQUIRED)                                                       \
	X("runtime.moduledata", moduledata, "types", types, REQUIRED)                                                   \
	X("runtime.moduledata", moduledata, "typedesclen", typedesclen, OPTIONAL)                                       \
	X("runtime.moduledata", moduledata, "etypes", etypes, REQUIRED)                                                 \
	X("runtime.moduledata", moduledata, "itaboffset", itaboffset, OPTIONAL)                                         \
	X("runtime.moduledata", moduledata, "itabsize", itabsize, OPTIONAL)                                             \
	X("runtime.moduledata", moduledata, "rodata", rodata, REQUIRED)                                                 \
	X("runtime.moduledata", moduledata, "gofunc", gofunc, REQUIRED)                                                 \
	X("runtime.moduledata", moduledata, "epclntab", epclntab, OPTIONAL)                                             \
	X("runtime.moduledata", moduledata, "textsectmap", textsectmap, REQUIRED)                                       \
	X("runtime.moduledata", moduledata, "typelinks", typelinks, OPTIONAL)                                           \
	X("runtime.moduledata", moduledata, "itablinks", itablinks, OPTIONAL)                                           \
	X("runtime.moduledata", moduledata, "pluginpath", pluginpath, REQUIRED)                                         \
	X("runtime.moduledata", moduledata, "modulename", modulename, REQUIRED)                                         \
	X("runtime.moduledata", moduledata, "gcdatamask", gcdatamask, REQUIRED)                                         \
	X("runtime.moduledata", moduledata, "gcbssmask", gcbssmask, REQUIRED)                                           \
	X("runtime.moduledata", moduledata, "next", next, REQUIRED)                                                     \
	X("runtime.pcHeader", pcHeader, "nfunc", nfunc, REQUIRED)                                                       \
	X("runtime.pcHeader", pcHeader, "nfiles", nfiles, REQUIRED)                                                     \
	X("runtime.pcHeader", pcHeader, "textStart", textStart, OPTIONAL)                                               \
	X("runtime.pcHeader", pcHeader, "funcnameOffset", funcnameOffset, REQUIRED)                                     \
	X("runtime.pcHeader", pcHeader, "cuOffset", cuOffset, REQUIRED)                                                 \
	X("runtime.pcHeader", pcHeader, "filetabOffset", filetabOffset, REQUIRED)                                       \
	X("runtime.pcHeader", pcHeader, "pctabOffset", pctabOffset, REQUIRED)                                           \
	X("runtime.pcHeader", pcHeader, "pclnOffset", pclnOffset, REQUIRED)                                             \
	X("runtime._func", func, "entryOff", entryOff, REQUIRED)                                                        \
	X("runtime._func", func, "nameOff", nameOff, REQUIRED)                                                          \
	X("runtime._func", func, "args", args, REQUIRED)                                                                \
	X("runtime._func", func, "deferreturn", deferreturn, REQUIRED)                                                  \
	X("runtime._func", func, "pcsp", pcsp, REQUIRED)                                                                \
	X("runtime._func", func, "pcfile", pcfile, REQUIRED)                                                            \
	X("runtime._func", func, "pcln", pcln, REQUIRED)                                                                \
	X("runtime._func", func, "npcdata", npcdata, REQUIRED)                                                          \
	X("runtime._func", func, "cuOffset", cuOffset, REQUIRED)                                                        \
	X("runtime._func", func, "startLine", startLine, REQUIRED)                                                      \
	X("runtime._func", func, "funcID", funcID, REQUIRED)                                                            \
	X("runtime._func", func, "flag", flag, REQUIRED)                                                                \
	X("runtime._func", func, "nfuncdata", nfuncdata, REQUIRED)                                                      \
	X("runtime.inlinedCall", inlinedCall, "funcID", funcID, REQUIRED)                                               \
	X("runtime.inlinedCall", inlinedCall, "nameOff", nameOff, REQUIRED)                                             \
	X("runtime.inlinedCall", inlinedCall, "parentPc", parentPc, REQUIRED)                                           \
	X("runtime.inlinedCall", inlinedCall, "startLine", startLine, REQUIRED)                                         \
	X("internal/abi.Type", type, "Size_", Size_, REQUIRED)                                                          \
	X("internal/abi.Type", type, "PtrBytes", PtrBytes, REQUIRED)                                                    \
	X("internal/abi.Type", type, "Hash", Hash, REQUIRED)                                                            \
	X("internal/abi.Type", type, "TFlag", TFlag, REQUIRED)                                                          \
	X("internal/abi.Type", type, "Align_", Align_, REQUIRED)                                                        \
	X("internal/abi.Type", type, "FieldAlign_", FieldAlign_, REQUIRED)                                              \
	X("internal/abi.Type", type, "Kind_", Kind_, REQUIRED)                                                          \
	X("internal/abi.Type", type, "Equal", Equal, REQUIRED)                                                          \
	X("internal/abi.Type", type, "GCData", GCData, REQUIRED)                                                        \
	X("internal/abi.Type", type, "Str", Str, REQUIRED)                                                              \
	X("internal/abi.Type", type, "PtrToThis", PtrToThis, REQUIRED)                                                  \
	X("internal/abi.ITab", itab, "Inter", Inter, REQUIRED)                                                          \
	X("internal/abi.ITab", itab, "Type", Type, REQUIRED)                                                            \
	X("internal/abi.ITab", itab, "Fun", Fun, REQUIRED)                                                              \
	X("runtime.itabTableType", itabTable, "size", size, REQUIRED)                                                   \
	X("runtime.itabTableType", itabTable, "count", count, REQUIRED)                                                 \
	X("runtime.itabTableType", itabTable, "entries", entries, REQUIRED)                                             \
	X("runtime.initTask", initTask, "state", state, REQUIRED)                                                       \
	X("runtime.initTask", initTask, "nfns", nfns, REQUIRED)                                                         \
	X("runtime.g", g, "stack", stack, REQUIRED)                                                                     \
	X("runtime.g", g, "atomicstatus", atomicstatus, REQUIRED)                                                       \
	X("runtime.g", g, "goid", goid, REQUIRED)                                                                       \
	X("runtime.m", m, "alllink", alllink, REQUIRED)                                                                 \
	X("runtime.m", m, "pcvalueCache", pcvalueCache, OPTIONAL)                                                       \
	X("runtime.pcvalueCache", pcvalueCache, "entries", entries, OPTIONAL)                                           \
	X("runtime.unwinder", unwinder, "frame", frame, REQUIRED)                                                       \
	X("runtime.stkframe", stkframe, "pc", pc, REQUIRED)

/* Numbers of the toolchain: X(name, REQUIRED or OPTIONAL). An optional one that is absent is -1. */
#define GL_ABI_CONSTS(X)                                                                                                \
	X(R_ADDR, REQUIRED)                                                                                             \
	X(R_ADDROFF, REQUIRED)                                                                                          \
	X(R_CALL, REQUIRED)                                                                                             \
	X(R_CALLIND, REQUIRED)                                                                                          \
	X(R_PCREL, REQUIRED)                                                                                            \
	X(R_TLS_LE, REQUIRED)                                                                                           \
	X(R_TLS_IE, REQUIRED)                                                                                           \
	X(R_GOTPCREL, REQUIRED)                                                                                         \
	X(R_SIZE, OPTIONAL)                                                                                             \
	X(R_CONST, OPTIONAL)                                                                                            \
	X(R_USEFIELD, OPTIONAL)                                                                                         \
	X(R_USETYPE, REQUIRED)                                                                                          \
	X(R_USEIFACE, REQUIRED)                                                                                         \
	X(R_USEIFACEMETHOD, REQUIRED)                                                                                   \
	X(R_USENAMEDMETHOD, OPTIONAL)                                                                                   \
	X(R_USEGENERICIFACEMETHOD, OPTIONAL)                                                                            \
	X(R_METHODOFF, REQUIRED)                                                                                        \
	X(R_KEEP, REQUIRED)                                                                                             \
	X(R_INITORDER, REQUIRED)                                                                                        \
	X(R_DWARFSECREF, REQUIRED)                                                                                      \
	X(R_ADDRCUOFF, REQUIRED)                                                                                        \
	X(R_WEAK, REQUIRED)                                                                                             \
	X(STEXT, REQUIRED)                                                                                              \
	X(STEXTFIPS, OPTIONAL)                                                                                          \
	X(SRODATA, REQUIRED)                                                                                            \
	X(SRODATAFIPS, OPTIONAL)                                                                                        \
	X(SNOPTRDATA, REQUIRED)                                                                                         \
	X(SNOPTRDATAFIPS, OPTIONAL)                                                                                     \
	X(SDATA, REQUIRED)                                                                                              \
	X(SDATAFIPS, OPTIONAL)                                                                                          \
	X(SBSS, REQUIRED)                                                                                               \
	X(SNOPTRBSS, REQUIRED)                                                                                          \
	X(STLSBSS, REQUIRED)                                                                                            \
	X(SDWARFFCN, REQUIRED)                                                                                          \
	X(SDWARFABSFCN, REQUIRED)                                                                                       \
	X(SDWARFVAR, REQUIRED)                                                                                          \
	X(SLIBFUZZER_8BIT_COUNTER, OPTIONAL)                                                                            \
	X(SCOVERAGE_COUNTER, OPTIONAL)                                                                                  \
	X(SCOVERAGE_AUXVAR, OPTIONAL)                                                                                   \
	X(SSEHUNWINDINFO, OPTIONAL)                                                                                     \
	X(PCDATA_InlTreeIndex, REQUIRED)                                                                                \
	X(FUNCDATA_ArgsPointerMaps, REQUIRED)                                                                           \
	X(FUNCDATA_StackObjects, REQUIRED)                                                                              \
	X(FUNCDATA_InlTree, REQUIRED)                                                                                   \
	X(FUNCDATA_ArgInfo, REQUIRED)                                                                                   \
	X(FuncFlagAsm, REQUIRED)                                                                                        \
	X(KindMask, OPTIONAL)                                                                                           \
	X(KindDirectIface, OPTIONAL)                                                                                    \
	X(TFlagUncommon, REQUIRED)                                                                                      \
	X(TFlagExtraStar, REQUIRED)                                                                                     \
	X(TFlagNamed, REQUIRED)                                                                                         \
	X(TFlagRegularMemory, REQUIRED)                                                                                 \
	X(TFlagDirectIface, OPTIONAL)

/* A builtin: a runtime symbol that objects refer to by its place in cmd/internal/goobj/builtinlist.go. */
struct gl_builtin {
	const char *name;
	int abi; /* 0 or 1, as in cmd/internal/obj.ABI */
};

struct gl_abi {
	const char *go_version;    /* "go1.27.4" */
	const char *goarch;        /* "amd64" */
	const char *goamd64;       /* "v1" */
	const char *goexperiment;  /* "" where there is none beyond the defaults */
	const char *buildmode;     /* "c-shared" */
	const char *object_header; /* first line of every object for this host, without the line feed:
	                              "go object linux amd64 go1.27.4 GOAMD64=v1 X:…" */
	const struct gl_builtin *builtins;
	uint32_t nbuiltins;

	/* offsets in bytes, by struct: abi->moduledata.pcHeader; -1 for an optional field that is absent */
	struct { int pcHeader, funcnametab, cutab, filetab, pctab, pclntable, ftab, findfunctab, minpc, maxpc, text, etext,
		noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss, end, types, typedesclen, etypes,
		itaboffset, itabsize, rodata, gofunc, epclntab, textsectmap, typelinks, itablinks, pluginpath, modulename,
		gcdatamask, gcbssmask, next; size_t size; } moduledata;
	struct { int nfunc, nfiles, textStart, funcnameOffset, cuOffset, filetabOffset, pctabOffset, pclnOffset;
		size_t size; } pcHeader;
	struct { int entryOff, nameOff, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset, startLine, funcID, flag,
		nfuncdata; size_t size; } func;
	struct { int funcID, nameOff, parentPc, startLine; size_t size; } inlinedCall;
	struct { int Size_, PtrBytes, Hash, TFlag, Align_, FieldAlign_, Kind_, Equal, GCData, Str, PtrToThis; size_t size; } type;
	struct { int Inter, Type, Fun; size_t size; } itab;
	struct { int size, count, entries; } itabTable;
	struct { int state, nfns; size_t size; } initTask;
	struct { int stack, atomicstatus, goid; size_t size; } g;
	struct { int alllink, pcvalueCache; size_t size; } m;
	struct { int entries; size_t size; } pcvalueCache;
	struct { int frame; size_t size; } unwinder;
	struct { int pc; size_t size; } stkframe;

#define X(name, need) int name;
	GL_ABI_CONSTS(X)
#undef X
};

/* Reads the description at path. The result is freed with gl_abi_free; all its strings belong to it.
 * Fails with GL_EIO, GL_EFORMAT, or GL_EHOST that names every required field or number the description lacks. */
struct gl_abi *gl_abi_read(const char *path, struct gl_error *err);
void gl_abi_free(struct gl_abi *abi);

/* Looks up any field or struct the description holds, for the rare user of one that has no name above.
 * Offset in bytes, or -1. */
int gl_abi_field(const struct gl_abi *abi, const char *strukt, const char *field);
int64_t gl_abi_struct_size(const struct gl_abi *abi, const char *strukt);

#endif
