package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// limited starts a bridge in front of a server that never answers a call, with
// these limits of a principal.
func limited(t *testing.T, limits string) (*bridge, *hostile.Server) {
	t.Helper()
	server := hostile.HTTP(t, hostile.Options{Mode: "silent-call", Era: hostile.Legacy})
	return start(t, setup{
		servers: servers{"server": overHTTP(server.URL)},
		env:     []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + ";bob " + tokenBob},
		config:  "auth: {methods: preshared}\nprincipal: " + limits + "\n",
	}), server
}

// wantExceeded checks that a call was refused for a limit of that name.
func wantExceeded(t *testing.T, err error, trailer metadata.MD, limit string) {
	t.Helper()
	wantStatus(t, err, trailer, codes.ResourceExhausted, "QUOTA_EXCEEDED", "not_sent")
	st := status.Convert(err)
	if v := detail[*errdetails.QuotaFailure](st).GetViolations(); len(v) != 1 || v[0].GetSubject() != limit {
		t.Errorf("QuotaFailure is %v, want %s", v, limit)
	}
	if detail[*errdetails.RetryInfo](st).GetRetryDelay().AsDuration() <= 0 {
		t.Error("nothing says when to call again")
	}
}

func connectRequest() *mcpbridgev1.ConnectRequest {
	return &mcpbridgev1.ConnectRequest{Peer: &mcpbridgev1.ConnectRequest_Server{Server: "servers/server"}}
}

func TestPrincipalSessions(t *testing.T) {
	t.Parallel()
	b, _ := limited(t, "{sessions: 2}")
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))
	var last string
	for range 2 {
		connected, err := ann.Connect(bounded(t), connectRequest())
		if err != nil {
			t.Fatal(err)
		}
		last = connected.GetSession().GetName()
	}
	var trailer metadata.MD
	_, err := ann.Connect(bounded(t), connectRequest(), grpc.Trailer(&trailer))
	wantExceeded(t, err, trailer, "principal.sessions")
	if _, err := bob.Connect(bounded(t), connectRequest()); err != nil {
		t.Errorf("another principal: %v", err)
	}
	if _, err := ann.Disconnect(bounded(t), &mcpbridgev1.DisconnectRequest{Name: last}); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Connect(bounded(t), connectRequest()); err != nil {
		t.Errorf("after a disconnect: %v", err)
	}
}

// TestHeldForCallers bounds what callers may have us keep.
func TestHeldForCallers(t *testing.T) {
	t.Parallel()
	b := start(t, setup{
		servers: servers{"server": stdio(hostile.Command(t, hostile.Options{}))},
		config:  "limits: {caller_groups: 1, group_members: 1, idempotency_keys: 2, caller_idempotency_keys: 1}\n",
	})
	client := b.client(t)
	check := func(what string, err error, limit string) {
		t.Helper()
		st := status.Convert(err)
		got := detail[*errdetails.QuotaFailure](st).GetViolations()
		if limit == "" && err != nil || limit != "" && (st.Code() != codes.ResourceExhausted || len(got) != 1 || got[0].GetSubject() != limit) {
			t.Errorf("%s: %v, want the limit %q", what, err, limit)
		}
	}
	create := func(members ...*mcpbridgev1.GroupMember) error {
		_, err := client.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{Members: members})
		return err
	}
	member := func(name string) *mcpbridgev1.GroupMember {
		return &mcpbridgev1.GroupMember{Name: name, Target: "servers/server"}
	}
	call := func(key string) error {
		_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{
			Target: "servers/server", Name: "run", Arguments: arguments(t, `{"nonce":"x"}`), IdempotencyKey: key,
		})
		return err
	}
	check("a group of two", create(member("one"), member("two")), "limits.group_members")
	check("a group", create(member("one")), "")
	check("another group", create(), "limits.caller_groups")
	check("a key", call("one"), "")
	check("another key", call("two"), "limits.caller_idempotency_keys")
	check("the first key", call("one"), "")
}

