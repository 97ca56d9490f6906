// Package std works with packages that Lua has, too.
package std

import (
	"errors"
	"expvar"
	"io"
	"os"
	"strings"
)

// Last is what a reader says at its end.
func Last() error {
	_, err := strings.NewReader("").ReadByte()
	return err
}

// IsEOF tells whether an error that came from Lua is io.EOF.
func IsEOF(err error) bool { return errors.Is(err, io.EOF) }

// Args is what this package finds in os.Args.
func Args() []string { return os.Args }

// Publish makes a variable known by a package that hosts lack.
func Publish(name string, value int64) { expvar.NewInt(name).Set(value) }

// Published is what a variable says that somebody has made known.
func Published(name string) string {
	if v := expvar.Get(name); v != nil {
		return v.String()
	}
	return ""
}
