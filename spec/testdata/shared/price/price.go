// Package price is the module's own: each loaded module has a copy.
package price

// Asked counts the questions to this copy.
var Asked int
