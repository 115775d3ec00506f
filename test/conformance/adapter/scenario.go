package main

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// A scenario is one run of the adapter.
type scenario struct {
	client  mcpbridgev1.McpServiceClient
	name    string
	url     string
	context suiteContext
	// target is the session.
	target string
}

// A suiteContext is what the suite tells a client of a scenario.
type suiteContext struct {
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	PrivateKeyPEM    string `json:"private_key_pem"`
	SigningAlgorithm string `json:"signing_algorithm"`
	IDToken          string `json:"idp_id_token"`
	IDPIssuer        string `json:"idp_issuer"`
	IDPTokenEndpoint string `json:"idp_token_endpoint"`
	IDPClientID      string `json:"idp_client_id"`
	ToolCalls        []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"toolCalls"`
}

// scenarios are the ones that need more than listing the tools and calling them.
func scenarios() map[string]func(*scenario, context.Context) error {
	return map[string]func(*scenario, context.Context) error{
		"tools_call":                          (*scenario).addNumbers,
		"http-standard-headers":               (*scenario).everything,
		"http-custom-headers":                 (*scenario).givenCalls,
		"http-invalid-tool-headers":           (*scenario).regionCalls,
		"json-schema-2020-12-preservation":    (*scenario).echoSchema,
		"sep-2322-client-request-state":       (*scenario).requestState,
		"auth/authorization-server-migration": (*scenario).callTwice,
		"auth/scope-step-up":                  (*scenario).callTwice,
	}
}

// connect opens a session with the scenario's server.
func (s *scenario) connect(ctx context.Context) error {
	return s.authorized(ctx, func() error {
		resp, err := s.client.Connect(ctx, &mcpbridgev1.ConnectRequest{
			Peer: &mcpbridgev1.ConnectRequest_Transport{Transport: &mcpbridgev1.TransportConfig{
				Transport: &mcpbridgev1.TransportConfig_Http{Http: &mcpbridgev1.HttpTransport{Url: s.url}},
			}},
			ClientInfo:  &mcpbridgev1.Implementation{Name: "conformance-adapter", Version: "1.0.0"},
			Answers:     s.answers(),
			Credentials: s.credentials(),
		})
		s.target = resp.GetSession().GetName()
		return err
	})
}

// answers are the questions of the server's that the adapter answers. Servers
// that are about authorization ask none.
func (s *scenario) answers() *mcpbridgev1.Answers {
	if s.aboutAuthorization() {
		return nil
	}
	return &mcpbridgev1.Answers{Sampling: true, ElicitationForm: true, ElicitationUrl: true, Roots: true}
}

// listAndCall lists the tools and calls each without arguments, which is what
// most scenarios want.
func (s *scenario) listAndCall(ctx context.Context) error {
	return s.callEach(ctx, `{}`)
}

func (s *scenario) callEach(ctx context.Context, arguments string) error {
	tools, err := s.tools(ctx)
	if err != nil {
		return err
	}
	for _, tool := range tools {
		if err := s.call(ctx, tool.GetName(), arguments); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) addNumbers(ctx context.Context) error {
	if _, err := s.tools(ctx); err != nil {
		return err
	}
	return s.call(ctx, "add_numbers", `{"a":5,"b":3}`)
}

// everything makes every kind of call.
func (s *scenario) everything(ctx context.Context) error {
	if err := s.listAndCall(ctx); err != nil {
		return err
	}
	resources, err := s.client.ListResources(ctx, &mcpbridgev1.ListResourcesRequest{Target: s.target})
	if err != nil {
		return err
	}
	for _, r := range resources.GetResources() {
		if _, err := s.client.ReadResource(ctx, &mcpbridgev1.ReadResourceRequest{Target: s.target, Uri: r.GetUri()}); err != nil {
			return err
		}
	}
	prompts, err := s.client.ListPrompts(ctx, &mcpbridgev1.ListPromptsRequest{Target: s.target})
	if err != nil {
		return err
	}
	for _, p := range prompts.GetPrompts() {
		if _, err := s.client.GetPrompt(ctx, &mcpbridgev1.GetPromptRequest{Target: s.target, Name: p.GetName()}); err != nil {
			return err
		}
	}
	return nil
}

// givenCalls makes the calls that the suite prescribes.
func (s *scenario) givenCalls(ctx context.Context) error {
	if _, err := s.tools(ctx); err != nil {
		return err
	}
	for _, c := range s.context.ToolCalls {
		if err := s.call(ctx, c.Name, string(c.Arguments)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) regionCalls(ctx context.Context) error {
	return s.callEach(ctx, `{"region":"us-west1"}`)
}

// echoSchema gives a tool's schema back to the server, which compares.
func (s *scenario) echoSchema(ctx context.Context) error {
	tools, err := s.tools(ctx)
	if err != nil {
		return err
	}
	for _, tool := range tools {
		if tool.GetName() == "json_schema_2020_12_tool" {
			return s.call(ctx, "json_schema_echo", `{"schema":`+tool.GetInputSchemaJson()+`}`)
		}
	}
	return fmt.Errorf("the server has no tool json_schema_2020_12_tool among its %d", len(tools))
}

func (s *scenario) requestState(ctx context.Context) error {
	if _, err := s.tools(ctx); err != nil {
		return err
	}
	for _, name := range []string{"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"} {
		if err := s.call(ctx, name, `{}`); err != nil {
			return err
		}
	}
	return nil
}

// callTwice shows what the server makes of later calls, for which it wants
// another authorization server, or no wider scope.
func (s *scenario) callTwice(ctx context.Context) error {
	if err := s.listAndCall(ctx); err != nil {
		return err
	}
	return s.listAndCall(ctx)
}

// tools lists the tools, with their schemas as exact text.
func (s *scenario) tools(ctx context.Context) (tools []*mcpbridgev1.Tool, err error) {
	err = s.authorized(ctx, func() error {
		resp, err := s.client.ListTools(ctx, &mcpbridgev1.ListToolsRequest{
			Target: s.target, All: true, JsonFormat: mcpbridgev1.JsonFormat_JSON_FORMAT_TEXT,
		})
		tools = resp.GetTools()
		return err
	})
	return tools, err
}

// call calls a tool and answers what its server asks: a person who accepts each
// form as it is, and confirms where a confirmation is asked for.
func (s *scenario) call(ctx context.Context, name, arguments string) error {
	req := &mcpbridgev1.CallToolRequest{
		Target: s.target, Name: name, ArgumentsJson: &arguments, AcceptInputRequired: !s.aboutAuthorization(),
	}
	for {
		var resp *mcpbridgev1.CallToolResponse
		err := s.authorized(ctx, func() (err error) {
			resp, err = s.client.CallTool(ctx, req)
			return err
		})
		if err != nil {
			return fmt.Errorf("call %s: %w", name, err)
		}
		asked := resp.GetInputRequired()
		if asked == nil {
			return nil
		}
		req.RequestState = proto.String(asked.GetRequestState())
		req.InputResponses = make(map[string]*mcpbridgev1.InputResponse)
		for key, request := range asked.GetRequests() {
			req.InputResponses[key] = accept(request)
		}
	}
}

// accept accepts a form. Members that the form demands and gives no default for
// are left to the confirmation that all such forms of the suite ask for.
func accept(request *mcpbridgev1.InputRequest) *mcpbridgev1.InputResponse {
	content := `{}`
	schema := request.GetElicitation().GetForm().GetRequestedSchema()
	if schema.GetFields()["properties"].GetStructValue().GetFields()["confirmed"] != nil {
		content = `{"confirmed":true}`
	}
	return &mcpbridgev1.InputResponse{Response: &mcpbridgev1.InputResponse_Elicitation{
		Elicitation: &mcpbridgev1.ElicitationResponse{
			Action: mcpbridgev1.ElicitationAction_ELICITATION_ACTION_ACCEPT, ContentJson: &content,
		},
	}}
}
