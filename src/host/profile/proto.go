package profile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
)

// A profile's file is a message of protocol buffers (github.com/google/pprof/proto/profile.proto), compressed by gzip.
// Of its fields only those are taken apart here that say of addresses which code they are of. All others are handed on.
// Go has packages that read and write such files, internal/profile and cmd/vendor/github.com/google/pprof/profile, but
// nobody outside of std and cmd may import either.

// Fields of the messages, by number
const (
	profileSample, profileMapping, profileLocation, profileFunction, profileString = 2, 3, 4, 5, 6

	sampleLocation, sampleLabel                              = 1, 3
	labelKey, labelText                                      = 1, 2
	mappingID, mappingStart, mappingLimit, mappingFile       = 1, 2, 3, 5
	mappingHasFunctions, mappingHasFiles                     = 7, 8
	mappingHasLines                                          = 9
	locationID, locationMapping, locationAddress, locationAt = 1, 2, 3, 4
	lineFunction, lineNumber                                 = 1, 2
	functionID, functionName, functionSystemName             = 1, 2, 3
	functionFile, functionFirstLine                          = 4, 5
)

// A field of a message: a number, or bytes.
type field struct {
	number uint64
	isText bool
	value  uint64
	text   []byte
}

var errFormat = errors.New("the profile is not what runtime/pprof writes")

func fields(message []byte) (all []field, err error) {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return nil, errFormat
		}
		message = message[n:]
		f := field{number: key >> 3, isText: key&7 == 2}
		if f.value, n = binary.Uvarint(message); n <= 0 || key&7 != 0 && !f.isText {
			return nil, errFormat
		}
		message = message[n:]
		if f.isText {
			if f.value > uint64(len(message)) {
				return nil, errFormat
			}
			f.text, message = message[:f.value], message[f.value:]
		}
		all = append(all, f)
	}
	return all, nil
}

func appendNumber(b []byte, number int, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(number)<<3), value)
}

