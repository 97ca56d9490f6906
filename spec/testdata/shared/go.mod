module example.com/shared

go 1.21

require (
	example.com/bare v1.0.0
	example.com/money v1.2.0
)
