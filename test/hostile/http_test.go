package hostile

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// httpClient talks to a hostile server over HTTP.
type httpClient struct {
	server  *Server
	client  *http.Client
	session string

	answer *http.Response // of the last ask
	events *bufio.Reader
}

func overHTTP(t *testing.T, options Options) client { return open(t, options) }

// open starts a server and, if it is legacy only, opens a session.
func open(t *testing.T, options Options) *httpClient {
	t.Helper()
	transport := &http.Transport{MaxResponseHeaderBytes: 1 << 20}
	t.Cleanup(transport.CloseIdleConnections)
	c := &httpClient{
		server: HTTP(t, options),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
	if options.Era == Legacy || eraOf(t, options.Mode) == Legacy {
		c.initialize(t)
	}
	return c
}

func (c *httpClient) initialize(t *testing.T) {
	t.Helper()
	c.session = ""
	wants(t, c.ask(t, initialize, 1), `"id":1,`)
	c.session = c.answer.Header.Get(sessionHeader)
}

// do sends a request that ends with the test at the latest.
func (c *httpClient) do(ctx context.Context, t *testing.T, method, body, lastEventID string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, c.server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Authorization", "Bearer secret")
	if c.session != "" {
		request.Header.Set(sessionHeader, c.session)
	}
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	answer, err := c.client.Do(request)
	if err == nil {
		t.Cleanup(func() { _ = answer.Body.Close() })
	}
	return answer, err
}

func (c *httpClient) post(t *testing.T, body string) *http.Response {
	t.Helper()
	answer, err := c.do(t.Context(), t, http.MethodPost, body, "")
	if err != nil {
		t.Fatalf("post %s: %v", body, err)
	}
	return answer
}

func (c *httpClient) get(t *testing.T, lastEventID string) *http.Response {
	t.Helper()
	answer, err := c.do(t.Context(), t, http.MethodGet, "", lastEventID)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return answer
}

func (c *httpClient) ask(t *testing.T, request string, n int) []string {
	t.Helper()
	c.answer = c.post(t, request)
	c.events = bufio.NewReader(c.answer.Body)
	return c.more(t, n)
}

func (c *httpClient) more(t *testing.T, n int) []string {
	t.Helper()
	if c.answer.Header.Get("Content-Type") != "text/event-stream" {
		return []string{all(t, c.answer)}
	}
	var messages []string
	for range n {
		messages = append(messages, nextData(t, c.events))
	}
	return messages
}

// nextData returns the data of the next event.
func nextData(t *testing.T, events *bufio.Reader) string {
	t.Helper()
	for {
		line, err := events.ReadString('\n')
		if err != nil {
			t.Fatalf("read an event: %v after %.200q", err, line)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return strings.TrimSuffix(data, "\n")
		}
	}
}

func (c *httpClient) tell(t *testing.T, message string) {
	t.Helper()
	if answer := c.post(t, message); answer.StatusCode != http.StatusAccepted {
		t.Errorf("%s was answered with %s", message, answer.Status)
	}
}

func all(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("read a body: %v", err)
	}
	return string(body)
}

// httpSmokeTests are those of the modes that HTTP has, but for the ones that
// everywhereSmokeTests has.
func httpSmokeTests() map[string]smokeTest {
	return map[string]smokeTest{
		"silent-discover":     hangsOnDiscover,
		"discover-503":        answersDiscoverWith(http.StatusServiceUnavailable),
		"discover-401":        answersDiscoverWith(http.StatusUnauthorized),
		"call-401":            answersCallWith(http.StatusUnauthorized, "WWW-Authenticate", 0),
		"call-403":            answersCallWith(http.StatusForbidden, "WWW-Authenticate", 0),
		"call-429":            answersCallWith(http.StatusTooManyRequests, "Retry-After", 0),
		"call-500":            answersCallWith(http.StatusInternalServerError, "Content-Type", 1),
		"call-502":            answersCallWith(http.StatusBadGateway, "Content-Type", 1),
		"call-503":            answersCallWith(http.StatusServiceUnavailable, "Content-Type", 1),
		"redirect":            redirects,
		"html":                answersCallWithBody("text/html; charset=utf-8", "<title>"),
		"empty-body":          answersCallWithBody("application/json", ""),
		"stream-closed":       answersCallWithBody("text/event-stream", ""),
		"event-noise":         answersCallWithBody("text/event-stream", "id: a\x00b\nretry: soon"),
		"endless-event":       endsNoBody("text/event-stream"),
		"endless-json":        endsNoBody("application/json"),
		"silent-call":         recordsHangUp,
		"silent-stream":       recordsHangUp,
		"reset":               breaksCall(isReset),
		"hang-up":             breaksCall(isBroken),
		"slow-headers":        breaksCall(isTimeout),
		"endless-headers":     breaksCall(isBroken),
		"listen-closed":       endsSubscription,
		"session-404":         forgetsSession(http.StatusNotFound, "Session not found"),
		"session-400":         forgetsSession(http.StatusBadRequest, "No valid session ID"),
		"session-never":       neverKeepsSession,
		"stream-resume":       answersAfter(1, "retry: 20\n"),
		"stream-resume-twice": answersAfter(2, "retry: 20\n"),
		"retry-storm":         neverAnswers("retry: 1\n"),
		"retry-huge":          answersAfter(1, "retry: 9999999999999\n"),
		"stream-lost":         forgetsOnResumption,
		"answer-on-get":       answersOnGet,
	}
}

