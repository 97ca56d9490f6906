module example.com/shared

go 1.21

require example.com/money v1.2.0
