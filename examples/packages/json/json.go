// Package json reads and writes JSON with sonic, which compiles a coder for each type when it first meets it: machine
// code that it hands to the runtime with stack maps and line tables, as a linker does.
package json

import (
	"time"

	"github.com/bytedance/sonic"
)

type Item struct {
	Name   string            `json:"name"`
	Price  float64           `json:"price"`
	Tags   []string          `json:"tags,omitempty"`
	Extra  map[string]any    `json:"extra,omitempty"`
	Parent *Item             `json:"parent,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

type order struct {
	ID    int64     `json:"id"`
	At    time.Time `json:"at"`
	Items []Item    `json:"items"`
}

// Total reads an order and adds up its prices.
func Total(text string) (float64, error) {
	var o order
	if err := sonic.UnmarshalString(text, &o); err != nil {
		return 0, err
	}
	total := 0.0
	for _, item := range o.Items {
		total += item.Price
	}
	return total, nil
}

// Round reads an order and writes it again, with sorted keys.
func Round(text string) (string, error) {
	var o order
	if err := sonic.ConfigStd.UnmarshalFromString(text, &o); err != nil {
		return "", err
	}
	return sonic.ConfigStd.MarshalToString(o)
}

// Write writes an item.
func Write(item Item) (string, error) { return sonic.ConfigStd.MarshalToString(item) }

// Path reads one value without decoding the rest.
func Path(text, key string, index int) (string, error) {
	node, err := sonic.GetFromString(text, key, index)
	if err != nil {
		return "", err
	}
	return node.Raw()
}
