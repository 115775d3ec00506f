// Calls MCP tools by gRPC from Node. Nothing is generated: the .proto files are
// read at the start, and need no others beside them.
//
//   cd examples/node && npm install && node call.mjs [address]
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const address = process.argv[2] ?? "127.0.0.1:9090";
const definition = loadSync("mcpbridge/v1/mcp_service.proto", {
  includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
  enums: String,
  longs: String,
  oneofs: true,
});
const { McpService } = loadPackageDefinition(definition).mcpbridge.v1;
const bridge = new McpService(address, credentials.createInsecure());

// unary makes a promise of a call. A deadline travels all the way to the tool.
function unary(method, request, seconds = 10) {
  const deadline = new Date(Date.now() + seconds * 1000);
  return new Promise((resolve, reject) => {
    bridge[method](request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

// JSON goes as text in both directions, which is exact and needs no Struct.
function call(name, args) {
  return { target: "servers/demo", name, argumentsJson: JSON.stringify(args), jsonFormat: "JSON_FORMAT_TEXT" };
}

const { tools } = await unary("listTools", { target: "servers/demo" });
console.log("tools:", tools.map((tool) => tool.name).join(" "));

const result = await unary("callTool", call("calculate", { operation: "multiply", a: 6, b: 7 }));
console.log("6 * 7 =", JSON.parse(result.structuredContentJson).result);

const stream = bridge.callToolStream(call("count_down", { steps: 3, interval_ms: 200 }));
for await (const { event, progress, result } of stream) {
  if (event === "progress") console.log("progress:", progress.message);
  if (event === "result") console.log("done:", result.structuredContentJson);
}

try {
  await unary("callTool", { target: "servers/nobody", name: "x" });
} catch (error) {
  // The trailers say why, and how far the call came; UNAVAILABLE alone means
  // that calling again is safe.
  const [reason] = error.metadata.get("mcpbridge-reason");
  const [delivery] = error.metadata.get("mcpbridge-delivery");
  console.log(`error: ${status[error.code]} ${reason}, ${delivery}: ${error.details}`);
}
bridge.close();
