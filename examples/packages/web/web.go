// Package web is a shop's basket behind gin: routes, groups, middleware, and input that is checked before it is used.
package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

type line struct {
	Product string  `json:"product" binding:"required"`
	Count   int     `json:"count" binding:"required,min=1,max=99"`
	Price   float64 `json:"price" binding:"gte=0"`
}

var (
	mu     sync.Mutex
	basket []line
	served *http.Server
)

func router() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, cause any) {
		c.String(http.StatusInternalServerError, "caught: %v", cause)
	}), func(c *gin.Context) {
		c.Header("X-Served-By", "gin "+gin.Version)
		c.Next()
	})
	r.GET("/hello/:name", func(c *gin.Context) {
		c.String(http.StatusOK, "Hello, %s!", c.Param("name"))
	})
	basketGroup := r.Group("/basket")
	basketGroup.POST("", func(c *gin.Context) {
		var l line
		if err := c.ShouldBindJSON(&l); err != nil {
			c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		mu.Lock()
		defer mu.Unlock()
		basket = append(basket, l)
		c.JSON(http.StatusCreated, gin.H{"lines": len(basket)})
	})
	basketGroup.GET("", func(c *gin.Context) {
		mu.Lock()
		defer mu.Unlock()
		total := 0.0
		for _, l := range basket {
			total += float64(l.Count) * l.Price
		}
		c.JSON(http.StatusOK, gin.H{"lines": basket, "total": total})
	})
	r.GET("/panic", func(*gin.Context) { panic("out of lamps") })
	return r
}

// Response is what a request was answered with.
type Response struct {
	Status   int
	Type     string
	ServedBy string
	Body     string
}

func responseOf(r *http.Response) (Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return Response{r.StatusCode, r.Header.Get("Content-Type"), r.Header.Get("X-Served-By"), string(body)}, err
}

// Request is answered without a network.
func Request(method, target, body string) (Response, error) {
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	recorder := httptest.NewRecorder()
	router().ServeHTTP(recorder, request)
	return responseOf(recorder.Result())
}

// Listen serves on a port of this machine and returns its address, "http://127.0.0.1:40123".
func Listen() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	served = &http.Server{Handler: router()}
	go served.Serve(listener)
	return "http://" + listener.Addr().String(), nil
}

// Get asks a server over the network.
func Get(url string) (Response, error) {
	response, err := http.Get(url)
	if err != nil {
		return Response{}, err
	}
	return responseOf(response)
}

// Close ends what Listen began, so that nothing of this package runs any more.
func Close() error {
	mu.Lock()
	defer mu.Unlock()
	if served == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := served.Shutdown(ctx)
	served = nil
	http.DefaultClient.CloseIdleConnections()
	return err
}
