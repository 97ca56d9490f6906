// Package upper is the command that shouts.
package upper

import "strings"

func Run(text string) (string, error) { return strings.ToUpper(text), nil }
