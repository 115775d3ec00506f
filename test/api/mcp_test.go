package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	mcpbridgev1 "github.com/mcpbridge/mcpbridge/gen/go/mcpbridge/v1"
)

// modernRevision is the first that has no initialize.
const modernRevision = "2026-07-28"

// An mcpMethod is one that MCP defines, with the revisions that have it.
// testdata/mcp_methods.json has them all, taken from the official schemas; the
// questions of 2026-07-28, which are no requests any more, are among them.
type mcpMethod struct {
	Kind      string   `json:"kind"`
	Method    string   `json:"method"`
	Revisions []string `json:"revisions"`
}

// legacy and modern are what the table says of the method in either era.
func (m mcpMethod) legacy() string {
	switch first := m.Revisions[0]; first {
	case modernRevision:
		return "–"
	case "2024-11-05":
		return "all"
	default:
		return "from " + first
	}
}

func (m mcpMethod) modern() string {
	if slices.Contains(m.Revisions, modernRevision) {
		return "yes"
	}
	return "–"
}

// TestMCPTable compares docs/mcp.md with the schemas of MCP and with the API.
func TestMCPTable(t *testing.T) {
	t.Parallel()
	rows := readMCPTable(t)
	mentioned := make(map[string]bool)
	for _, m := range readMCPMethods(t) {
		key := m.Kind + " " + m.Method
		row, ok := rows[key]
		if !ok {
			t.Errorf("the table lacks the %s", key)
			continue
		}
		delete(rows, key)
		if row.legacy != m.legacy() || row.modern != m.modern() {
			t.Errorf("%s: the table says legacy %q and modern %q, the schemas %q and %q",
				key, row.legacy, row.modern, m.legacy(), m.modern())
		}
		for _, name := range checkNames(t, key, row.api) {
			mentioned[name] = true
		}
	}
	for key := range rows {
		t.Errorf("the table has the %s, which no schema has", key)
	}
	for _, rpc := range rpcsOfMCP() {
		if !mentioned[rpc] {
			t.Errorf("no row of the table leads to the RPC %s", rpc)
		}
	}
}

// rpcsOfMCP returns the RPCs that stand for something in MCP. The others are the
// bridge's own: its servers, sessions, groups and authorizations, and the parts
// of an extension.
func rpcsOfMCP() []string {
	own := []string{
		"ListServers", "GetServer", "ListSessions", "Disconnect", "CompleteAuthorization", "UpdateTask",
		"CreateGroup", "GetGroup", "ListGroups", "DeleteGroup", "AddGroupMember", "RemoveGroupMember",
	}
	var names []string
	methods := service().Methods()
	for i := range methods.Len() {
		if name := string(methods.Get(i).Name()); !slices.Contains(own, name) {
			names = append(names, name)
		}
	}
	return names
}

func service() protoreflect.ServiceDescriptor {
	return mcpbridgev1.File_mcpbridge_v1_mcp_service_proto.Services().ByName("McpService")
}

// checkNames checks that what a row names in the API is there: an RPC, or a
// field of its request or its response. It returns the RPCs.
func checkNames(t *testing.T, key, text string) (rpcs []string) {
	t.Helper()
	for _, quoted := range regexp.MustCompile("`([A-Z]\\w+)(?:\\.(\\w+))?`").FindAllStringSubmatch(text, -1) {
		method := service().Methods().ByName(protoreflect.Name(quoted[1]))
		if method == nil {
			t.Errorf("%s: there is no RPC %s", key, quoted[1])
			continue
		}
		rpcs = append(rpcs, quoted[1])
		field := protoreflect.Name(quoted[2])
		if field != "" && method.Input().Fields().ByName(field) == nil && method.Output().Fields().ByName(field) == nil {
			t.Errorf("%s: %s has no field %s", key, quoted[1], field)
		}
	}
	return rpcs
}

// An mcpRow is a row of the table in docs/mcp.md.
type mcpRow struct{ legacy, modern, api string }

func readMCPTable(t *testing.T) map[string]mcpRow {
	t.Helper()
	text, err := os.ReadFile("../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, begun := strings.Cut(string(text), "<!-- methods")
	table, _, ended := strings.Cut(table, "<!-- end of methods -->")
	if !begun || !ended {
		t.Fatal("docs/mcp.md has lost the marks around its table")
	}
	rows := make(map[string]mcpRow)
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "Kind" && !strings.HasPrefix(cells[0], "---") {
			rows[cells[0]+" "+cells[1]] = mcpRow{legacy: cells[2], modern: cells[3], api: cells[4]}
		}
	}
	return rows
}

func readMCPMethods(t *testing.T) (methods []mcpMethod) {
	t.Helper()
	text, err := os.ReadFile("testdata/mcp_methods.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &methods); err != nil {
		t.Fatal(err)
	}
	return methods
}
