package gateway

import (
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"
)

// respond answers with the response of a unary RPC, and with what came with it.
func (g *Gateway) respond(w http.ResponseWriter, x *exchange, response proto.Message) {
	forward(w.Header(), x.header)
	forward(w.Header(), x.trailer)
	content, err := g.codec.Append(make([]byte, 0, usualResponse), response)
	if err != nil {
		g.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, content)
}

// writeJSON answers with content.
func writeJSON(w http.ResponseWriter, httpStatus int, content []byte) {
	h := w.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(httpStatus)
	_, _ = w.Write(content) // a client that has gone needs no answer
}
