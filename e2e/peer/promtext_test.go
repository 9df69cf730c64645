package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const textPage = `# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x"} 3
a_total{kind="y"} 4
# HELP b Seconds.
# TYPE b histogram
b_bucket{le="1"} 1
b_bucket{le="+Inf"} 2
b_sum 1.5
b_count 2
# TYPE c gauge
c NaN
d 1
`

const openPage = `# HELP a Things.
# TYPE a counter
a_total{kind="x"} 3
# TYPE b_seconds gauge
# UNIT b_seconds seconds
b_seconds 0.5
# EOF
`

// read gives name:type:samples of each family, or the error.
func families(page string, args ...string) (string, error) {
	var out bytes.Buffer
	if err := runPromtext(append(args, "-"), strings.NewReader(page), &out); err != nil {
		return "", err
	}
	var line struct {
		Format   string
		Families []family
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		return "", err
	}
	words := []string{line.Format}
	for _, f := range line.Families {
		words = append(words, fmt.Sprintf("%s:%s:%d", f.Name, f.Type, len(f.Samples)))
	}
	return strings.Join(words, " "), nil
}

func TestPagesThatAreRead(t *testing.T) {
	for page, want := range map[string]string{
		textPage: "text a_total:counter:2 b:histogram:4 c:gauge:1 d:unknown:1",
		openPage: "openmetrics a:counter:1 b_seconds:gauge:1",
	} {
		if got, err := families(page); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestPagesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ page, format, want string }{
		{"a 1\na 2\n", "text", "occurs twice"},
		{"a one\n", "text", "expected float"},
		{"a{b=\"c\" 1\n", "text", "unexpected end of label"},
		{"# TYPE a counter\n# TYPE a counter\na 1\n", "text", "second TYPE"},
		{"# TYPE a nonsense\na 1\n", "text", "unknown metric type"},
		{"a 1\nb 1\na{x=\"y\"} 2\n", "text", "stands among those of `b`"},
		{"a 1", "text", "unexpected end of input"},
		{strings.TrimSuffix(openPage, "# EOF\n"), "openmetrics", "EOF"},
		{"# TYPE a counter\na_total 1\na_total 1\n# EOF\n", "openmetrics", "occurs twice"},
		{"# TYPE a counter\n a_total 1\n# EOF\n", "openmetrics", "expected"},
		{openPage + "more 1\n", "openmetrics", "EOF"},
	} {
		_, err := families(c.page, "--format", c.format)
		t.Run(c.page, func(t *testing.T) { check(t, err, c.want) })
	}
}
