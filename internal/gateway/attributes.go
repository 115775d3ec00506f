package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// otherMethod stands for methods that HTTP does not define, which callers make
// up.
const otherMethod = "_OTHER"

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch,
		http.MethodHead, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return otherMethod
}

// spanName is "{method} {http.route}", without the route while there is none.
func spanName(r *http.Request) string {
	switch {
	case r.Pattern != "":
		return r.Pattern
	case knownMethod(r.Method) == otherMethod:
		return "HTTP"
	}
	return r.Method
}

// A measureKey is what the measurements of a request are told apart by. All of
// it is known beforehand, so that callers cannot make up new ones: the address
// that they name is left out for that, as the conventions advise.
type measureKey struct {
	method, pattern, version, scheme string
	code                             int
}

func measureKeyOf(r *http.Request, code int) measureKey {
	key := measureKey{method: knownMethod(r.Method), pattern: r.Pattern, version: "1.1", scheme: "http", code: code}
	switch {
	case r.ProtoMajor == 2:
		key.version = "2"
	case r.ProtoMinor == 0:
		key.version = "1.0"
	}
	if r.TLS != nil {
		key.scheme = "https"
	}
	return key
}

// attributes are those that spans and measurements share.
func (k measureKey) attributes(list []attribute.KeyValue) []attribute.KeyValue {
	list = append(list, semconv.HTTPRequestMethodKey.String(k.method), semconv.URLScheme(k.scheme),
		semconv.NetworkProtocolName("http"), semconv.NetworkProtocolVersion(k.version), semconv.HTTPResponseStatusCode(k.code))
	if route := k.pattern[strings.IndexByte(k.pattern, '/')+1:]; k.pattern != "" {
		list = append(list, semconv.HTTPRoute("/"+route))
	}
	if k.code >= http.StatusInternalServerError {
		list = append(list, semconv.ErrorTypeKey.String(strconv.Itoa(k.code)))
	}
	return list
}

// measureSets keeps the attributes of measurements, which take long to make.
type measureSets struct {
	// mu guards sets.
	mu   sync.RWMutex
	sets map[measureKey][]metric.RecordOption
}

func (s *measureSets) of(r *http.Request, code int) []metric.RecordOption {
	key := measureKeyOf(r, code)
	s.mu.RLock()
	set, ok := s.sets[key]
	s.mu.RUnlock()
	if ok {
		return set
	}
	set = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(key.attributes(nil)...))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil {
		s.sets = make(map[measureKey][]metric.RecordOption)
	}
	s.sets[key] = set
	return set
}

// maxAttributes is the most that a span has.
const maxAttributes = 18

// spanAttributes are all of a span's, to be set at once.
func spanAttributes(r *http.Request, code int, received, written int64) []attribute.KeyValue {
	list := measureKeyOf(r, code).attributes(make([]attribute.KeyValue, 0, maxAttributes))
	if knownMethod(r.Method) == otherMethod {
		list = append(list, semconv.HTTPRequestMethodOriginal(r.Method))
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, ""
	}
	list = append(list, semconv.URLPath(r.URL.Path), semconv.ServerAddress(host))
	if n, err := strconv.Atoi(port); err == nil {
		list = append(list, semconv.ServerPort(n))
	}
	client, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		list = append(list, semconv.NetworkPeerAddress(peer.Addr().String()), semconv.NetworkPeerPort(int(peer.Port())))
		if client == "" {
			client = peer.Addr().String()
		}
	}
	if client != "" {
		list = append(list, semconv.ClientAddress(client))
	}
	if agent := r.UserAgent(); agent != "" {
		list = append(list, semconv.UserAgentOriginal(agent))
	}
	if received > 0 {
		list = append(list, semconv.HTTPRequestBodySize(int(received)))
	}
	if written > 0 {
		list = append(list, semconv.HTTPResponseBodySize(int(written)))
	}
	return list
}
