package service

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/protoadapt"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/jsonrpc"
)

// The error codes of MCP beyond those of JSON-RPC.
const (
	codeResourceNotFound   = -32002
	codeCapabilityRequired = -32021
	codeURLElicitation     = -32042
)

// upstreamError: the server answered with an error, which goes along verbatim.
func upstreamError(err error) (verdict, bool) {
	var e *jsonrpc.Error
	if !errors.As(err, &e) {
		return verdict{}, false
	}
	v := verdict{code: codes.Unknown, reason: mcpbridgev1.Reason_REASON_UPSTREAM_ERROR}
	switch e.Code {
	case jsonrpc.CodeMethodNotFound:
		v.code, v.reason = codes.Unimplemented, mcpbridgev1.Reason_REASON_UPSTREAM_UNIMPLEMENTED
	case jsonrpc.CodeInvalidParams:
		v.code, v.reason = codes.InvalidArgument, mcpbridgev1.Reason_REASON_UPSTREAM_INVALID_PARAMS
	case jsonrpc.CodeInvalidRequest, jsonrpc.CodeParseError:
		v.code, v.reason = codes.Internal, mcpbridgev1.Reason_REASON_UPSTREAM_REJECTED
	case jsonrpc.CodeInternalError:
		v.code, v.reason = codes.Internal, mcpbridgev1.Reason_REASON_UPSTREAM_INTERNAL
	case codeResourceNotFound:
		v.code, v.reason = codes.NotFound, mcpbridgev1.Reason_REASON_RESOURCE_NOT_FOUND
	case codeCapabilityRequired:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_CAPABILITY_REQUIRED
	case codeURLElicitation:
		v.code, v.reason = codes.FailedPrecondition, mcpbridgev1.Reason_REASON_INPUT_REQUIRED
	}
	v.message = "the server answered: " + clip(e.Message)
	v.details = []protoadapt.MessageV1{protoadapt.MessageV1Of(upstreamDetail(e))}
	return v, true
}

// maxDetailBytes bounds what of a server's error goes along, maxTwinBytes what of
// it goes along in both forms: the whole status has to fit into an HTTP/2
// trailer, of which common clients take 8 KiB.
const (
	maxDetailBytes = 3 << 10
	maxTwinBytes   = 512
)

func upstreamDetail(e *jsonrpc.Error) *mcpbridgev1.UpstreamError {
	d := &mcpbridgev1.UpstreamError{Code: e.Code, Message: clip(e.Message)}
	if e.Data == nil || len(e.Data) > maxDetailBytes {
		return d
	}
	format := mcpbridgev1.JsonFormat_JSON_FORMAT_BOTH
	if len(e.Data) > maxTwinBytes {
		format = mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT
	}
	data := append(append([]byte(`{"data":`), e.Data...), '}')
	if convert.Into(d, data, format) != nil {
		d.Data, d.DataJson = nil, nil
	}
	d.Code, d.Message = e.Code, clip(e.Message)
	return d
}

// clip cuts text of a peer's to what fits an error message.
func clip(s string) string {
	if len(s) > 1024 {
		s = s[:1024] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
