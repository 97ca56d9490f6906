package variables

import "expvar"

var visits = expvar.NewInt("visits of a module")

func Visit() string {
	visits.Add(1)
	return expvar.Get("visits of a module").String()
}
