// Package limit has what others have written, as it is: a limit on the rate of requests, and CORS.
package limit

import (
	"time"

	"github.com/go-chi/cors"
	"github.com/go-chi/httprate"
)

// Rate lets each address have twenty requests in a second, in each worker.
var Rate = httprate.LimitByIP(20, time.Second)

// CORS lets pages of the shop's own site ask from browsers.
var CORS = cors.Handler(cors.Options{
	AllowedOrigins: []string{"https://shop.example"},
	AllowedMethods: []string{"GET", "POST", "DELETE"},
	AllowedHeaders: []string{"Authorization", "Content-Type"},
	MaxAge:         600,
})
