module example.test/embedding

go 1.21

require goloader.dev/host v0.0.0

replace goloader.dev/host => ../../../src/host
