package service

import (
	"errors"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// What is forbidden is not repeated, nor why, so that nothing can be found out
// by trying.
var (
	errURLForbidden     = errors.New("the operator does not allow this URL; see policy.allow_urls")
	errCommandForbidden = errors.New("the operator does not allow this command; see policy.allow_commands")
)

// callerServer makes a server of a transport that a caller brings, if the
// operator's policy allows it.
func (s *Service) callerServer(t *mcpbridgev1.TransportConfig) (*pool.Server, error) {
	var ct CallerTransport
	switch kind := t.GetTransport().(type) {
	case *mcpbridgev1.TransportConfig_Stdio:
		if err := s.allowCommand(kind.Stdio); err != nil {
			return nil, err
		}
		ct.Argv = append([]string{kind.Stdio.GetCommand()}, kind.Stdio.GetArgs()...)
	case *mcpbridgev1.TransportConfig_Http:
		if err := s.allowURL(kind.Http.GetUrl()); err != nil {
			return nil, err
		}
		ct.URL, ct.Header = kind.Http.GetUrl(), kind.Http.GetHeaders()
	case *mcpbridgev1.TransportConfig_Sse:
		return nil, &unsupportedError{What: "the transport sse"}
	case *mcpbridgev1.TransportConfig_Websocket:
		return nil, &unsupportedError{What: "the transport websocket"}
	default:
		return nil, &fieldError{Field: "transport", Problem: "names no transport"}
	}
	dialer, err := s.opts.Dial(ct)
	if err != nil {
		return nil, &fieldError{Field: "transport", Problem: err.Error()}
	}
	return &pool.Server{Client: mcp.NewClient(dialer, s.opts.Client)}, nil
}

// allowCommand: an environment and a directory of the caller's could turn an
// allowed command into another one, so there are none.
func (s *Service) allowCommand(t *mcpbridgev1.StdioTransport) error {
	if err := required("transport.stdio.command", t.GetCommand()); err != nil {
		return err
	}
	argv := append([]string{t.GetCommand()}, t.GetArgs()...)
	if s.opts.Policy == nil || len(t.GetEnv()) > 0 || t.GetCwd() != "" || !s.opts.Policy.AllowsCommand(argv) {
		return errCommandForbidden
	}
	return nil
}

func (s *Service) allowURL(raw string) error {
	if err := required("transport.http.url", raw); err != nil {
		return err
	}
	u, err := transport.CheckURL(raw)
	if err != nil || s.opts.Policy == nil || !s.opts.Policy.AllowsURL(u) {
		return errURLForbidden
	}
	return nil
}
