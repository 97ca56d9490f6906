module example.com/handler

go 1.21.1

require (
	github.com/coder/websocket v1.8.12
	github.com/go-chi/chi/v5 v5.1.0
)
