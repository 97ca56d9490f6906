package app

import "example.com/workspace/lib"

func Tell() string { return lib.Name + " of a workspace" }
