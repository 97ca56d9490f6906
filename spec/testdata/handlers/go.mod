module example.com/handlers

go 1.21

require (
	github.com/go-chi/chi/v5 v5.0.12
	github.com/gorilla/websocket v1.5.1
)

require golang.org/x/net v0.17.0 // indirect
