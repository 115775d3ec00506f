// Watches a session: what the server does of its own accord comes as events, and
// so do the questions of all calls in the session, wherever they are made.
//
//   cd examples/node && npm install && node watch.mjs [address]
import { bridge, call, stream, unary } from "./bridge.mjs";

const { session } = await unary("connect", { server: "servers/demo", answers: { elicitationForm: true } });
console.log(`connected to ${session.serverInfo.name}, which speaks ${session.protocolVersion}`);

const events = stream("watchEvents", { target: session.name, jsonFormat: "JSON_FORMAT_TEXT" })[Symbol.asyncIterator]();
const { value: first } = await events.next();
console.log("event:", first.event); // "ready": what happens from here on is seen
const watched = watch().catch((error) => console.log("the stream ends:", error.details));

// watch reports and answers until the session is closed.
async function watch() {
  for await (const { event, stateChanged, request } of events) {
    if (event === "toolsChanged") console.log("event: the list of tools has changed");
    if (event === "stateChanged") console.log("event:", stateChanged.previous, "to", stateChanged.state);
    if (event === "request") await answer(request);
  }
}

async function answer({ id, request: { elicitation } }) {
  console.log("event: the server asks:", elicitation.message);
  const response = { elicitation: { action: "ELICITATION_ACTION_ACCEPT", contentJson: JSON.stringify({ confirmed: true }) } };
  await unary("respond", { target: session.name, id, response });
}

// An ordinary call. Any program of the same caller that knows the session's name
// could make it.
const result = await unary("callTool", call("confirm", { question: "Is anybody there?" }, session.name));
console.log("the tool says:", result.structuredContentJson);

await unary("disconnect", { name: session.name });
await watched;
bridge.close();
