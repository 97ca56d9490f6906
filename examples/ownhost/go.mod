module example.test/kiosk

go 1.21
