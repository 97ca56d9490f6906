// Package count is the command that counts the words it is given, all together. Its sum is handed over to whatever it
// becomes when it is edited.
package count

import (
	"errors"
	"fmt"
	"strings"
)

var sum int

func Run(text string) (string, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return "", errors.New("nothing to count")
	}
	sum += len(words)
	return fmt.Sprintf("%d words so far", sum), nil
}

func Release() int { return sum }

func Adopt(words int) { sum = words }
