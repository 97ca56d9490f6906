// Package early brings the registry, but none of its tables.
package early

import "example.com/registry"

func Version() string { return registry.Version() }
