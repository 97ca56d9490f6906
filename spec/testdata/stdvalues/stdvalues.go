// Package stdvalues returns what the standard library has methods for.
package stdvalues

import (
	"bufio"
	"bytes"
	"container/list"
	"context"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"text/template"
	"time"
)

type key struct{}

func Re(s string) *regexp.Regexp                    { return regexp.MustCompile(s) }
func Big(n int64) *big.Int                          { return big.NewInt(n) }
func URL(s string) (*url.URL, error)                { return url.Parse(s) }
func Scanner(s string) *bufio.Scanner               { return bufio.NewScanner(strings.NewReader(s)) }
func Template(s string) (*template.Template, error) { return template.New("t").Parse(s) }
func Open(name string) (*os.File, error)            { return os.Open(name) }
func Client() *http.Client                          { return http.DefaultClient }
func Buffer() *bytes.Buffer                         { return &bytes.Buffer{} }
func Map() *sync.Map                                { return &sync.Map{} }
func List() *list.List                              { return list.New() }
func Header() http.Header                           { return http.Header{"A": {"1"}} }
func Context() context.Context                      { return context.WithValue(context.Background(), key{}, "v") }
func Timer(d time.Duration) *time.Timer             { return time.NewTimer(d) }
func Handle(f func(http.ResponseWriter, *http.Request)) string {
	w := httptest.NewRecorder()
	f(w, httptest.NewRequest("GET", "/x?q=1", nil))
	return w.Body.String()
}
func Server() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		w.Write([]byte("hello"))
	}))
}
