// Package std uses the standard library where it is assembly, and where a host has but half of it.
package std

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
	"database/sql"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/crc32"
	"html"
	"image"
	"image/color"
	"image/png"
	"math/big"
	"mime"
	"net/http"
	"strings"
	"text/template"
	"time"
	"unicode"
)

func Sums(data []byte) []string {
	a, b := sha256.Sum256(data), sha512.Sum512(data)
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return []string{hex.EncodeToString(a[:]), hex.EncodeToString(b[:8]), big.NewInt(int64(crc)).Text(16)}
}

func Seal(key, nonce, text []byte) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(gcm.Seal(nil, nonce, text, nil)), nil
}

func Factorial(n int64) string { return new(big.Int).MulRange(1, n).String() }

func PowMod(b, e, m string) string {
	x, _ := new(big.Int).SetString(b, 0)
	y, _ := new(big.Int).SetString(e, 0)
	z, _ := new(big.Int).SetString(m, 0)
	return x.Exp(x, y, z).String()
}

// Tables are large maps, which initialise themselves only where somebody uses them.
func Tables() []string {
	gopher := "no"
	if unicode.Is(unicode.Scripts["Greek"], 'λ') && unicode.In('ж', unicode.Properties["Diacritic"], unicode.Categories["Ll"]) {
		gopher = "greek"
	}
	return []string{
		http.StatusText(http.StatusTeapot), mime.TypeByExtension(".html"), html.UnescapeString("&CounterClockwiseContourIntegral;&eacute;&frac12;"),
		gopher, token.SHL_ASSIGN.String(), time.UTC.String(), strings.Join(sql.Drivers(), " "),
	}
}

type price struct{ cents int }

func (p price) Format(unit string) string {
	return big.NewRat(int64(p.cents), 100).FloatString(2) + " " + unit
}
func (p *price) Double() string { p.cents *= 2; return p.Format("CHF") }

// Render calls methods that only their names lead to.
func Render(text string) (string, error) {
	var out strings.Builder
	t, err := template.New("").Funcs(template.FuncMap{"upper": strings.ToUpper}).Parse(text)
	if err != nil {
		return "", err
	}
	p := &price{1250}
	err = t.Execute(&out, map[string]any{"Price": p, "Format": p.Format, "Items": []string{"a", "b"}})
	return out.String(), err
}

// Picture draws, encodes and decodes a PNG.
func Picture() (string, error) {
	canvas := image.NewNRGBA(image.Rect(0, 0, 16, 9))
	canvas.Set(3, 4, color.NRGBA{1, 2, 3, 255})
	var file bytes.Buffer
	if err := png.Encode(&file, canvas); err != nil {
		return "", err
	}
	picture, format, err := image.Decode(&file)
	if err != nil {
		return "", err
	}
	r, g, b, _ := picture.At(3, 4).RGBA()
	return format + " " + picture.Bounds().String() + " " + hex.EncodeToString([]byte{byte(r), byte(g), byte(b)}), nil
}

// Functions parses Go and names its functions.
func Functions(source string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			names = append(names, f.Name.Name)
		}
		return true
	})
	return names, nil
}
