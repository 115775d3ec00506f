package mcp

import (
	"errors"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	result := func(s string) *transport.Response { return &transport.Response{Result: []byte(s), Status: 200} }
	refusal := func(code int64, data string, status int) *transport.Response {
		return &transport.Response{Error: &jsonrpc.Error{Code: code, Data: []byte(data)}, Status: status}
	}
	failure := func(k transport.Kind, status int) error { return &transport.Error{Kind: k, Status: status} }
	tests := map[string]struct {
		resp    *transport.Response
		err     error
		stream  bool
		step    step
		version string
	}{
		"modern":                      {resp: result(`{"supportedVersions":["2099-01-01","2026-07-28","2025-11-25"]}`), step: stepModern, version: Version20260728},
		"legacy versions only":        {resp: result(`{"supportedVersions":["2025-03-26","2025-06-18"]}`), step: stepLegacy, version: Version20250618},
		"unknown versions only":       {resp: result(`{"supportedVersions":["2099-01-01"]}`), step: stepFail},
		"an empty object":             {resp: result(`{}`), step: stepLegacy, version: Version20251125},
		"a list of the wrong type":    {resp: result(`{"supportedVersions":"2026-07-28"}`), step: stepLegacy, version: Version20251125},
		"a list of wrong things":      {resp: result(`{"supportedVersions":[1]}`), step: stepLegacy, version: Version20251125},
		"null":                        {resp: result(`null`), step: stepLegacy, version: Version20251125},
		"-32022 naming ours":          {resp: refusal(-32022, `{"supported":["2026-07-28"]}`, 400), step: stepRepeat, version: Version20260728},
		"-32022 naming legacy":        {resp: refusal(-32022, `{"supported":["2025-03-26","2024-11-05"]}`, 400), step: stepLegacy, version: Version20250326},
		"-32022 naming nothing":       {resp: refusal(-32022, `{}`, 400), step: stepLegacy, version: Version20251125},
		"-32022 naming others":        {resp: refusal(-32022, `{"supported":["2099-01-01"]}`, 400), step: stepFail},
		"method not found":            {resp: refusal(-32601, ``, 404), step: stepLegacy, version: Version20251125},
		"code 0":                      {resp: refusal(0, ``, 200), step: stepLegacy, version: Version20251125},
		"-32000 with 400":             {resp: refusal(-32000, ``, 400), step: stepLegacy, version: Version20251125},
		"JSON-RPC error with 500":     {resp: refusal(-32603, ``, 500), step: stepFail},
		"400":                         {err: failure(transport.KindStatus, 400), step: stepLegacy, version: Version20251125},
		"404":                         {err: failure(transport.KindStatus, 404), step: stepLegacy, version: Version20251125},
		"405":                         {err: failure(transport.KindStatus, 405), step: stepLegacy, version: Version20251125},
		"415":                         {err: failure(transport.KindStatus, 415), step: stepLegacy, version: Version20251125},
		"401 is no evidence":          {err: failure(transport.KindStatus, 401), step: stepFail},
		"403 is no evidence":          {err: failure(transport.KindStatus, 403), step: stepFail},
		"429 is no evidence":          {err: failure(transport.KindStatus, 429), step: stepFail},
		"503 is no evidence":          {err: failure(transport.KindStatus, 503), step: stepFail},
		"refused connection":          {err: failure(transport.KindUnreachable, 0), step: stepFail},
		"broken HTTP connection":      {err: failure(transport.KindLost, 0), step: stepFail},
		"unparsable body":             {err: failure(transport.KindProtocol, 200), step: stepFail},
		"a child that exits":          {err: failure(transport.KindExited, 0), stream: true, step: stepRespawn, version: Version20251125},
		"a socket that closes":        {err: failure(transport.KindLost, 0), stream: true, step: stepRespawn, version: Version20251125},
		"a command that cannot start": {err: failure(transport.KindUnreachable, 0), stream: true, step: stepFail},
		"any other error":             {err: errors.New("x"), stream: true, step: stepFail},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := classify(tt.resp, tt.err, tt.stream)
			if v.step != tt.step || tt.step != stepFail && v.version != tt.version {
				t.Errorf("got step %d, version %q; want %d, %q", v.step, v.version, tt.step, tt.version)
			}
			if (v.err != nil) != (v.step == stepFail || v.step == stepRespawn) {
				t.Errorf("step %d with error %v", v.step, v.err)
			}
		})
	}
}

func TestReadInitialize(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		`{"protocolVersion":"2024-11-05"}`: true, `{"protocolVersion":"2025-11-25","capabilities":{}}`: true,
		`{"protocolVersion":"2026-07-28"}`: false, `{"protocolVersion":"1999-01-01"}`: false, `{}`: false, `[]`: false, ``: false,
	} {
		_, err := readInitialize([]byte(in))
		var mismatch *IncompatibleError
		if (err == nil) != ok || err != nil && !errors.As(err, &mismatch) {
			t.Errorf("readInitialize(%s): %v", in, err)
		}
	}
}
