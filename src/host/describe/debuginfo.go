package main

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// addDebugInfo writes what the host's DWARF says: the runtime's structs and constants, and the abbreviation table.
func addDebugInfo(d *description, host string) error {
	file, err := elf.Open(host)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return fmt.Errorf("%s: %w (a host needs its DWARF when it is described; build it without -ldflags=-w or -s)",
			host, err)
	}
	unit, err := addStructs(d, data)
	if err != nil {
		return fmt.Errorf("%s: %w", host, err)
	}
	if err := addAbbreviations(d, file, unit); err != nil {
		return fmt.Errorf("%s: %w", host, err)
	}
	return nil
}

// wanted tells whether the library may ever look into a struct. Whole packages are named rather than single structs:
// the runtime splits and renames them from release to release, and a description must not need a release of its own.
func wanted(name string) bool {
	if strings.ContainsAny(name, " {[(\t\n") {
		return false // composite, generic or local
	}
	for _, pkg := range []string{"runtime.", "internal/abi.", "internal/runtime/", "reflect.", "sync."} {
		if strings.HasPrefix(name, pkg) {
			return true
		}
	}
	return false
}

// wantedConstant tells whether the library may need a constant of the runtime's: states of goroutines and of spans,
// what goroutines wait for, the kinds of what is noted of objects, flags, sizes.
func wantedConstant(name string) bool {
	for _, prefix := range []string{"_G", "_KindSpecial", "mSpan", "unwind", "traceback", "pageSize",
		"minSizeForMallocHeader", "waitReason"} {
		if strings.HasPrefix(name, "runtime."+prefix) {
			return true
		}
	}
	return false
}

// addStructs writes size and fields of every wanted struct, and of every variable of theirs whose struct has no name,
// under the variable's. The Go linker keeps the types of all packages in one unit,
// the runtime's (cmd/link/internal/ld/dwarf.go); the offset of one of its entries is returned.
func addStructs(d *description, data *dwarf.Data) (dwarf.Offset, error) {
	var unit dwarf.Offset
	seen := map[string]bool{}
	entries := data.Reader()
	for {
		entry, err := entries.Next()
		if err != nil {
			return 0, err
		}
		if entry == nil {
			break
		}
		switch entry.Tag {
		case dwarf.TagCompileUnit:
			const golang = 0x16 // DW_LANG_Go
			if language, _ := entry.Val(dwarf.AttrLanguage).(int64); language != golang {
				entries.SkipChildren()
			}
		case dwarf.TagSubprogram:
			entries.SkipChildren()
		case dwarf.TagConstant:
			name, _ := entry.Val(dwarf.AttrName).(string)
			value, ok := entry.Val(dwarf.AttrConstValue).(int64)
			if ok && wantedConstant(name) && !seen[name] {
				seen[name] = true
				d.add("const", name, value)
			}
		case dwarf.TagVariable:
			name, _ := entry.Val(dwarf.AttrName).(string)
			typ, ok := entry.Val(dwarf.AttrType).(dwarf.Offset)
			if !ok || !wanted(name) || seen[name] {
				continue
			}
			variable, err := data.Type(typ)
			if err != nil {
				return 0, fmt.Errorf("variable %s: %w", name, err)
			}
			if unnamed, ok := variable.(*dwarf.StructType); ok && strings.HasPrefix(unnamed.StructName, "struct {") {
				seen[name] = true
				addUnnamed(d, name, unnamed)
			}
		case dwarf.TagStructType:
			name, _ := entry.Val(dwarf.AttrName).(string)
			if !wanted(name) || seen[name] {
				entries.SkipChildren()
				continue
			}
			seen[name] = true
			unit = entry.Offset
			if err := addStruct(d, data, entries, entry, name); err != nil {
				return 0, fmt.Errorf("struct %s: %w", name, err)
			}
		}
	}
	if !seen["runtime.moduledata"] {
		return 0, errors.New("no struct runtime.moduledata in the DWARF: this is no Go program")
	}
	return unit, nil
}

func addUnnamed(d *description, variable string, of *dwarf.StructType) {
	d.add("struct", variable, of.ByteSize)
	for _, field := range of.Field {
		// an embedded one is named by its type, with the package's name
		name := field.Name[strings.LastIndexByte(field.Name, '.')+1:]
		if name != "_" {
			d.add("field", variable, name, field.ByteOffset, field.Type.Size())
		}
	}
}

