package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// family is a metric family: its samples are named as they stand in the text, `name{labels}`.
type family struct {
	Name    string         `json:"name"`
	Type    string         `json:"type"` // in lower case; unknown or untyped if none is declared
	Help    string         `json:"help"`
	Unit    string         `json:"unit"`
	Samples []metricSample `json:"samples"`
}

type metricSample struct {
	Labels map[string]string `json:"labels"` // with __name__
	Value  string            `json:"value"`  // as Go prints a float, since JSON has no NaN
}

// runPromtext prints {"format":…,"families":[…]} of a metrics page, or fails as Prometheus would.
func runPromtext(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("peer promtext FILE|-", flag.ContinueOnError)
	format := flags.String("format", "auto", "text (0.0.4), openmetrics, or auto: by the `# EOF` that ends OpenMetrics")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errUsage{errors.New("promtext wants one file")}
	}
	page, err := readInput(rest[0], in)
	if err != nil {
		return err
	}
	if *format == "auto" {
		*format = "text"
		if bytes.HasSuffix(page, []byte("# EOF\n")) || bytes.HasSuffix(page, []byte("# EOF")) {
			*format = "openmetrics"
		}
	}
	var families []family
	switch *format {
	case "text":
		families, err = readText(page)
	case "openmetrics":
		families, err = readOpenMetrics(page)
	default:
		return errUsage{fmt.Errorf("--format is text, openmetrics or auto, not `%s`", *format)}
	}
	if err != nil {
		return fmt.Errorf("%s as %s: %w", rest[0], *format, err)
	}
	return printLine(out, map[string]any{"format": *format, "families": families})
}

// readText reads the text format twice: with the library that knows families, and with the parser that a Prometheus server
// scrapes with.
func readText(page []byte) ([]family, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return nil, err
	}
	families, err := scrape(textparse.NewPromParser(page, labels.NewSymbolTable(), false))
	if err != nil {
		return nil, err
	}
	for _, f := range families {
		known := byName[f.Name]
		if known == nil {
			return nil, fmt.Errorf("the two parsers disagree about `%s`", f.Name)
		}
		if want := known.GetType(); f.Type != strings.ToLower(want.String()) && want != dto.MetricType_UNTYPED {
			return nil, fmt.Errorf("the two parsers disagree about the type of `%s`: %s, %s", f.Name, f.Type, want)
		}
	}
	return families, nil
}

func readOpenMetrics(page []byte) ([]family, error) {
	return scrape(textparse.NewOpenMetricsParser(page, labels.NewSymbolTable()))
}

// scrape reads all entries, with what the parsers leave to their caller: a family is declared once, a series occurs once, and the
// samples of a family stand together with the suffixes of its type.
func scrape(parser textparse.Parser) ([]family, error) {
	families := []family{}
	index := map[string]int{}
	seen := map[string]bool{}
	declare := func(name string) *family {
		at, known := index[name]
		if !known {
			at = len(families)
			index[name] = at
			families = append(families, family{Name: name, Type: string(model.MetricTypeUnknown), Samples: []metricSample{}})
		}
		return &families[at]
	}
	var typed = map[string]bool{}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return families, nil
		}
		if err != nil {
			return nil, err
		}
		switch entry {
		case textparse.EntryType:
			name, kind := parser.Type()
			if typed[string(name)] {
				return nil, fmt.Errorf("a second TYPE of `%s`", name)
			}
			typed[string(name)] = true
			f := declare(string(name))
			if len(f.Samples) > 0 {
				return nil, fmt.Errorf("the TYPE of `%s` comes after its samples", name)
			}
			f.Type = string(kind)
		case textparse.EntryHelp:
			name, help := parser.Help()
			declare(string(name)).Help = string(help)
		case textparse.EntryUnit:
			name, unit := parser.Unit()
			declare(string(name)).Unit = string(unit)
		case textparse.EntrySeries:
			_, _, value := parser.Series()
			var set labels.Labels
			parser.Labels(&set)
			if text := set.String(); seen[text] {
				return nil, fmt.Errorf("the series %s occurs twice", text)
			} else {
				seen[text] = true
			}
			f := declare(familyOf(set.Get(model.MetricNameLabel), families))
			if last := families[len(families)-1].Name; last != f.Name {
				return nil, fmt.Errorf("a sample of `%s` stands among those of `%s`", f.Name, last)
			}
			f.Samples = append(f.Samples, metricSample{set.Map(), fmt.Sprint(value)})
		}
	}
}

// familyOf gives the declared family that a sample's name belongs to, else the name itself.
func familyOf(sample string, families []family) string {
	for _, f := range slices.Backward(families) {
		if suffix, ok := strings.CutPrefix(sample, f.Name); ok && slices.Contains(suffixes[f.Type], suffix) {
			return f.Name
		}
	}
	return sample
}

var suffixes = map[string][]string{
	"counter":        {"", "_total", "_created"},
	"gauge":          {""},
	"unknown":        {""},
	"untyped":        {""},
	"histogram":      {"_bucket", "_sum", "_count", "_created"},
	"gaugehistogram": {"_bucket", "_gsum", "_gcount"},
	"summary":        {"", "_sum", "_count", "_created"},
	"info":           {"_info"},
	"stateset":       {""},
}
