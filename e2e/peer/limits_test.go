package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// check asks for an error with this text, or for none when it is empty.
func check(t *testing.T, got error, want string) {
	t.Helper()
	switch {
	case want == "" && got != nil:
		t.Errorf("refused: %v", got)
	case want != "" && got == nil:
		t.Errorf("accepted, want %q", want)
	case want != "" && !strings.Contains(got.Error(), want):
		t.Errorf("got %q, want %q", got, want)
	}
}

// pairs are labels from name, value, name, value …
func pairs(words ...string) []*typesv1.LabelPair {
	var labels []*typesv1.LabelPair
	for i := 0; i < len(words); i += 2 {
		labels = append(labels, &typesv1.LabelPair{Name: words[i], Value: words[i+1]})
	}
	return labels
}

func TestLabels(t *testing.T) {
	// name, service_name and this many others
	others := func(count int) []*typesv1.LabelPair {
		labels := pairs("__name__", "process_cpu", "service_name", "s")
		for i := range count {
			labels = append(labels, &typesv1.LabelPair{Name: fmt.Sprintf("l%d", i), Value: "v"})
		}
		return labels
	}
	with := func(name, value string) []*typesv1.LabelPair {
		return pairs("__name__", "process_cpu", "service_name", "s", name, value)
	}
	for _, c := range []struct {
		name   string
		labels []*typesv1.LabelPair
		want   string
	}{
		{"plain", with("pod", "a"), ""},
		{"none", nil, "missing_labels"},
		{"the most", others(22), ""},
		{"one more", others(23), "max_label_names_per_series: 31 label names"},
		{"the added service_name counts", others(23)[:1], ""},
		{"no name", pairs("service_name", "s"), "invalid_labels: `` is not a metric name"},
		{"a bad name", pairs("__name__", "process cpu", "service_name", "s"), "not a metric name"},
		{"no service_name", pairs("__name__", "process_cpu"), ""},
		{"empty service_name", pairs("__name__", "process_cpu", "service_name", ""), "service_name is empty"},
		{"longest label name", with(strings.Repeat("n", 1024), "v"), ""},
		{"longer label name", with(strings.Repeat("n", 1025), "v"), "label_name_too_long"},
		{"longest value", with("n", strings.Repeat("v", 2048)), ""},
		{"longer value", with("n", strings.Repeat("v", 2049)), "label_value_too_long"},
		{"dotted name", with("otel.scope.name", "v"), ""},
		{"dashed name", with("my-label", "v"), "invalid_labels: `my-label`"},
		{"empty label name", with("", "v"), "invalid_labels"},
		{"value in UTF-8", with("n", "ü"), ""},
		{"value not in UTF-8", with("n", "\xff"), "not UTF-8"},
		{"twice the same", with("service_name", "t"), "duplicate_label_names: `service_name`"},
		{"the same once dots are underscores", append(with("a.b", "t"), pairs("a_b", "t")...), "duplicate_label_names: `a_b`"},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, realLimits.checkLabels(c.labels), c.want) })
	}
}

