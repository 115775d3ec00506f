package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// toolCalls answers CallTool in the place of the generated code, and as that
// would. CallTool is most of what the gateway is asked for, and generated code,
// being for any RPC and any marshaler, costs half as much again.
type toolCalls struct {
	gateway  *Gateway
	conn     *conn
	handlers map[string]runtime.HandlerFunc // by the first word of the target
}

// newToolCalls also puts its handlers into the mux of g, for the paths that it
// does not find. There they come before the generated ones: the mux tries the
// latest first.
func newToolCalls(g *Gateway, conn *conn) (*toolCalls, error) {
	c := &toolCalls{
		gateway:  g,
		conn:     conn,
		handlers: make(map[string]runtime.HandlerFunc),
	}
	for _, kind := range []string{"groups", "sessions", "servers"} {
		pattern := "/v1/{target=" + kind + "/*}/tools/{name}:call"
		handler := c.handler(http.MethodPost + " " + pattern)
		if err := g.mux.HandlePath(http.MethodPost, pattern, handler); err != nil {
			return nil, fmt.Errorf("handle %s: %w", pattern, err)
		}
		c.handlers[kind] = g.prepare(handler)
	}
	return c, nil
}

// find returns the handler for r and what its path binds, if that can be told
// at a glance. Nil: the mux knows.
func (c *toolCalls) find(r *http.Request) (handler runtime.HandlerFunc, bound map[string]string) {
	path, isCall := strings.CutSuffix(r.URL.Path, ":call")
	path, isAPI := strings.CutPrefix(path, "/v1/")
	if !isCall || !isAPI || r.Method != http.MethodPost || r.URL.RawPath != "" { // a RawPath has to be unescaped
		return nil, nil
	}
	kind, path, _ := strings.Cut(path, "/")
	id, path, _ := strings.Cut(path, "/")
	tools, name, _ := strings.Cut(path, "/")
	if id == "" || tools != "tools" || name == "" || strings.Contains(name, "/") {
		return nil, nil
	}
	return c.handlers[kind], map[string]string{"target": kind + "/" + id, "name": name}
}

// handler returns the handler of the requests that route names.
func (c *toolCalls) handler(route string) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, bound map[string]string) {
		x := exchangeOf(r.Context())
		x.request.Pattern = route
		response, err := c.call(r, x, bound)
		if err != nil {
			forward(w.Header(), x.trailer)
			c.gateway.fail(w, err)
			return
		}
		c.gateway.respond(w, x, response)
	}
}

// call makes an RPC of the request.
func (c *toolCalls) call(r *http.Request, x *exchange, bound map[string]string) (proto.Message, error) {
	const method = mcpbridgev1.McpService_CallTool_FullMethodName
	ctx, md, err := annotate(r, c.gateway.mux, method)
	if err != nil {
		return nil, err
	}
	request := &mcpbridgev1.CallToolRequest{}
	if err := x.body.decode(c.conn.codec, request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	request.Target, request.Name = bound["target"], bound["name"]
	if err := c.conn.finish(x, request); err != nil {
		return nil, err
	}
	return c.conn.channel.Call(ctx, method, md, request, grpc.Header(&x.header), grpc.Trailer(&x.trailer))
}