// TestConnectFlood: what is refused costs the server nothing, and others do not
// notice.
func TestConnectFlood(t *testing.T) {
	t.Parallel()
	const burst = 3
	b, server := limited(t, fmt.Sprintf("{sessions: 1000, connect_rate: 0.001, connect_burst: %d}", burst))
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))
	var opened, refused atomic.Int64
	var flood sync.WaitGroup
	for range 8 {
		flood.Go(func() {
			for range 100 {
				var trailer metadata.MD
				_, err := ann.Connect(bounded(t), connectRequest(), grpc.Trailer(&trailer))
				if err == nil {
					opened.Add(1)
					continue
				}
				wantExceeded(t, err, trailer, "principal.connect_rate")
				refused.Add(1)
			}
		})
	}
	if _, err := bob.Connect(bounded(t), connectRequest()); err != nil {
		t.Errorf("another principal: %v", err)
	}
	flood.Wait()
	if opened.Load() != burst {
		t.Errorf("%d sessions were opened, want %d", opened.Load(), burst)
	}
	// A legacy session is a discover, an initialize and an initialized.
	if n := len(server.Requests()); n > 4*(burst+1) {
		t.Errorf("the server has had %d requests for %d sessions", n, burst+1)
	}
	r := newWeb(t).do(t, http.MethodPost, b.restURL+"/v1/sessions", `{"server":"server"}`, header(tokenAnn))
	r.wantFailure(t, http.StatusTooManyRequests, codes.ResourceExhausted, "QUOTA_EXCEEDED", "not_sent")
	if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
	}
}

// TestPrincipalCalls holds calls in flight, by gRPC and by REST, and wants the
// next ones refused until one of them has ended.
func TestPrincipalCalls(t *testing.T) {
	t.Parallel()
	const most = 4
	b, server := limited(t, fmt.Sprintf("{calls: %d, bytes: 8KiB}", most))
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))
	inFlight := func() int {
		n := 0
		for _, r := range server.Requests() {
			if strings.Contains(r.Body, `"tools/call"`) {
				n++
			}
		}
		return n
	}
	var held sync.WaitGroup
	defer held.Wait()
	hold := func() context.CancelFunc {
		before := inFlight()
		ctx, cancel := context.WithCancel(bounded(t))
		held.Go(func() {
			args := `{"nonce":"1"}`
			_, _ = ann.CallTool(ctx, &mcpbridgev1.CallToolRequest{Target: "servers/server", Name: "run", ArgumentsJson: &args})
		})
		eventually(t, settleBound, func() error {
			if inFlight() == before {
				return fmt.Errorf("the call has not arrived")
			}
			return nil
		})
		return cancel
	}
	var cancels []context.CancelFunc
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
	}()
	large := `{"nonce":"` + strings.Repeat("x", 9000) + `"}`
	var trailer metadata.MD
	_, err := ann.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "servers/server", Name: "run", ArgumentsJson: &large}, grpc.Trailer(&trailer))
	wantExceeded(t, err, trailer, "principal.bytes")
	for range most {
		cancels = append(cancels, hold())
	}
	trailer = nil
	_, err = ann.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{}, grpc.Trailer(&trailer))
	wantExceeded(t, err, trailer, "principal.calls")
	r := newWeb(t).do(t, http.MethodGet, b.restURL+"/v1/servers", "", header(tokenAnn))
	r.wantFailure(t, http.StatusTooManyRequests, codes.ResourceExhausted, "QUOTA_EXCEEDED", "not_sent")
	stream, err := ann.CallToolStream(bounded(t), &mcpbridgev1.CallToolStreamRequest{Target: "servers/server", Name: "run"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantExceeded(t, err, stream.Trailer(), "principal.calls")
	if _, err := bob.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{}); err != nil {
		t.Errorf("another principal: %v", err)
	}
	cancels[0]()
	eventually(t, 10*time.Second, func() error {
		_, err := ann.ListServers(bounded(t), &mcpbridgev1.ListServersRequest{})
		return err
	})
}
