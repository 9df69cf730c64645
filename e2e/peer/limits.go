package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"github.com/prometheus/common/model"
)

// limits are the rules of a Pyroscope server with its default configuration.
type limits struct {
	labelNames, labelName, labelValue int // labels a series, bytes of a name, of a value
	profileBytes, samples             int // a profile, uncompressed
	sampleLabels, depth, symbol       int // labels a sample; frames a stack; bytes a string: the last two are cut, not refused
	olderThan, newerThan              time.Duration
	bytesPerSecond, burst             int // all pushes together, uncompressed
}

var realLimits = limits{
	labelNames:     30,
	labelName:      1024,
	labelValue:     2048,
	profileBytes:   4 << 20,
	samples:        16000,
	sampleLabels:   100,
	depth:          1000,
	symbol:         65535,
	olderThan:      time.Hour,
	newerThan:      10 * time.Minute,
	bytesPerSecond: 4 << 20,
	burst:          2 << 20,
}

// serverLabels is what the server puts on a series besides the pushed labels: type, unit, period type and unit, the id of the
// profile type, the copy of the service name. It counts against the limit.
const serverLabels = 6

// withServiceName adds the label that the server adds when it is missing.
func withServiceName(labels []*typesv1.LabelPair) []*typesv1.LabelPair {
	for _, label := range labels {
		if label.GetName() == "service_name" {
			return labels
		}
	}
	return append(labels[:len(labels):len(labels)], &typesv1.LabelPair{Name: "service_name", Value: "unknown_service"})
}

// checkLabels says what a server has against the labels of a series, in its order.
func (l limits) checkLabels(labels []*typesv1.LabelPair) error {
	if len(labels) == 0 {
		return fmt.Errorf("missing_labels: a profile needs at least one label")
	}
	labels = withServiceName(labels)
	if count := len(labels) + serverLabels; count > l.labelNames {
		return fmt.Errorf("max_label_names_per_series: %d label names with the server's %d, limit %d", count, serverLabels, l.labelNames)
	}
	name, service := "", ""
	for _, label := range labels {
		switch label.GetName() {
		case "__name__":
			name = label.GetValue()
		case "service_name":
			service = label.GetValue()
		}
	}
	if !model.LegacyValidation.IsValidMetricName(name) {
		return fmt.Errorf("invalid_labels: `%s` is not a metric name", name)
	}
	if service == "" {
		return fmt.Errorf("missing_labels: service_name is empty")
	}
	seen := make(map[string]bool, len(labels))
	for _, label := range labels {
		name, value := label.GetName(), label.GetValue()
		switch {
		case len(name) > l.labelName:
			return fmt.Errorf("label_name_too_long: %d bytes, limit %d", len(name), l.labelName)
		case len(value) > l.labelValue:
			return fmt.Errorf("label_value_too_long: `%s` has %d bytes, limit %d", name, len(value), l.labelValue)
		case !oldCharset(name):
			return fmt.Errorf("invalid_labels: `%s` is not a label name of [a-zA-Z0-9_.]", name)
		case !utf8.ValidString(value):
			return fmt.Errorf("invalid_labels: the value of `%s` is not UTF-8", name)
		case seen[strings.ReplaceAll(name, ".", "_")]:
			return fmt.Errorf("duplicate_label_names: `%s`", name)
		}
		seen[strings.ReplaceAll(name, ".", "_")] = true
	}
	return nil
}

