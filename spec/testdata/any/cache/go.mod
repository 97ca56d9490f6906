module example.com/cache

go 1.21

require example.com/names v1.0.0
