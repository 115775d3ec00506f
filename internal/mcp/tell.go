package mcp

import (
	"context"
	"encoding/json"
	"fmt"
)

// A Progress is how far a client is with a request of a server's.
type Progress struct {
	// Token is that of the request, the text of a JSON number or string.
	Token    json.RawMessage
	Progress float64
	// Total is nil, and Message empty, if there is none.
	Total   *float64
	Message string
	// Meta is the text of the object of what else goes into _meta; nil: nothing.
	Meta []byte
}

// SendProgress tells a legacy server how far we are with a request of its own
// (spec 2025-11-25, basic/utilities/progress). Modern servers make no requests:
// the error is an [*UnsupportedError].
func (s *Session) SendProgress(ctx context.Context, p Progress) error {
	if s.era().kind() == EraModern {
		return &UnsupportedError{What: "progress of a client"}
	}
	params, err := json.Marshal(struct {
		ProgressToken json.RawMessage `json:"progressToken"`
		Progress      float64         `json:"progress"`
		Total         *float64        `json:"total,omitempty"`
		Message       string          `json:"message,omitempty"`
	}{p.Token, p.Progress, p.Total, p.Message})
	if err != nil {
		return fmt.Errorf("write the progress: %w", err)
	}
	m := metaWriter{buf: []byte(`{"_meta":{`)}
	if m.caller(p.Meta); m.members > 0 {
		params = append(append(m.buf, "},"...), params[1:]...)
	}
	return s.notify(ctx, notificationProgress, params)
}

// RootsChanged tells the server that the roots have changed, so that it asks for
// them again (spec 2025-11-25, client/roots). It does nothing if the session has
// not declared roots, or the server is a modern one, which asks when it needs to
// know.
func (s *Session) RootsChanged(ctx context.Context) error {
	if s.era().kind() == EraModern || !s.profile.Capabilities.Roots {
		return nil
	}
	return s.notify(ctx, notificationRootsChanged, nil)
}
