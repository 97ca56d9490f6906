// Package slow has a test that never ends.
package slow
