// Calls MCP tools by gRPC from Node: a list, a call, progress, an error.
//
//   cd examples/node && npm install && node call.mjs [address]
import { status } from "@grpc/grpc-js";
import { bridge, call, stream, unary } from "./bridge.mjs";

const { tools } = await unary("listTools", { target: "servers/demo" });
console.log("tools:", tools.map((tool) => tool.name).join(" "));

const result = await unary("callTool", call("calculate", { operation: "multiply", a: 6, b: 7 }));
console.log("6 * 7 =", JSON.parse(result.structuredContentJson).result);

for await (const { event, progress, result } of stream("callToolStream", call("count_down", { steps: 3, interval_ms: 200 }))) {
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
