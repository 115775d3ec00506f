package demo

import (
	"context"
	"fmt"
	"time"
	_ "time/tzdata" // minimal container images carry no zone files

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addNow(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "now",
		Title:       "Current time",
		Description: "Tells the current time in a time zone.",
		Annotations: &mcpsdk.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(false)},
	}, now)
}

type nowInput struct {
	Timezone string `json:"timezone,omitempty" jsonschema:"an IANA time zone such as Europe/Berlin; UTC if absent"`
}

type nowOutput struct {
	Time     string `json:"time" jsonschema:"the time in RFC 3339 form"`
	Timezone string `json:"timezone" jsonschema:"the time zone of the answer"`
	Unix     int64  `json:"unix" jsonschema:"seconds since 1970-01-01T00:00:00Z"`
}

func now(_ context.Context, _ *mcpsdk.CallToolRequest, in nowInput) (*mcpsdk.CallToolResult, nowOutput, error) {
	moment, err := timeIn(in.Timezone)
	if err != nil {
		return nil, nowOutput{}, err
	}
	return nil, nowOutput{
		Time:     moment.Format(time.RFC3339),
		Timezone: moment.Location().String(),
		Unix:     moment.Unix(),
	}, nil
}

// timeIn returns the current time in zone, where the empty zone means UTC.
func timeIn(zone string) (time.Time, error) {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("unknown time zone %q", zone)
	}
	return time.Now().In(location), nil
}
