package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// exact is JSON that neither a float64 nor a map keeps as it is.
const exact = `{"z":9007199254740993,"a":1.0,"none":null,"nested":{"b":[1e2,0.10,-0],"a":{}},"text":"é \" \\ /"}`

// TestExactJSON sends JSON to a tool that returns its arguments as they came,
// once as text and once as structured content, and wants it back unchanged.
func TestExactJSON(t *testing.T) {
	t.Parallel()
	b := start(t, setup{servers: servers{
		"stdio":    stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})),
		"http":     overHTTP(peers.GoSDK(t, peers.GoSDKOptions{})),
		"stateful": overHTTP(peers.GoSDK(t, peers.GoSDKOptions{Stateful: true})),
	}})
	client, web := b.client(t), newWeb(t)
	for _, server := range []string{"stdio", "http", "stateful"} {
		mirror := func(t *testing.T, request *mcpbridgev1.CallToolRequest) *mcpbridgev1.CallToolResponse {
			t.Helper()
			request.Target, request.Name = "servers/"+server, "mirror"
			result, err := client.CallTool(bounded(t), request)
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		t.Run(server+"/rest", func(t *testing.T) {
			t.Parallel()
			url := b.restURL + "/v1/servers/" + server + "/tools/mirror:call"
			testMirrorByREST(t, web, url, `{"arguments":`+exact+`}`)
			text, err := json.Marshal(exact)
			if err != nil {
				t.Fatal(err)
			}
			testMirrorByREST(t, web, url, `{"argumentsJson":`+string(text)+`}`)
		})
		t.Run(server+"/text in, both out unasked", func(t *testing.T) {
			t.Parallel()
			result := mirror(t, &mcpbridgev1.CallToolRequest{ArgumentsJson: proto.String(exact)})
			wantMirrored(t, result)
			if result.GetStructuredContent() == nil {
				t.Error("the result has no structured_content")
			}
		})
		t.Run(server+"/text in, text out", func(t *testing.T) {
			t.Parallel()
			result := mirror(t, &mcpbridgev1.CallToolRequest{
				ArgumentsJson: proto.String(exact), JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
			})
			wantMirrored(t, result)
			if result.GetStructuredContent() != nil {
				t.Error("the result has structured_content")
			}
		})
		t.Run(server+"/nothing to lose", func(t *testing.T) {
			t.Parallel()
			result := mirror(t, &mcpbridgev1.CallToolRequest{Arguments: arguments(t, `{"b":1,"a":"x"}`)})
			if result.StructuredContentJson != nil {
				t.Errorf("the result has the text %s, although the value says it all", result.GetStructuredContentJson())
			}
			got, err := protojson.Marshal(result.GetStructuredContent())
			if err != nil {
				t.Fatal(err)
			}
			wantJSON(t, "the value", got, `{"a":"x","b":1}`)
		})
	}
}

// wantMirrored checks what arrived at the server, and what came back.
func wantMirrored(t *testing.T, result *mcpbridgev1.CallToolResponse) {
	t.Helper()
	wantJSON(t, "what arrived", []byte(textOf(result)), exact)
	wantJSON(t, "what came back", []byte(result.GetStructuredContentJson()), exact)
}

func testMirrorByREST(t *testing.T, web *web, url, body string) {
	t.Helper()
	r := web.do(t, http.MethodPost, url, body)
	var result struct {
		Content []struct {
			Text struct{ Text string }
		}
		StructuredContent json.RawMessage
	}
	if err := json.Unmarshal(r.body, &result); err != nil || r.status != http.StatusOK || len(result.Content) != 1 {
		t.Fatalf("%d %s, %v", r.status, r.body, err)
	}
	wantJSON(t, "what arrived", []byte(result.Content[0].Text.Text), exact)
	wantJSON(t, "what came back", result.StructuredContent, exact)
}
