// A client of the bridge for Node. Nothing is generated: the .proto files are
// read at the start, and need no others beside them. A deadline travels all the
// way to the tool.
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const definition = loadSync("mcpbridge/v1/mcp_service.proto", {
  includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
  enums: String,
  longs: String,
  oneofs: true,
});
const { McpService } = loadPackageDefinition(definition).mcpbridge.v1;

// The first argument of every example here is the bridge's address.
export const bridge = new McpService(process.argv[2] ?? "127.0.0.1:9090", credentials.createInsecure());

// unary calls a method that has one response, and makes a promise of it.
export function unary(method, request, seconds = 10) {
  return new Promise((resolve, reject) => {
    bridge[method](request, { deadline: after(seconds) }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

// stream calls a method that has a stream of events, to be read by `for await`.
export function stream(method, request, seconds = 60) {
  return bridge[method](request, { deadline: after(seconds) });
}

// call makes the request of a tool call. JSON goes as text in both directions,
// which is exact and needs no Struct.
export function call(name, args, target = "servers/demo") {
  return { target, name, argumentsJson: JSON.stringify(args), jsonFormat: "JSON_FORMAT_TEXT" };
}

function after(seconds) {
  return new Date(Date.now() + seconds * 1000);
}