func appendText(b []byte, number int, text []byte) []byte {
	b = binary.AppendUvarint(b, uint64(number)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendField(b []byte, f field) []byte {
	if f.isText {
		return appendText(b, int(f.number), f.text)
	}
	return appendNumber(b, int(f.number), f.value)
}

// A location is an address with the functions that its code is of, the innermost first.
type location struct {
	id, mapping, address uint64
	others               []field // what stays as it is
	lines                []field // one for each function
	isKnown              bool    // they have names
}

// Profile is a profile that was read.
type Profile struct {
	fields    []field // all but those below
	samples   [][]field
	locations []*location
	strings   map[string]uint64
	texts     []string
	functions map[string]uint64 // that were added, by all that is to be said of them
	added     []byte            // fields
	module    map[uint64]string // by location: which loaded module its code is of
	mappings  map[string]uint64 // of loaded modules
	last      struct{ function, mapping uint64 }
}

func read(compressed []byte) (*Profile, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	all, err := fields(data)
	if err != nil {
		return nil, err
	}
	p := &Profile{strings: map[string]uint64{}, functions: map[string]uint64{}, module: map[uint64]string{},
		mappings: map[string]uint64{}}
	named := map[uint64]bool{}
	for _, f := range all {
		if f.number == profileString {
			p.strings[string(f.text)] = uint64(len(p.texts))
			p.texts = append(p.texts, string(f.text))
		}
	}
	for _, f := range all {
		if f.number != profileFunction {
			continue
		}
		function, err := fields(f.text)
		if err != nil {
			return nil, err
		}
		var id uint64
		for _, part := range function {
			switch part.number {
			case functionID:
				id = part.value
				p.last.function = max(p.last.function, id)
			case functionName:
				name := ""
				if part.value < uint64(len(p.texts)) {
					name = p.texts[part.value]
				}
				named[id] = name != "" && name != "goloader.unloaded" // as the runtime calls what has gone
			}
		}
	}
	for _, f := range all {
		switch f.number {
		case profileString:
			continue
		case profileSample, profileLocation, profileMapping:
			parts, err := fields(f.text)
			if err != nil {
				return nil, err
			}
			if f.number == profileSample {
				p.samples = append(p.samples, parts)
				continue
			}
			if f.number == profileLocation {
				p.locations = append(p.locations, readLocation(parts, named))
				continue
			}
			for _, part := range parts {
				if part.number == mappingID {
					p.last.mapping = max(p.last.mapping, part.value)
				}
			}
		}
		p.fields = append(p.fields, f)
	}
	return p, nil
}

func readLocation(parts []field, named map[uint64]bool) *location {
	l := &location{}
	for _, part := range parts {
		switch part.number {
		case locationID:
			l.id = part.value
		case locationMapping:
			l.mapping = part.value
		case locationAddress:
			l.address = part.value
		case locationAt:
			l.lines = append(l.lines, part)
			line, _ := fields(part.text)
			for _, f := range line {
				l.isKnown = l.isKnown || f.number == lineFunction && named[f.value]
			}
		default:
			l.others = append(l.others, part)
		}
	}
	return l
}

// string returns the number of a string.
func (p *Profile) string(s string) uint64 {
	n, isThere := p.strings[s]
	if !isThere {
		n = uint64(len(p.texts))
		p.strings[s] = n
		p.texts = append(p.texts, s)
	}
	return n
}

// Addresses returns those that may be of loaded code.
func (p *Profile) Addresses() []int64 {
	addresses := make([]int64, len(p.locations))
	for i, l := range p.locations {
		if l.address < 1<<47 {
			addresses[i] = int64(l.address)
		}
	}
	return addresses
}

// Name says of the address with that index what its code is of: the module, then function, file, line and first line of
// each function, each followed by a zero byte.
func (p *Profile) Name(i int, text string) {
	parts := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	l := p.locations[i]
	p.module[l.id] = parts[0]
	l.mapping = p.mapping(parts[0])
	if l.isKnown {
		return
	}
	l.isKnown, l.lines = true, nil
	for parts = parts[1:]; len(parts) >= 4; parts = parts[4:] {
		line, _ := strconv.Atoi(parts[2])
		text := appendNumber(nil, lineFunction, p.function(parts[0], parts[1], parts[3]))
		if line > 0 {
			text = appendNumber(text, lineNumber, uint64(line))
		}
		l.lines = append(l.lines, field{number: locationAt, isText: true, text: text})
	}
}

func (p *Profile) function(name, file, firstLine string) uint64 {
	key := name + "\x00" + file + "\x00" + firstLine
	if id := p.functions[key]; id != 0 {
		return id
	}
	p.last.function++
	p.functions[key] = p.last.function
	f := appendNumber(nil, functionID, p.last.function)
	f = appendNumber(f, functionName, p.string(name))
	f = appendNumber(f, functionSystemName, p.string(name))
	f = appendNumber(f, functionFile, p.string(file))
	if line, _ := strconv.Atoi(firstLine); line > 0 {
		f = appendNumber(f, functionFirstLine, uint64(line))
	}
	p.added = appendText(p.added, profileFunction, f)
	return p.last.function
}

// mapping returns the number of what stands for a module where other code has a file that is mapped.
func (p *Profile) mapping(module string) uint64 {
	if id := p.mappings[module]; id != 0 {
		return id
	}
	p.last.mapping++
	p.mappings[module] = p.last.mapping
	return p.last.mapping
}

// Bytes returns the profile as a file, with the names that it was told.
func (p *Profile) Bytes() ([]byte, error) {
	var out []byte
	limits := map[uint64][2]uint64{}
	for _, l := range p.locations {
		at, isThere := limits[l.mapping]
		if !isThere || l.address < at[0] {
			at[0] = l.address
		}
		at[1] = max(at[1], l.address+1)
		limits[l.mapping] = at
	}
	for _, f := range p.fields {
		out = appendField(out, f)
	}
	for module, id := range p.mappings {
		m := appendNumber(nil, mappingID, id)
		m = appendNumber(appendNumber(m, mappingStart, limits[id][0]), mappingLimit, limits[id][1])
		m = appendNumber(m, mappingFile, p.string(module))
		m = appendNumber(appendNumber(appendNumber(m, mappingHasFunctions, 1), mappingHasFiles, 1), mappingHasLines, 1)
		out = appendText(out, profileMapping, m)
	}
	for _, l := range p.locations {
		text := appendNumber(appendNumber(nil, locationID, l.id), locationAddress, l.address)
		if l.mapping != 0 {
			text = appendNumber(text, locationMapping, l.mapping)
		}
		for _, f := range append(l.lines, l.others...) {
			text = appendField(text, f)
		}
		out = appendText(out, profileLocation, text)
	}
	for _, sample := range p.samples {
		var text []byte
		for _, f := range sample {
			text = appendField(text, f)
		}
		if module := p.moduleOf(sample); module != "" {
			label := appendNumber(appendNumber(nil, labelKey, p.string("module")), labelText, p.string(module))
			text = appendText(text, sampleLabel, label)
		}
		out = appendText(out, profileSample, text)
	}
	out = append(out, p.added...)
	for _, s := range p.texts {
		out = appendText(out, profileString, []byte(s))
	}
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	if _, err := w.Write(out); err != nil {
		return nil, err
	}
	err := w.Close()
	return file.Bytes(), err
}

// moduleOf returns the innermost loaded module on a sample's stack.
func (p *Profile) moduleOf(sample []field) string {
	for _, f := range sample {
		if f.number != sampleLocation {
			continue
		}
		ids := []uint64{f.value}
		if f.isText {
			ids = ids[:0]
			for b := f.text; len(b) > 0; {
				id, n := binary.Uvarint(b)
				if n <= 0 {
					break
				}
				ids, b = append(ids, id), b[n:]
			}
		}
		for _, id := range ids {
			if module := p.module[id]; module != "" {
				return module
			}
		}
	}
	return ""
}
