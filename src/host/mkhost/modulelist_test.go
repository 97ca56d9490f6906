package main

import (
	"bytes"
	"debug/dwarf"
	"testing"
)

// A field named next at offset 500, as it lies in .debug_info behind two other bytes.
func field() ([]byte, *dwarf.Entry) {
	info := []byte{1, 2, 14, 'n', 'e', 'x', 't', 0, 0xf4, 0x03, 9}
	return info, &dwarf.Entry{Offset: 2, Tag: dwarf.TagMember, Field: []dwarf.Field{
		{Attr: dwarf.AttrName, Val: "next"}, {Attr: dwarf.AttrDataMemberLoc, Val: int64(500)}}}
}

func TestMoveField(t *testing.T) {
	for offset, want := range map[int64][]byte{432: {0xb0, 0x03}, 8: {0x88, 0x00}} {
		info, entry := field()
		if !moveField(info, entry, offset) {
			t.Fatalf("%d: it stays where it was", offset)
		}
		if !bytes.Equal(info[8:], append(want, 9)) || info[0] != 1 || info[7] != 0 {
			t.Errorf("%d: got %x", offset, info)
		}
	}
}

func TestMoveFieldLeavesWhatItDoesNotKnow(t *testing.T) {
	for what, change := range map[string]func(info []byte, entry *dwarf.Entry) int64{
		"another name":      func(info []byte, _ *dwarf.Entry) int64 { info[4] = 'o'; return 432 },
		"another offset":    func(info []byte, _ *dwarf.Entry) int64 { info[8] = 0xf5; return 432 },
		"one too large":     func([]byte, *dwarf.Entry) int64 { return 1 << 14 },
		"an entry at end":   func(_ []byte, entry *dwarf.Entry) int64 { entry.Offset = 10; return 432 },
		"a name and no end": func(info []byte, _ *dwarf.Entry) int64 { info[7] = 's'; return 432 },
	} {
		info, entry := field()
		offset := change(info, entry)
		before := bytes.Clone(info)
		if moveField(info, entry, offset) || !bytes.Equal(info, before) {
			t.Errorf("%s: it was moved", what)
		}
	}
}
