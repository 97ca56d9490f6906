module example.com/cusers

go 1.21
