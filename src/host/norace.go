//go:build !race

package host

func raceBegin() {}
func raceEnd()   {}
