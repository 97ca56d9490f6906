module goloader.dev/spec/bench

go 1.21
