package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/demo"
)

// demoCommand is the argument that makes the binary the embedded demo server.
const demoCommand = "demo"

// run does what the first argument says: without one of these words, serve.
func run(ctx context.Context, args []string) error {
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch word {
	case "serve":
		return serve(ctx, args[1:])
	case "check":
		return check(args[1:])
	case "health":
		return health(ctx, args[1:])
	case "version":
		fmt.Println("mcpbridge", version()) //nolint:forbidigo // what was asked for
		return nil
	case demoCommand:
		return demo.Serve(ctx, os.Stdin, os.Stdout, version())
	default:
		return serve(ctx, args)
	}
}

// check reads the configuration and says what is wrong with it.
func check(args []string) error {
	cfg, err := config.Load(args, os.Environ(), os.Stdout)
	if err != nil {
		return err
	}
	if _, err := newCallers(cfg, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if _, err := configuredGroups(cfg); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Println("warning:", w) //nolint:forbidigo // what was asked for
	}
	fmt.Println("the configuration is good:", served(cfg)) //nolint:forbidigo // what was asked for
	return nil
}

// served says which servers a bridge with this configuration has.
func served(cfg *config.Config) string {
	if len(cfg.Servers) == 0 {
		return "it names no servers, so the built-in demo server is served"
	}
	return "servers are " + strings.Join(slices.Sorted(maps.Keys(cfg.Servers)), ", ")
}

// version is that of the module, or of the commit for a build from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
