package service

import (
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// What JSON cannot say is the caller's mistake, not the bridge's.
func TestSendProgressChecks(t *testing.T) {
	t.Parallel()
	token := structpb.NewStringValue("t")
	for name, tt := range map[string]struct {
		req   *mcpbridgev1.SendProgressRequest
		field string
	}{
		"no token":       {&mcpbridgev1.SendProgressRequest{}, "progress_token"},
		"a list":         {&mcpbridgev1.SendProgressRequest{ProgressTokenJson: new("[]")}, "progress_token"},
		"no number":      {&mcpbridgev1.SendProgressRequest{ProgressToken: token, Progress: math.NaN()}, "progress"},
		"without bounds": {&mcpbridgev1.SendProgressRequest{ProgressToken: token, Total: new(math.Inf(1))}, "total"},
		"no target":      {&mcpbridgev1.SendProgressRequest{ProgressToken: token, Progress: 1}, "target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(nil, Options{}).SendProgress(t.Context(), tt.req)
			var field *fieldError
			if !errors.As(err, &field) || field.Field != tt.field {
				t.Errorf("got %v", err)
			}
		})
	}
}
