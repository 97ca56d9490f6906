module example.com/csymbols

go 1.21
