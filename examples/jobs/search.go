// Package search looks for words in files, which takes its time.
package search

import (
	"bufio"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Match is a line that has the word.
type Match struct {
	File string
	Line int
	Text string
}

// Files looks through the files of a folder that end in suffix, until ctx ends.
func Files(ctx context.Context, folder, suffix, word string) ([]Match, error) {
	var found []Match
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for n := 1; lines.Scan() && ctx.Err() == nil; n++ {
			if text := lines.Text(); strings.Contains(text, word) {
				found = append(found, Match{path, n, text})
			}
		}
		return ctx.Err()
	})
	return found, err
}

// Wait waits for ctx to end.
func Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
