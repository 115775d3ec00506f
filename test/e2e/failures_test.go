package e2e

import (
	"maps"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

type (
	callRequest = mcpbridgev1.CallToolRequest
	listRequest = mcpbridgev1.ListToolsRequest
)

func failures() map[string]failure {
	all := make(map[string]failure)
	for _, some := range []map[string]failure{wrongTargets(), wrongRequests(), wrongAtServers(), brokenServers()} {
		maps.Copy(all, some)
	}
	return all
}

// wrongTargets are failures to find what a call is for.
func wrongTargets() map[string]failure {
	return map[string]failure{
		"unknown server": {
			grpc: &listRequest{Target: "servers/none"}, rest: "GET /servers/none/tools",
			code: codes.NotFound, reason: "SERVER_NOT_FOUND", delivery: "not_sent", says: `"none"`,
		},
		"unknown session": {
			grpc: &listRequest{Target: "sessions/none"}, rest: "GET /sessions/none/tools",
			code: codes.NotFound, reason: "SESSION_NOT_FOUND", delivery: "not_sent", says: `"none"`,
		},
		"closing an unknown session": {
			grpc: &mcpbridgev1.DisconnectRequest{Name: "sessions/none"}, rest: "DELETE /sessions/none",
			code: codes.NotFound, reason: "SESSION_NOT_FOUND", delivery: "not_sent",
		},
		"unknown group": {
			grpc: &listRequest{Target: "groups/none"}, rest: "GET /groups/none/tools",
			code: codes.NotFound, reason: "GROUP_NOT_FOUND", delivery: "not_sent", says: `"none"`,
		},
		"a server that keeps state": {
			grpc: &listRequest{Target: "servers/keeper"}, rest: "GET /servers/keeper/tools",
			code: codes.FailedPrecondition, reason: "CONNECT_FIRST", delivery: "not_sent", says: "connect first",
		},
		"no target": invalid(failure{grpc: &listRequest{}, field: "target"}),
		"a wrong target": invalid(failure{
			grpc: &listRequest{Target: "server/real"}, field: "target",
		}),
		"no peer": invalid(failure{
			grpc: &mcpbridgev1.ConnectRequest{}, rest: "POST /sessions {}", field: "server",
		}),
		"no such path": {
			rest: "GET /nothing",
			code: codes.Unimplemented, httpStatus: 404, reason: "NOT_SUPPORTED", delivery: "not_sent",
		},
		"no such method": {
			rest: "PUT /servers/real/tools",
			code: codes.Unimplemented, httpStatus: 405, reason: "NOT_SUPPORTED", delivery: "not_sent",
		},
	}
}

// invalid completes the failure of a request that is wrong in itself.
func invalid(f failure) failure {
	f.code, f.reason, f.delivery = codes.InvalidArgument, "INVALID_REQUEST", "not_sent"
	return f
}

// wrongRequests are wrong whatever the server is.
func wrongRequests() map[string]failure {
	const target = "servers/real"
	echo := func(r *callRequest) *callRequest {
		r.Target, r.Name = target, "echo"
		return r
	}
	const post = "POST /servers/real/tools/echo:call "
	return map[string]failure{
		"no name": invalid(failure{
			grpc: &callRequest{Target: target}, rest: "POST /servers/real/tools:call {}", field: "name",
		}),
		"bad JSON":         invalid(failure{grpc: echo(&callRequest{ArgumentsJson: proto.String(`{"message":`)}), field: "arguments"}),
		"bad JSON in JSON": invalid(failure{rest: post + `{"argumentsJson":"{\"message\":"}`, field: "argumentsJson"}),
		"arguments that are no object": invalid(failure{
			grpc: echo(&callRequest{ArgumentsJson: proto.String(`[]`)}), rest: post + `{"arguments":[]}`, field: "arguments",
		}),
		"a key that occurs twice": invalid(failure{
			grpc: echo(&callRequest{ArgumentsJson: proto.String(`{"message":"a","message":"b"}`)}),
			rest: post + `{"arguments":{"message":"a","message":"b"}}`, field: "arguments",
		}),
		"arguments and their text": invalid(failure{
			grpc: echo(&callRequest{Arguments: &structpb.Struct{}, ArgumentsJson: proto.String(`{}`)}),
			rest: post + `{"arguments":{},"argumentsJson":"{}"}`,
		}),
		"a timeout below 0": invalid(failure{
			grpc: echo(&callRequest{Timeout: durationpb.New(-1)}), rest: post + `{"timeout":"-1s"}`, field: "timeout",
		}),
		"answers that nobody could give": invalid(failure{
			grpc: echo(&callRequest{Answers: &mcpbridgev1.Answers{Roots: true}}), rest: post + `{"answers":{"roots":true}}`, field: "answers",
		}),
		"answers without a state": invalid(failure{
			grpc: echo(&callRequest{InputResponses: map[string]*mcpbridgev1.InputResponse{"x": {}}}), rest: post + `{"inputResponses":{"x":{}}}`,
			field: "request_state",
		}),
		"a cursor of one's own": invalid(failure{
			grpc: &listRequest{Target: target, Cursor: proto.String("next")}, rest: "GET /servers/real/tools?cursor=next", field: "cursor",
		}),
		"a body that ends early":   invalid(failure{rest: post + `{"arguments":{`}),
		"a body that is no object": invalid(failure{rest: post + `[]`}),
		"an unknown field":         invalid(failure{rest: post + `{"argumints":{}}`, says: "argumints"}),
		"an unknown parameter":     invalid(failure{rest: "GET /servers/real/tools?al=true", says: "al"}),
		"a feature that is not there": {
			grpc: echo(&callRequest{Task: &mcpbridgev1.TaskOptions{}}), rest: post + `{"task":{}}`,
			code: codes.Unimplemented, reason: "NOT_SUPPORTED", delivery: "not_sent", says: "task",
		},
		"a state of one's own": {
			grpc: echo(&callRequest{RequestState: proto.String("x")}), rest: post + `{"requestState":"x"}`,
			code: codes.FailedPrecondition, reason: "INPUT_STATE_LOST", delivery: "unknown",
		},
	}
}

// wrongAtServers are failures that a server finds.
func wrongAtServers() map[string]failure {
	return map[string]failure{
		"unknown tool": {
			grpc: &callRequest{Target: "servers/real", Name: "none"}, rest: "POST /servers/real/tools/none:call {}",
			code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", delivery: "answered", says: "none",
		},
		"unknown prompt": {
			grpc: &mcpbridgev1.GetPromptRequest{Target: "servers/real", Name: "none"}, rest: "POST /servers/real/prompts/none:get {}",
			code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", delivery: "answered", says: "none",
		},
		"unknown resource": {
			grpc: &mcpbridgev1.ReadResourceRequest{Target: "servers/real", Uri: "test://none"},
			rest: "GET /servers/real/resources:read?uri=test://none",
			code: codes.InvalidArgument, reason: "UPSTREAM_INVALID_PARAMS", delivery: "answered",
		},
		"a question that nobody answers": {
			grpc: &callRequest{Target: "servers/real", Name: "ask"}, rest: "POST /servers/real/tools/ask:call {}",
			code: codes.FailedPrecondition, reason: "INPUT_REQUIRED", delivery: "answered",
		},
	}
}

// brokenServers do not do what a server should.
func brokenServers() map[string]failure {
	run := func(server string, f failure) failure {
		f.grpc, f.rest = &callRequest{Target: "servers/" + server, Name: "run"}, "POST /servers/"+server+"/tools/run:call {}"
		return f
	}
	return map[string]failure{
		"a child that dies at once": run("dead", failure{
			code: codes.Unavailable, reason: "UPSTREAM_EXITED", delivery: "not_sent", retry: true, says: "cannot start: the disk is full",
		}),
		"a program that is not there": run("missing", failure{
			code: codes.Unavailable, reason: "UPSTREAM_UNREACHABLE", delivery: "not_sent", retry: true,
		}),
		"a port where nobody listens": run("gone", failure{
			code: codes.Unavailable, reason: "UPSTREAM_UNREACHABLE", delivery: "not_sent", retry: true,
		}),
		"a gateway without a server": run("busy", failure{
			code: codes.Unavailable, reason: "SESSION_LOST", delivery: "not_sent", retry: true, says: "503",
		}),
		"a connection that is reset": run("resetter", failure{
			code: codes.Unknown, reason: "OUTCOME_UNKNOWN", delivery: "unknown", says: "the tool may have run",
		}),
		// Two servers, since one that dies of its first call is let rest for a while.
		"a child that dies of a call": {
			grpc: &callRequest{Target: "servers/crasher", Name: "run"}, rest: "POST /servers/other-crasher/tools/run:call {}",
			code: codes.Unknown, reason: "OUTCOME_UNKNOWN", delivery: "unknown", says: "the tool may have run",
		},
		"an answer that is not MCP's": run("babbler", failure{
			code: codes.Internal, reason: "UPSTREAM_PROTOCOL", delivery: "unknown",
		}),
	}
}
