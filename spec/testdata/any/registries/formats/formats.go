package formats

import (
	"image"
	"io"
	"strings"
)

func init() {
	image.RegisterFormat("dot", "DOT", nil, func(io.Reader) (image.Config, error) {
		return image.Config{Width: 1, Height: 1}, nil
	})
}

func Format(data string) (string, error) {
	config, format, err := image.DecodeConfig(strings.NewReader(data))
	if config.Width != config.Height {
		format = "no " + format
	}
	return format, err
}
