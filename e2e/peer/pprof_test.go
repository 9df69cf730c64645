package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

func TestPprofSumsByLabelOfSamples(t *testing.T) {
	p := sampleProfile()
	first, second := *p.Sample[0], *p.Sample[0]
	first.Label = map[string][]string{"comm": {"a"}, "pid": {"1"}}
	second.Label = map[string][]string{"comm": {"a"}}
	p.Sample = append(p.Sample, &first, &second)
	want := map[string]map[string]int64{"comm": {"a": 2 * first.Value[0]}, "pid": {"1": first.Value[0]}}
	if got := tags(p); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestPprofFoldsStacksRootFirst(t *testing.T) {
	p := sampleProfile()
	// The same stack again, and `work` with an inlined frame: a line's callee comes first.
	p.Sample = append(p.Sample, p.Sample[0])
	p.Function = append(p.Function, &profile.Function{ID: 3, Name: "inlined"})
	p.Location[1].Line = append([]profile.Line{{Function: p.Function[2]}}, p.Location[1].Line...)
	var out bytes.Buffer
	if err := runPprof([]string{"-"}, bytes.NewReader(encode(t, p)), &out); err != nil {
		t.Fatal(err)
	}
	var line struct {
		digest
		Stacks []folded
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := []folded{
		{[]string{"main", "work", "inlined"}, []int64{4 * 10309278}},
		{[]string{"main", "rest.exe!0x2010"}, []int64{10309278}},
	}
	if !slices.EqualFunc(line.Stacks, want, func(a, b folded) bool { return slices.Equal(a.Stack, b.Stack) && slices.Equal(a.Values, b.Values) }) {
		t.Errorf("got %v", line.Stacks)
	}
	if line.MaxDepth != 3 || line.Samples != 3 {
		t.Errorf("%+v", line.digest)
	}
}

func TestPprofOfSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want int
	}{"not pprof": {"\xff\xff", 1}, "broken gzip": {"\x1f\x8b", 1}, "empty": {"", 1}} {
		if got := status(runPprof([]string{"-"}, bytes.NewReader([]byte(c.text)), &bytes.Buffer{})); got != c.want {
			t.Errorf("%s: status %d", name, got)
		}
	}
	if got := status(runPprof(nil, nil, &bytes.Buffer{})); got != 2 {
		t.Errorf("no file: status %d", got)
	}
}
