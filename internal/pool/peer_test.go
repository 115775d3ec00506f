package pool_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// A cuttable dialer can end the transport that it opened last.
type cuttable struct {
	transport.Dialer

	mu   sync.Mutex
	last transport.Transport
}

func (c *cuttable) Dial(ctx context.Context, r transport.Receiver) (transport.Transport, error) {
	tr, err := c.Dialer.Dial(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = tr
	return tr, err
}

func (c *cuttable) cut(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.last.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Real servers tell each watcher what it wants, before and after a session is
// lost.
func TestWatchPeers(t *testing.T) {
	t.Parallel()
	stdio := func(c peers.Command) transport.Dialer {
		return transport.NewStdio(transport.StdioConfig{Command: c.Path, Args: c.Args, Env: c.Env})
	}
	http := func(t *testing.T, url string) transport.Dialer {
		t.Helper()
		client := transport.NewHTTPClient(nil, nil)
		t.Cleanup(client.CloseIdleConnections)
		d, err := transport.NewHTTP(transport.HTTPConfig{URL: url, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := map[string]func(t *testing.T) transport.Dialer{
		"stdio, modern": func(t *testing.T) transport.Dialer { return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{})) },
		"stdio, legacy": func(t *testing.T) transport.Dialer {
			return stdio(peers.GoSDKCommand(t, peers.GoSDKOptions{Versions: []string{mcp.Version20250618}}))
		},
		"HTTP, modern": func(t *testing.T) transport.Dialer { return http(t, peers.GoSDK(t, peers.GoSDKOptions{})) },
		"HTTP, legacy": func(t *testing.T) transport.Dialer {
			return http(t, peers.GoSDK(t, peers.GoSDKOptions{Stateful: true}))
		},
	}
	for name, dial := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &cuttable{Dialer: dial(t)}
			p := newPool(t, d, &pool.Server{}, pool.Options{Backoff: pool.Backoff{Base: time.Millisecond}})
			u := shared(t, p)
			text, bytes := watch(t, u, peers.TextURI), watch(t, u, peers.BytesURI)
			if got := text.Granted(); !slices.Equal(got, []string{peers.TextURI}) {
				t.Errorf("granted %q", got)
			}
			touch := func(uri string) {
				t.Helper()
				arguments, err := json.Marshal(map[string]string{"uri": uri})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := u.Do(t.Context(), false, func(ctx context.Context, live *pool.Live) error {
					_, err := live.Call(ctx, mcp.CallTool("touch", arguments))
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			touch(peers.TextURI)
			waitFor(t, text, "updated")
			d.cut(t)
			waitFor(t, text, "assumed:"+peers.TextURI)
			heardOf := waitFor(t, bytes, "assumed:"+peers.BytesURI)
			if slices.Contains(heardOf, "updated") || slices.Contains(heardOf, "assumed:"+peers.TextURI) {
				t.Errorf("the other heard %q", heardOf)
			}
			touch(peers.BytesURI)
			waitFor(t, bytes, "updated")
		})
	}
}

// waitFor waits for an event, and returns what came up to it.
func waitFor(t *testing.T, w *pool.Watcher, want string) (heard []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		e, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %q after %q: %v", want, heard, err)
		}
		if heard = append(heard, word(e)); word(e) == want {
			return heard
		}
	}
}
