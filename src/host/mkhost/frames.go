package main

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
)

// Go's linker tells debuggers where the caller of a function is by how far the function has moved the stack pointer
// (.debug_frame). Where a function has changed stacks, that leads nowhere: a backtrace of Go that was called by C ends
// at the last frame on Go's stack, and one of C that was called by Go in garbage. Here those functions are described
// anew, each at the one instruction at which it has called somebody on the other stack:
//
//	enter.fromC          C, on its own stack, has called Go: the short way (internal/enter/cross_amd64.s)
//	runtime.cgocallback  the same: cgo's way
//	crosscall2           which C calls in that case; it keeps the frame pointer for C
//	runtime.asmcgocall   a goroutine has called C on the thread's stack
//
// What they look like is known by their instructions. One that looks different is left as the linker has described it:
// debuggers then see no further than they do in any Go program.

// A place in a function's code where it has called somebody on another stack: inside of the call instruction, which is
// where debuggers look up the frame of a caller.
type crossing struct {
	from, to int
	rules    []byte // DWARF's, for the caller's frame and registers
	// gdb does not follow frames to lower addresses, unless it is a signal that has led from one stack to the other.
	goesDown bool
}

var crossings = []struct {
	function string
	find     func(code []byte) []crossing
}{
	{"goloader.dev/host/internal/enter.fromC", crossingsOfFromC},
	{"runtime.cgocallback", crossingsOfCgocallback},
	{"crosscall2", crossingsOfCrosscall2},
	{"runtime.asmcgocall", crossingsOfAsmcgocall},
}

// Numbers of DWARF's.
const (
	cfaNop              = 0x00
	cfaAdvance1         = 0x02
	cfaAdvance2         = 0x03
	cfaAdvance4         = 0x04
	cfaDefCfa           = 0x0c
	cfaDefCfaOffset     = 0x0e
	cfaDefCfaExpression = 0x0f
	cfaDefCfaOffsetSF   = 0x13
	cfaAdvance          = 0x40
	cfaOffset           = 0x80

	opDeref      = 0x06
	opMinus      = 0x1c
	opPlusUconst = 0x23
	opBregSP     = 0x77

	regBX, regBP, regSP, reg12, reg13, reg14, reg15, regReturn = 3, 6, 7, 12, 13, 14, 15, 16
)

func sleb(v int64) (out []byte) {
	for ; v < -0x40 || v >= 0x40; v >>= 7 {
		out = append(out, byte(v)|0x80)
	}
	return append(out, byte(v)&0x7f)
}

func uleb(v uint64) (out []byte) {
	for ; v >= 0x80; v >>= 7 {
		out = append(out, byte(v)|0x80)
	}
	return append(out, byte(v))
}

// fromSP is an expression: what lies at an offset from the stack pointer.
func fromSP(offset int64) []byte {
	return append(append([]byte{opBregSP}, sleb(offset)...), opDeref)
}

// frameAt says by an expression where the caller's frame ends.
func frameAt(expression ...[]byte) []byte {
	e := bytes.Join(expression, nil)
	return append(append([]byte{cfaDefCfaExpression}, uleb(uint64(len(e)))...), e...)
}

// kept says that a register's value lies so many words below that.
func kept(register byte, words uint64) []byte {
	return append([]byte{cfaOffset | register}, uleb(words)...)
}

// The callee has pushed the frame pointer, which the function has had from before it changed stacks: it points to where
// the frame pointer of the function's own caller lies, below the return address.
var (
	frameOnOtherStack = frameAt(fromSP(-16), []byte{opPlusUconst, 16})
	framePointer      = kept(regBP, 2)
)

var setsSP = struct{ fromR8, fromDI []byte }{
	[]byte{0x4c, 0x89, 0xc4}, // MOVQ R8, SP
	[]byte{0x48, 0x89, 0xfc}, // MOVQ DI, SP
}

// find returns where code continues behind what comes first of the patterns, and which of them that is.
func find(code []byte, start int, patterns ...[]byte) (end, which int) {
	end, which = -1, -1
	first := len(code)
	for i, pattern := range patterns {
		if start < 0 {
			break
		}
		if at := bytes.Index(code[start:], pattern); at >= 0 && start+at < first {
			first, end, which = start+at, start+at+len(pattern), i
		}
	}
	return end, which
}

