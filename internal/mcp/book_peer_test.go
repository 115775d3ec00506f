package mcp_test

import (
	"context"
	"encoding/json"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// headerServer serves the Go SDK's server with a tool whose arguments are
// headers as well. The server refuses what does not agree.
func headerServer(t *testing.T) (url string) {
	t.Helper()
	server := mcpsdk.NewServer(&mcpsdk.Implementation{Name: "headers", Version: "1"}, nil)
	server.AddTool(&mcpsdk.Tool{Name: "query", InputSchema: json.RawMessage(`{"type":"object","properties":{
		"region":{"type":"string","x-mcp-header":"Region"},
		"options":{"type":"object","properties":{
			"limit":{"type":"integer","x-mcp-header":"Limit"},
			"dry":{"type":"boolean","x-mcp-header":"Dry-Run"}}}}}`)},
		func(_ context.Context, req *mcpsdk.CallToolRequest) (*mcpsdk.CallToolResult, error) {
			return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: string(req.Params.Arguments)}}}, nil
		})
	handler := mcpsdk.NewStreamableHTTPHandler(func(*nethttp.Request) *mcpsdk.Server { return server }, &mcpsdk.StreamableHTTPOptions{Stateless: true})
	listener := httptest.NewServer(handler)
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})
	return listener.URL
}

func TestHeadersOfGoSDK(t *testing.T) {
	t.Parallel()
	s := connect(t, http(t, headerServer(t)), mcp.Options{})
	if got := s.Info().Era; got != mcp.EraModern {
		t.Fatalf("era %v", got)
	}
	for _, arguments := range []string{
		`{"region":"us-west1","options":{"limit":42.0,"dry":true}}`, // the tool is not known yet
		`{"region":" Zürich\n","options":{"limit":-9007199254740991,"dry":false}}`,
		`{"region":null,"options":{"limit":null}}`,
		`{"region":"=?base64?x?="}`,
		`{}`,
	} {
		r, err := s.Call(t.Context(), mcp.CallTool("query", []byte(arguments)))
		if err != nil {
			t.Errorf("%s: %v", arguments, err)
		} else if got := text(t, r); got != arguments {
			t.Errorf("the server got %s, want %s", got, arguments)
		}
	}
}

// The TypeScript SDK's server: schemas as zod makes them, and lists that are good
// for no time at all.
func TestOutputsOfV2(t *testing.T) {
	t.Parallel()
	s := connect(t, http(t, peers.V2HTTP(t)), mcp.Options{})
	for tool, arguments := range map[string]string{"add": `{"a":1,"b":2.5}`, "range": `{"n":3}`, "echo": `{"message":"x"}`} {
		r, err := s.Call(t.Context(), mcp.CallTool(tool, []byte(arguments)))
		if err != nil || r.OutputError != "" {
			t.Errorf("%s: %+v, %v", tool, r, err)
		}
	}
	for range 2 {
		page, _, err := s.ListPage(t.Context(), mcp.ListTools(), nil, nil)
		if err != nil || page.Cached || !strings.Contains(string(page.JSON), `"ttlMs":0`) {
			t.Errorf("got %+v, %v", page, err)
		}
	}
}
