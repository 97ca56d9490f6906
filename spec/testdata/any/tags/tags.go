// Package tags is other files under other tags.
package tags

func Say() []string { return []string{plain, system, processor} }
