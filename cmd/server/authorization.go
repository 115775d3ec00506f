package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/mcpbridge/mcpbridge/internal/config"
	"github.com/mcpbridge/mcpbridge/internal/gateway"
	"github.com/mcpbridge/mcpbridge/internal/oauth"
)

// callbackPath is where a person's browser comes back to.
const callbackPath = gateway.CallbackPath

func newAuthorizations(cfg *config.Config, redirect func() string, log *slog.Logger) (*oauth.Manager, error) {
	store, err := tokenStore(cfg.OAuth)
	if err != nil {
		return nil, err
	}
	return oauth.New(oauth.Options{
		Store: store, RedirectURI: redirect, ClientMetadataURL: cfg.OAuth.ClientMetadataURL, ClientName: cfg.OAuth.ClientName, Logger: log,
	}), nil
}

// tokenStore is where tokens are kept: a file, or nil for memory.
func tokenStore(o config.OAuth) (oauth.Store, error) {
	if o.TokensFile == "" {
		return nil, nil
	}
	text := o.TokensKey.Reveal()
	if o.TokensKeyFile != "" {
		data, err := os.ReadFile(o.TokensKeyFile)
		if err != nil {
			return nil, fmt.Errorf("oauth.tokens_key_file: %w", err)
		}
		text = string(data)
	}
	key, err := oauth.ParseKeyText(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("key of oauth.tokens_file: %w", err)
	}
	file, err := oauth.OpenFile(o.TokensFile, key)
	if err != nil {
		return nil, fmt.Errorf("oauth.tokens_file: %w", err)
	}
	return file, nil
}
