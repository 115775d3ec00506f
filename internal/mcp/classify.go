package mcp

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// codeUnsupportedVersion is the error of a modern server that does not speak
// the revision of a request (spec 2026-07-28, basic/versioning).
const codeUnsupportedVersion = -32022

// codeMissingCapability is the error of a modern server that needs a capability
// which the client has not declared.
const codeMissingCapability = -32021

// A verdict is what the answer to server/discover says about a server.
type verdict struct {
	step    step
	version string
	// result is the DiscoverResult of a modern server.
	result []byte
	// late yields the answer to a probe that is still out, for stepLegacy.
	late <-chan verdict
	// err is why there is no session, for stepFail, and how the server ended, for
	// stepRespawn.
	err error
}

func toLegacy() verdict { return verdict{step: stepLegacy, version: legacyVersions[0]} }

func failed(err error) verdict { return verdict{step: stepFail, err: err} }

// A step is what to do after a probe.
type step uint8

const (
	// stepModern: the server is modern; the session is open.
	stepModern step = iota
	// stepLegacy: initialize, with version.
	stepLegacy
	// stepRepeat: discover again at version, once.
	stepRepeat
	// stepRespawn: the server did not survive the probe; start it anew and
	// initialize at once.
	stepRespawn
	// stepFail: there is no session to be had.
	stepFail
)

// classify judges the outcome of a server/discover. Discover is the only
// oracle of a server's era: other requests succeed on servers that understand
// nothing of it. stream tells pipes and sockets from HTTP.
func classify(resp *transport.Response, err error, stream bool) verdict {
	switch {
	case err != nil:
		return classifyFailure(err, stream)
	case resp.Error != nil && resp.Status >= 500:
		return failed(unavailable(resp))
	case resp.Error != nil && resp.Error.Code == codeUnsupportedVersion:
		return classifyUnsupported(resp.Error)
	case resp.Error != nil:
		// Any other error of any code: servers of every age refuse what they
		// do not know in their own way.
		return toLegacy()
	}
	return classifyResult(resp.Result)
}

// unavailable is the error of a server whose 5xx answer holds a JSON-RPC error:
// it says nothing of what the server can do.
func unavailable(resp *transport.Response) error {
	return &transport.Error{Kind: transport.KindStatus, Status: resp.Status, Delivery: transport.Unknown, Err: resp.Error}
}

func classifyResult(result []byte) verdict {
	var r struct {
		SupportedVersions []string `json:"supportedVersions"`
	}
	if len(result) == 0 || result[0] != '{' || json.Unmarshal(result, &r) != nil || len(r.SupportedVersions) == 0 {
		return toLegacy()
	}
	if v := best(modernVersions, r.SupportedVersions); v != "" {
		return verdict{step: stepModern, version: v, result: result}
	}
	return legacyOr(r.SupportedVersions)
}

func classifyUnsupported(e *jsonrpc.Error) verdict {
	var data struct {
		Supported []string `json:"supported"`
	}
	if json.Unmarshal(e.Data, &data) != nil || len(data.Supported) == 0 {
		return toLegacy()
	}
	if v := best(modernVersions, data.Supported); v != "" {
		return verdict{step: stepRepeat, version: v}
	}
	return legacyOr(data.Supported)
}

// legacyOr initializes with the best legacy revision in common, and fails if
// the server names only revisions that this client does not know.
func legacyOr(supported []string) verdict {
	if v := best(legacyVersions, supported); v != "" {
		return verdict{step: stepLegacy, version: v}
	}
	return failed(&IncompatibleError{Problem: "no protocol revision in common", Supported: supported})
}

// classifyFailure judges a probe without an answer. What says nothing about the
// era is no reason to fall back.
func classifyFailure(err error, stream bool) verdict {
	var te *transport.Error
	if !errors.As(err, &te) {
		return failed(err)
	}
	refused := te.Status >= 400 && te.Status < 500 && te.Status != 401 && te.Status != 403 && te.Status != 408 && te.Status != 429
	switch {
	case te.Kind == transport.KindStatus && refused, te.Kind == transport.KindSessionLost:
		return toLegacy()
	case stream && (te.Kind == transport.KindExited || te.Kind == transport.KindLost):
		return verdict{step: stepRespawn, version: legacyVersions[0], err: err}
	}
	return failed(err)
}

// best returns the first of ours that theirs has, empty if there is none.
func best(ours, theirs []string) string {
	for _, v := range ours {
		if slices.Contains(theirs, v) {
			return v
		}
	}
	return ""
}

// readDiscover reads what a modern server says of itself. Its serverInfo stands
// in _meta; older drafts had it in the body.
func readDiscover(version string, result []byte) Info {
	info := Info{Era: EraModern, ProtocolVersion: version, Result: result}
	_ = rawjson.Object(result, func(key, v []byte) error {
		switch string(key) {
		case "capabilities":
			info.Capabilities = object(v)
		case "serverInfo":
			info.ServerInfo = object(v)
		}
		return nil
	})
	if meta := object(rawjson.Get(result, "_meta")); meta != nil {
		if v := object(rawjson.Get(meta, metaServerInfo)); v != nil {
			info.ServerInfo = v
		}
	}
	return info
}

// readInitialize reads an InitializeResult. A server may answer with any
// revision; one that we do not speak ends the session (spec 2025-11-25,
// basic/lifecycle#version-negotiation).
func readInitialize(result []byte) (Info, error) {
	info := Info{Era: EraLegacy, Result: result}
	if len(result) == 0 || result[0] != '{' {
		return info, &IncompatibleError{Problem: "the result of initialize is not an object"}
	}
	_ = rawjson.Object(result, func(key, v []byte) error {
		switch string(key) {
		case "protocolVersion":
			info.ProtocolVersion, _ = rawjson.String(v)
		case "capabilities":
			info.Capabilities = object(v)
		case "serverInfo":
			info.ServerInfo = object(v)
		}
		return nil
	})
	if !slices.Contains(legacyVersions, info.ProtocolVersion) {
		return info, &IncompatibleError{
			Problem:   "the server answered initialize with a revision that this client does not speak",
			Supported: []string{cut(info.ProtocolVersion, 64)},
		}
	}
	return info, nil
}

func object(v []byte) []byte {
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	return v
}
