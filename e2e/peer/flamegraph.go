package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
)

// A flame graph is rows from the root down. A node is four numbers: the gap between the end of the node to its left and its own
// beginning, its total, its self, and the index of its name; the first row is one node that spans all. A node's own share is
// drawn at its left, the children follow.

type flameNode struct {
	begin, total, self int64
	parent             int // in the row above
	name               string
	children           int64 // sum of their totals
}

// readFlamegraph gives the stacks of a flame graph, without its root node, and all that its drawing would stumble over.
func readFlamegraph(f *querierv1.FlameGraph) (stacks []folded, problems []string) {
	wrong := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	if f == nil {
		return nil, []string{"there is no flame graph"}
	}
	if len(f.Names) == 0 || f.Names[0] != "total" {
		wrong("the first name is not `total`")
	}
	var rows [][]flameNode
	maxSelf := int64(0)
	for level, values := range f.Levels {
		row, err := readLevel(f, level, values.GetValues(), rows)
		if err != nil {
			wrong("level %d: %v", level, err)
			break
		}
		for _, node := range row {
			maxSelf = max(maxSelf, node.self)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 || len(rows[0]) != 1 {
		wrong("the first level is not one node")
	} else if root := rows[0][0]; root.total != f.Total {
		wrong("the root's total is %d, the graph's %d", root.total, f.Total)
	}
	if maxSelf != f.MaxSelf {
		wrong("max_self is %d, the greatest self %d", f.MaxSelf, maxSelf)
	}
	for level, row := range rows {
		for at, node := range row {
			if node.self+node.children != node.total {
				wrong("level %d, `%s`: self %d and children %d are not the total %d", level, node.name, node.self, node.children, node.total)
			}
			if node.self == 0 || level == 0 {
				continue
			}
			var stack []string
			for up, i := level, at; up > 0; up-- {
				stack = append(stack, rows[up][i].name)
				i = rows[up][i].parent
			}
			slices.Reverse(stack)
			stacks = append(stacks, folded{stack, []int64{node.self}})
		}
	}
	return fold(stacks), problems
}

// readLevel places the nodes of a row under those of the row above, whose sums of children it fills.
func readLevel(f *querierv1.FlameGraph, level int, values []int64, above [][]flameNode) ([]flameNode, error) {
	if len(values)%4 != 0 {
		return nil, fmt.Errorf("%d numbers are not a multiple of four", len(values))
	}
	var row []flameNode
	parent, edge := 0, int64(0)
	for v := range slices.Chunk(values, 4) {
		gap, total, self, name := v[0], v[1], v[2], v[3]
		if gap < 0 || total < 0 || self < 0 || self > total {
			return nil, fmt.Errorf("a node of gap %d, total %d, self %d", gap, total, self)
		}
		if name < 0 || name >= int64(len(f.Names)) {
			return nil, fmt.Errorf("name %d of %d", name, len(f.Names))
		}
		node := flameNode{begin: edge + gap, total: total, self: self, name: f.Names[name]}
		edge = node.begin + total
		if level > 0 {
			up := above[level-1]
			for parent < len(up) && up[parent].begin+up[parent].total <= node.begin && total > 0 {
				parent++
			}
			if parent == len(up) || node.begin < up[parent].begin+up[parent].self || edge > up[parent].begin+up[parent].total {
				return nil, fmt.Errorf("`%s` at %d to %d lies under no node", node.name, node.begin, edge)
			}
			node.parent = parent
			up[parent].children += total
		}
		row = append(row, node)
	}
	return row, nil
}

var errTree = errors.New("the tree ends early")

// readTree gives the stacks of the TREE format: a node is the length of its name, the name, its self and its number of children;
// the first one is a nameless root, and of the children the last one comes first, each with all that is below it.
func readTree(tree []byte) ([]folded, error) {
	var stacks []folded
	number := func() (int, error) {
		value, width := binary.Uvarint(tree)
		if width <= 0 || value > 1<<62 {
			return 0, errTree
		}
		tree = tree[width:]
		return int(value), nil
	}
	var node func(path []string) error
	node = func(path []string) error {
		length, err := number()
		if err != nil || length > len(tree) {
			return errTree
		}
		name := string(tree[:length])
		tree = tree[length:]
		self, err := number()
		if err != nil {
			return err
		}
		children, err := number()
		if err != nil || children > len(tree) {
			return errTree
		}
		if path != nil {
			path = append(path, name)
		} else {
			path = []string{}
		}
		if self > 0 {
			stacks = append(stacks, folded{slices.Clone(path), []int64{int64(self)}})
		}
		for range children {
			if err := node(path); err != nil {
				return err
			}
		}
		return nil
	}
	if len(tree) == 0 {
		return []folded{}, nil
	}
	if err := node(nil); err != nil {
		return nil, err
	}
	if len(tree) > 0 {
		return nil, fmt.Errorf("%d bytes after the tree", len(tree))
	}
	return fold(stacks), nil
}
