package slow

import "testing"

func TestForever(t *testing.T) { select {} }
