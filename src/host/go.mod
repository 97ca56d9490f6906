module goloader.dev/host

go 1.21
