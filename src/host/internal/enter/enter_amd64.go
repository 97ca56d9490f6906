package enter

// How many registers carry arguments: internal/abi/abi_amd64.go.
const (
	IntRegs   = 9
	FloatRegs = 15
)
