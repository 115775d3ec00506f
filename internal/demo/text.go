package demo

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addTextTools(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "echo",
		Title:       "Echo",
		Description: "Returns the message unchanged.",
		Annotations: pureAnnotations(),
	}, echo)
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "text_stats",
		Title:       "Text statistics",
		Description: "Counts the bytes, characters, words and lines of a text.",
		Annotations: pureAnnotations(),
	}, textStats)
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "hash",
		Title:       "Hash",
		Description: "Returns the hexadecimal digest of a text's UTF-8 bytes.",
		Annotations: pureAnnotations(),
		InputSchema: json.RawMessage(`{
			"type": "object",
			"properties": {
				"text": {"type": "string", "description": "the text to hash"},
				"algorithm": {"type": "string", "enum": ["sha256", "sha384", "sha512"], "default": "sha256",
					"description": "which hash function to use"}
			},
			"required": ["text"],
			"additionalProperties": false
		}`),
	}, hash)
}

type echoInput struct {
	Message string `json:"message" jsonschema:"the text to send back"`
}

func echo(_ context.Context, _ *mcpsdk.CallToolRequest, in echoInput) (*mcpsdk.CallToolResult, any, error) {
	return textResult(in.Message), nil, nil
}

type textStatsInput struct {
	Text string `json:"text" jsonschema:"the text to measure"`
}

type textStatsOutput struct {
	Bytes      int `json:"bytes" jsonschema:"length in bytes of UTF-8"`
	Characters int `json:"characters" jsonschema:"number of Unicode code points"`
	Words      int `json:"words" jsonschema:"runs of characters that are not white space"`
	Lines      int `json:"lines" jsonschema:"number of lines; a final line break ends the last one"`
}

func textStats(
	_ context.Context, _ *mcpsdk.CallToolRequest, in textStatsInput,
) (*mcpsdk.CallToolResult, textStatsOutput, error) {
	lines := strings.Count(in.Text, "\n")
	if in.Text != "" && !strings.HasSuffix(in.Text, "\n") {
		lines++
	}
	return nil, textStatsOutput{
		Bytes:      len(in.Text),
		Characters: utf8.RuneCountInString(in.Text),
		Words:      len(strings.Fields(in.Text)),
		Lines:      lines,
	}, nil
}

type hashInput struct {
	Text      string `json:"text"`
	Algorithm string `json:"algorithm"`
}

type hashOutput struct {
	Algorithm string `json:"algorithm" jsonschema:"the hash function that was used"`
	Digest    string `json:"digest" jsonschema:"the digest in lower-case hexadecimal"`
}

func hash(_ context.Context, _ *mcpsdk.CallToolRequest, in hashInput) (*mcpsdk.CallToolResult, hashOutput, error) {
	digest, err := digestOf(in.Algorithm, []byte(in.Text))
	if err != nil {
		return nil, hashOutput{}, err
	}
	return nil, hashOutput{Algorithm: in.Algorithm, Digest: hex.EncodeToString(digest)}, nil
}

func digestOf(algorithm string, data []byte) ([]byte, error) {
	switch algorithm {
	case "sha256":
		sum := sha256.Sum256(data)
		return sum[:], nil
	case "sha384":
		sum := sha512.Sum384(data)
		return sum[:], nil
	case "sha512":
		sum := sha512.Sum512(data)
		return sum[:], nil
	default:
		return nil, fmt.Errorf("unknown hash algorithm %q", algorithm)
	}
}
