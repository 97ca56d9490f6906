module example.test/order

go 1.21
