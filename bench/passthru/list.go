package main

import (
	"context"
	"encoding/json"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/protobuf/encoding/protojson"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// backendList lists the tools as the bridge's own message.
type backendList func(context.Context) (*mcpbridgev1.ListToolsResponse, error)

// sdkList is what a bridge does that has the SDK's types on one side and
// protobuf's on the other: JSON is what they have in common.
func sdkList(session *mcp.ClientSession) backendList {
	return func(ctx context.Context) (*mcpbridgev1.ListToolsResponse, error) {
		list, err := session.ListTools(ctx, nil)
		if err != nil {
			return nil, err
		}
		out := new(mcpbridgev1.ListToolsResponse)
		for _, tool := range list.Tools {
			text, err := json.Marshal(tool)
			if err != nil {
				return nil, err
			}
			message := new(mcpbridgev1.Tool)
			if err := protojson.Unmarshal(text, message); err != nil {
				return nil, err
			}
			out.Tools = append(out.Tools, message)
		}
		return out, nil
	}
}
