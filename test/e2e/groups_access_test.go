package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/peers"
)

// TestGroupAccess: in a group of the configuration everybody finds what it may
// use, and nobody finds the group of somebody else.
func TestGroupAccess(t *testing.T) {
	t.Parallel()
	url := peers.GoSDK(t, peers.GoSDKOptions{})
	b := start(t, setup{
		env: []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + "; bob " + tokenBob},
		config: fmt.Sprintf(`
auth: {methods: preshared}
servers:
  open: {url: %[1]q, type: http, allow_tools: ["e*"]}
  secret: {url: %[1]q, type: http, allow: ["preshared:ann"]}
groups:
  all: {members: [open, secret]}
`, url),
	})
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))
	names, _ := toolNames(t, ann, "groups/all")
	if !slices.Contains(names, "open__echo") || slices.Contains(names, "open__add") || !slices.Contains(names, "secret__add") {
		t.Errorf("ann sees %q", names)
	}
	names, resp := toolNames(t, bob, "groups/all")
	if !slices.Equal(names, []string{"open__echo"}) || len(resp.GetMissing()) > 0 {
		t.Errorf("bob sees %q without %v", names, resp.GetMissing())
	}
	run(t, ann, "groups/all", "secret__echo", echoArgs("hi"))
	_, err := bob.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: "groups/all", Name: "open__add"})
	wantReason(t, err, codes.PermissionDenied, "PERMISSION_DENIED")
	got, err := bob.GetGroup(bounded(t), &mcpbridgev1.GetGroupRequest{Name: "groups/all"})
	if err != nil || len(got.GetGroup().GetMembers()) != 1 {
		t.Errorf("bob's group is %v, %v", got, err)
	}
	if _, err := ann.CreateGroup(bounded(t), &mcpbridgev1.CreateGroupRequest{GroupId: "own"}); err != nil {
		t.Fatal(err)
	}
	web := newWeb(t)
	for _, request := range []struct{ method, path, hidden, body string }{
		{"GET", "/v1/groups/NAME", "own", ""},
		{"DELETE", "/v1/groups/NAME", "own", ""},
		{"GET", "/v1/groups/NAME/tools", "own", ""},
		{"POST", "/v1/groups/NAME/members", "own", `{"target":"servers/open"}`},
		{"DELETE", "/v1/groups/NAME/members/x", "own", ""},
		{"POST", "/v1/groups/NAME/tools/x:call", "own", "{}"},
		{"GET", "/v1/groups/NAME/events", "own", ""},
		{"POST", "/v1/groups/all/tools/NAME__echo:call", "secret", "{}"},
		{"GET", "/v1/groups/all/resources:read?uri=a:b&member=NAME", "secret", ""},
		{"GET", "/v1/groups/all/tasks/TASK", "secret", ""},
		{"POST", "/v1/groups/all/tasks/TASK:cancel", "secret", "{}"},
		{"GET", "/v1/groups/NAME/tasks", "own", ""},
		{"POST", "/v1/groups", "secret", `{"members":[{"target":"servers/NAME"}]}`},
	} {
		ask := func(name string) string {
			task := base64.RawURLEncoding.EncodeToString([]byte("servers/"+name)) + "~1"
			r := web.do(t, request.method, b.restURL+strings.NewReplacer("NAME", name, "TASK", task).Replace(request.path),
				strings.ReplaceAll(request.body, "NAME", name), header(tokenBob))
			r.header.Del("Date")
			return strings.ReplaceAll(fmt.Sprint(r.status, r.header, string(r.body)), name, "NAME")
		}
		absent := strings.Repeat("x", len(request.hidden))
		if hidden, absent := ask(request.hidden), ask(absent); hidden != absent || !strings.HasPrefix(absent, fmt.Sprint(http.StatusNotFound)) {
			t.Errorf("%s %s: what is hidden gives\n%s\nwhat is absent\n%s", request.method, request.path, hidden, absent)
		}
	}
}
