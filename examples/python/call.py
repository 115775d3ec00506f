"""Calls MCP tools by gRPC from Python. README.md says how to generate the code."""

import json
import sys

import grpc
from google.protobuf.json_format import MessageToDict

from mcpbridge.v1 import call_tool_pb2, common_pb2, mcp_service_pb2_grpc, tool_pb2

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9090"


def call(message, name, arguments):
    """JSON goes as text in both directions, which is exact and needs no Struct."""
    return message(
        target="servers/demo",
        name=name,
        arguments_json=json.dumps(arguments),
        json_format=common_pb2.JSON_FORMAT_TEXT,
    )


with grpc.insecure_channel(address) as channel:
    bridge = mcp_service_pb2_grpc.McpServiceStub(channel)

    tools = bridge.ListTools(tool_pb2.ListToolsRequest(target="servers/demo"), timeout=10).tools
    print("tools:", *(tool.name for tool in tools))
    schema = MessageToDict(tools[0].input_schema)
    print(f"{tools[0].name} needs:", *schema["required"])

    request = call(call_tool_pb2.CallToolRequest, "calculate", {"operation": "multiply", "a": 6, "b": 7})
    result = bridge.CallTool(request, timeout=10)
    print("6 * 7 =", json.loads(result.structured_content_json)["result"])

    request = call(call_tool_pb2.CallToolStreamRequest, "count_down", {"steps": 3, "interval_ms": 200})
    for event in bridge.CallToolStream(request, timeout=10):
        if event.WhichOneof("event") == "progress":
            print("progress:", event.progress.message)

    try:
        bridge.CallTool(call_tool_pb2.CallToolRequest(target="servers/nobody", name="x"), timeout=10)
    except grpc.RpcError as error:
        # The trailers say why, and how far the call came; UNAVAILABLE alone
        # means that calling again is safe.
        trailers = dict(error.trailing_metadata())
        print(f"error: {error.code().name} {trailers['mcpbridge-reason']}, {trailers['mcpbridge-delivery']}: {error.details()}")
