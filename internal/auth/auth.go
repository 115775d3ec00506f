// Package auth says who is calling. Everything that a caller opens belongs to
// its principal and is invisible to others.
package auth

import "context"

// A Principal is an authenticated caller. The zero Principal is the one that
// everybody is where callers are not authenticated.
type Principal struct {
	// ID tells principals apart. It never shows in errors or metrics.
	ID string
}

type contextKey struct{}

// NewContext returns a context that carries p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the principal of a call.
func FromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
