package hostile

import (
	"fmt"
	"net/http"
)

// statusModes answer calls with HTTP that is not MCP.
func statusModes() []mode {
	return []mode{
		refusing(http.StatusUnauthorized, "WWW-Authenticate", `Bearer error="invalid_token"`),
		refusing(http.StatusForbidden, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="run"`),
		refusing(http.StatusTooManyRequests, "Retry-After", "1"),
		failing(http.StatusInternalServerError),
		failing(http.StatusBadGateway),
		failing(http.StatusServiceUnavailable),
		{
			Mode: httpOnly("html", "runs a call and answers it with a web page"),
			httpMode: httpMode{post: executing(func(_ *handlerHTTP, w http.ResponseWriter, _ *http.Request, _ message) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write([]byte("<!doctype html><title>Sign in</title>"))
			})},
		},
		{
			Mode: httpOnly("redirect", "sends calls on to another origin with 307"),
			httpMode: httpMode{post: func(h *handlerHTTP, w http.ResponseWriter, r *http.Request, m message) bool {
				if m.Method != "tools/call" {
					return false
				}
				http.Redirect(w, r, h.elsewhere+"/mcp", http.StatusTemporaryRedirect)
				return true
			}},
		},
	}
}

// refusing returns a mode that runs no call.
func refusing(status int, header, value string) mode {
	about := fmt.Sprintf("refuses calls, unexecuted, with %d and %s: %s", status, header, value)
	return mode{
		Mode: httpOnly(fmt.Sprintf("call-%d", status), about),
		httpMode: httpMode{post: onPost("tools/call", func(w http.ResponseWriter) {
			w.Header().Set(header, value)
			http.Error(w, http.StatusText(status), status)
		})},
	}
}

// failing returns a mode that runs a call before it says that it could not.
func failing(status int) mode {
	return mode{
		Mode: httpOnly(fmt.Sprintf("call-%d", status), fmt.Sprintf("runs a call and answers it with %d", status)),
		httpMode: httpMode{post: executing(func(_ *handlerHTTP, w http.ResponseWriter, _ *http.Request, _ message) {
			http.Error(w, http.StatusText(status), status)
		})},
	}
}
