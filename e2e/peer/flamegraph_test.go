package main

import (
	"fmt"
	"strings"
	"testing"

	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
)

// words writes stacks as `a;b 1, c 2`.
func words(stacks []folded) string {
	var text []string
	for _, s := range stacks {
		text = append(text, fmt.Sprintf("%s %d", strings.Join(s.Stack, ";"), s.Values[0]))
	}
	return strings.Join(text, ", ")
}

// graph is the flame graph of `a;b;e 1`, `a;c 2`, `a;c;d 1`.
func graph() *querierv1.FlameGraph {
	return &querierv1.FlameGraph{
		Names: []string{"total", "a", "c", "d", "b", "e"},
		Levels: []*querierv1.Level{
			{Values: []int64{0, 4, 0, 0}},
			{Values: []int64{0, 4, 0, 1}},
			{Values: []int64{0, 1, 0, 4, 0, 3, 2, 2}},
			{Values: []int64{0, 1, 1, 5, 2, 1, 1, 3}},
		},
		Total: 4, MaxSelf: 2,
	}
}

func TestFlamegraph(t *testing.T) {
	stacks, problems := readFlamegraph(graph())
	if got := words(stacks); got != "a;c 2, a;b;e 1, a;c;d 1" || len(problems) > 0 {
		t.Errorf("%s %v", got, problems)
	}
}

func TestEmptyFlamegraph(t *testing.T) {
	stacks, problems := readFlamegraph(&querierv1.FlameGraph{Names: []string{"total"}, Levels: []*querierv1.Level{{Values: []int64{0, 0, 0, 0}}}})
	if len(stacks) > 0 || len(problems) > 0 {
		t.Errorf("%v %v", stacks, problems)
	}
}

func TestFlamegraphsThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*querierv1.FlameGraph)
		want  string
	}{
		"first name":        {func(f *querierv1.FlameGraph) { f.Names[0] = "all" }, "first name"},
		"no levels":         {func(f *querierv1.FlameGraph) { f.Levels = nil }, "first level is not one node"},
		"a number missing":  {func(f *querierv1.FlameGraph) { f.Levels[2].Values = f.Levels[2].Values[:7] }, "level 2: 7 numbers"},
		"name out of range": {func(f *querierv1.FlameGraph) { f.Levels[1].Values[3] = 6 }, "level 1: name 6 of 6"},
		"child too wide":    {func(f *querierv1.FlameGraph) { f.Levels[3].Values[1] = 2 }, "lies under no node"},
		"child in the self": {func(f *querierv1.FlameGraph) { f.Levels[3].Values[4] = 1 }, "lies under no node"},
		"self too great":    {func(f *querierv1.FlameGraph) { f.Levels[2].Values[2] = 2 }, "a node of gap 0, total 1, self 2"},
		"sum":               {func(f *querierv1.FlameGraph) { f.Levels[2].Values[2] = 1 }, "are not the total"},
		"total":             {func(f *querierv1.FlameGraph) { f.Total = 5 }, "the root's total is 4, the graph's 5"},
		"max self":          {func(f *querierv1.FlameGraph) { f.MaxSelf = 1 }, "max_self is 1"},
	} {
		f := graph()
		c.spoil(f)
		if _, problems := readFlamegraph(f); !strings.Contains(strings.Join(problems, "\n"), c.want) {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestTree(t *testing.T) {
	// root → a(0) → [b(0) → e(1), c(2) → d(1)]; the last child comes first.
	tree := "\x00\x00\x01" + "\x01a\x00\x02" + "\x01c\x02\x01" + "\x01d\x01\x00" + "\x01b\x00\x01" + "\x01e\x01\x00"
	stacks, err := readTree([]byte(tree))
	if got := words(stacks); err != nil || got != "a;c 2, a;b;e 1, a;c;d 1" {
		t.Errorf("%s, %v", got, err)
	}
	if stacks, err := readTree(nil); err != nil || len(stacks) > 0 {
		t.Errorf("empty: %v, %v", stacks, err)
	}
	for cut := 1; cut < len(tree); cut++ {
		if _, err := readTree([]byte(tree[:cut])); err == nil {
			t.Errorf("read although cut at %d", cut)
		}
	}
	_, err = readTree([]byte(tree + "\x00"))
	check(t, err, "1 bytes after the tree")
}
