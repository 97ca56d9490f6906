package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// section is what Go's linker writes for two functions of 32 bytes, at 0x1000 and 0x2000.
func section() []byte {
	common := []byte{3, 0, 1, 0x7c, regReturn, cfaDefCfa, regSP, 8, cfaOffset | regReturn, 2, cfaNop, cfaNop}
	out := binary.LittleEndian.AppendUint32(nil, uint32(4+len(common)))
	out = append(binary.LittleEndian.AppendUint32(out, ^uint32(0)), common...)
	for _, entry := range []uint64{0x1000, 0x2000} {
		program := []byte{cfaDefCfaOffsetSF, 0x7e, cfaAdvance | 1, cfaDefCfaOffsetSF, 0x7c, cfaAdvance1, 30,
			cfaDefCfaOffsetSF, 0x7e, cfaAdvance, cfaNop, cfaNop}
		out = binary.LittleEndian.AppendUint32(out, uint32(20+len(program)))
		out = binary.LittleEndian.AppendUint32(out, 0)
		out = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(out, entry), 32)
		out = append(out, program...)
	}
	return out
}

func TestRows(t *testing.T) {
	got, err := readRows(section()[20+24:20+24+12], -4)
	want := []frameRow{{0, 8}, {1, 16}, {31, 8}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: got %v, want %v", i, got[i], want[i])
		}
	}
	if _, err := readRows([]byte{cfaDefCfaExpression, 0}, -4); !errors.Is(err, errFrames) {
		t.Errorf("an instruction that the linker doesn't write: got %v", err)
	}
}

// parts lists the code that entries describe.
func parts(section []byte) (all [][2]uint64) {
	order := binary.LittleEndian
	for len(section) > 0 {
		size := 4 + int(order.Uint32(section))
		if order.Uint32(section[4:]) != ^uint32(0) {
			all = append(all, [2]uint64{order.Uint64(section[8:]), order.Uint64(section[16:])})
		}
		section = section[size:]
	}
	return all
}

func TestDescribeCrossings(t *testing.T) {
	before := section()
	rules := []byte{cfaOffset | regBP, 2}
	after, err := describeCrossings(before, map[uint64][]crossing{0x1000: {{from: 9, to: 12, rules: rules}}})
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]uint64{{0x2000, 32}, {0x1000, 9}, {0x1009, 3}, {0x100c, 20}}
	got := parts(after)
	if len(got) != len(want) {
		t.Fatalf("got %x, want %x", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("part %d: got %x, want %x", i, got[i], want[i])
		}
	}
	if !bytes.Contains(after, append([]byte{cfaDefCfaOffset, 16}, rules...)) {
		t.Error("the crossing is not described")
	}
	if _, err := describeCrossings(before[:len(before)-1], nil); !errors.Is(err, errFrames) {
		t.Errorf("a section that ends in an entry: got %v", err)
	}
}

func TestUnknownCode(t *testing.T) {
	code := bytes.Repeat([]byte{0x90}, 64)
	for _, c := range crossings {
		if got := c.find(code); got != nil {
			t.Errorf("%s: got %v for code of another kind", c.function, got)
		}
		for _, short := range [][]byte{nil, setsSP.fromR8, setsSP.fromDI, {0x48, 0x29, 0xd7}, {0x48, 0x8d, 0x05}} {
			c.find(short)
		}
	}
}
