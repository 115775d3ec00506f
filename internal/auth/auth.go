// Package auth says who is calling, what they may use, and how much of it.
// Everything that a caller opens belongs to its principal and is invisible to
// others.
package auth

import "context"

// A Principal is an authenticated caller. The zero Principal is the one that
// everybody is where callers are not authenticated.
type Principal struct {
	// ID tells principals apart. It begins with the method that the caller has
	// proved it by, and names whoever vouches for it, so that a name of one
	// cannot pass for that of another:
	//
	//	preshared:billing
	//	oidc:https://issuer.example.com#alice
	//	mtls:uri:spiffe://example.com/billing
	//
	// It never shows in errors or metrics.
	ID string
	// Claims are what the token says of the caller beside its id, by name. Nil
	// for none. They are shared: nobody writes to them.
	Claims map[string][]string
}

type contextKey struct{}

// NewContext returns a context that carries p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return withPrincipal(ctx, &p)
}

func withPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the principal of a call.
func FromContext(ctx context.Context) Principal {
	if p := principalOf(ctx); p != nil {
		return *p
	}
	return Principal{}
}

// principalOf returns nil if nobody has been authenticated.
func principalOf(ctx context.Context) *Principal {
	p, _ := ctx.Value(contextKey{}).(*Principal)
	return p
}
