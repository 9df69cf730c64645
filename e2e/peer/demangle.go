package main

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/ianlancetaylor/demangle"
)

// demangled is a mangled name in each mode that shows another one.
type demangled struct {
	Name       string `json:"name"`
	None       string `json:"none"`
	Simplified string `json:"simplified"`
	Templates  string `json:"templates"`
	Full       string `json:"full"`
}

var (
	simplified = []demangle.Option{demangle.NoParams, demangle.NoEnclosingParams, demangle.NoTemplateParams}
	templates  = []demangle.Option{demangle.NoParams, demangle.NoEnclosingParams}
	full       = []demangle.Option{demangle.NoClones}
)

// runDemangle reads names, one a line, and shows them as upstream's argument demangle does.
func runDemangle(_ []string, in io.Reader, out io.Writer) error {
	names := bufio.NewScanner(in)
	names.Buffer(nil, 1<<20)
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	for names.Scan() {
		name := names.Text()
		line := demangled{
			Name:       name,
			None:       name,
			Simplified: demangle.Filter(name, simplified...),
			Templates:  demangle.Filter(name, templates...),
			Full:       demangle.Filter(name, full...),
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	if err := names.Err(); err != nil {
		return err
	}
	return buffered.Flush()
}
