package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addCalculate(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "calculate",
		Title:       "Calculate",
		Description: "Applies one arithmetic operation to two numbers, in double precision.",
		Annotations: pureAnnotations(),
		InputSchema: json.RawMessage(`{
			"type": "object",
			"properties": {
				"operation": {"type": "string", "enum": ["add", "subtract", "multiply", "divide"],
					"description": "what to do with the two numbers"},
				"a": {"type": "number", "description": "the left operand"},
				"b": {"type": "number", "description": "the right operand"}
			},
			"required": ["operation", "a", "b"],
			"additionalProperties": false
		}`),
	}, calculate)
}

type calculateInput struct {
	Operation string  `json:"operation"`
	A         float64 `json:"a"`
	B         float64 `json:"b"`
}

type calculateOutput struct {
	Result float64 `json:"result" jsonschema:"the value of a operation b"`
}

func calculate(
	_ context.Context, _ *mcpsdk.CallToolRequest, in calculateInput,
) (*mcpsdk.CallToolResult, calculateOutput, error) {
	result, err := evaluate(in)
	if err != nil {
		return nil, calculateOutput{}, err
	}
	// JSON has no infinity, so the output schema could not hold one.
	if math.IsInf(result, 0) {
		return nil, calculateOutput{}, errors.New("the result is too large for a double-precision number")
	}
	return nil, calculateOutput{Result: result}, nil
}

func evaluate(in calculateInput) (float64, error) {
	switch in.Operation {
	case "add":
		return in.A + in.B, nil
	case "subtract":
		return in.A - in.B, nil
	case "multiply":
		return in.A * in.B, nil
	case "divide":
		if in.B == 0 {
			return 0, errors.New("division by zero")
		}
		return in.A / in.B, nil
	default:
		return 0, fmt.Errorf("unknown operation %q", in.Operation)
	}
}
