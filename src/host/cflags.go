package host

// What the C compiler would tell debuggers of the few lines of C here are the directories in which they were compiled,
// and a host made elsewhere shall be the same one (mkhost/trim.go). Functions keep their names.

// #cgo CFLAGS: -g0
import "C"
