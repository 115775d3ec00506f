package pool

import "github.com/mcpbridge/mcpbridge/internal/mcp"

// Access says with whose credentials a server is reached. The zero value stands
// for what is configured for the server.
type Access struct {
	// Principal is whose credentials they are; empty where principals share.
	Principal string
	// Fingerprint tells credentials from others of the same principal. It must
	// not give them away. Empty: those that the bridge has of the principal.
	Fingerprint string
	// Credentials is what the principal brought, for [Server.ClientFor] to
	// understand; nil: nothing. The pool never looks at it.
	Credentials any
}

// client returns the client for sessions with that access.
func (s *Server) client(a Access) *mcp.Client {
	if s.ClientFor == nil {
		return s.Client
	}
	return s.ClientFor(a)
}
