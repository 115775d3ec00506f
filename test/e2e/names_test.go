package e2e

import (
	"net/http"
	"net/url"
	"testing"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
	"github.com/mcpbridge/mcpbridge/test/hostile"
)

// TestNames checks that a server may be called anything.
func TestNames(t *testing.T) {
	t.Parallel()
	names := []string{"plain", "with space", "@acme/files", "a.b:c", "50%", "%2F", "тест", "what?", "a#b", "x/tools"}
	server := hostileEntry(t, "http", hostile.Options{})
	configured := servers{}
	for _, name := range names {
		configured[name] = server
	}
	b := start(t, setup{servers: configured})
	client, web := b.client(t), newWeb(t)
	for _, name := range names {
		t.Run(url.PathEscape(name), func(t *testing.T) {
			t.Parallel()
			tools, err := client.ListTools(bounded(t), &mcpbridgev1.ListToolsRequest{Target: "servers/" + name})
			if err != nil {
				t.Fatal(err)
			}
			web.do(t, http.MethodGet, b.restURL+"/v1/servers/"+url.PathEscape(name)+"/tools", "").sameAs(t, tools)
			got, err := client.GetServer(bounded(t), &mcpbridgev1.GetServerRequest{Name: "servers/" + name})
			if err != nil || got.GetServer().GetName() != "servers/"+name {
				t.Errorf("the server is %v, %v", got, err)
			}
		})
	}
}