// oldCharset is what servers before 2.0 accept in a label's name; they write a dot as an underscore. Newer ones take any UTF-8: a
// name that passes here passes everywhere.
func oldCharset(name string) bool {
	for _, c := range []byte(name) {
		if !(c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return name != ""
}

// checkProfile says what a server has against a profile of `size` uncompressed bytes.
func (l limits) checkProfile(p *googlev1.Profile, size int, now time.Time) error {
	if len(p.GetSampleType()) == 0 {
		return fmt.Errorf("empty profile: no sample types")
	}
	if nanos := p.GetTimeNanos(); nanos > 0 {
		taken := time.Unix(0, nanos)
		if taken.Before(now.Add(-l.olderThan)) || taken.After(now.Add(l.newerThan)) {
			return fmt.Errorf("not_in_ingestion_window: taken at %s, now %s", taken.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
	}
	if size > l.profileBytes {
		return fmt.Errorf("profile_size_limit: %d bytes uncompressed, limit %d", size, l.profileBytes)
	}
	if count := len(p.GetSample()); count > l.samples {
		return fmt.Errorf("samples_limit: %d samples, limit %d", count, l.samples)
	}
	for _, sample := range p.GetSample() {
		if count := len(sample.GetLabel()); count > l.sampleLabels {
			return fmt.Errorf("sample_labels_limit: %d labels in a sample, limit %d", count, l.sampleLabels)
		}
	}
	return malformed(p)
}

// malformed says what makes a profile unreadable for a server.
func malformed(p *googlev1.Profile) error {
	wrong := func(format string, a ...any) error { return fmt.Errorf("malformed_profile: "+format, a...) }
	strs := p.GetStringTable()
	if len(strs) == 0 || strs[0] != "" {
		return wrong("the first string is not empty")
	}
	for i, s := range strs {
		if !utf8.ValidString(s) {
			return wrong("string %d is not UTF-8", i)
		}
	}
	text := func(what string, index int64) error {
		if index < 0 || index >= int64(len(strs)) {
			return wrong("%s is string %d of %d", what, index, len(strs))
		}
		return nil
	}
	for _, t := range slices.Concat(p.GetSampleType(), []*googlev1.ValueType{p.GetPeriodType()}) {
		if err := text("a type", t.GetType()); err != nil {
			return err
		}
		if err := text("a unit", t.GetUnit()); err != nil {
			return err
		}
	}
	for _, t := range p.GetSampleType() {
		if strings.Contains(strs[t.GetType()], "-") {
			return wrong("the sample type `%s` contains a dash", strs[t.GetType()])
		}
	}
	for _, m := range p.GetMapping() {
		if err := text("a mapping's file", m.GetFilename()); err != nil {
			return err
		}
		if err := text("a build id", m.GetBuildId()); err != nil {
			return err
		}
	}
	for _, location := range p.GetLocation() {
		if location.GetId() == 0 {
			return wrong("a location has the id 0")
		}
	}
	for _, f := range p.GetFunction() {
		if f.GetId() == 0 {
			return wrong("a function has the id 0")
		}
		for _, index := range []int64{f.GetName(), f.GetSystemName(), f.GetFilename()} {
			if err := text("a function's text", index); err != nil {
				return err
			}
		}
	}
	for _, sample := range p.GetSample() {
		if sample == nil {
			return wrong("a sample is nil")
		}
		if len(sample.GetValue()) != len(p.GetSampleType()) {
			return wrong("a sample has %d values for %d sample types", len(sample.GetValue()), len(p.GetSampleType()))
		}
		for _, label := range sample.GetLabel() {
			for _, index := range []int64{label.GetKey(), label.GetStr(), label.GetNumUnit()} {
				if err := text("a sample's label", index); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// cut counts what a server shortens without a word: stacks that are too deep (it keeps the root end) and strings that are too long.
func (l limits) cut(p *googlev1.Profile) (stacks, texts int) {
	for _, sample := range p.GetSample() {
		if len(sample.GetLocationId()) > l.depth {
			stacks++
		}
	}
	for _, s := range p.GetStringTable() {
		if len(s) > l.symbol {
			texts++
		}
	}
	return stacks, texts
}

// bucket is the rate limit: it fills with bytesPerSecond up to burst.
type bucket struct {
	mu    sync.Mutex
	limit limits
	left  float64
	then  time.Time
}

func newBucket(l limits, now time.Time) *bucket {
	return &bucket{limit: l, left: float64(l.burst), then: now}
}

// take removes size bytes, or nothing and says so. More than burst never passes.
func (b *bucket) take(size int, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = min(float64(b.limit.burst), b.left+now.Sub(b.then).Seconds()*float64(b.limit.bytesPerSecond))
	b.then = now
	if float64(size) > b.left {
		return fmt.Errorf("push rate limit (%d bytes a second, burst %d) exceeded while adding %d bytes", b.limit.bytesPerSecond, b.limit.burst, size)
	}
	b.left -= float64(size)
	return nil
}
