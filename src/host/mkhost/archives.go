package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// The archives that modules are compiled against, and from which comes what the host lacks, stay beside the host: in
// the build cache of whoever made it others can't read them, and the go command throws away what was not used for days.
//
// They lie there as in a build cache, with the entries by which the go command finds them (cmd/go/internal/cache): so
// other users' caches can be filled from there, and nobody has to compile the standard library again.

// archivesDir is what the directory is called, beside the host of that name.
func archivesDir(output string) string { return filepath.Base(output) + ".archives" }

// keepArchives copies the packages' archives into dir, and returns for each its name there.
func keepArchives(dir string, packages []*pkg) (map[string]string, error) {
	names := map[string]string{}
	for _, p := range packages {
		if p.Export == "" {
			continue
		}
		cache, file := filepath.Split(p.Export)
		shelf := filepath.Base(cache)
		names[p.Export] = filepath.Join(shelf, file)
		if err := place(p.Export, filepath.Join(dir, shelf, file)); err != nil {
			return nil, err
		}
		if err := keepEntries(filepath.Dir(filepath.Clean(cache)), dir, p.Export); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// keepEntries copies the entries of the action that made an archive, and of what the tools printed meanwhile. A cache
// that has none is another program's (GOCACHEPROG), and can't be copied from.
func keepEntries(cache, dir, archive string) error {
	action, err := actionOf(archive)
	if err != nil || action == nil {
		return err
	}
	// the archive tells the first bytes of the action's hash only
	found, _ := filepath.Glob(filepath.Join(cache, hex.EncodeToString(action[:1]), hex.EncodeToString(action)+"*-a"))
	for _, entry := range found {
		id, err := hex.DecodeString(filepath.Base(entry)[:2*sha256.Size])
		if err != nil {
			continue
		}
		printed := sha256.Sum256(append(append([]byte("subkey:"), id...), "stdout"...))
		nothing := sha256.Sum256(nil) // which is what they have printed
		for _, entry := range []struct {
			name string
			put  func(from, to string) error
		}{
			{hex.EncodeToString(id) + "-a", placeEntry},
			{hex.EncodeToString(printed[:]) + "-a", placeEntry},
			{hex.EncodeToString(nothing[:]) + "-d", place},
		} {
			name := filepath.Join(entry.name[:2], entry.name)
			err := entry.put(filepath.Join(cache, name), filepath.Join(dir, name))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// actionOf reads from the head of an archive how the hash of the action begins by which the go command made it.
func actionOf(archive string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	_, id, ok := bytes.Cut(head[:n], []byte("\nbuild id \""))
	if !ok {
		return nil, nil
	}
	id, _, _ = bytes.Cut(id, []byte("/"))
	action, err := base64.RawURLEncoding.DecodeString(string(id))
	if err != nil || len(action) == 0 {
		return nil, nil
	}
	return action, nil
}

// placeEntry copies an entry without the time at which it was made, its last word, which counts for results of tests
// only: a host made tomorrow shall have the same files beside it.
func placeEntry(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if last := bytes.LastIndexByte(text, ' '); last > 0 {
		time := text[last+1:]
		copy(time, bytes.Repeat([]byte{' '}, len(time)))
		copy(time[max(len(time)-2, 0):], "0\n")
	}
	return os.WriteFile(to, text, 0o644)
}

// place puts a file where all can read it: a second name of the same file, where that can be.
func place(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.Mode()&0o444 == 0o444 && os.Link(from, to) == nil {
		return nil
	}
	if _, err := os.Lstat(to); err == nil {
		return nil // for another package's sake
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
