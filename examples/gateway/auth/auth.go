// Package auth knows who asks, by a JSON Web Token, and whether he may, by a policy in the Common Expression Language.
package auth

import (
	_ "embed"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/golang-jwt/jwt/v5/request"
	"github.com/google/cel-go/cel"
)

// Key signs the tokens; the variable GATEWAY_KEY has it.
var Key = []byte(key())

func key() string {
	if key := os.Getenv("GATEWAY_KEY"); key != "" {
		return key
	}
	return "for trying only, never for anything real"
}

type claims struct {
	jwt.RegisteredClaims
	Roles []string `json:"roles"`
}

// Issue signs a token for a user: roles are told apart by commas.
func Issue(user, roles string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: user, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		Roles: strings.Split(roles, ","),
	}).SignedString(Key)
}

// Authenticate is a middleware: who has no valid token gets 401, and upstream is told who it is that asks.
func Authenticate(next http.Handler) http.Handler {
	find := request.AuthorizationHeaderExtractor
	options := request.WithParser(jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c claims
		_, err := request.ParseFromRequest(r, find, func(*jwt.Token) (any, error) { return Key, nil },
			request.WithClaims(&c), options)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		// Set replaces what a client may have sent under these names.
		r.Header.Set("X-User", c.Subject)
		r.Header.Set("X-Roles", strings.Join(c.Roles, ","))
		next.ServeHTTP(w, r)
	})
}

//go:embed policy.cel
var policy string

var program = sync.OnceValues(func() (cel.Program, error) {
	environment, err := cel.NewEnv(cel.Variable("user", cel.StringType), cel.Variable("roles", cel.ListType(cel.StringType)),
		cel.Variable("method", cel.StringType), cel.Variable("path", cel.StringType))
	if err != nil {
		return nil, err
	}
	checked, issues := environment.Compile(policy)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return environment.Program(checked, cel.EvalOptions(cel.OptOptimize))
})

// Open compiles the policy; a version with one that is wrong never takes over.
func Open() error {
	_, err := program()
	return err
}

// Allow is a plain function as a filter: its parameters are filled by their names, and with no status the request goes
// on.
func Allow(method, path, user, roles string) (status int, body string, err error) {
	rule, err := program()
	if err != nil {
		return 0, "", err
	}
	answer, _, err := rule.Eval(map[string]any{
		"method": method, "path": path, "user": user, "roles": strings.Split(roles, ","),
	})
	if err != nil {
		return 0, "", err
	}
	if answer.Value() != true {
		return http.StatusForbidden, user + " may not do that\n", nil
	}
	return 0, "", nil
}
