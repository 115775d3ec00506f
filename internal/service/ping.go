package service

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/internal/convert"
	"github.com/mcpbridge/mcpbridge/internal/pool"
	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// Ping implements McpServiceServer.
func (s *Service) Ping(ctx context.Context, req *mcpbridgev1.PingRequest) (*mcpbridgev1.PingResponse, error) {
	meta, err := s.object("meta", req.GetMeta(), req.MetaJson)
	if err != nil {
		return nil, err
	}
	if g, err := s.group(ctx, req.GetTarget()); g != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return s.pingGroup(ctx, g, req)
	}
	return s.ping(ctx, &call{target: req.GetTarget()}, meta, req.GetJsonFormat())
}

func (s *Service) ping(ctx context.Context, how *call, meta []byte, format convert.Format) (*mcpbridgev1.PingResponse, error) {
	resp := new(mcpbridgev1.PingResponse)
	_, err := s.do(ctx, how, func(ctx context.Context, session *pool.Live) error {
		began := time.Now()
		result, err := session.Ping(ctx, meta)
		if err != nil {
			return err
		}
		resp.RoundTrip = durationpb.New(time.Since(began))
		// Where ping is a discover, the answer says much that is not about the
		// ping; only its _meta is.
		if meta := rawjson.Get(result.JSON, "_meta"); len(meta) > 0 {
			return convert.Seal(resp, append(append([]byte(`{"_meta":`), meta...), '}'), format)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
