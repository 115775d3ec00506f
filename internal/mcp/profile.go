package mcp

import (
	"context"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// A Profile is what the sessions of one user of a [Client] are opened with. The
// zero value is usable.
type Profile struct {
	// ClientInfo is what the server is told of the user. Zero: what the
	// client's options say.
	ClientInfo Implementation
	// Capabilities is what the server is told that the user answers.
	Capabilities Capabilities
	// Protocol pins the protocol: a revision, or empty for what the client's
	// options say.
	Protocol string
	// Alone: one principal alone uses the sessions, whatever the client's options
	// say of sharing.
	Alone bool
	// Ask answers the questions that belong to no call, or to one without an Ask
	// of its own. Nil: there is nobody to ask.
	Ask Ask
	// Notify gets the notifications that no call wants, and those that say that
	// something changed, whoever else gets them. Where calls of different
	// principals share a session it gets nothing but changes and what was
	// listened for. It is called from the reading goroutine and must not block. It
	// reports whether anybody wanted it: what nobody does is counted. Nil: nobody
	// wants any.
	Notify func(jsonrpc.Message) (wanted bool)
}

// ConnectAs is Connect for a session of that profile, which must not be changed
// any more.
func (c *Client) ConnectAs(ctx context.Context, p *Profile) (*Session, error) {
	return c.with(p).Connect(ctx)
}

// with returns a client of the same server, which shares what is known of it,
// for sessions of that profile.
func (c *Client) with(p *Profile) *Client {
	with := *c
	with.base = &base{knowledge: c.knowledge, opts: p.amend(c.opts), profile: p, inst: c.inst}
	if c.other != nil {
		with.other = c.other.with(p)
	}
	return &with
}

// amend returns the options with what the profile says in their place: the same
// ones, if it says nothing.
func (p *Profile) amend(o *Options) *Options {
	if p.ClientInfo == (Implementation{}) && p.Protocol == "" && !(o.Shared && p.Alone) {
		return o
	}
	amended := *o
	if p.ClientInfo != (Implementation{}) {
		amended.ClientInfo = p.ClientInfo
	}
	if p.Protocol != "" {
		amended.Protocol = p.Protocol
	}
	amended.Shared = o.Shared && !p.Alone
	return &amended
}
