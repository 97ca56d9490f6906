module goloader.dev/spec/conformance

go 1.21