func TestProfile(t *testing.T) {
	fine := func(*googlev1.Profile) {}
	for _, c := range []struct {
		name  string
		spoil func(*googlev1.Profile)
		want  string
	}{
		{"fine", fine, ""},
		{"no sample types", func(p *googlev1.Profile) { p.SampleType = nil }, "empty profile"},
		{"no samples", func(p *googlev1.Profile) { p.Sample = nil }, ""},
		{"an hour old", func(p *googlev1.Profile) { p.TimeNanos = noon.Add(-time.Hour).UnixNano() }, ""},
		{"older", func(p *googlev1.Profile) { p.TimeNanos = noon.Add(-time.Hour - 1).UnixNano() }, "not_in_ingestion_window"},
		{"ten minutes ahead", func(p *googlev1.Profile) { p.TimeNanos = noon.Add(10 * time.Minute).UnixNano() }, ""},
		{"further ahead", func(p *googlev1.Profile) { p.TimeNanos = noon.Add(10*time.Minute + 1).UnixNano() }, "not_in_ingestion_window"},
		{"no time", func(p *googlev1.Profile) { p.TimeNanos = 0 }, ""},
		{"most samples", func(p *googlev1.Profile) { repeat(p, 16000) }, ""},
		{"more samples", func(p *googlev1.Profile) { repeat(p, 16001) }, "samples_limit: 16001"},
		{"most labels of a sample", func(p *googlev1.Profile) { p.Sample[0].Label = make([]*googlev1.Label, 100) }, ""},
		{"more labels of a sample", func(p *googlev1.Profile) { p.Sample[0].Label = make([]*googlev1.Label, 101) }, "sample_labels_limit: 101"},
		{"no strings", func(p *googlev1.Profile) { p.StringTable = nil }, "first string"},
		{"first string not empty", func(p *googlev1.Profile) { p.StringTable[0] = "x" }, "first string"},
		{"a string not in UTF-8", func(p *googlev1.Profile) { p.StringTable[1] = "\xff" }, "not UTF-8"},
		{"a string in UTF-8", func(p *googlev1.Profile) { p.StringTable[1] = "ü" }, ""},
		{"a type beyond the strings", func(p *googlev1.Profile) { p.SampleType[0].Type = 99 }, "a type is string 99"},
		{"a unit beyond the strings", func(p *googlev1.Profile) { p.SampleType[0].Unit = -1 }, "a unit is string -1"},
		{"a period beyond the strings", func(p *googlev1.Profile) { p.PeriodType.Type = 99 }, "a type is string 99"},
		{"no period type", func(p *googlev1.Profile) { p.PeriodType = nil }, ""},
		{"a dash in a type", func(p *googlev1.Profile) { p.StringTable[p.SampleType[0].Type] = "off-cpu" }, "contains a dash"},
		{"a file beyond the strings", func(p *googlev1.Profile) { p.Mapping[0].Filename = 99 }, "a mapping's file"},
		{"a build id beyond the strings", func(p *googlev1.Profile) { p.Mapping[0].BuildId = 99 }, "a build id"},
		{"location 0", func(p *googlev1.Profile) { p.Location[0].Id = 0 }, "a location has the id 0"},
		{"function 0", func(p *googlev1.Profile) { p.Function[0].Id = 0 }, "a function has the id 0"},
		{"a name beyond the strings", func(p *googlev1.Profile) { p.Function[0].Name = 99 }, "a function's text"},
		{"a label beyond the strings", func(p *googlev1.Profile) { p.Sample[0].Label = []*googlev1.Label{{Key: 99}} }, "a sample's label"},
		{"a nil sample", func(p *googlev1.Profile) { p.Sample[0] = nil }, "a sample is nil"},
		{"too many values", func(p *googlev1.Profile) { p.Sample[0].Value = []int64{1, 2} }, "2 values for 1"},
		{"no values", func(p *googlev1.Profile) { p.Sample[0].Value = nil }, "0 values for 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := decoded(t)
			c.spoil(p)
			check(t, realLimits.checkProfile(p, 1000, noon), c.want)
		})
	}
	t.Run("the greatest size", func(t *testing.T) { check(t, realLimits.checkProfile(decoded(t), 4<<20, noon), "") })
	t.Run("a greater size", func(t *testing.T) {
		check(t, realLimits.checkProfile(decoded(t), 4<<20+1, noon), "profile_size_limit: 4194305 bytes")
	})
}

func repeat(p *googlev1.Profile, count int) {
	samples := make([]*googlev1.Sample, count)
	for i := range samples {
		samples[i] = p.Sample[0]
	}
	p.Sample = samples
}

func TestCutIsCountedAndNotRefused(t *testing.T) {
	p := decoded(t)
	p.Sample[0].LocationId = make([]uint64, 1000)
	p.StringTable[1] = strings.Repeat("x", 65535)
	if stacks, texts := realLimits.cut(p); stacks != 0 || texts != 0 {
		t.Errorf("at the limits: %d stacks, %d strings cut", stacks, texts)
	}
	p.Sample[0].LocationId = make([]uint64, 1001)
	p.StringTable[1] += "x"
	if stacks, texts := realLimits.cut(p); stacks != 1 || texts != 1 {
		t.Errorf("past the limits: %d stacks, %d strings cut", stacks, texts)
	}
	check(t, realLimits.checkProfile(p, 1000, noon), "")
}

func TestBucket(t *testing.T) {
	b := newBucket(realLimits, noon)
	check(t, b.take(2<<20+1, noon), "push rate limit")
	check(t, b.take(2<<20, noon), "")
	check(t, b.take(1, noon), "push rate limit")
	check(t, b.take(1<<20, noon.Add(250*time.Millisecond)), "")
	check(t, b.take(1, noon.Add(250*time.Millisecond)), "push rate limit")
	check(t, b.take(2<<20, noon.Add(time.Hour)), "")
	check(t, b.take(1, noon.Add(time.Hour)), "push rate limit")
}