func crossingsOfFromC(code []byte) []crossing {
	switched, _ := find(code, 0, setsSP.fromR8)
	call := []byte{0x41, 0xff, 0xd4} // CALL R12
	called, _ := find(code, switched, call)
	if called < 0 {
		return nil
	}
	rules := [][]byte{frameOnOtherStack, framePointer, kept(regBX, 7), kept(reg12, 6), kept(reg13, 5), kept(reg14, 4),
		kept(reg15, 3)}
	return []crossing{{from: called - len(call) + 1, to: called, rules: bytes.Join(rules, nil)}}
}

func crossingsOfCgocallback(code []byte) []crossing {
	switched, _ := find(code, 0, setsSP.fromDI)
	// LEAQ runtime.cgocallbackg(SB), AX or DX; CALL
	loaded, which := find(code, switched, []byte{0x48, 0x8d, 0x05}, []byte{0x48, 0x8d, 0x15})
	if loaded < 0 || loaded+6 > len(code) || !bytes.Equal(code[loaded+4:loaded+6], []byte{0xff, 0xd0 | byte(2*which)}) {
		return nil
	}
	rules := append(frameOnOtherStack[:len(frameOnOtherStack):len(frameOnOtherStack)], framePointer...)
	return []crossing{{from: loaded + 5, to: loaded + 6, rules: rules}}
}

func crossingsOfCrosscall2(code []byte) []crossing {
	// MOVQ CX, 16(SP); CALL runtime.cgocallback(SB)
	called, _ := find(code, 0, []byte{0x48, 0x89, 0x4c, 0x24, 0x10, 0xe8})
	if called < 0 || called+4 > len(code) {
		return nil
	}
	return []crossing{{from: called, to: called + 4, rules: framePointer}}
}

// storedAt reads where, from the stack pointer, a MOVQ stores a register, with an offset of one byte or none.
func storedAt(code []byte, at int, register byte) (offset int64, end int) {
	switch {
	case bytes.HasPrefix(code[at:], []byte{0x48, 0x89, 0x04 | register<<3, 0x24}):
		return 0, at + 4
	case bytes.HasPrefix(code[at:], []byte{0x48, 0x89, 0x44 | register<<3, 0x24}) && at+5 <= len(code):
		return int64(int8(code[at+4])), at + 5
	}
	return 0, -1
}

// asmcgocall has two ways: of a goroutine on a stack of its own, and of what runs on the thread's stack already.
func crossingsOfAsmcgocall(code []byte) (all []crossing) {
	const regDX, regDI = 2, 7
	// SUBQ DX, DI: how deep in the goroutine's stack it was, for that may move while C runs
	deep, _ := find(code, 0, []byte{0x48, 0x29, 0xd7})
	if deep < 0 {
		return nil
	}
	// before that MOVQ DI, g(SP); MOVQ (g_stack+stack_hi)(DI), DI
	load := deep - 3 - 4
	if load < 5 || !bytes.Equal(code[load:load+3], []byte{0x48, 0x8b, 0x7f}) {
		return nil
	}
	g, end := storedAt(code, load-5, regDI)
	depth, stored := storedAt(code, deep, regDI)
	if end != load || stored < 0 {
		return nil
	}
	if from, to := nextCall(code, stored); to > 0 {
		frame := frameAt(fromSP(g), []byte{opPlusUconst, code[load+3], opDeref}, fromSP(depth), []byte{opMinus},
			[]byte{opPlusUconst, 16})
		// gdb looks a signal's frame up by the return address itself
		all = append(all, crossing{from, to + 1, append(frame, framePointer...), true})
		// MOVQ DX, sp(SP)
		for at := to; at < len(code); at++ {
			sp, stored := storedAt(code, at, regDX)
			if stored < 0 {
				continue
			}
			if from, to = nextCall(code, stored); to > 0 {
				frame = frameAt(fromSP(sp), []byte{opPlusUconst, 16})
				all = append(all, crossing{from, to, append(frame, framePointer...), false})
			}
			break
		}
	}
	return all
}

// nextCall finds the call of C's function, CALL AX behind two moves of BX, or CALL runtime.asmcgocall_landingpad(SB).
func nextCall(code []byte, at int) (from, to int) {
	if bytes.HasPrefix(code[at:], []byte{0xe8}) && at+5 <= len(code) {
		return at + 1, at + 5
	}
	moves := []byte{0x48, 0x89, 0xdf, 0x48, 0x89, 0xd9, 0xff, 0xd0} // MOVQ BX, DI; MOVQ BX, CX; CALL AX
	if bytes.HasPrefix(code[at:], moves) {
		return at + len(moves) - 1, at + len(moves)
	}
	return -1, -1
}

