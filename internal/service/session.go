package service

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// Connect implements McpServiceServer.
func (s *Service) Connect(ctx context.Context, req *mcpbridgev1.ConnectRequest) (*mcpbridgev1.ConnectResponse, error) {
	params, err := s.openParams(ctx, req)
	if err != nil {
		return nil, err
	}
	ctx, cancel, _, err := s.bound(ctx, limit{}, 0)
	if err != nil {
		return nil, err
	}
	defer cancel()
	owner := new(ownerAsk)
	params.Ask = owner.answer
	session, err := s.pool.Open(ctx, params)
	if err != nil {
		waits(err, req.GetServer())
		owner.settle(nobody)
		return nil, err
	}
	owner.settle(s.askOwner(session))
	out, err := sessionMessage(session, req.GetJsonFormat())
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.ConnectResponse{Session: out}, nil
}

// openParams checks the request.
func (s *Service) openParams(ctx context.Context, req *mcpbridgev1.ConnectRequest) (p pool.OpenParams, err error) {
	p.Principal = auth.FromContext(ctx).ID
	p.Lease = req.GetSharing() == mcpbridgev1.Sharing_SHARING_SHARED
	if err := s.askParams(req, &p); err != nil {
		return p, err
	}
	if p.IdleTimeout, err = duration("idle_timeout", req.GetIdleTimeout()); err != nil {
		return p, err
	}
	if p.CallTimeout, err = duration("default_timeout", req.GetDefaultTimeout()); err != nil {
		return p, err
	}
	if info := req.GetClientInfo(); info != nil {
		if err := required("client_info.name", info.GetName()); err != nil {
			return p, err
		}
		p.ClientInfo = mcp.Implementation{Name: info.GetName(), Title: info.GetTitle(), Version: info.GetVersion()}
	}
	own, err := s.personal(p.Principal, req)
	if err != nil {
		return p, err
	}
	if own.own() && p.Lease {
		return p, &fieldError{Field: "sharing", Problem: "cannot be SHARED beside headers or credentials"}
	}
	p.Server, p.Client, err = s.peer(ctx, req, own)
	return p, err
}

// askParams checks what the server may ask, and how.
func (s *Service) askParams(req *mcpbridgev1.ConnectRequest, p *pool.OpenParams) (err error) {
	p.Protocol, p.Capabilities = req.GetProtocolVersion(), capabilitiesOf(req.GetAnswers())
	if len(req.GetRoots()) > 0 {
		if p.Roots, err = convert.Roots(req.GetRoots(), s.opts.JSONDepth); err != nil {
			return fieldOf(err)
		}
	}
	if p.Lease {
		return notShared(p)
	}
	return nil
}

// notShared refuses what makes a session another's: questions belong to nobody
// on a connection that is shared.
func notShared(p *pool.OpenParams) error {
	for field, set := range map[string]bool{
		"answers": p.Capabilities != (mcp.Capabilities{}), "roots": p.Roots != nil, "protocol_version": p.Protocol != "",
	} {
		if set {
			return &fieldError{Field: field, Problem: "is not for SHARING_SHARED"}
		}
	}
	return nil
}

// peer finds or makes what a Connect connects to.
func (s *Service) peer(ctx context.Context, req *mcpbridgev1.ConnectRequest, own Personal) (*pool.Server, *mcp.Client, error) {
	switch peer := req.GetPeer().(type) {
	case *mcpbridgev1.ConnectRequest_Server:
		server, err := s.server(ctx, strings.TrimPrefix(peer.Server, serverPrefix))
		if err != nil || !own.own() {
			return server, nil, err
		}
		client, err := s.personalClient(server, own)
		return server, client, err
	case *mcpbridgev1.ConnectRequest_Transport:
		server, err := s.callerServer(peer.Transport, own)
		return server, nil, err
	}
	return nil, nil, &fieldError{Field: "server", Problem: "is required, unless a transport is given"}
}

// personalClient returns a client of the server for a caller with something of
// its own to show.
func (s *Service) personalClient(server *pool.Server, own Personal) (*mcp.Client, error) {
	if server.Client.Peer().Network == "pipe" {
		return nil, own.forStdio()
	}
	dialer, err := s.opts.PersonalDial(server.Name, own)
	if err != nil {
		return nil, &fieldError{Field: "credentials", Problem: err.Error()}
	}
	return server.Client.Apart(dialer), nil
}

