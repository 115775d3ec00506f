package config_test

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/mcpbridge/mcpbridge/internal/config"
)

func ExampleLoad() {
	cfg, err := config.Load([]string{"--grpc-addr", "127.0.0.1:0"}, []string{"MCPBRIDGE_LOG_LEVEL=warn"}, os.Stderr)
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen(cfg.GRPC.Addr.Listen())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = listener.Close() }()
	fmt.Println(cfg.Log.Level, len(cfg.Servers))
	// Output: WARN 0
}

func ExampleProblems() {
	_, err := config.Load([]string{"--grpc-addr", "9090"}, []string{"MCPBRIDGE_CALLS_MAX_TIMEOUT=10"}, os.Stderr)
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Printf("%s\n  set by %s\n  %s\n", p.Key, p.Source, p.Message)
		}
	}
	// Output:
	// calls.max_timeout
	//   set by MCPBRIDGE_CALLS_MAX_TIMEOUT
	//   "10" has no unit; write "10s"
	// grpc.addr
	//   set by --grpc-addr
	//   "9090" has no host:port; write "127.0.0.1:9090"
}

func ExampleSecret() {
	token := config.NewSecret("hunter2")
	fmt.Printf("%v %q\n", token, token.Reveal())
	// Output: [redacted] "hunter2"
}
