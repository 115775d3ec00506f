package transport

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A peerRequest is a message as the servers of these tests read it.
type peerRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// answer has a server do what the method of a request says: "echo" and "later"
// answer with the params, "raw" with the lines of its params' text, in which #
// stands for the id; anything else is not answered. It calls write once for
// each message.
func answer(text []byte, write func([]byte)) {
	var req peerRequest
	if json.Unmarshal(text, &req) != nil {
		return
	}
	reply := []byte(`{"jsonrpc":"2.0","id":` + string(req.ID) + `,"result":` + string(req.Params) + `}`)
	switch req.Method {
	case "echo":
		write(reply)
	case "later":
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { write(reply) })
	case "raw":
		var raw rawAnswer
		_ = json.Unmarshal(req.Params, &raw)
		text := bytes.ReplaceAll(raw.Text, []byte("#"), req.ID)
		for line := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
			write(line)
		}
	}
}

// rawParams are the params of a "raw" that is answered with these lines.
func rawParams(t testing.TB, lines ...string) []byte {
	t.Helper()
	params, err := json.Marshal(rawAnswer{Text: []byte(strings.Join(lines, "\n") + "\n")})
	if err != nil {
		t.Error(err)
	}
	return params
}

// call makes a round trip that must succeed and returns the result.
func call(t testing.TB, tr Transport, id int64, method, params string) string {
	t.Helper()
	resp, err := tr.RoundTrip(short(t), &Request{ID: id, Method: method, Params: []byte(params)})
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if resp.Error != nil {
		t.Fatalf("%s: %v", method, resp.Error)
	}
	return string(resp.Result)
}

// dialFor opens a transport that is closed when the test ends.
func dialFor(t testing.TB, d Dialer, r Receiver) Transport {
	t.Helper()
	tr, err := d.Dial(short(t), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeTransport(t, tr) })
	return tr
}

func closeTransport(t testing.TB, tr Transport) {
	t.Helper()
	ctx, cancel := withTimeout(10 * time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

// goneWithin waits for the end of a transport.
func goneWithin(t testing.TB, tr Transport) error {
	t.Helper()
	select {
	case <-tr.Done():
	case <-short(t).Done():
		t.Fatal("the transport does not end")
	}
	return tr.Err()
}

// secretHeader is what only the server itself may see.
func secretHeader() http.Header { return http.Header{"Authorization": {"Bearer secret"}} }
