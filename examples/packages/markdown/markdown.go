// Package markdown renders GitHub's Markdown with goldmark.
package markdown

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var converter = goldmark.New(
	goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.Typographer),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// HTML renders a page.
func HTML(source string) (string, error) {
	var out strings.Builder
	err := converter.Convert([]byte(source), &out)
	return out.String(), err
}

// Headings lists a page's headings with their level, in order.
func Headings(source string) ([]string, error) {
	var headings []string
	src := []byte(source)
	document := converter.Parser().Parse(text.NewReader(src))
	err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			headings = append(headings, strings.Repeat("#", h.Level)+" "+string(h.Text(src)))
		}
		return ast.WalkContinue, nil
	})
	return headings, err
}
