// Command report is the program that run.gorun edits and runs again: it counts words as many a small program does, and
// says which edition of it did so.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

// Edition tells one edit from the others.
const Edition = "first"

const text = `The gopher digs and the moon shines.
Who digs a tunnel by the moon? The gopher, the gopher.`

type entry struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

func count(text string) []entry {
	counts := map[string]int{}
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		for _, word := range strings.Fields(scanner.Text()) {
			counts[strings.ToLower(strings.Trim(word, ".,?"))]++
		}
	}
	var entries []entry
	for word, n := range counts {
		entries = append(entries, entry{word, n})
	}
	sort.Slice(entries, func(i, k int) bool {
		a, b := entries[i], entries[k]
		return a.Count > b.Count || a.Count == b.Count && a.Word < b.Word
	})
	return entries
}

func main() {
	out, err := json.Marshal(count(text)[:3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s: %s\n", Edition, out)
}
