package native

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

type product struct {
	ID      int               `json:"id"`
	Name    string            `json:"name"`
	Price   float64           `json:"price"`
	Tags    []string          `json:"tags"`
	Details map[string]string `json:"details"`
}

func products(n int) []product {
	r := random(42)
	list := make([]product, n)
	for i := range list {
		list[i] = product{i, "product " + strconv.Itoa(i), r.next(100), []string{"new", "<b>", "sale"},
			map[string]string{"colour": "blue", "weight": strconv.Itoa(int(r.next(1000))) + " g"}}
	}
	return list
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func jsonRoundTrip() (sum uint64) {
	for i := 0; i < 10; i++ {
		text, err := json.Marshal(products(500))
		check(err)
		var back []product
		check(json.Unmarshal(text, &back))
		sum = fold(sum, text) + uint64(len(back))
	}
	return sum
}

func gobRoundTrip() (sum uint64) {
	for i := 0; i < 20; i++ {
		var buffer bytes.Buffer
		check(gob.NewEncoder(&buffer).Encode(products(500)))
		sum += uint64(buffer.Len())
		var back []product
		check(gob.NewDecoder(&buffer).Decode(&back))
		sum += uint64(len(back))
	}
	return sum
}

func prose(n int) []byte {
	r := random(42)
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s, said %x to %d. ", []string{"Lorem", "ipsum", "dolor", "sit", "amet"}[int(r.next(5))],
			int(r.next(1e6)), int(r.next(99)))
	}
	return b.Bytes()
}

func gzipRoundTrip() uint64 {
	text := prose(1 << 20)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(text)
	check(err)
	check(w.Close())
	size := packed.Len()
	r, err := gzip.NewReader(&packed)
	check(err)
	back, err := io.ReadAll(r)
	check(err)
	if !bytes.Equal(back, text) {
		panic("gzip changed the text")
	}
	return uint64(size)
}

func sha() uint64 {
	text := prose(1 << 20)
	sum := sha256.Sum256(text)
	for i := 0; i < 60; i++ {
		copy(text[i*64:], sum[:])
		sum = sha256.Sum256(text)
	}
	return binary.LittleEndian.Uint64(sum[:])
}

var said = regexp.MustCompile(`(\w+), said ([0-9a-f]+) to ([1-9]\d*)\.`)

func matches() (sum uint64) {
	for _, m := range said.FindAllSubmatch(prose(1<<18), -1) {
		n, err := strconv.Atoi(string(m[3]))
		check(err)
		sum += uint64(len(m[1]) * n)
	}
	return sum
}

var list = template.Must(template.New("list").Parse(`<ul>{{range .}}<li title="{{.Name}}">{{.ID}}: {{printf "%.2f" .Price}}
{{range .Tags}}<i>{{.}}</i>{{end}}{{range $k, $v := .Details}}{{$k}}={{$v}}{{end}}{{end}}</ul>`))

func page() (sum uint64) {
	for i := 0; i < 5; i++ {
		var b bytes.Buffer
		check(list.Execute(&b, products(500)))
		sum = fold(sum, b.Bytes())
	}
	return sum
}

// pi is Machin's formula.
func pi() uint64 {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(9000), nil)
	arctan := func(x int64) *big.Int {
		sum, term := new(big.Int), new(big.Int).Div(unit, big.NewInt(x))
		square, part := big.NewInt(x*x), new(big.Int)
		for n := int64(1); term.Sign() != 0; n += 2 {
			part.Div(term, big.NewInt(n))
			if n%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Div(term, square)
		}
		return sum
	}
	digits := arctan(5)
	digits.Mul(digits, big.NewInt(4)).Sub(digits, arctan(239)).Mul(digits, big.NewInt(4))
	return fold(0, []byte(digits.String()))
}

func formatted() (sum uint64) {
	var b strings.Builder
	for i := 0; i < 60000; i++ {
		fmt.Fprintf(&b, "%5d|%-8s|%08.3f|%v|%q\n", i, "left", float64(i)/7, i%2 == 0, "quoted")
	}
	for _, line := range strings.Split(b.String(), "\n") {
		for _, field := range strings.Split(line, "|") {
			sum = sum*31 + uint64(len(strings.TrimSpace(strings.ToUpper(field))))
		}
	}
	return sum
}
