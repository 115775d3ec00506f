package demo

import (
	"context"
	_ "embed"
	"net/url"
	"strings"
	"time"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

//go:embed about.md
var aboutPage string

const (
	aboutURI   = "demo://about"
	timePrefix = "demo://time/"
	// The + lets a zone's slash stand in the URI as it is.
	timeTemplate = timePrefix + "{+zone}"
)

func addResources(server *mcpsdk.Server) {
	server.AddResource(&mcpsdk.Resource{
		URI:         aboutURI,
		Name:        "about",
		Title:       "About this server",
		Description: "What the demo server offers.",
		MIMEType:    "text/markdown",
		Size:        int64(len(aboutPage)),
	}, readAbout)
	server.AddResourceTemplate(&mcpsdk.ResourceTemplate{
		URITemplate: timeTemplate,
		Name:        "time",
		Title:       "Time in a zone",
		Description: "The current time in an IANA time zone, in RFC 3339 form.",
		MIMEType:    "text/plain",
	}, readTime)
}

func readAbout(_ context.Context, request *mcpsdk.ReadResourceRequest) (*mcpsdk.ReadResourceResult, error) {
	return textContents(request.Params.URI, "text/markdown", aboutPage), nil
}

func readTime(_ context.Context, request *mcpsdk.ReadResourceRequest) (*mcpsdk.ReadResourceResult, error) {
	uri := request.Params.URI
	zone, err := url.PathUnescape(strings.TrimPrefix(uri, timePrefix))
	if err != nil || zone == "" {
		return nil, mcpsdk.ResourceNotFoundError(uri)
	}
	moment, err := timeIn(zone)
	if err != nil {
		return nil, mcpsdk.ResourceNotFoundError(uri)
	}
	return textContents(uri, "text/plain", moment.Format(time.RFC3339)), nil
}

func textContents(uri, mimeType, text string) *mcpsdk.ReadResourceResult {
	return &mcpsdk.ReadResourceResult{
		Contents: []*mcpsdk.ResourceContents{{URI: uri, MIMEType: mimeType, Text: text}},
	}
}
