package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// The bounds of what [CheckURL] and [CheckSocketURL] accept; host names and labels as in RFC 1035.
const (
	maxURL      = 8 << 10
	maxHostName = 253
	maxLabel    = 63
)

// CheckURL parses an absolute http or https URL and refuses every form that
// different readers understand differently: user info, fragments, escapes,
// zones or non-ASCII letters in the host, backslashes, IPv4 addresses in
// anything but four decimal numbers, empty or odd ports. One trailing dot of a
// host name is removed. The errors never repeat the URL, which may hold
// secrets.
func CheckURL(raw string) (*url.URL, error) { return checkURL(raw, "http", "https") }

// CheckSocketURL is [CheckURL] for ws and wss URLs.
func CheckSocketURL(raw string) (*url.URL, error) { return checkURL(raw, "ws", "wss") }

func checkURL(raw, plain, secure string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fmt.Errorf("URL is longer than %d bytes", maxURL)
	}
	if strings.ContainsAny(raw, "\\ #") {
		return nil, errors.New("URL has a backslash, a space or a fragment")
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The *url.Error quotes the URL, its cause only a part that is wrong.
		return nil, errors.New("URL cannot be parsed")
	}
	switch {
	case u.Scheme != plain && u.Scheme != secure:
		return nil, fmt.Errorf("URL is neither %s nor %s", plain, secure)
	case u.Opaque != "" || u.Host == "":
		return nil, errors.New("URL has no host")
	case u.User != nil:
		return nil, errors.New("URL has user info; use a header for credentials")
	}
	host, err := checkHost(u.Hostname())
	if err != nil {
		return nil, err
	}
	if err := checkPort(u); err != nil {
		return nil, err
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	u.Host = host
	return u, nil
}

func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return errors.New("URL has an empty port")
		}
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return errors.New("URL has an invalid port")
	}
	return nil
}

// checkHost returns the host as it stands in a URL.
func checkHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", errors.New("URL has an invalid IPv6 address")
		}
		return "[" + addr.String() + "]", nil
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > maxHostName {
		return "", errors.New("URL has no host name of a valid length")
	}
	label := ""
	for label = range strings.SplitSeq(host, ".") {
		if !validLabel(label) {
			return "", errors.New("URL has an invalid host name")
		}
	}
	if !numeric(label) {
		return host, nil
	}
	// A host whose last label is a number is an IPv4 address to many readers
	// (WHATWG URL, 3.5), in forms such as 127.1, 2130706433 and 0x7f.0.0.1.
	if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
		return "", errors.New("URL has an IPv4 address that is not four decimal numbers")
	}
	return host, nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		switch c := label[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// numeric reports whether a URL reader may take the label for a number.
func numeric(label string) bool {
	if len(label) >= 2 && (label[:2] == "0x" || label[:2] == "0X") {
		return true
	}
	return strings.Trim(label, "0123456789") == ""
}
