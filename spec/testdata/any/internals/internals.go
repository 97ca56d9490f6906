package internals

import "example.com/internals/internal/secret"

func Tell() string { return secret.Word() }
