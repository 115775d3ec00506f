package jsonschema

import (
	"net/mail"
	"net/url"
	"strings"
	"time"
)

// hasFormat checks the formats that forms have. Others are annotations.
func hasFormat(format, text string) bool {
	switch format {
	case "email":
		a, err := mail.ParseAddress(text)
		return err == nil && a.Name == "" && a.Address == text
	case "uri":
		u, err := url.Parse(text)
		return err == nil && u.IsAbs() && !strings.ContainsAny(text, " \"<>\\^`{|}")
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	case "date-time":
		_, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		return err == nil
	default:
		return true
	}
}