func addStruct(d *description, data *dwarf.Data, entries *dwarf.Reader, entry *dwarf.Entry, name string) error {
	size, ok := entry.Val(dwarf.AttrByteSize).(int64)
	if !ok {
		return errors.New("no size")
	}
	d.add("struct", name, size)
	if !entry.Children {
		return nil
	}
	seen := map[string]bool{"_": true} // padding has no use
	offsets := map[string]int64{}
	for {
		member, err := entries.Next()
		if err != nil {
			return err
		}
		if member == nil || member.Tag == 0 {
			return nil
		}
		field, _ := member.Val(dwarf.AttrName).(string)
		offset, hasOffset := member.Val(dwarf.AttrDataMemberLoc).(int64)
		typ, hasType := member.Val(dwarf.AttrType).(dwarf.Offset)
		if member.Tag != dwarf.TagMember || !hasOffset || !hasType || seen[field] {
			continue
		}
		seen[field] = true
		fieldType, err := data.Type(typ)
		if err != nil {
			return fmt.Errorf("field %s: %w", field, err)
		}
		offsets[field] = offset
		if name == "runtime.moduledata" && field == "next" && offset == offsets["pluginpath"] {
			offset = size - fieldType.Size() // the last one, in all versions: see mkhost/modulelist.go
		}
		d.add("field", name, field, offset, fieldType.Size())
	}
}

// addAbbreviations writes the abbreviation table that unit, a unit of the Go linker's making, is written with.
//
// The debugging information inside objects uses the same table by number but does not hold it: it is part of the
// toolchain (cmd/internal/dwarf, Abbrevs), differs between releases, and from Go 1.25 on depends on the experiment
// that selects DWARF 5. The linker copies it into every binary, so the host's copy is the table in force.
func addAbbreviations(d *description, file *elf.File, unit dwarf.Offset) error {
	info, err := sectionData(file, ".debug_info")
	if err != nil {
		return err
	}
	abbrev, err := sectionData(file, ".debug_abbrev")
	if err != nil {
		return err
	}
	start, err := abbreviationsOf(info, file.ByteOrder, uint64(unit))
	if err != nil {
		return err
	}
	if start >= uint64(len(abbrev)) {
		return fmt.Errorf("abbreviations at %#x of .debug_abbrev, which ends at %#x", start, len(abbrev))
	}

	in := cursor{data: abbrev[start:]}
	for {
		code := in.uleb()
		if code == 0 {
			break
		}
		tag, children := in.uleb(), in.byte()
		var attrs []string
		for {
			attr, form := in.uleb(), in.uleb()
			if attr == 0 && form == 0 {
				break
			}
			if form == 0x21 { // DW_FORM_implicit_const, the only one that is followed by a value here
				return fmt.Errorf("abbreviation %d has an implicit constant, which Go does not write", code)
			}
			attrs = append(attrs, fmt.Sprintf("%#x:%#x", attr, form))
			if in.failed {
				break
			}
		}
		if in.failed {
			return errors.New(".debug_abbrev ends in the middle of an abbreviation")
		}
		// In the header: numbers don't sort as text.
		d.addHeader("abbrev", code, fmt.Sprintf("%#x", tag), children, strings.Join(attrs, " "))
	}
	if in.failed {
		return errors.New(".debug_abbrev ends in the middle of an abbreviation")
	}
	return nil
}

// abbreviationsOf finds the header of the unit that holds the entry at offset, and returns where its abbreviations are.
func abbreviationsOf(info []byte, order binary.ByteOrder, offset uint64) (uint64, error) {
	for at := uint64(0); at+12 <= uint64(len(info)); {
		length := uint64(order.Uint32(info[at:]))
		if length >= 0xfffffff0 {
			return 0, errors.New("64-bit DWARF, which Go does not write")
		}
		end := at + 4 + length
		if offset >= end {
			at = end
			continue
		}
		if version := order.Uint16(info[at+4:]); version >= 5 {
			// version 5 put the kind of unit and the size of an address before it
			return uint64(order.Uint32(info[at+8:])), nil
		}
		return uint64(order.Uint32(info[at+6:])), nil
	}
	return 0, fmt.Errorf(".debug_info has no unit at %#x", offset)
}

func sectionData(file *elf.File, name string) ([]byte, error) {
	section := file.Section(name)
	if section == nil {
		return nil, fmt.Errorf("no section %s", name)
	}
	data, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", name, err)
	}
	return data, nil
}

// A cursor reads numbers; behind the end it gives zeros and remembers that it did.
type cursor struct {
	data   []byte
	failed bool
}

func (c *cursor) byte() byte {
	if len(c.data) == 0 {
		c.failed = true
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return b
}

func (c *cursor) uleb() uint64 {
	var value uint64
	for shift := uint(0); ; shift += 7 {
		b := c.byte()
		value |= uint64(b&0x7f) << shift
		if b&0x80 == 0 || c.failed {
			return value
		}
	}
}
