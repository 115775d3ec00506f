package peers

import (
	"context"
	"fmt"
	"strconv"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addStateTools(server *mcpsdk.Server, state *state) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "counter", Description: "counts its calls"}, countCalls(state))
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "grow", Description: "adds a tool to this server"}, growServer(server, state))
	mcpsdk.AddTool(server, &mcpsdk.Tool{Name: "touch", Description: "announces a resource update"}, touch(server))
}

type nonceInput struct {
	Nonce string `json:"nonce,omitempty"`
}

// countCalls returns a tool whose text is how often it was called in this
// session, after the nonce and a space if it was given one. Calls without a
// session, as over stateless HTTP, are counted together.
func countCalls(state *state) mcpsdk.ToolHandlerFor[nonceInput, any] {
	return func(_ context.Context, request *mcpsdk.CallToolRequest, in nonceInput) (*mcpsdk.CallToolResult, any, error) {
		count := strconv.Itoa(state.count(request.Session.ID()))
		if in.Nonce != "" {
			count = in.Nonce + " " + count
		}
		return text(count), nil, nil
	}
}

// growServer returns a tool that adds a tool grown_1, grown_2 and so on, which
// makes the server announce that its list of tools changed.
func growServer(server *mcpsdk.Server, state *state) mcpsdk.ToolHandlerFor[struct{}, any] {
	return func(context.Context, *mcpsdk.CallToolRequest, struct{}) (*mcpsdk.CallToolResult, any, error) {
		name := fmt.Sprintf("grown_%d", state.grow())
		mcpsdk.AddTool(server, &mcpsdk.Tool{Name: name, Description: "grown"}, echo)
		return text(name), nil, nil
	}
}

type touchInput struct {
	URI string `json:"uri"`
}

// touch returns a tool that tells the subscribers of a resource that it changed.
func touch(server *mcpsdk.Server) mcpsdk.ToolHandlerFor[touchInput, any] {
	return func(ctx context.Context, _ *mcpsdk.CallToolRequest, in touchInput) (*mcpsdk.CallToolResult, any, error) {
		err := server.ResourceUpdated(ctx, &mcpsdk.ResourceUpdatedNotificationParams{URI: in.URI})
		return text(in.URI), nil, err
	}
}
