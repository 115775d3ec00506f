package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// testProgress follows the long tool in each of the three forms of a stream.
func (f *frontend) testProgress(t *testing.T) {
	if f.peer.mute {
		t.Skip("the server answers with a single JSON message")
	}
	t.Run("grpc", func(t *testing.T) {
		stream, err := f.grpc.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{
			Target: target, Name: f.peer.long, Arguments: arguments(t, f.peer.longArgs),
		})
		if err != nil {
			t.Fatal(err)
		}
		f.wantProgress(t, receiveAll(t, stream.Recv))
	})
	t.Run("ndjson", func(t *testing.T) {
		f.wantProgress(t, f.follow(t, "application/x-ndjson", readLine))
	})
	t.Run("sse", func(t *testing.T) {
		f.wantProgress(t, f.follow(t, "text/event-stream", readEvent))
	})
}

type event = mcpbridgev1.CallToolStreamResponse

// receiveAll receives until the end of a stream.
func receiveAll(t *testing.T, receive func() (*event, error)) []*event {
	t.Helper()
	var events []*event
	for {
		e, err := receive()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("after %d events: %v", len(events), err)
		}
		events = append(events, e)
	}
}

// wantProgress checks that a stream is ready first, makes progress in between
// and ends with the result.
func (f *frontend) wantProgress(t *testing.T, events []*event) {
	t.Helper()
	if len(events) < 3 {
		t.Fatalf("only %d events: %v", len(events), events)
	}
	first, last := events[0], events[len(events)-1]
	if first.GetReady().GetState() != mcpbridgev1.State_STATE_READY {
		t.Errorf("the first event is %v, want ready", first)
	}
	if got := textOf(last.GetResult()); got != f.peer.longResult {
		t.Errorf("the last event is %v, want the result %q", last, f.peer.longResult)
	}
	steps := 0.0
	for _, e := range events[1 : len(events)-1] {
		progress := e.GetProgress()
		if progress == nil {
			t.Errorf("an event in between is %v, want progress", e)
			continue
		}
		steps++
		if progress.GetProgress() != steps || progress.GetTotal() != float64(f.peer.longSteps) || progress.GetProgressToken() != nil {
			t.Errorf("progress %v is %v", steps, progress)
		}
		if steps == 1 && progress.GetMessage() != f.peer.longMessage {
			t.Errorf("its message is %q, want %q", progress.GetMessage(), f.peer.longMessage)
		}
	}
	if steps != float64(f.peer.longSteps) {
		t.Errorf("%v steps of progress, want %d", steps, f.peer.longSteps)
	}
}

// follow calls the long tool by REST and reads the stream with next, which
// returns the kind of an event, where the form tells it apart, and its JSON.
func (f *frontend) follow(t *testing.T, accept string, next func(*bufio.Reader) (kind, data string, err error)) []*event {
	t.Helper()
	response, err := f.web.open(bounded(t), http.MethodPost, f.url("/tools/"+f.peer.long+":stream"),
		`{"arguments":`+f.peer.longArgs+`}`, "Accept: "+accept)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != accept {
		t.Fatalf("HTTP status %d, content type %s", response.StatusCode, got)
	}
	body := bufio.NewReader(response.Body)
	return receiveAll(t, func() (*event, error) {
		kind, data, err := next(body)
		if err != nil {
			return nil, err
		}
		return parseEvent(kind, data)
	})
}

// parseEvent reads {"result": event}.
func parseEvent(kind, data string) (*event, error) {
	inner, ok := strings.CutPrefix(data, `{"result":`)
	if !ok {
		return nil, fmt.Errorf("the event is %s", data)
	}
	e := new(event)
	if err := protojson.Unmarshal([]byte(strings.TrimSuffix(inner, "}")), e); err != nil {
		return nil, fmt.Errorf("the event is %s: %w", data, err)
	}
	field := e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("event"))
	if kind != "" && kind != field.JSONName() {
		return nil, fmt.Errorf("an event of type %q is %s", kind, data)
	}
	return e, nil
}

func readLine(body *bufio.Reader) (kind, data string, err error) {
	line, err := body.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = fmt.Errorf("a line without an end: %q", line)
	}
	return "", strings.TrimSuffix(line, "\n"), err
}

// readEvent reads a Server-Sent Event of the bridge's, which has one line of
// data.
func readEvent(body *bufio.Reader) (kind, data string, err error) {
	for {
		line, err := body.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && (line != "" || kind != "") {
				err = fmt.Errorf("an event without an end: %q", line)
			}
			return "", "", err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			if data != "" {
				return kind, data, nil
			}
		default:
			return "", "", fmt.Errorf("the line %q in an event stream", line)
		}
	}
}
