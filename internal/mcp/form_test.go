package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/mcpbridge/mcpbridge/internal/rawjson"
)

// everyField is a form with all that a form can have.
const everyField = `{"type":"object","properties":{
	"name":{"type":"string","minLength":2,"maxLength":10,"default":"John Doe"},
	"mail":{"type":"string","format":"email"},
	"site":{"type":"string","format":"uri"},
	"day":{"type":"string","format":"date"},
	"moment":{"type":"string","format":"date-time"},
	"age":{"type":"integer","minimum":0,"default":30},
	"score":{"type":"number","maximum":100,"default":95.50},
	"status":{"type":"string","enum":["active","inactive"],"enumNames":["Active","Inactive"],"default":"active"},
	"color":{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"g","title":"Green"}]},
	"tags":{"type":"array","items":{"type":"string","enum":["a","b"]},"maxItems":2,"default":["a"]},
	"sizes":{"type":"array","items":{"anyOf":[{"const":"s","title":"Small"}]}},
	"verified":{"type":"boolean","default":true}},
	"required":["name","age"]}`

const everyDefault = `"name":"John Doe","age":30,"score":95.50,"status":"active","tags":["a"],"verified":true}`

func TestCompleteForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ content, want, problem string }{
		"nothing":           {content: ``, want: `{` + everyDefault},
		"an empty object":   {content: ` { } `, want: `{ ` + everyDefault},
		"given stays":       {content: `{"age" : 31.0, "verified":false,"mail":"a@b.example"}`, want: `{"age" : 31.0, "verified":false,"mail":"a@b.example","name":"John Doe","score":95.50,"status":"active","tags":["a"]}`},
		"other formats":     {content: `{"site":"https://a.example/b","day":"2026-07-28","moment":"2026-07-28T10:00:00Z","color":"g","sizes":["s"]}`, want: `{"site":"https://a.example/b","day":"2026-07-28","moment":"2026-07-28T10:00:00Z","color":"g","sizes":["s"],` + everyDefault},
		"too short":         {content: `{"name":"x"}`, problem: "the form's member /name must have at least 2 characters"},
		"null is no member": {content: `{"name":null}`, problem: "the form's member /name must be string, is null"},
		"no address":        {content: `{"mail":"nobody"}`, problem: "the form's member /mail must be of the format email"},
		"no address, named": {content: `{"mail":"A <a@b.example>"}`, problem: "the form's member /mail must be of the format email"},
		"no URI":            {content: `{"site":"a/b"}`, problem: "the form's member /site must be of the format uri"},
		"no date":           {content: `{"day":"2026-02-30"}`, problem: "the form's member /day must be of the format date"},
		"no time":           {content: `{"moment":"2026-07-28"}`, problem: "the form's member /moment must be of the format date-time"},
		"no integer":        {content: `{"age":1.5}`, problem: "the form's member /age must be integer, is number"},
		"no option":         {content: `{"status":"gone"}`, problem: `the form's member /status must be one of ["active","inactive"]`},
		"no titled option":  {content: `{"color":"b"}`, problem: `the form's member /color must be one of ["r","g"]`},
		"no such choice":    {content: `{"tags":["a","c"]}`, problem: `the form's member /tags/1 must be one of ["a","b"]`},
		"no titled choice":  {content: `{"sizes":["m"]}`, problem: `the form's member /sizes/0 must be one of ["s"]`},
		"too many":          {content: `{"tags":["a","a","b"]}`, problem: "the form's member /tags must have at most 2 items"},
		"no object":         {content: `[]`, problem: "the form's content must be an object"},
		"twice":             {content: `{"age":1,"age":2}`, problem: `the form's content has a duplicate key "age"`},
		"no JSON":           {content: `{`, problem: "the form's content is no JSON that a form can have: invalid JSON at byte 1: unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := CompleteForm(json.RawMessage(everyField), json.RawMessage(tt.content))
			if tt.problem != "" {
				var wrong *FormError
				if !errors.As(err, &wrong) || err.Error() != tt.problem {
					t.Errorf("got %v, want %s", err, tt.problem)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestCompleteFormOfBrokenSchema(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{``, `5`, `{"type":"obj"}`, `{"properties":[]}`} {
		var wrong *ResultError
		if got, err := CompleteForm(json.RawMessage(schema), nil); !errors.As(err, &wrong) {
			t.Errorf("%q: got %s, %v", schema, got, err)
		}
	}
	if got, err := CompleteForm(json.RawMessage(`{"properties":{"a":{"type":"string"}},"required":["a"]}`), nil); err == nil {
		t.Errorf("a required member without default: %s", got)
	}
}

// FuzzCompleteForm: what comes out is JSON that begins with what went in, and is
// complete.
func FuzzCompleteForm(f *testing.F) {
	f.Add([]byte(everyField), []byte(`{"age":1}`))
	f.Add([]byte(`{"properties":{"a\n":{"default":{"b":[]}},"c":true}}`), []byte(` {"\u0061":1 } `))
	f.Fuzz(func(t *testing.T, schema, content []byte) {
		got, err := CompleteForm(schema, content)
		if err != nil {
			return
		}
		if !json.Valid(got) || rawjson.CheckUnique(got) != nil {
			t.Fatalf("got %s", got)
		}
		if given := rawjson.Trim(content); len(given) > 0 && !bytes.HasPrefix(got, given[:len(given)-1]) {
			t.Fatalf("%s became %s", content, got)
		}
		again, err := CompleteForm(schema, got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%s, completed again: %s, %v", got, again, err)
		}
	})
}
