package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	"google.golang.org/protobuf/proto"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sampleProfile is main → work (2 samples' worth) and main → rest.exe!0x2010 (1), at 97 Hz.
func sampleProfile() *profile.Profile {
	exe := &profile.Mapping{ID: 1, Start: 0x1000, Limit: 0x3000, File: "/usr/bin/rest.exe", BuildID: "beef"}
	functions := []*profile.Function{{ID: 1, Name: "main"}, {ID: 2, Name: "work"}}
	locations := []*profile.Location{
		{ID: 1, Mapping: exe, Address: 0x1010, Line: []profile.Line{{Function: functions[0]}}},
		{ID: 2, Mapping: exe, Address: 0x1020, Line: []profile.Line{{Function: functions[1]}}},
		{ID: 3, Mapping: exe, Address: 0x2010},
	}
	const period = 10309278
	return &profile.Profile{
		SampleType:    []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}},
		PeriodType:    &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:        period,
		TimeNanos:     noon.UnixNano(),
		DurationNanos: int64(15 * time.Second),
		Mapping:       []*profile.Mapping{exe},
		Function:      functions,
		Location:      locations,
		Sample: []*profile.Sample{
			{Location: []*profile.Location{locations[1], locations[0]}, Value: []int64{2 * period}},
			{Location: []*profile.Location{locations[2], locations[0]}, Value: []int64{period}},
		},
	}
}

func encode(t *testing.T, p *profile.Profile) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := p.Write(&buffer); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// decoded is the sample profile as the server's message, to be spoilt by a test.
func decoded(t *testing.T) *googlev1.Profile {
	t.Helper()
	plain, err := uncompressed(encode(t, sampleProfile()))
	if err != nil {
		t.Fatal(err)
	}
	var p googlev1.Profile
	if err := proto.Unmarshal(plain, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}
