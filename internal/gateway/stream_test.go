package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
)

const streamPath = "/v1/servers/demo/tools/count:stream"

func ready() *mcpbridgev1.CallToolStreamResponse {
	return &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Ready{Ready: &mcpbridgev1.Ready{}}}
}

func progress(n float64) *mcpbridgev1.CallToolStreamResponse {
	return &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Progress{
		Progress: &mcpbridgev1.Progress{Progress: n, MetaJson: proto.String("{\n\"a\":1.0}")},
	}}
}

// sendAll sends the events of an ordinary call, then returns err.
func sendAll(out callStream, err error) error {
	result := &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Result{Result: &mcpbridgev1.CallToolResponse{}}}
	for _, event := range []*mcpbridgev1.CallToolStreamResponse{ready(), progress(1), {}, result} {
		if err := out.Send(event); err != nil {
			return err
		}
	}
	return err
}

func TestStreams(t *testing.T) {
	t.Parallel()
	lines := `{"result":{"ready":{"state":"STATE_UNSPECIFIED","generation":"0","resourceUris":[]}}}` + "\n" +
		`{"result":{"progress":{"progress":1,"meta":{"a":1.0}}}}` + "\n" +
		`{"result":{}}` + "\n" +
		`{"result":{"result":{"content":[],"isError":false}}}` + "\n"
	events := "event: ready\ndata: " + strings.Split(lines, "\n")[0] + "\n\n" +
		"event: progress\ndata: " + strings.Split(lines, "\n")[1] + "\n\n" +
		"event: result\ndata: " + strings.Split(lines, "\n")[2] + "\n\n" +
		"event: result\ndata: " + strings.Split(lines, "\n")[3] + "\n\n"
	const fault = `{"error":{"code":14,"message":"gone","details":[]}}`
	for name, tt := range map[string]struct {
		accept, contentType, want string
		err                       error
	}{
		"lines":                 {"X: no Accept", "application/x-ndjson", lines, nil},
		"lines, then an error":  {"Accept: */*", "application/x-ndjson", lines + fault + "\n", status.Error(codes.Unavailable, "gone")},
		"events":                {"Accept: text/event-stream", "text/event-stream", events, nil},
		"events, then an error": {"Accept: text/html, Text/Event-Stream; q=0.9", "text/event-stream", events + "event: error\ndata: " + fault + "\n\n", status.Error(codes.Unavailable, "gone")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *mcpbridgev1.CallToolStreamRequest
			g := newGateway(t, &stub{stream: func(in *mcpbridgev1.CallToolStreamRequest, out callStream) error {
				got = in
				return sendAll(out, tt.err)
			}})
			w := serve(g, newRequest(t, "POST", streamPath, `{"arguments":{"n":1.0}}`, tt.accept, "Content-Type: text/event-stream"))
			if w.Code != http.StatusOK || w.Body.String() != tt.want || w.Header().Get("Content-Type") != tt.contentType {
				t.Errorf("HTTP %d %v\n%s\nwant\n%s", w.Code, w.Header(), w.Body, tt.want)
			}
			if w.Header().Get("X-Accel-Buffering") != "no" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", w.Header())
			}
			want := &mcpbridgev1.CallToolStreamRequest{
				Target: "servers/demo", Name: "count", ArgumentsJson: proto.String(`{"n":1.0}`), JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
			}
			if !proto.Equal(got, want) {
				t.Errorf("the service got %v, want %v", got, want)
			}
		})
	}
}

