// Package policy decides by rules that come in as text, in the Common Expression Language.
package policy

import (
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
)

type User struct {
	Name   string
	Roles  []string
	Mail   string
	Spent  float64
	Quotas map[string]int
}

var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		ext.Strings(),
		ext.NativeTypes(),
		cel.Variable("user", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("path", cel.StringType),
		cel.Function("domain", cel.Overload("domain_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(mail ref.Val) ref.Val {
				text, ok := mail.Value().(string)
				if _, domain, found := strings.Cut(text, "@"); ok && found {
					return types.String(domain)
				}
				return types.NewErr("no mail address: %v", mail.Value())
			}))),
	)
})

// Allowed asks a rule about a user who wants a path.
func Allowed(rule string, user User, path string) (bool, error) {
	env, err := environment()
	if err != nil {
		return false, err
	}
	checked, issues := env.Compile(rule)
	if issues.Err() != nil {
		return false, issues.Err()
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return false, err
	}
	answer, _, err := program.Eval(map[string]any{
		"path": path,
		"user": map[string]any{
			"name": user.Name, "roles": user.Roles, "mail": user.Mail, "spent": user.Spent, "quotas": user.Quotas,
		},
	})
	if err != nil {
		return false, err
	}
	allowed, ok := answer.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the rule gives %s, not a bool", answer.Type().TypeName())
	}
	return allowed, nil
}
