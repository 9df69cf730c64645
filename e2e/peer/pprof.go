package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// runPprof prints one line: the digest of a pprof file and its stacks.
func runPprof(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("peer pprof FILE|-", flag.ContinueOnError)
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errUsage{errors.New("pprof wants one file")}
	}
	raw, err := readInput(rest[0], in)
	if err != nil {
		return err
	}
	plain, err := uncompressed(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", rest[0], err)
	}
	p, d := read(plain)
	line := struct {
		Bytes             int `json:"bytes"`
		UncompressedBytes int `json:"bytes_uncompressed"`
		digest
		Stacks []folded                    `json:"stacks"`
		Tags   map[string]map[string]int64 `json:"tags"` // sum of the first value, by label of a sample and its text
	}{len(raw), len(plain), d, []folded{}, map[string]map[string]int64{}}
	if p != nil {
		line.Stacks = foldProfile(p)
		line.Tags = tags(p)
	}
	if err := printLine(out, line); err != nil {
		return err
	}
	if d.CheckError != "" {
		return fmt.Errorf("%s: %s: %w", rest[0], d.CheckError, errWrong)
	}
	return nil
}

// readInput reads a file, or standard input for `-`.
func readInput(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(name)
}
