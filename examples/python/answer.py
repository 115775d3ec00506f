"""Answers what a tool asks while it runs. README.md says how to generate the code."""

import json
import sys

import grpc

from mcpbridge.v1 import call_tool_pb2, common_pb2, elicitation_pb2, interaction_pb2, mcp_service_pb2_grpc

TARGET = "servers/demo"
address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9090"


def ask(elicitation):
    """Says yes, where a real program would show the form to a person."""
    print("the server asks:", elicitation.message)
    return elicitation_pb2.ElicitationResponse(
        action=elicitation_pb2.ELICITATION_ACTION_ACCEPT, content_json=json.dumps({"confirmed": True})
    )


request = call_tool_pb2.CallToolStreamRequest(
    target=TARGET,
    name="confirm",
    arguments_json=json.dumps({"question": "Shall we go on?"}),
    json_format=common_pb2.JSON_FORMAT_TEXT,
    answers=interaction_pb2.Answers(elicitation_form=True),
)

with grpc.insecure_channel(address) as channel:
    bridge = mcp_service_pb2_grpc.McpServiceStub(channel)
    for event in bridge.CallToolStream(request, timeout=60):
        match event.WhichOneof("event"):
            case "request":
                response = interaction_pb2.InputResponse(elicitation=ask(event.request.request.elicitation))
                bridge.Respond(
                    interaction_pb2.RespondRequest(target=TARGET, id=event.request.id, response=response), timeout=10
                )
            case "result":
                print("the tool says:", event.result.structured_content_json)
