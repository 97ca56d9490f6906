// Package flags is compiled differently from what the go command does by itself.
package flags