func hangsOnDiscover(t *testing.T, mode string) {
	c := open(t, Options{Mode: mode})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.do(ctx, t, http.MethodPost, requestOf(Dual, "7", "server/discover", ""), "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("discover ended with %v", err)
	}
	c.initialize(t)
}

func answersDiscoverWith(status int) smokeTest {
	return func(t *testing.T, mode string) {
		c := open(t, Options{Mode: mode})
		answer := c.post(t, requestOf(Dual, "7", "server/discover", ""))
		if answer.StatusCode != status {
			t.Errorf("status is %s, want %d", answer.Status, status)
		}
		if status == http.StatusUnauthorized && answer.Header.Get("WWW-Authenticate") == "" {
			t.Error("no WWW-Authenticate")
		}
		c.initialize(t)
	}
}

func answersCallWith(status int, header string, executed int) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := open(t, Options{Mode: mode, Journal: journal})
		answer := c.post(t, callOf(Dual, "7", "nonce"))
		if answer.StatusCode != status || answer.Header.Get(header) == "" {
			t.Errorf("answer is %s with %s %q", answer.Status, header, answer.Header.Get(header))
		}
		if got := journal.Count(t, Executed, "nonce"); got != executed {
			t.Errorf("executed %d times, want %d", got, executed)
		}
	}
}

func redirects(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := open(t, Options{Mode: mode, Journal: journal})
	answer := c.post(t, callOf(Dual, "7", "nonce"))
	if answer.StatusCode != http.StatusTemporaryRedirect || len(c.server.Elsewhere()) > 0 {
		t.Fatalf("answer is %s, elsewhere got %v", answer.Status, c.server.Elsewhere())
	}
	c.client.CheckRedirect = nil
	c.post(t, callOf(Dual, "7", "nonce"))
	got := c.server.Elsewhere()
	if len(got) != 1 || got[0].Path != "/mcp" || !strings.Contains(got[0].Body, "nonce") {
		t.Errorf("a client that follows redirects brought %v elsewhere", got)
	}
	if got := c.server.Requests(); len(got) != 2 || got[0].Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("the server saw %v", got)
	}
	if got := journal.Entries(t); len(got) > 0 {
		t.Errorf("journal is %v", got)
	}
}

func answersCallWithBody(contentType, part string) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := open(t, Options{Mode: mode, Journal: journal})
		answer := c.post(t, callOf(Dual, "7", "nonce"))
		body := all(t, answer)
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || got != contentType {
			t.Errorf("answer is %s of %s", answer.Status, got)
		}
		if !strings.Contains(body, part) || part == "" && body != "" {
			t.Errorf("body is %q, want %q in it", body, part)
		}
		if journal.Count(t, Executed, "nonce") != 1 {
			t.Error("not executed")
		}
	}
}

func endsNoBody(contentType string) smokeTest {
	return func(t *testing.T, mode string) {
		c := open(t, Options{Mode: mode})
		answer := c.post(t, callOf(Dual, "7", "nonce"))
		if got := answer.Header.Get("Content-Type"); got != contentType {
			t.Errorf("content type is %q", got)
		}
		if _, err := io.CopyN(io.Discard, answer.Body, 8<<20); err != nil {
			t.Errorf("8 MiB ended with %v", err)
		}
	}
}

