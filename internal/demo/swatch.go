package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func addSwatch(server *mcpsdk.Server) {
	mcpsdk.AddTool(server, &mcpsdk.Tool{
		Name:        "swatch",
		Title:       "Colour swatch",
		Description: "Draws a square of one colour and returns it as a PNG image.",
		Annotations: pureAnnotations(),
		InputSchema: json.RawMessage(`{
			"type": "object",
			"properties": {
				"color": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$",
					"description": "the colour as #rrggbb"},
				"size": {"type": "integer", "minimum": 1, "maximum": 512, "default": 64,
					"description": "width and height in pixels"}
			},
			"required": ["color"],
			"additionalProperties": false
		}`),
	}, swatch)
}

type swatchInput struct {
	Color string `json:"color"`
	Size  int    `json:"size"`
}

func swatch(_ context.Context, _ *mcpsdk.CallToolRequest, in swatchInput) (*mcpsdk.CallToolResult, any, error) {
	fill, err := parseColor(in.Color)
	if err != nil {
		return nil, nil, err
	}
	data, err := squarePNG(fill, in.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("draw %s: %w", in.Color, err)
	}
	return &mcpsdk.CallToolResult{Content: []mcpsdk.Content{
		&mcpsdk.TextContent{Text: fmt.Sprintf("%s, %d by %d pixels", in.Color, in.Size, in.Size)},
		&mcpsdk.ImageContent{Data: data, MIMEType: "image/png"},
	}}, nil, nil
}

// parseColor reads the form #rrggbb.
func parseColor(text string) (color.RGBA, error) {
	if len(text) != len("#rrggbb") || text[0] != '#' {
		return color.RGBA{}, fmt.Errorf("color %q is not of the form #rrggbb", text)
	}
	rgb, err := strconv.ParseUint(text[1:], 16, 24)
	if err != nil {
		return color.RGBA{}, fmt.Errorf("color %q is not of the form #rrggbb", text)
	}
	return color.RGBA{R: uint8(rgb >> 16), G: uint8(rgb >> 8), B: uint8(rgb), A: 0xff}, nil //nolint:gosec // 24 bits, cut to 8 each
}

func squarePNG(fill color.Color, size int) ([]byte, error) {
	square := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{fill})
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, square); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
