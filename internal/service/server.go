package service

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/auth"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/mcp"
	"github.com/mcpbridge/mcpbridge/internal/pool"
)

// GetServer implements McpServiceServer.
func (s *Service) GetServer(ctx context.Context, req *mcpbridgev1.GetServerRequest) (*mcpbridgev1.GetServerResponse, error) {
	name, ok := strings.CutPrefix(req.GetName(), serverPrefix)
	if !ok || name == "" {
		return nil, &fieldError{Field: "name", Problem: `must be "servers/{server}"`}
	}
	server, err := s.server(ctx, name)
	if err != nil {
		return nil, err
	}
	out, err := s.serverMessage(ctx, server, req.GetJsonFormat())
	if err != nil {
		return nil, err
	}
	return &mcpbridgev1.GetServerResponse{Server: out}, nil
}

// ListServers implements McpServiceServer.
func (s *Service) ListServers(ctx context.Context, req *mcpbridgev1.ListServersRequest) (*mcpbridgev1.ListServersResponse, error) {
	forbidden := func(server *pool.Server) bool { return !s.allowed(ctx, server) }
	page, next, err := paginate(slices.DeleteFunc(s.pool.Servers(), forbidden), req.GetPageSize(), req.GetPageToken(), func(p *pool.Server) string { return p.Name })
	if err != nil {
		return nil, err
	}
	resp := &mcpbridgev1.ListServersResponse{NextPageToken: next}
	for _, server := range page {
		out, err := s.serverMessage(ctx, server, req.GetJsonFormat())
		if err != nil {
			return nil, err
		}
		resp.Servers = append(resp.Servers, out)
	}
	return resp, nil
}

func (s *Service) serverMessage(ctx context.Context, p *pool.Server, format convert.Format) (*mcpbridgev1.Server, error) {
	status, info, upstreams := s.pool.ServerStatus(p, auth.FromContext(ctx).ID)
	out := &mcpbridgev1.Server{
		Name:            serverPrefix + p.Name,
		Transport:       transportOf(p.Client.Peer().Transport),
		State:           stateOf(status.State),
		LastFailure:     failureOf(status.LastFailure),
		Era:             eraOf(p.Era()),
		ProtocolVersion: info.ProtocolVersion,
		Upstreams:       int32(upstreams), //nolint:gosec // bounded by sessions.max
		Generation:      status.Generation,
		Stateful:        p.Stateful,
		Shared:          p.Shared,
	}
	if err := describe(out, info, format); err != nil {
		return nil, err
	}
	out.DisplayName = displayName(p, out.GetServerInfo())
	return out, nil
}

func displayName(p *pool.Server, info *mcpbridgev1.Implementation) string {
	for _, name := range []string{p.DisplayName, info.GetTitle(), info.GetName()} {
		if name != "" {
			return name
		}
	}
	return p.Name
}

// The page sizes of the bridge's own lists.
const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// paginate cuts a page out of a list that is in the order of its keys. The
// token is the key of the last item before the page, so that items which come
// and go between two pages neither repeat nor hide others.
func paginate[T any](all []T, size int32, token string, key func(T) string) (page []T, next string, err error) {
	switch {
	case size < 0:
		return nil, "", &fieldError{Field: "page_size", Problem: "must not be below 0"}
	case size == 0:
		size = defaultPageSize
	}
	size = min(size, maxPageSize)
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", &fieldError{Field: "page_token", Problem: "is not one that was returned as next_page_token"}
	}
	for token != "" && len(all) > 0 && key(all[0]) <= string(after) {
		all = all[1:]
	}
	if len(all) <= int(size) {
		return all, "", nil
	}
	return all[:size], base64.RawURLEncoding.EncodeToString([]byte(key(all[size-1]))), nil
}

func stateOf(s pool.State) mcpbridgev1.State {
	switch s {
	case pool.Idle:
		return mcpbridgev1.State_STATE_IDLE
	case pool.Connecting:
		return mcpbridgev1.State_STATE_CONNECTING
	case pool.Ready:
		return mcpbridgev1.State_STATE_READY
	case pool.TransientFailure:
		return mcpbridgev1.State_STATE_TRANSIENT_FAILURE
	case pool.NeedsAuthorization:
		return mcpbridgev1.State_STATE_NEEDS_AUTHORIZATION
	case pool.Shutdown:
		return mcpbridgev1.State_STATE_SHUTDOWN
	}
	return mcpbridgev1.State_STATE_UNSPECIFIED
}

func eraOf(e mcp.Era) mcpbridgev1.Era {
	switch e {
	case mcp.EraLegacy:
		return mcpbridgev1.Era_ERA_LEGACY
	case mcp.EraModern:
		return mcpbridgev1.Era_ERA_MODERN
	case mcp.EraUnknown:
	}
	return mcpbridgev1.Era_ERA_UNSPECIFIED
}

func transportOf(name string) mcpbridgev1.Transport {
	return mcpbridgev1.Transport(mcpbridgev1.Transport_value["TRANSPORT_"+strings.ToUpper(name)])
}

// failureOf tells of a failure what the failed call was told.
func failureOf(f *pool.Failure) *mcpbridgev1.Failure {
	if f == nil || f.Err == nil {
		return nil
	}
	err := f.Err
	if !errors.As(err, new(*pool.ConnectError)) {
		err = &pool.ConnectError{Err: err}
	}
	v := judge(err)
	return &mcpbridgev1.Failure{Time: timestamppb.New(f.Time), Reason: v.reasonName(), Message: v.message}
}