func recordsHangUp(t *testing.T, mode string) {
	journal := NewJournal(t)
	c := open(t, Options{Mode: mode, Journal: journal})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() {
		answer, err := c.do(ctx, t, http.MethodPost, callOf(Dual, "7", "nonce"), "")
		if err == nil {
			_, err = io.ReadAll(answer.Body)
		}
		ended <- err
	}()
	waitFor(t, journal, Executed, "nonce")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	waitFor(t, journal, Cancelled, "nonce")
}

func breaksCall(expected func(error) bool) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := open(t, Options{Mode: mode, Journal: journal})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.do(ctx, t, http.MethodPost, callOf(Dual, "7", "nonce"), "")
		if !expected(err) {
			t.Errorf("the call ended with %v", err)
		}
		if journal.Count(t, Executed, "nonce") != 1 {
			t.Error("not executed")
		}
	}
}

func isReset(err error) bool   { return errors.Is(err, syscall.ECONNRESET) }
func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
func isBroken(err error) bool  { return err != nil && !isTimeout(err) }

func endsSubscription(t *testing.T, mode string) {
	c := open(t, Options{Mode: mode})
	body := all(t, c.post(t, requestOf(Modern, "7", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)))
	if !strings.Contains(body, "notifications/subscriptions/acknowledged") || strings.Contains(body, "result") {
		t.Errorf("stream is %q", body)
	}
}

func forgetsSession(status int, text string) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := open(t, Options{Mode: mode, Journal: journal})
		wants(t, c.ask(t, callOf(Legacy, "7", "first"), 1), `"text":"first"`)
		wants(t, c.ask(t, callOf(Legacy, "8", "second"), 1), text)
		if c.answer.StatusCode != status || journal.Count(t, Executed, "second") > 0 {
			t.Errorf("status is %s, journal is %v", c.answer.Status, journal.Entries(t))
		}
		c.initialize(t)
		wants(t, c.ask(t, callOf(Legacy, "9", "third"), 1), `"text":"third"`)
	}
}

func neverKeepsSession(t *testing.T, mode string) {
	c := open(t, Options{Mode: mode})
	for range 2 {
		wants(t, c.ask(t, callOf(Legacy, "7", "nonce"), 1), "Session not found")
		c.initialize(t)
	}
}

// resume reads a stream that was broken off and returns the id to resume it by.
func resume(t *testing.T, answer *http.Response, retry string) (eventID string) {
	t.Helper()
	stream := all(t, answer)
	id, rest, _ := strings.Cut(stream, "\n")
	if rest != retry+"data: \n\n" || !strings.HasPrefix(id, "id: ") {
		t.Fatalf("stream is %q, want an id and %q", stream, retry)
	}
	return strings.TrimPrefix(id, "id: ")
}

func answersAfter(breaks int, retry string) smokeTest {
	return func(t *testing.T, mode string) {
		journal := NewJournal(t)
		c := open(t, Options{Mode: mode, Journal: journal})
		answer := c.post(t, callOf(Legacy, "7", "nonce"))
		for range breaks {
			answer = c.get(t, resume(t, answer, retry))
		}
		if stream := all(t, answer); !strings.Contains(stream, `"text":"nonce"`) {
			t.Errorf("last stream is %q", stream)
		}
		if got := journal.Count(t, Executed, "nonce"); got != 1 {
			t.Errorf("executed %d times", got)
		}
		if answer := c.get(t, ""); answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("a GET that resumes nothing got %s", answer.Status)
		}
	}
}

func neverAnswers(retry string) smokeTest {
	return func(t *testing.T, mode string) {
		c := open(t, Options{Mode: mode})
		answer := c.post(t, callOf(Legacy, "7", "nonce"))
		for range 20 {
			answer = c.get(t, resume(t, answer, retry))
		}
	}
}

func forgetsOnResumption(t *testing.T, mode string) {
	c := open(t, Options{Mode: mode})
	answer := c.post(t, callOf(Legacy, "7", "nonce"))
	if answer := c.get(t, resume(t, answer, "retry: 20\n")); answer.StatusCode != http.StatusNotFound {
		t.Errorf("resumed: %s", answer.Status)
	}
}

func answersOnGet(t *testing.T, mode string) {
	c := open(t, Options{Mode: mode})
	stream := c.get(t, "")
	call := c.post(t, callOf(Legacy, "7", "nonce"))
	if got := nextData(t, bufio.NewReader(stream.Body)); !strings.Contains(got, `"text":"nonce"`) {
		t.Errorf("the GET stream has %q", got)
	}
	if got := all(t, call); got != "" {
		t.Errorf("the call's own stream has %q", got)
	}
}
