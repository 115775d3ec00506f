package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// everywhereSmokeTests are those of the modes that both transports have.
func everywhereSmokeTests(dial dial) map[string]smokeTest {
	tests := map[string]smokeTest{
		"honest":              isHonest(dial),
		"empty-discover":      answers(dial, "server/discover", `"result":{}`),
		"future":              answers(dial, "server/discover", `"supportedVersions":["2099-01-01"]`),
		"future-error":        answers(dial, "server/discover", `"error":{"code":-32022`),
		"empty-results":       answers(dial, "tools/list", `"result":{}`),
		"repeated-cursor":     answers(dial, "tools/list", `"nextCursor":"again"`),
		"progress-flood":      floodsProgress(dial),
		"ping-flood":          floodsPings(dial),
		"odd-request-ids":     asksWithOddIDs(dial),
		"endless-pages":       pagesWithoutEnd(dial),
		"empty-cursor":        refusesEmptyCursor(dial),
		"duplicate-tools":     repeatsTools(dial),
		"split-bytes":         runs(dial, `"text":"nonce"`),
		"duplicate-replies":   runs(dial, `"text":"nonce"`, `"text":"nonce"`),
		"wrong-ids":           runs(dial, `"id":7000001`),
		"string-ids":          runs(dial, `"id":"7"`),
		"float-ids":           runs(dial, `"id":7.0`),
		"null-result":         runs(dial, `"result":null`),
		"null-error":          runs(dial, `"error":null,"result":{"content"`),
		"result-and-error":    runs(dial, `},"error":{"code":-32603`),
		"text-code":           runs(dial, `"error":{"code":"E_BROKEN"`),
		"unknown-result-type": runs(dial, `"resultType":"surprise"`),
		"unknown-content":     runs(dial, `"beams":18446744073709551615`),
		"duplicate-keys":      runs(dial, `"text":"wrong","text":"nonce"`),
		"batch":               runs(dial, `[{"jsonrpc":"2.0"`),
		"mixed-batch":         runs(dial, `[{"jsonrpc":"2.0","id":"batched","method":"ping"`),
		"not-json":            runs(dial, `"nonce":"nonce`),
		"invalid-utf8":        runs(dial, "\"text\":\"nonce\xff\xfe\""),
		"nul":                 runs(dial, "\"text\":\"nonce\x00\""),
		"huge":                runs(dial, strings.Repeat("x", hugeText)),
		"deep":                runs(dial, strings.Repeat("[", deepLevel)),
		"page-visited":        runs(dial, `"elicitationId":"`+VisitedID+`"`, `"text":"nonce"`),
		"unknown-requests":    runs(dial, `"method":"hostile/unknown"`, `"text":"nonce"`),
		"modern-requests":     runs(dial, `"id":1,"method":"ping"`, `"text":"nonce"`),
		"null-id-error":       refusesToRun(dial, `"id":null,"error"`),
		"endless-input":       refusesToRun(dial, `"resultType":"input_required"`),
	}
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2099-01-01"} {
		tests["version-"+version] = answersInitializeWith(dial, version)
	}
	return tests
}

func isHonest(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		for _, era := range []Era{Dual, Legacy, Modern} {
			journal := NewJournal(t)
			c := dial(t, Options{Mode: mode, Era: era, Journal: journal})
			wants(t, c.ask(t, callOf(era, "7", "nonce"), 1), `"text":"nonce"`)
			if got := journal.Entries(t); len(got) != 1 || got[0] != (Entry{Event: Executed, Nonce: "nonce"}) {
				t.Errorf("journal of a %q server is %v", era, got)
			}
			wants(t, c.ask(t, requestOf(era, "8", "hostile/unknown", ""), 1), `"error":{"code":-32601`)
			wants(t, c.ask(t, requestOf(era, "9", "tools/list", ""), 1), `"name":"run"`)
		}
	}
}

// answers tests that a method is answered with the part.
func answers(dial dial, method, part string) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		wants(t, c.ask(t, requestOf(Dual, "7", method, ""), 1), part)
	}
}

// runs tests that a call is executed once and answered with messages that
// contain the parts.
func runs(dial dial, parts ...string) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := dial(t, Options{Mode: mode, Journal: journal})
		wants(t, c.ask(t, callOf(eraOf(t, mode), "7", "nonce"), len(parts)), parts...)
		if got := journal.Count(t, Executed, "nonce"); got != 1 {
			t.Errorf("executed %d times, want once", got)
		}
	}
}

// refusesToRun tests that a call is answered with the part and not executed.
func refusesToRun(dial dial, part string) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := dial(t, Options{Mode: mode, Journal: journal})
		wants(t, c.ask(t, callOf(eraOf(t, mode), "7", "nonce"), 1), part)
		if got := journal.Entries(t); len(got) > 0 {
			t.Errorf("journal is %v, want nothing in it", got)
		}
	}
}

func answersInitializeWith(dial dial, version string) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		wants(t, c.ask(t, initialize, 1), `"protocolVersion":"`+version+`"`)
	}
}

func floodsProgress(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		messages := c.ask(t, callOf(Dual, "7", "nonce"), ProgressFlood+1)
		last := fmt.Sprintf(`"progressToken":5,"progress":%d,`, ProgressFlood)
		wants(t, messages[ProgressFlood-1:], last, `"text":"nonce"`)
	}
}

func floodsPings(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		messages := c.ask(t, callOf(Legacy, "7", "nonce"), pingFlood+1)
		last := fmt.Sprintf(`"id":"ping-7-%d","method":"ping"`, pingFlood-1)
		wants(t, messages[pingFlood-1:], last, `"text":"nonce"`)
	}
}

func asksWithOddIDs(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := dial(t, Options{Mode: mode, Journal: journal})
		var parts []string
		for _, id := range oddIDs() {
			parts = append(parts, `"id":`+id+`,"method":"ping"`)
		}
		wants(t, c.ask(t, callOf(Legacy, "7", "nonce"), len(parts)), parts...)
		c.tell(t, `{"jsonrpc":"2.0","id":"0","result":{}}`) // is not the 0 that was asked
		for _, id := range oddIDs() {
			if journal.Count(t, Executed, "nonce") > 0 {
				t.Errorf("executed before %s was answered", id)
			}
			c.tell(t, `{"jsonrpc":"2.0","id":`+id+`,"result":{}}`)
		}
		wants(t, c.more(t, 1), `"text":"nonce"`)
	}
}

func pagesWithoutEnd(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		wants(t, c.ask(t, requestOf(Dual, "7", "tools/list", ""), 1), `"nextCursor":"1"`)
		wants(t, c.ask(t, requestOf(Dual, "8", "tools/list", `"cursor":"1000"`), 1), `"nextCursor":"1001"`)
	}
}

func refusesEmptyCursor(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		wants(t, c.ask(t, requestOf(Dual, "7", "tools/list", ""), 1), `"nextCursor":""`)
		wants(t, c.ask(t, requestOf(Dual, "8", "tools/list", `"cursor":""`), 1), `"error":{"code":-32602`)
	}
}

func repeatsTools(dial dial) smokeTest {
	return func(t *testing.T, mode string) {
		c := dial(t, Options{Mode: mode})
		wants(t, c.ask(t, requestOf(Dual, "7", "tools/list", ""), 1), `"name":"run"`)
		wants(t, c.ask(t, requestOf(Dual, "8", "tools/list", `"cursor":"2"`), 1), `"name":"run"`)
	}
}
