// Package gen holds what is generated from proto/, and nothing else but this
// file: the Go code in gen/go, and the OpenAPI description.
package gen

import _ "embed" // for the description

// OpenAPI is the description of the REST API, in OpenAPI 2.0.
//
//go:embed openapi/mcpbridge.swagger.json
var OpenAPI []byte
