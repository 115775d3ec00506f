package main

import (
	"sync"

	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// personalClients are the clients of a server that sees one caller differently
// from another. The client of a principal is the same for all its sessions, as
// long as no other principal comes in between: a bridge with one user has one, at
// the cost of one.
type personalClients struct {
	client *mcp.Client
	dialer func(principal string) (transport.Dialer, error)

	mu sync.Mutex // guards what follows
	// principal is whose client last is; nil before the first.
	principal string
	last      *mcp.Client
}

// of returns the client for whoever has that access.
func (p *personalClients) of(a pool.Access) *mcp.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.principal == a.Principal {
		return p.last
	}
	dialer, err := p.dialer(a.Principal)
	if err != nil { // it could be made when the bridge started, and is again
		return p.client
	}
	p.principal, p.last = a.Principal, p.client.WithDialer(dialer)
	return p.last
}