// ---- the section ---------------------------------------------------------------------------------------------------

// A row of the linker's description: from there on the caller's frame ends so far above the stack pointer.
type frameRow struct {
	from  int
	above uint64
}

var errFrames = errors.New("not as Go's linker writes it")

func readUleb(p *[]byte) (v uint64) {
	for shift := 0; len(*p) > 0; shift += 7 {
		b := (*p)[0]
		*p = (*p)[1:]
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	return v
}

func readSleb(p *[]byte) int64 {
	before := len(*p)
	v := readUleb(p)
	if bits := 7 * (before - len(*p)); bits < 64 && v>>(bits-1) != 0 {
		return int64(v) - 1<<bits
	}
	return int64(v)
}

// readRows reads what the linker says of a function (writeframes of cmd/link/internal/ld/dwarf.go).
func readRows(program []byte, factor int64) (rows []frameRow, err error) {
	at := 0
	for len(program) > 0 {
		op := program[0]
		program = program[1:]
		size := map[byte]int{cfaAdvance1: 1, cfaAdvance2: 2, cfaAdvance4: 4}[op]
		switch {
		case op == cfaNop:
		case op == cfaDefCfaOffsetSF:
			rows = append(rows, frameRow{at, uint64(readSleb(&program) * factor)})
		case op&0xc0 == cfaAdvance:
			at += int(op & 0x3f)
		case size > 0 && size <= len(program):
			var by [4]byte
			copy(by[:], program[:size])
			at += int(binary.LittleEndian.Uint32(by[:]))
			program = program[size:]
		default:
			return nil, errFrames
		}
	}
	return rows, nil
}

// A frameWriter appends entries to a section.
type frameWriter struct {
	out    []byte
	common map[bool]uint32 // where the common entries are; those for frames of signals differ
}

func (w *frameWriter) entry(id uint32, content []byte) {
	for len(content)%8 != 0 {
		content = append(content, cfaNop)
	}
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(4+len(content)))
	w.out = binary.LittleEndian.AppendUint32(w.out, id)
	w.out = append(w.out, content...)
}

func (w *frameWriter) commonEntry(isSignal bool, augmentation string) {
	w.common[isSignal] = uint32(len(w.out))
	content := append(append([]byte{3}, augmentation...), 0, 1)
	content = append(append(content, sleb(-8)...), regReturn, cfaDefCfa, regSP, 8)
	w.entry(^uint32(0), append(content, kept(regReturn, 1)...))
}

// part describes a part of a function's code, which begins at entry.
func (w *frameWriter) part(entry uint64, from, to int, isSignal bool, rules []byte) {
	content := binary.LittleEndian.AppendUint64(nil, entry+uint64(from))
	content = binary.LittleEndian.AppendUint64(content, uint64(to-from))
	w.entry(w.common[isSignal], append(content, rules...))
}

// plainPart describes a part by the linker's rows.
func (w *frameWriter) plainPart(entry uint64, from, to int, rows []frameRow) {
	var rules []byte
	at := from
	for i, row := range rows {
		if row.from >= to || i+1 < len(rows) && rows[i+1].from <= from {
			continue
		}
		if row.from > at {
			rules = append(rules, cfaAdvance4)
			rules = binary.LittleEndian.AppendUint32(rules, uint32(row.from-at))
			at = row.from
		}
		rules = append(append(rules, cfaDefCfaOffset), uleb(row.above)...)
	}
	w.part(entry, from, to, false, rules)
}

// function describes all of a function.
func (w *frameWriter) function(entry uint64, size int, rows []frameRow, all []crossing) {
	from := 0
	for _, c := range all {
		w.plainPart(entry, from, c.from, rows)
		// the return address is where it always is
		w.part(entry, c.from, c.to, c.goesDown, append(rowBefore(rows, c.from), c.rules...))
		from = c.to
	}
	w.plainPart(entry, from, size, rows)
}

func rowBefore(rows []frameRow, at int) (rule []byte) {
	for _, row := range rows {
		if row.from <= at {
			rule = append([]byte{cfaDefCfaOffset}, uleb(row.above)...)
		}
	}
	return rule
}

