package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// digest is what a test wants to know of a profile, as google/pprof reads it.
type digest struct {
	SampleTypes   []string  `json:"sample_types"` // type/unit
	PeriodType    string    `json:"period_type"`
	Period        int64     `json:"period"`
	DurationNanos int64     `json:"duration_nanos"`
	TimeNanos     int64     `json:"time_nanos"`
	Samples       int       `json:"samples"`
	Sum           []int64   `json:"sum"`             // of the values, a sample type each
	SumOverPeriod []float64 `json:"sum_over_period"` // 0 where the period is 0
	MaxDepth      int       `json:"max_depth"`       // frames, inlined ones included
	Functions     []string  `json:"functions"`       // each name once, sorted
	Mappings      []mapping `json:"mappings"`
	CheckError    string    `json:"check_error"` // of decoding and of CheckValid
}

type mapping struct {
	File    string `json:"file"`
	BuildID string `json:"build_id"`
	Start   uint64 `json:"start"`
	Limit   uint64 `json:"limit"`
	Offset  uint64 `json:"offset"`
}

// mostUncompressed bounds what a compressed profile may become.
const mostUncompressed = 256 << 20

// uncompressed undoes gzip where its magic is.
func uncompressed(raw []byte) ([]byte, error) {
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, mostUncompressed+1))
	if err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	if len(plain) > mostUncompressed {
		return nil, fmt.Errorf("more than %d bytes uncompressed", mostUncompressed)
	}
	return plain, nil
}

// read decodes an uncompressed profile; the digest is of what could be read, its CheckError says what could not.
func read(plain []byte) (*profile.Profile, digest) {
	d := digest{SampleTypes: []string{}, Sum: []int64{}, SumOverPeriod: []float64{}, Functions: []string{}, Mappings: []mapping{}}
	p, err := profile.ParseUncompressed(plain)
	if err != nil {
		d.CheckError = err.Error()
		return nil, d
	}
	if err := p.CheckValid(); err != nil {
		d.CheckError = err.Error()
		return nil, d
	}
	for _, t := range p.SampleType {
		d.SampleTypes = append(d.SampleTypes, t.Type+"/"+t.Unit)
	}
	if p.PeriodType != nil {
		d.PeriodType = p.PeriodType.Type + "/" + p.PeriodType.Unit
	}
	d.Period, d.DurationNanos, d.TimeNanos, d.Samples = p.Period, p.DurationNanos, p.TimeNanos, len(p.Sample)
	d.Sum = make([]int64, len(p.SampleType))
	for _, sample := range p.Sample {
		for i, value := range sample.Value {
			d.Sum[i] += value
		}
		d.MaxDepth = max(d.MaxDepth, len(rootFirst(sample)))
	}
	for _, sum := range d.Sum {
		over := 0.0
		if p.Period != 0 {
			over = float64(sum) / float64(p.Period)
		}
		d.SumOverPeriod = append(d.SumOverPeriod, over)
	}
	for _, f := range p.Function {
		d.Functions = append(d.Functions, f.Name)
	}
	slices.Sort(d.Functions)
	d.Functions = slices.Compact(d.Functions)
	for _, m := range p.Mapping {
		d.Mappings = append(d.Mappings, mapping{m.File, m.BuildID, m.Start, m.Limit, m.Offset})
	}
	return p, d
}

// rootFirst is a sample's stack, inlined frames included. A frame without a name is `file!0xaddress`.
func rootFirst(sample *profile.Sample) []string {
	var names []string
	for _, location := range slices.Backward(sample.Location) {
		if len(location.Line) == 0 {
			file := ""
			if location.Mapping != nil {
				file = location.Mapping.File
			}
			names = append(names, fmt.Sprintf("%s!0x%x", file[strings.LastIndexByte(file, '/')+1:], location.Address))
		}
		for _, line := range slices.Backward(location.Line) {
			name := ""
			if line.Function != nil {
				name = line.Function.Name
			}
			names = append(names, name)
		}
	}
	return names
}

// folded is one distinct stack with the sums of its values.
type folded struct {
	Stack  []string `json:"stack"` // root first
	Values []int64  `json:"values"`
}

// fold merges equal stacks and sorts by the first value, the greatest first.
func fold(stacks []folded) []folded {
	sums := map[string]int{}
	merged := []folded{}
	for _, s := range stacks {
		key := strings.Join(s.Stack, "\x00")
		at, known := sums[key]
		if !known {
			sums[key] = len(merged)
			merged = append(merged, folded{s.Stack, slices.Clone(s.Values)})
			continue
		}
		for i, value := range s.Values {
			merged[at].Values[i] += value
		}
	}
	slices.SortFunc(merged, func(a, b folded) int {
		if len(a.Values) > 0 && len(b.Values) > 0 && a.Values[0] != b.Values[0] {
			if a.Values[0] > b.Values[0] {
				return -1
			}
			return 1
		}
		return slices.Compare(a.Stack, b.Stack)
	})
	return merged
}

func foldProfile(p *profile.Profile) []folded {
	stacks := make([]folded, 0, len(p.Sample))
	for _, sample := range p.Sample {
		stacks = append(stacks, folded{rootFirst(sample), sample.Value})
	}
	return fold(stacks)
}

// tags sums the first value of samples by label and text, as `go tool pprof -tags` shows them.
func tags(p *profile.Profile) map[string]map[string]int64 {
	sums := map[string]map[string]int64{}
	for _, sample := range p.Sample {
		for name, texts := range sample.Label {
			if sums[name] == nil {
				sums[name] = map[string]int64{}
			}
			for _, text := range texts {
				sums[name][text] += sample.Value[0]
			}
		}
	}
	return sums
}
