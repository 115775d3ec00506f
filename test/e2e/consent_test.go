package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/grpc/status"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestConsentWatched: who watches is told when the server wants consent, each its
// own.
func TestConsentWatched(t *testing.T) {
	t.Parallel()
	g := newGuardedServer(t, false)
	b := start(t, setup{
		env: []string{"MCPBRIDGE_AUTH_PRESHARED_TOKENS=ann " + tokenAnn + "; bob " + tokenBob},
		config: fmt.Sprintf(`
auth: {methods: preshared}
servers:
  guarded: {url: %s/mcp}
groups:
  all: {members: [guarded]}
`, g.URL),
	})
	const server = "servers/guarded"
	ann, bob := b.client(t, as(tokenAnn)), b.client(t, as(tokenBob))

	inGroup, _ := watch(t, ann, &mcpbridgev1.WatchEventsRequest{Target: "groups/all"})
	wanted := await(t, inGroup, "the member to ask for consent", asksForConsent)
	if wanted.GetMember() != "guarded" || wanted.GetAuthorizationRequired().GetTarget() != server {
		t.Errorf("the group tells %v", wanted)
	}
	agree(t, wanted.GetAuthorizationRequired())
	await(t, inGroup, "the member to be ready", func(e *mcpbridgev1.WatchEventsResponse) bool {
		return e.GetStateChanged().GetState() == mcpbridgev1.State_STATE_READY
	})
	agree(t, consentFor(t, bob, server))

	session := openSession(t, ann, server)
	toServer, _ := watch(t, ann, &mcpbridgev1.WatchEventsRequest{Target: server})
	toSession, _ := watch(t, ann, &mcpbridgev1.WatchEventsRequest{Target: session})
	toBob, _ := watch(t, bob, &mcpbridgev1.WatchEventsRequest{Target: server})
	g.revoke()
	for target, stream := range map[string]watching{server: toServer, session: toSession} {
		asked := consentFor(t, ann, target)
		got := await(t, stream, "the call of "+target+" to ask for consent", asksForConsent).GetAuthorizationRequired()
		if got.GetAuthorizationUrl() != asked.GetAuthorizationUrl() || got.GetTarget() != target || got.GetExpireTime() == nil {
			t.Errorf("the event is {%v}, the call was told {%v}", got, asked)
		}
	}
	asked := consentFor(t, bob, server)
	got := await(t, toBob, "bob's call to ask for consent", asksForConsent).GetAuthorizationRequired()
	if got.GetAuthorizationUrl() != asked.GetAuthorizationUrl() {
		t.Errorf("bob is told {%v}, his call {%v}", got, asked)
	}
}

func asksForConsent(e *mcpbridgev1.WatchEventsResponse) bool {
	return e.GetAuthorizationRequired() != nil
}

// consentFor calls the server, and returns what that wants first.
func consentFor(t *testing.T, client mcpbridgev1.McpServiceClient, target string) *mcpbridgev1.AuthorizationRequired {
	t.Helper()
	_, err := client.CallTool(bounded(t), &mcpbridgev1.CallToolRequest{Target: target, Name: "hello"})
	wanted := detail[*mcpbridgev1.AuthorizationRequired](status.Convert(err))
	if wanted.GetAuthorizationUrl() == "" {
		t.Fatalf("the call of %s ends with %v", target, err)
	}
	return wanted
}

// agree opens the URL as a person does who agrees.
func agree(t *testing.T, wanted *mcpbridgev1.AuthorizationRequired) {
	t.Helper()
	page := newWeb(t).do(t, http.MethodGet, wanted.GetAuthorizationUrl(), "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
	if page.status != http.StatusOK {
		t.Fatalf("the callback answers %d %s", page.status, page.body)
	}
}
