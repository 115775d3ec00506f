// Command collector is the cheapest OpenTelemetry collector: it takes what is
// sent to it by OTLP over HTTP, counts it, and throws it away. GET says how many
// bytes of traces have come.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync/atomic"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4318", "address for OTLP over HTTP")
	flag.Parse()
	var traces atomic.Int64
	http.HandleFunc("POST /v1/", func(_ http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil && r.URL.Path == "/v1/traces" {
			traces.Add(n)
		}
	})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, traces.Load()) })
	log.Fatal(http.ListenAndServe(*listen, nil))
}
