package impl

type Extension struct {
	Name  string
	Value any
	Next  *Extension
}

func New(name string, next *Extension) Extension {
	return Extension{Name: name, Value: len(name), Next: next}
}
