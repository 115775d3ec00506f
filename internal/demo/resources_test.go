package demo

import (
	"strings"
	"testing"
	"testing/synctest"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestResourcesAreListed(t *testing.T) {
	t.Parallel()
	session := connect(t, modern, nil)
	resources, err := session.ListResources(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(resources.Resources) != 1 || resources.Resources[0].URI != "demo://about" {
		t.Errorf("resources are %v", resources.Resources)
	}
	templates, err := session.ListResourceTemplates(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := templates.ResourceTemplates; len(got) != 1 || got[0].URITemplate != "demo://time/{+zone}" {
		t.Errorf("templates are %v", got)
	}
}

func TestReadResource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		uri  string
		want string // expected in the text; an unknown resource if empty
	}{
		{name: "about", uri: "demo://about", want: "# The mcpbridge demo server"},
		{name: "time", uri: "demo://time/UTC", want: "2000-01-01T00:00:00Z"},
		{name: "zone with a slash", uri: "demo://time/Asia/Tokyo", want: "2000-01-01T09:00:00+09:00"},
		{name: "escaped slash", uri: "demo://time/Asia%2FTokyo", want: "2000-01-01T09:00:00+09:00"},
		{name: "unknown zone", uri: "demo://time/Mars"},
		{name: "no zone", uri: "demo://time/"},
		{name: "unknown resource", uri: "demo://nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				session := connect(t, modern, nil)
				result, err := session.ReadResource(t.Context(), &mcpsdk.ReadResourceParams{URI: test.uri})
				if test.want == "" {
					if err == nil || !strings.Contains(err.Error(), "not found") {
						t.Errorf("error is %v, want not found", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := result.Contents[0]; got.URI != test.uri || !strings.Contains(got.Text, test.want) {
					t.Errorf("%s contains %q, want %q in it", got.URI, got.Text, test.want)
				}
			})
		})
	}
}
