module example.com/sigs.v2

go 1.21
