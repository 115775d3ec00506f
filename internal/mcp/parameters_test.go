package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
	"github.com/mcpbridge/mcpbridge/internal/transport"
)

// annotated is a schema with one annotated property.
func annotated(name, kind string) string {
	return fmt.Sprintf(`{"type":"object","properties":{"region":{"type":%s,"x-mcp-header":%s}}}`, kind, name)
}

func TestReadParameters(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var properties []string
		for i := range n {
			properties = append(properties, fmt.Sprintf(`"p%d":{"type":"string","x-mcp-header":"P%d"}`, i, i))
		}
		return `{"properties":{` + strings.Join(properties, ",") + `}}`
	}
	for name, tt := range map[string]struct {
		schema string
		want   string // of the parameters, or of the error
	}{
		"string":                    {annotated(`"Region"`, `"string"`), "Region=region"},
		"integer":                   {annotated(`"n"`, `"integer"`), "n=region"},
		"union of what may be":      {annotated(`"n"`, `["integer","string"]`), "n=region"},
		"named like other headers":  {annotated(`"Authorization"`, `"boolean"`), "Authorization=region"},
		"nested":                    {`{"properties":{"a":{"type":"object","properties":{"b":{"type":"string","x-mcp-header":"B"}}}}}`, "B=a/b"},
		"a property of that name":   {`{"properties":{"x-mcp-header":{"type":"string"}}}`, ""},
		"in data":                   {`{"properties":{"a":{"default":{"x-mcp-header":5},"const":{"x-mcp-header":""}}}}`, ""},
		"sixteen":                   {many(16), "P15=p15"},
		"seventeen":                 {many(17), "one too many"},
		"empty":                     {annotated(`""`, `"string"`), "not the name"},
		"no string":                 {annotated(`5`, `"string"`), "not a string"},
		"space":                     {annotated(`"a b"`, `"string"`), "not the name"},
		"colon":                     {annotated(`"a:b"`, `"string"`), "not the name"},
		"not ASCII":                 {annotated(`"régión"`, `"string"`), "not the name"},
		"tab":                       {annotated(`"a\tb"`, `"string"`), "not the name"},
		"line break":                {annotated(`"a\r\nb: c"`, `"string"`), "not the name"},
		"endless":                   {annotated(`"`+strings.Repeat("a", 10<<10)+`"`, `"string"`), "too long"},
		"number":                    {annotated(`"n"`, `"number"`), "not a string, an integer or a boolean"},
		"object":                    {annotated(`"n"`, `"object"`), "not a string, an integer or a boolean"},
		"array":                     {annotated(`"n"`, `"array"`), "not a string, an integer or a boolean"},
		"null":                      {annotated(`"n"`, `"null"`), "not a string, an integer or a boolean"},
		"union with null":           {annotated(`"n"`, `["string","null"]`), "not a string, an integer or a boolean"},
		"no type":                   {`{"properties":{"a":{"x-mcp-header":"n"}}}`, "not a string, an integer or a boolean"},
		"twice":                     {`{"properties":{"a":{"type":"string","x-mcp-header":"n"},"b":{"type":"string","x-mcp-header":"n"}}}`, "twice"},
		"twice but for the case":    {`{"properties":{"a":{"type":"string","x-mcp-header":"n"},"b":{"type":"string","x-mcp-header":"N"}}}`, "twice"},
		"at the root":               {`{"type":"string","x-mcp-header":"n"}`, "lead to"},
		"items":                     {`{"properties":{"a":{"items":{"type":"string","x-mcp-header":"n"}}}}`, "lead to"},
		"properties of items":       {`{"properties":{"a":{"items":{"properties":{"b":{"type":"string","x-mcp-header":"n"}}}}}}`, "lead to"},
		"oneOf":                     {`{"properties":{"a":{"oneOf":[{"type":"string","x-mcp-header":"n"}]}}}`, "lead to"},
		"allOf":                     {`{"allOf":[{"properties":{"a":{"type":"string","x-mcp-header":"n"}}}]}`, "lead to"},
		"not":                       {`{"not":{"properties":{"a":{"type":"string","x-mcp-header":"n"}}}}`, "lead to"},
		"then":                      {`{"then":{"properties":{"a":{"type":"string","x-mcp-header":"n"}}}}`, "lead to"},
		"behind a $ref":             {`{"$defs":{"d":{"type":"string","x-mcp-header":"n"}},"properties":{"a":{"$ref":"#/$defs/d"}}}`, "lead to"},
		"an annotation of no value": {annotated(`null`, `"string"`), "not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := readParameters([]byte(tt.schema))
			var got []string
			for _, p := range found {
				got = append(got, p.name+"="+strings.Join(p.path, "/"))
			}
			text := strings.Join(got, " ")
			if err != nil {
				text = err.Error()
			}
			fails := tt.want != "" && !strings.Contains(tt.want, "=")
			if !strings.Contains(text, tt.want) || (err != nil) != fails || tt.want == "" && text != "" {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestMirror(t *testing.T) {
	t.Parallel()
	parameters := []parameter{{name: "A", path: []string{"a"}}, {name: "B", path: []string{"b", "c"}}}
	for arguments, want := range map[string]string{
		`{"a":"us-west1","b":{"c":true}}`:     `[{A us-west1} {B true}]`,
		`{"a":"","b":{"c":false}}`:            `[{A } {B false}]`,
		`{"a":" \u00e9\r\n","b":{}}`:          "[{A  é\r\n}]",
		`{"a":null,"b":{"c":null}}`:           `[]`,
		`{"b":5}`:                             `[]`,
		``:                                    `[]`,
		`{"a":9007199254740991}`:              `[{A 9007199254740991}]`,
		`{"a":42.0,"b":{"c":-1e2}}`:           `[{A 42} {B -100}]`,
		`{"a":{"deep":1},"b":[1]}`:            `[]`,
		`{"a":"x","a":"the last counts"}`:     `[{A the last counts}]`,
		`{"a":9007199254740992}`:              `argument a: it goes out as a header, for which it must be an integer within 2^53-1`,
		`{"b":{"c":1.5}}`:                     `argument b.c: it goes out as a header, for which it must be an integer within 2^53-1`,
		`{"b":{"c":-900719925474099100e-1}} `: `argument b.c: it goes out as a header, for which it must be an integer within 2^53-1`,
	} {
		headers, err := mirror(parameters, []byte(arguments))
		got := fmt.Sprint(headers)
		if err != nil {
			got = err.Error()
			if DeliveryOf(err) != transport.NotSent {
				t.Errorf("%s: delivery %v", arguments, DeliveryOf(err))
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", arguments, got, want)
		}
	}
}

// FuzzParameters holds the finder and the mirror to their promises: header names
// that are tokens and differ, values of the arguments, and never a panic.
func FuzzParameters(f *testing.F) {
	f.Add([]byte(annotated(`"Region"`, `"string"`)), []byte(`{"region":"x"}`))
	f.Add([]byte(`{"properties":{"a":{"properties":{"b":{"type":["integer"],"x-mcp-header":"B"}}},"c":{"items":[{"x-mcp-header":1}]}}}`), []byte(`{"a":{"b":1e3}}`))
	f.Fuzz(func(t *testing.T, schema, arguments []byte) {
		if rawjson.Check(schema, 64) != nil || rawjson.Check(arguments, 64) != nil {
			return
		}
		schema, arguments = rawjson.Trim(schema), rawjson.Trim(arguments)
		parameters, err := readParameters(schema)
		if err != nil {
			return
		}
		var names []string
		for _, p := range parameters {
			names = append(names, strings.ToLower(p.name))
			if !token(p.name) || len(p.path) == 0 {
				t.Fatalf("parameter %+v", p)
			}
		}
		if slices.Sort(names); len(slices.Compact(names)) != len(parameters) || len(parameters) > maxParameters {
			t.Fatalf("names %q", names)
		}
		headers, err := mirror(parameters, arguments)
		if err == nil && len(headers) > len(parameters) {
			t.Fatalf("%d headers of %d parameters", len(headers), len(parameters))
		}
	})
}

// FuzzValid holds the page without invalid tools to be JSON, with the valid ones
// as they were.
func FuzzValid(f *testing.F) {
	f.Add([]byte(`{"tools":[{"name":"a","inputSchema":` + annotated(`""`, `"string"`) + `}, {"name":"b" }],"nextCursor":"x"}`))
	f.Add([]byte(`{"tools":[{},{},{}],"tools":[{"name":"a","inputSchema":` + annotated(`""`, `"string"`) + `}]}`))
	f.Fuzz(func(t *testing.T, page []byte) {
		if rawjson.Check(page, 64) != nil || rawjson.Trim(page)[0] != '{' {
			return
		}
		c := readChapter(page)
		if c.tools == nil {
			return
		}
		out := c.valid()
		if !json.Valid(out) {
			t.Fatalf("%s became %s", page, out)
		}
		var want, got [][]byte
		i := 0
		_ = rawjson.Array(rawjson.Get(page, "tools"), func(item []byte) error {
			if c.tools[i].invalid == nil {
				want = append(want, item)
			}
			i++
			return nil
		})
		_ = rawjson.Array(rawjson.Get(out, "tools"), func(item []byte) error {
			got = append(got, item)
			return nil
		})
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("%s became %s", page, out)
		}
	})
}