// describeCrossings gives a section the descriptions of these functions.
func describeCrossings(section []byte, functions map[uint64][]crossing) ([]byte, error) {
	order := binary.LittleEndian
	w := frameWriter{common: map[bool]uint32{}}
	var factor int64
	type described struct {
		entry uint64
		size  int
		rows  []frameRow
	}
	var found []described
	for rest := section; len(rest) > 0; {
		if len(rest) < 8 || uint64(order.Uint32(rest))+4 > uint64(len(rest)) {
			return nil, errFrames
		}
		entry := rest[:4+order.Uint32(rest)]
		rest = rest[len(entry):]
		switch id := order.Uint32(entry[4:]); {
		case id == ^uint32(0):
			// version, no augmentation, factor of the code, factor of the data
			if len(w.out) > 0 || len(entry) < 12 || entry[9] != 0 || entry[10] != 1 {
				return nil, errFrames
			}
			p := entry[11:]
			factor = readSleb(&p)
		case id != 0 || len(entry) < 24:
			return nil, errFrames
		case functions[order.Uint64(entry[8:])] != nil:
			rows, err := readRows(entry[24:], factor)
			if err != nil {
				return nil, err
			}
			found = append(found, described{order.Uint64(entry[8:]), int(order.Uint64(entry[16:])), rows})
			continue
		}
		w.out = append(w.out, entry...)
	}
	w.commonEntry(false, "")
	w.commonEntry(true, "S")
	for _, f := range found {
		w.function(f.entry, f.size, f.rows, functions[f.entry])
	}
	return w.out, nil
}

// ---- the file ------------------------------------------------------------------------------------------------------

// describeFrames does so in a library. One without such a section stays as it is.
func describeFrames(library string) error {
	file, err := elf.Open(library)
	if err != nil {
		return err
	}
	defer file.Close()
	frames := file.Section(".debug_frame")
	if frames == nil || file.Machine != elf.EM_X86_64 {
		return nil
	}
	content, err := frames.Data()
	if err != nil {
		return err
	}
	functions, err := findCrossings(file)
	if err != nil {
		return err
	}
	content, err = describeCrossings(content, functions)
	if errors.Is(err, errFrames) {
		return nil
	} else if err != nil {
		return err
	}
	index := 0
	for file.Sections[index] != frames {
		index++
	}
	return replaceSection(library, index, frames, content)
}

func findCrossings(file *elf.File) (map[uint64][]crossing, error) {
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	functions := map[uint64][]crossing{}
	for _, s := range symbols {
		for _, c := range crossings {
			if s.Name != c.function && s.Name != c.function+".abi0" || int(s.Section) >= len(file.Sections) {
				continue
			}
			text := file.Sections[s.Section]
			code := make([]byte, s.Size)
			if _, err := text.ReadAt(code, int64(s.Value-text.Addr)); err != nil {
				return nil, err
			}
			if all := c.find(code); all != nil {
				functions[s.Value] = all
			}
		}
	}
	return functions, nil
}

// replaceSection gives a section of a file another content: at its place where there is room for it.
func replaceSection(path string, index int, section *elf.Section, content []byte) error {
	order := binary.LittleEndian
	stored := content
	if section.Flags&elf.SHF_COMPRESSED != 0 {
		var b bytes.Buffer
		header := elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: uint64(len(content)), Addralign: section.Addralign}
		if err := binary.Write(&b, order, header); err != nil {
			return err
		}
		z, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(content); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		stored = b.Bytes()
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	var header elf.Header64
	if err := binary.Read(file, order, &header); err != nil {
		return err
	}
	offset := int64(section.Offset)
	if uint64(len(stored)) > section.FileSize {
		if offset, err = file.Seek(0, 2); err != nil {
			return err
		}
		offset = (offset + 7) &^ 7
	}
	if _, err := file.WriteAt(stored, offset); err != nil {
		return err
	}
	place := binary.LittleEndian.AppendUint64(nil, uint64(offset))
	place = binary.LittleEndian.AppendUint64(place, uint64(len(stored)))
	// sh_offset and sh_size of an Elf64_Shdr
	_, err = file.WriteAt(place, int64(header.Shoff)+int64(index)*int64(header.Shentsize)+24)
	return errors.Join(err, file.Close())
}