// duration checks an optional duration; absent is 0.
func duration(field string, d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if !d.IsValid() || d.AsDuration() <= 0 {
		return 0, &fieldError{Field: field, Problem: "must be above 0"}
	}
	return d.AsDuration(), nil
}

// GetSession implements McpServiceServer.
func (s *Service) GetSession(ctx context.Context, req *mcpbridgev1.GetSessionRequest) (*mcpbridgev1.GetSessionResponse, error) {
	id, err := sessionID(req.GetName())
	if err != nil {
		return nil, err
	}
	session, err := s.pool.Session(auth.FromContext(ctx).ID, id)
	if err != nil {
		return nil, err
	}
	out, err := sessionMessage(session, req.GetJsonFormat())
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.GetSessionResponse{Session: out}, nil
}

func sessionID(name string) (string, error) {
	id, ok := strings.CutPrefix(name, sessionPrefix)
	if !ok || id == "" {
		return "", &fieldError{Field: "name", Problem: `must be "sessions/{session}"`}
	}
	return id, nil
}

// ListSessions implements McpServiceServer.
func (s *Service) ListSessions(ctx context.Context, req *mcpbridgev1.ListSessionsRequest) (*mcpbridgev1.ListSessionsResponse, error) {
	all := s.pool.Sessions(auth.FromContext(ctx).ID)
	if name := strings.TrimPrefix(req.GetServer(), serverPrefix); name != "" {
		kept := all[:0]
		for _, session := range all {
			if session.Server().Name == name {
				kept = append(kept, session)
			}
		}
		all = kept
	}
	page, next, err := paginate(all, req.GetPageSize(), req.GetPageToken(), func(p *pool.Session) string {
		return p.Created.UTC().Format(sortable) + "/" + p.ID
	})
	if err != nil {
		return nil, err
	}
	resp := &mcpbridgev1.ListSessionsResponse{NextPageToken: next}
	for _, session := range page {
		out, err := sessionMessage(session, req.GetJsonFormat())
		if err != nil {
			return nil, err
		}
		resp.Sessions = append(resp.Sessions, out)
	}
	return resp, nil
}

// Disconnect implements McpServiceServer.
func (s *Service) Disconnect(ctx context.Context, req *mcpbridgev1.DisconnectRequest) (*mcpbridgev1.DisconnectResponse, error) {
	id, err := sessionID(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.pool.CloseSession(auth.FromContext(ctx).ID, id); err != nil {
		return nil, err
	}
	return &mcpbridgev1.DisconnectResponse{}, nil
}

// sortable is a time that sorts as text does; RFC 3339 leaves zeros out.
const sortable = "2006-01-02T15:04:05.000000000Z"

func sessionMessage(p *pool.Session, format convert.Format) (*mcpbridgev1.Session, error) {
	status, info := p.Status(), p.Info()
	out := &mcpbridgev1.Session{
		Name:            sessionPrefix + p.ID,
		State:           stateOf(status.State),
		LastFailure:     failureOf(status.LastFailure),
		Transport:       transportOf(p.Server().Client.Peer().Transport),
		Era:             eraOf(info.Era),
		ProtocolVersion: info.ProtocolVersion,
		Generation:      status.Generation,
		Sharing:         mcpbridgev1.Sharing_SHARING_EXCLUSIVE,
		CreateTime:      timestamppb.New(p.Created),
		ExpireTime:      timestamppb.New(p.ExpireTime()),
	}
	if p.Lease {
		out.Sharing = mcpbridgev1.Sharing_SHARING_SHARED
	}
	if name := p.Server().Name; name != "" {
		out.Server = serverPrefix + name
	}
	return out, describe(out, info, format)
}

// describe fills in what a server said of itself.
func describe(out proto.Message, info *mcp.Info, format convert.Format) error {
	if len(info.Result) == 0 {
		return nil
	}
	if err := convert.Into(out, info.Result, format); err != nil {
		return err
	}
	if len(info.ServerInfo) == 0 || rawjson.Get(info.Result, "serverInfo") != nil {
		return nil
	}
	// A modern server says who it is in _meta.
	return convert.Into(out, append(append([]byte(`{"serverInfo":`), info.ServerInfo...), '}'), format)
}
