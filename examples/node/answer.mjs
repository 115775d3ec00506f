// Answers what a tool asks while it runs: the question comes as an event on the
// stream of the call, Respond brings the answer, and the call goes on. For
// servers of every revision of MCP the same.
//
//   cd examples/node && npm install && node answer.mjs [address [yes|no]]
import { bridge, call, stream, unary } from "./bridge.mjs";

const answer = process.argv[3] ?? "yes";

// ask puts a form to a person, for whom a word on the command line stands here.
// A real program shows the message, and the fields of the form's JSON Schema.
function ask({ message, form }) {
  console.log("the server asks:", message);
  console.log("the form has:", Object.keys(JSON.parse(form.requestedSchemaJson).properties).join(" "));
  return answer === "yes"
    ? { action: "ELICITATION_ACTION_ACCEPT", contentJson: JSON.stringify({ confirmed: true }) }
    : { action: "ELICITATION_ACTION_DECLINE" };
}

// `answers` says which questions this program can answer; the server is told,
// and asks no others.
const request = { ...call("confirm", { question: "Shall we go on?" }), answers: { elicitationForm: true } };

for await (const { event, request: asked, result } of stream("callToolStream", request)) {
  if (event === "request") {
    const response = asked.request.elicitation ? { elicitation: ask(asked.request.elicitation) } : { error: { message: "not that" } };
    await unary("respond", { target: request.target, id: asked.id, response });
  }
  if (event === "result") console.log("the tool says:", result.structuredContentJson);
}
bridge.close();
