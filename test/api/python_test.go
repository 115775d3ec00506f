package api_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// TestPythonTable compares docs/python-sdk.md with the members of the SDK's client
// API, which are in testdata/python_client.txt, and with what is here.
func TestPythonTable(t *testing.T) {
	t.Parallel()
	want := strings.Split(strings.TrimSpace(readText(t, "testdata/python_client.txt")), "\n")
	c := pythonChecker{routes: restRoutes(t), settings: readText(t, "../../docs/configuration.md")}
	var got []string
	for _, row := range readPythonRows(t) {
		member := row[0]
		if slices.Contains(got, member) {
			t.Errorf("the table has %s twice", member)
		}
		got = append(got, member)
		c.check(t, row)
	}
	for _, member := range want {
		if !slices.Contains(got, member) {
			t.Errorf("the table lacks %s", member)
		}
	}
	for _, member := range got {
		if !slices.Contains(want, member) {
			t.Errorf("the table has %s, which the SDK has not", member)
		}
	}
}

// A pythonChecker checks what stands in backquotes.
type pythonChecker struct {
	routes   map[string]string // "GET /v1/..." to the RPC
	settings string            // the page on configuration
}

// check checks a row: what it names is there, and its paths lead to its RPCs.
func (c pythonChecker) check(t *testing.T, row []string) {
	t.Helper()
	rpcs := c.names(t, row[0], row[1])
	paths := c.names(t, row[0], row[2])
	c.names(t, row[0], row[3])
	for _, rpc := range paths {
		if len(rpcs) > 0 && !slices.Contains(rpcs, rpc) {
			t.Errorf("%s: a path leads to %s, which the row does not name", row[0], rpc)
		}
	}
}

var (
	pathForm    = regexp.MustCompile(`^[A-Z]+ (/|\{target\})`)
	reasonForm  = regexp.MustCompile(`^[A-Z_]+$`)
	settingForm = regexp.MustCompile(`^[a-z_]+$`)
)

// names checks the names in a cell, by their form, and returns the RPCs that they
// lead to.
func (c pythonChecker) names(t *testing.T, member, cell string) (rpcs []string) {
	t.Helper()
	for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		name := quoted[1]
		var found bool
		switch {
		case pathForm.MatchString(name):
			var rpc string
			rpc, found = c.routes[strings.Replace(name, "{target}", "/v1/sessions/{session}", 1)]
			rpcs = append(rpcs, rpc)
		case reasonForm.MatchString(name):
			_, found = mcpbridgev1.Reason_value["REASON_"+name]
		case settingForm.MatchString(name):
			found = strings.Contains(c.settings, "\n| `"+name+"` | ")
		default:
			first, _, _ := strings.Cut(name, ".")
			if service().Methods().ByName(protoreflect.Name(first)) != nil {
				rpcs = append(rpcs, first)
			}
			found = inAPI(name)
		}
		if !found {
			t.Errorf("%s: there is no %s", member, name)
		}
	}
	return rpcs
}

// inAPI reports whether there is an RPC, a message or an enumeration of the name,
// or a field, written behind it with a dot.
func inAPI(name string) bool {
	owner, field, dotted := strings.Cut(name, ".")
	var messages []protoreflect.MessageDescriptor
	if method := service().Methods().ByName(protoreflect.Name(owner)); method != nil {
		messages = append(messages, method.Input(), method.Output())
	}
	full := service().ParentFile().Package().Append(protoreflect.Name(owner))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(full)
	if message, ok := found.(protoreflect.MessageDescriptor); ok {
		messages = append(messages, message)
	}
	if !dotted {
		return err == nil || len(messages) > 0
	}
	return slices.ContainsFunc(messages, func(m protoreflect.MessageDescriptor) bool {
		return m.Fields().ByName(protoreflect.Name(field)) != nil
	})
}

// restRoutes returns the RPCs of the REST API by method and path.
func restRoutes(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, line := range restSurface(t) {
		words := strings.Fields(line) // path, method, operation
		rpc := strings.TrimRight(strings.TrimPrefix(words[2], "McpService_"), "0123456789")
		all[words[1]+" "+words[0]] = rpc
	}
	return all
}

// readPythonRows reads the tables of docs/python-sdk.md, without their heads.
func readPythonRows(t *testing.T) (rows [][]string) {
	t.Helper()
	_, tables, begun := strings.Cut(readText(t, "../../docs/python-sdk.md"), "<!-- members")
	tables, _, ended := strings.Cut(tables, "<!-- end of members -->")
	if !begun || !ended {
		t.Fatal("docs/python-sdk.md has lost the marks around its tables")
	}
	for line := range strings.Lines(tables) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Member ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			t.Fatalf("this row has %d cells: %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
