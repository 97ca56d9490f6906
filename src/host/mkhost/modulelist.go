package main

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
)

// Debuggers find the types of interfaces' values by the runtime's list of modules. In it one entry stands for all that
// is loaded, so that a program that is its own host has another list for them, which begins where its own module's
// pluginpath points to (src/debug/modules.c): a program has none, so that the runtime does not look there. Debuggers
// are led to it by the program's DWARF, which says that a module's `next` is there.

// leadToModules changes that in a program, once it was described. One without DWARF, or with another than Go's linker
// writes, stays as it is.
func leadToModules(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer file.Close()
	section := file.Section(".debug_info")
	if section == nil {
		return nil
	}
	data, err := file.DWARF()
	if err != nil {
		return nil
	}
	content, err := section.Data()
	if err != nil {
		return err
	}
	fields, err := fieldsOf(data, "runtime.moduledata")
	if err != nil {
		return err
	}
	next, to := fields["next"], fields["pluginpath"]
	if next == nil || to == nil || !moveField(content, next, to.Val(dwarf.AttrDataMemberLoc).(int64)) {
		return nil
	}
	index := 0
	for file.Sections[index] != section {
		index++
	}
	return replaceSection(program, index, section, content)
}

// fieldsOf returns the entries of a struct's fields that have offsets.
func fieldsOf(data *dwarf.Data, name string) (map[string]*dwarf.Entry, error) {
	entries := data.Reader()
	for {
		entry, err := entries.Next()
		if entry == nil || err != nil {
			return nil, err
		}
		is, _ := entry.Val(dwarf.AttrName).(string)
		if entry.Tag != dwarf.TagStructType || is != name {
			if entry.Tag != dwarf.TagCompileUnit {
				entries.SkipChildren()
			}
			continue
		}
		fields := map[string]*dwarf.Entry{}
		for {
			member, err := entries.Next()
			if member == nil || member.Tag == 0 || err != nil {
				return fields, err
			}
			field, _ := member.Val(dwarf.AttrName).(string)
			if _, ok := member.Val(dwarf.AttrDataMemberLoc).(int64); ok {
				fields[field] = member
			}
		}
	}
}

// moveField writes another offset in a field's entry: behind its abbreviation's number and its name, in as many bytes.
func moveField(info []byte, entry *dwarf.Entry, offset int64) bool {
	at := int(entry.Offset)
	_, n := binary.Uvarint(info[at:])
	name := append([]byte(entry.Val(dwarf.AttrName).(string)), 0)
	if n <= 0 || !bytes.HasPrefix(info[at+n:], name) {
		return false
	}
	at += n + len(name)
	was, size := binary.Uvarint(info[at:])
	if size <= 0 || int64(was) != entry.Val(dwarf.AttrDataMemberLoc).(int64) || uint64(offset)>>(7*size) != 0 {
		return false
	}
	for i := 0; i < size; i++ {
		info[at+i] = byte(offset>>(7*i))&0x7f | 0x80
	}
	info[at+size-1] &= 0x7f
	return true
}
