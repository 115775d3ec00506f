package mcp

import (
	"context"
	"encoding/json"
	"fmt"
)

// SendProgress tells a legacy server how far we are with a request of its own,
// which carried that token, a JSON number or string (spec 2025-11-25,
// basic/utilities/progress). total is nil and message empty if there is none.
// Modern servers make no requests: the error is an [*UnsupportedError].
func (s *Session) SendProgress(ctx context.Context, token json.RawMessage, progress float64, total *float64, message string) error {
	if s.era().kind() == EraModern {
		return &UnsupportedError{What: "progress of a client"}
	}
	params, err := json.Marshal(struct {
		ProgressToken json.RawMessage `json:"progressToken"`
		Progress      float64         `json:"progress"`
		Total         *float64        `json:"total,omitempty"`
		Message       string          `json:"message,omitempty"`
	}{token, progress, total, message})
	if err != nil {
		return fmt.Errorf("write the progress: %w", err)
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
