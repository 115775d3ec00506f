// Command adapter is the client that the MCP conformance suite tests: it does
// what a scenario asks for by calls on a running bridge. The suite starts it
// once for each scenario, with the URL of the scenario's server as the last
// argument and the scenario's name in the environment.
//
// It fails if the bridge refuses what the scenario demands. Whether the bridge
// did it well is for the suite to say, which sees the other end.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(os.Getenv("MCPBRIDGE_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	s := scenario{
		client: mcpbridgev1.NewMcpServiceClient(conn),
		name:   os.Getenv("MCP_CONFORMANCE_SCENARIO"),
		url:    os.Args[len(os.Args)-1],
	}
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.context); err != nil {
			return fmt.Errorf("read MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	steps, ok := scenarios()[s.name]
	if !ok {
		steps = (*scenario).listAndCall
	}
	if err := s.connectAgain(ctx); err != nil {
		return err
	}
	if err := steps(&s, ctx); err != nil {
		return err
	}
	_, err = s.client.Disconnect(ctx, &mcpbridgev1.DisconnectRequest{Name: s.target})
	return err
}
