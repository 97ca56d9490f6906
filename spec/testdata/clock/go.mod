module example.com/clocks

go 1.21

require example.com/clock v1.0.0
