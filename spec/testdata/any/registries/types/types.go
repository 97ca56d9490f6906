package types

import (
	"bytes"
	"encoding/gob"
)

type Lamp struct {
	Name  string
	Watts int
}

type thing interface{ Describe() string }

func (l Lamp) Describe() string { return l.Name }

func init() { gob.Register(Lamp{}) }

// Travel sends a value as what it is behind an interface.
func Travel(name string) (string, error) {
	var wire bytes.Buffer
	var sent, got thing = Lamp{name, 60}, nil
	if err := gob.NewEncoder(&wire).Encode(&sent); err != nil {
		return "", err
	}
	err := gob.NewDecoder(&wire).Decode(&got)
	if err != nil {
		return "", err
	}
	return got.Describe(), nil
}
