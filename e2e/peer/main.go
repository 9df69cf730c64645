// Command peer is the other side of the wire in the end-to-end tests: a Pyroscope server made of the official API's generated push
// handler, a query client made of its generated clients, and readers of the formats that others read of ours (pprof, metrics text).
//
//	our binary ──push.v1──▶ peer serve ──▶ a JSON line a profile, N.pb.gz
//	our binary ◀─querier.v1── peer query, peer matrix
//	a pprof file ──▶ peer pprof        /metrics ──▶ peer promtext        mangled names ──▶ peer demangle
//
// Everything it prints on standard output is JSON, an object a line. Status 0: all well; 1: what was checked is wrong; 2: wrong usage.
// Start reading in serve.go and push.go; limits.go has the server's rules. `go test ./...` shows each rule to accept and to reject.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// errWrong says that what was checked is wrong; the details have been printed.
var errWrong = errors.New("not as expected")

// errUsage wraps what is wrong with the arguments.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

type command struct {
	name, summary string
	run           func(args []string, in io.Reader, out io.Writer) error
}

var commands = []command{
	{"serve", "receive pushes as a Pyroscope server does", runServe},
	{"query", "ask a Pyroscope query API with the generated clients", runQuery},
	{"matrix", "check the status codes of a Pyroscope query API", runMatrix},
	{"pprof", "read a pprof file with google/pprof", runPprof},
	{"promtext", "read metrics text with Prometheus's parsers", runPromtext},
	{"demangle", "show mangled names in each mode, by the library that Alloy uses", runDemangle},
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name == os.Args[1] {
				os.Exit(status(c.run(os.Args[2:], os.Stdin, os.Stdout)))
			}
		}
	}
	fmt.Fprintln(os.Stderr, "usage: peer COMMAND [ARGUMENT]...   (peer COMMAND --help lists its flags)")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-9s %s\n", c.name, c.summary)
	}
	os.Exit(2)
}

func status(err error) int {
	var usage errUsage
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "peer:", err)
		return 2
	default:
		fmt.Fprintln(os.Stderr, "peer:", err)
		return 1
	}
}

// parse reads flags and gives back what follows them.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	flags.SetOutput(os.Stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage{err}
	}
	return flags.Args(), nil
}

// printLine writes one value as one line of JSON, in one write.
func printLine(out io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode a line: %w", err)
	}
	_, err = out.Write(append(line, '\n'))
	return err
}
