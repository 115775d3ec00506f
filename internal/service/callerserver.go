package service

import (
	"errors"
	"net/url"

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
func (s *Service) callerServer(t *mcpbridgev1.TransportConfig, p Personal) (*pool.Server, error) {
	ct, err := s.callerTransport(t)
	if err != nil {
		return nil, err
	}
	if ct.Kind == "stdio" {
		if err := p.forStdio(); err != nil {
			return nil, err
		}
	}
	if p.Header, err = over("transport."+ct.Kind+".headers", transportHeaders(t), p.Header); err != nil {
		return nil, err
	}
	dialer, err := s.opts.Dial(ct, p)
	if err != nil {
		return nil, &fieldError{Field: "transport", Problem: err.Error()}
	}
	return &pool.Server{Client: mcp.NewClient(dialer, s.opts.Client)}, nil
}

// callerTransport reads what the policy allows.
func (s *Service) callerTransport(t *mcpbridgev1.TransportConfig) (CallerTransport, error) {
	switch kind := t.GetTransport().(type) {
	case *mcpbridgev1.TransportConfig_Stdio:
		argv := append([]string{kind.Stdio.GetCommand()}, kind.Stdio.GetArgs()...)
		return CallerTransport{Kind: "stdio", Argv: argv}, s.allowCommand(kind.Stdio)
	case *mcpbridgev1.TransportConfig_Http:
		return s.allowURL("http", kind.Http, transport.CheckURL)
	case *mcpbridgev1.TransportConfig_Sse:
		return s.allowURL("sse", kind.Sse, transport.CheckURL)
	case *mcpbridgev1.TransportConfig_Websocket:
		return s.allowURL("websocket", kind.Websocket, transport.CheckSocketURL)
	default:
		return CallerTransport{}, &fieldError{Field: "transport", Problem: "names no transport"}
	}
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

// transportHeaders are those that stand beside the URL.
func transportHeaders(t *mcpbridgev1.TransportConfig) map[string]string {
	switch kind := t.GetTransport().(type) {
	case *mcpbridgev1.TransportConfig_Http:
		return kind.Http.GetHeaders()
	case *mcpbridgev1.TransportConfig_Sse:
		return kind.Sse.GetHeaders()
	case *mcpbridgev1.TransportConfig_Websocket:
		return kind.Websocket.GetHeaders()
	}
	return nil
}

// A urlTransport is any of the transports that have a URL.
type urlTransport interface {
	GetUrl() string
	GetHeaders() map[string]string
}

// allowURL: check says what is a URL of that kind of transport.
func (s *Service) allowURL(kind string, t urlTransport, check func(string) (*url.URL, error)) (CallerTransport, error) {
	if err := required("transport."+kind+".url", t.GetUrl()); err != nil {
		return CallerTransport{}, err
	}
	u, err := check(t.GetUrl())
	if err != nil || s.opts.Policy == nil || !s.opts.Policy.AllowsURL(u) {
		return CallerTransport{}, errURLForbidden
	}
	return CallerTransport{Kind: kind, URL: t.GetUrl()}, nil
}
