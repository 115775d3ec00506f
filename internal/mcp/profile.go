package mcp

import "github.com/mcpbridge/mcpbridge/internal/jsonrpc"

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

// With returns a client of the same server, which shares what is known of it,
// for sessions of that profile.
func (c *Client) With(p Profile) *Client {
	with := *c
	if p.ClientInfo != (Implementation{}) {
		with.opts.ClientInfo = p.ClientInfo
	}
	if p.Protocol != "" {
		with.opts.Protocol = p.Protocol
	}
	with.opts.Shared = with.opts.Shared && !p.Alone
	with.profile = p
	if c.other != nil {
		with.other = c.other.With(p)
	}
	return &with
}
