// Package waf is Coraza, the web application firewall, with a small rule set: unchanged, as it stands before handlers of
// net/http.
package waf

import (
	_ "embed"
	"log"
	"net/http"

	"github.com/corazawaf/coraza/v3"
	corazahttp "github.com/corazawaf/coraza/v3/http"
	"github.com/corazawaf/coraza/v3/types"
)

//go:embed rules.conf
var rules string

// Firewall looks at requests and their bodies, and at the head of answers.
func Firewall(next http.Handler) http.Handler {
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(rules).WithErrorCallback(report))
	if err != nil {
		panic(err)
	}
	return corazahttp.WrapHandler(waf, next)
}

func report(rule types.MatchedRule) {
	log.Printf("waf: %s: rule %d: %s", rule.ClientIPAddress(), rule.Rule().ID(), rule.Message())
}
