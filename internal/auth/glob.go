package auth

// matches reports whether text is of the pattern, in which "*" stands for any
// characters, none included, and "?" for any one. It takes time in proportion to
// the product of both lengths at most.
func matches(pattern, text string) bool {
	p, t := 0, 0
	star, retry := -1, 0 // the last "*", and where what it stands for ends
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			retry++
			p, t = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
