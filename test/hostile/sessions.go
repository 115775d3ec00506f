package hostile

import "net/http"

// sessionModes forget the sessions of legacy clients.
func sessionModes() []mode {
	return []mode{
		{
			Mode: httpOnly("session-404", "forgets a session after one call in it and says so with 404"),
			era:  Legacy,
			httpMode: httpMode{post: func(h *handlerHTTP, _ http.ResponseWriter, _ *http.Request, m message) bool {
				if m.Method == "tools/call" && h.countCall(m.session) > 1 {
					h.forget(m.session)
				}
				return false
			}},
		},
		{
			Mode: httpOnly("session-400", "forgets a session after one call in it and says so with 400, as server-everything does"),
			era:  Legacy,
			httpMode: httpMode{post: func(h *handlerHTTP, w http.ResponseWriter, _ *http.Request, m message) bool {
				if m.Method == "tools/call" && h.countCall(m.session) > 1 {
					h.forget(m.session)
				}
				if m.session == "" || h.knows(m.session) {
					return false
				}
				writeJSON(w, http.StatusBadRequest, []byte(`{"jsonrpc":"2.0",`+
					errorMember(-32000, "Bad Request: No valid session ID provided")+`}`))
				return true
			}},
		},
		{
			Mode: httpOnly("session-never", "forgets the session at every call in it"),
			era:  Legacy,
			httpMode: httpMode{post: func(h *handlerHTTP, _ http.ResponseWriter, _ *http.Request, m message) bool {
				if m.Method == "tools/call" {
					h.forget(m.session)
				}
				return false
			}},
		},
	}
}
