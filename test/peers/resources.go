package peers

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// TextURI, BytesURI and ItemTemplate are what the Go SDK's server has to read.
const (
	TextURI      = "test://text"
	BytesURI     = "test://bytes"
	ItemTemplate = "test://item/{id}"
)

func addResources(server *mcpsdk.Server) {
	server.AddResource(&mcpsdk.Resource{URI: TextURI, Name: "text", MIMEType: "text/plain"}, readText)
	server.AddResource(&mcpsdk.Resource{URI: BytesURI, Name: "bytes", MIMEType: "application/octet-stream"}, readBytes)
	server.AddResourceTemplate(&mcpsdk.ResourceTemplate{
		URITemplate: ItemTemplate, Name: "item", MIMEType: "text/plain",
	}, readItem)
}

func readText(_ context.Context, request *mcpsdk.ReadResourceRequest) (*mcpsdk.ReadResourceResult, error) {
	return contents(mcpsdk.ResourceContents{URI: request.Params.URI, MIMEType: "text/plain", Text: "some text"}), nil
}

// readBytes returns the 256 byte values in order.
func readBytes(_ context.Context, request *mcpsdk.ReadResourceRequest) (*mcpsdk.ReadResourceResult, error) {
	blob := make([]byte, 256)
	for i := range blob {
		blob[i] = byte(i)
	}
	return contents(mcpsdk.ResourceContents{
		URI: request.Params.URI, MIMEType: "application/octet-stream", Blob: blob,
	}), nil
}

// codeResourceNotFound is what servers up to 2025-11-25 answer for a resource that
// they do not have. The SDK itself answers -32602 in both eras.
const codeResourceNotFound = -32002

// readItem has every item but the one with the id "none".
func readItem(_ context.Context, request *mcpsdk.ReadResourceRequest) (*mcpsdk.ReadResourceResult, error) {
	uri := request.Params.URI
	id := strings.TrimPrefix(uri, strings.TrimSuffix(ItemTemplate, "{id}"))
	if id == "none" {
		return nil, &jsonrpc.Error{Code: codeResourceNotFound, Message: "no such item"}
	}
	return contents(mcpsdk.ResourceContents{URI: uri, MIMEType: "text/plain", Text: "item " + id}), nil
}

func contents(one mcpsdk.ResourceContents) *mcpsdk.ReadResourceResult {
	return &mcpsdk.ReadResourceResult{Contents: []*mcpsdk.ResourceContents{&one}}
}
