package gateway

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/mcpbridge/mcpbridge/internal/gateway/restjson"
)

// headerTimeout holds how long the caller will wait, in seconds.
const headerTimeout = "Request-Timeout"

// withRequestTimeout returns ctx, bounded by the header of r. The caller must
// call cancel unless there is an error.
func withRequestTimeout(ctx context.Context, r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get(headerTimeout)
	if text == "" {
		return ctx, func() {}, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0) || seconds > math.MaxInt64/float64(time.Second) {
		return nil, nil, invalid(&restjson.FieldError{Field: headerTimeout, Problem: `must be a number of seconds, e.g. "2.5"`})
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second)))
	return ctx, cancel, nil
}