// TestStreamWithBadEvent ends with an error that the caller sees, first event or
// not.
func TestStreamWithBadEvent(t *testing.T) {
	t.Parallel()
	bad := &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Result{
		Result: &mcpbridgev1.CallToolResponse{Task: &mcpbridgev1.Task{Ttl: &durationpb.Duration{Nanos: -1, Seconds: 1}}},
	}}
	for name, first := range map[string]bool{"first": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, &stub{stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
				if !first {
					if err := out.Send(ready()); err != nil {
						return err
					}
				}
				return out.Send(bad)
			}})
			w := serve(g, newRequest(t, "POST", streamPath, ""))
			if !strings.Contains(w.Body.String(), `"BRIDGE_BUG"`) || first != (w.Code == http.StatusInternalServerError) {
				t.Errorf("HTTP %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestStreamIsLive reads each event before the next is sent, over a connection,
// then leaves. The call has to be cancelled.
func TestStreamIsLive(t *testing.T) {
	t.Parallel()
	next, ended := make(chan struct{}), make(chan error, 1)
	g := newGateway(t, &stub{watch: func(in *mcpbridgev1.WatchEventsRequest, out watchStream) error {
		for i := int64(0); ; i++ {
			event := &mcpbridgev1.WatchEventsResponse{
				Member: strings.Join(in.GetResourceUris(), "+"),
				Event:  &mcpbridgev1.WatchEventsResponse_Gap{Gap: &mcpbridgev1.Gap{Dropped: i}},
			}
			if err := out.Send(event); err != nil {
				ended <- err
				return err
			}
			select {
			case <-next:
			case <-out.Context().Done():
				ended <- out.Context().Err()
				return out.Context().Err()
			}
		}
	}})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	for _, accept := range []string{"application/x-ndjson", "text/event-stream"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/servers/demo/events?resourceUris=a:1&resourceUris=b:2", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(response.Body)
		for i := range 3 {
			if i > 0 {
				next <- struct{}{}
			}
			want := fmt.Sprintf(`{"result":{"member":"a:1+b:2","gap":{"dropped":"%d"}}}`, i)
			if got := nextLine(t, lines); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("the handler ended without an error")
		}
		_ = response.Body.Close()
	}
}

// nextLine returns the next line that holds JSON.
func nextLine(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if i := strings.IndexByte(lines.Text(), '{'); i >= 0 {
			return lines.Text()[i:]
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return ""
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"text/event-stream": "EEE..." + "E..", // three events at once, 50 s of silence, another, 40 s of silence
		"*/*":               "EEEE",
	} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t, &stub{stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
					time.Sleep(time.Minute) // before the first event there is nothing to keep alive
					for i, pause := range []time.Duration{0, 0, 50 * time.Second, 40 * time.Second} {
						if err := out.Send(progress(float64(i))); err != nil {
							return err
						}
						time.Sleep(pause)
					}
					return nil
				}})
				w := serve(g, newRequest(t, "POST", streamPath, "", "Accept: "+accept))
				got := strings.NewReplacer(": keep-alive\n\n", ".", "event: progress\ndata: ", "", "\n", "").Replace(w.Body.String())
				for i := range 4 {
					got = strings.Replace(got, fmt.Sprintf(`{"result":{"progress":{"progress":%d,"meta":{"a":1.0}}}}`, i), "E", 1)
				}
				if got != want || w.Code != http.StatusOK {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

// TestStreamOfNothing ends well without an event.
func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, &stub{stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
		return out.SetHeader(metadata.Pairs("mcpbridge-x", "1"))
	}})
	w := serve(g, newRequest(t, "POST", streamPath, ""))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Mcpbridge-X") != "1" {
		t.Errorf("HTTP %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestAbandonedStream has the client go away while nothing is sent, and the
// gateway wait for the handler.
func TestAbandonedStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var returned atomic.Bool
		g := newGateway(t, &stub{stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
			if err := out.Send(ready()); err != nil {
				return err
			}
			<-out.Context().Done()
			time.Sleep(time.Second) // it takes its time to clean up
			returned.Store(true)
			return out.Context().Err()
		}})
		r := newRequest(t, "POST", streamPath, "")
		ctx, cancel := context.WithCancel(r.Context())
		w := &cancellingWriter{ResponseWriter: httptest.NewRecorder(), cancel: cancel}
		g.ServeHTTP(w, r.WithContext(ctx))
		if !returned.Load() {
			t.Error("the request ended before the handler")
		}
	})
}

// A cancellingWriter is a client that goes away at the first event.
type cancellingWriter struct {
	http.ResponseWriter
	cancel context.CancelFunc
}

func (w *cancellingWriter) Write([]byte) (int, error) {
	w.cancel()
	return 0, io.ErrClosedPipe
}

// TestClientThatDoesNotRead is left after the limit, on streams and on a large
// response.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 64<<20) // more than the buffers of a connection hold
	ended := make(chan error, 1)
	g := newGateway(t, &stub{
		callTool: func(ctx context.Context, _ *mcpbridgev1.CallToolRequest) (*mcpbridgev1.CallToolResponse, error) {
			context.AfterFunc(ctx, func() { ended <- ctx.Err() })
			return &mcpbridgev1.CallToolResponse{MetaJson: proto.String(`"` + large + `"`)}, nil
		},
		stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
			event := &mcpbridgev1.CallToolStreamResponse{Event: &mcpbridgev1.CallToolStreamResponse_Log{
				Log: &mcpbridgev1.LogMessage{DataJson: proto.String(`"` + large[:1<<20] + `"`)},
			}}
			for {
				if err := out.Send(event); err != nil {
					ended <- err
					return err
				}
			}
		},
	}, func(o *gateway.Options) { o.WriteTimeout = 50 * time.Millisecond })
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	for _, path := range []string{streamPath, callPath} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: the call ended without an error", path)
		}
		_ = conn.Close()
	}
}

// TestSlowEvents outlives the limit between its events, over HTTP/1.1 and
// HTTP/2, which differ in what an expired deadline means.
func TestSlowEvents(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Millisecond
	g := newGateway(t, &stub{stream: func(_ *mcpbridgev1.CallToolStreamRequest, out callStream) error {
		for i := range 3 {
			if err := out.Send(progress(float64(i))); err != nil {
				return err
			}
			select {
			case <-time.After(2 * limit): // longer than the limit is what is tested
			case <-out.Context().Done():
				return out.Context().Err()
			}
		}
		return nil
	}}, func(o *gateway.Options) { o.WriteTimeout = limit })
	for name, start := range map[string]func(*httptest.Server){"HTTP/1.1": (*httptest.Server).Start, "HTTP/2.0": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(g)
			server.EnableHTTP2 = true
			start(server)
			t.Cleanup(server.Close)
			response, err := server.Client().Post(server.URL+streamPath, "", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || strings.Count(string(body), "progress") < 6 || response.Proto != name {
				t.Errorf("%s: %s %v", response.Proto, body, err)
			}
		})
	}
}
