package handlers

import (
	"net/http"
	"net/http/httptest"
)

func init() {
	http.HandleFunc("/registered", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("by the module")) })
}

func Get(path string) string {
	recorder := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
	return recorder.Body.String()
}
