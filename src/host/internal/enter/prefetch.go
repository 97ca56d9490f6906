package enter

// Prefetch has the processor fetch what lies at an address, which may be any.
func Prefetch(p uintptr)
