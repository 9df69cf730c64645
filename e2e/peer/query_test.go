package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// oracle is a querier on the generated handler that has one profile, `a;b;e 1`, `a;c 2`, `a;c;d 1`, and the server's validation.
type oracle struct {
	querierv1connect.UnimplementedQuerierServiceHandler
	noRange bool // accepts a missing range
	flame   *querierv1.FlameGraph
}

var selectors = regexp.MustCompile(`^\{(\w+=~?"[^"]*")?\}$`)

func (o oracle) judge(start, end int64, matchers ...string) error {
	if (start <= 0 || end <= 0) && !o.noRange {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("a range is missing"))
	}
	if start > end {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("the range ends before it starts"))
	}
	for _, m := range matchers {
		if !selectors.MatchString(m) {
			return connect.NewError(connect.CodeInvalidArgument, errors.New("not a selector: "+m))
		}
	}
	return nil
}

func (o oracle) judgeStacks(profileType string, start, end int64, matcher string, maxNodes int64) error {
	if strings.Count(profileType, ":") != 4 || maxNodes < 0 || maxNodes > 1<<20 {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("a bad profile type or max_nodes"))
	}
	return o.judge(start, end, matcher)
}

func (o oracle) ProfileTypes(_ context.Context, r *connect.Request[querierv1.ProfileTypesRequest]) (*connect.Response[querierv1.ProfileTypesResponse], error) {
	if r.Msg.Start > r.Msg.End {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the range ends before it starts"))
	}
	return connect.NewResponse(&querierv1.ProfileTypesResponse{ProfileTypes: []*typesv1.ProfileType{{ID: "process_cpu:cpu:nanoseconds:cpu:nanoseconds"}}}), nil
}

func (o oracle) LabelNames(_ context.Context, r *connect.Request[typesv1.LabelNamesRequest]) (*connect.Response[typesv1.LabelNamesResponse], error) {
	return connect.NewResponse(&typesv1.LabelNamesResponse{Names: []string{"service_name"}}), o.judge(r.Msg.Start, r.Msg.End, r.Msg.Matchers...)
}

func (o oracle) LabelValues(_ context.Context, r *connect.Request[typesv1.LabelValuesRequest]) (*connect.Response[typesv1.LabelValuesResponse], error) {
	if r.Msg.Name == "" {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no name"))
	}
	return connect.NewResponse(&typesv1.LabelValuesResponse{Names: []string{"shop"}}), o.judge(r.Msg.Start, r.Msg.End, r.Msg.Matchers...)
}

func (o oracle) Series(_ context.Context, r *connect.Request[querierv1.SeriesRequest]) (*connect.Response[querierv1.SeriesResponse], error) {
	set := &typesv1.Labels{Labels: pairs("service_name", "shop")}
	return connect.NewResponse(&querierv1.SeriesResponse{LabelsSet: []*typesv1.Labels{set}}), o.judge(r.Msg.Start, r.Msg.End, r.Msg.Matchers...)
}

func (o oracle) SelectMergeStacktraces(_ context.Context, r *connect.Request[querierv1.SelectMergeStacktracesRequest]) (*connect.Response[querierv1.SelectMergeStacktracesResponse], error) {
	answer := &querierv1.SelectMergeStacktracesResponse{}
	switch r.Msg.Format {
	case querierv1.ProfileFormat_PROFILE_FORMAT_TREE:
		answer.Tree = []byte("\x00\x00\x01" + "\x01a\x00\x02" + "\x01c\x02\x01" + "\x01d\x01\x00" + "\x01b\x00\x01" + "\x01e\x01\x00")
	case querierv1.ProfileFormat_PROFILE_FORMAT_PPROF:
		answer.Pprof = &querierv1.PprofProfile{Profile: oracleProfile()}
	default:
		answer.Flamegraph = o.flame
	}
	return connect.NewResponse(answer), o.judgeStacks(r.Msg.ProfileTypeID, r.Msg.Start, r.Msg.End, r.Msg.LabelSelector, r.Msg.GetMaxNodes())
}

func (o oracle) SelectMergeProfile(_ context.Context, r *connect.Request[querierv1.SelectMergeProfileRequest]) (*connect.Response[googlev1.Profile], error) {
	return connect.NewResponse(oracleProfile()), o.judgeStacks(r.Msg.ProfileTypeID, r.Msg.Start, r.Msg.End, r.Msg.LabelSelector, r.Msg.GetMaxNodes())
}

func (o oracle) SelectSeries(_ context.Context, r *connect.Request[querierv1.SelectSeriesRequest]) (*connect.Response[querierv1.SelectSeriesResponse], error) {
	if r.Msg.Step <= 0 {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no step"))
	}
	series := &typesv1.Series{Points: []*typesv1.Point{{Value: 4, Timestamp: r.Msg.End}}}
	return connect.NewResponse(&querierv1.SelectSeriesResponse{Series: []*typesv1.Series{series}}), o.judgeStacks(r.Msg.ProfileTypeID, r.Msg.Start, r.Msg.End, r.Msg.LabelSelector, 0)
}

func oracleProfile() *googlev1.Profile {
	p := &googlev1.Profile{
		StringTable: []string{"", "cpu", "nanoseconds", "a", "b", "c", "d", "e"},
		SampleType:  []*googlev1.ValueType{{Type: 1, Unit: 2}},
		Sample: []*googlev1.Sample{
			{LocationId: []uint64{5, 2, 1}, Value: []int64{1}}, {LocationId: []uint64{3, 1}, Value: []int64{2}}, {LocationId: []uint64{4, 3, 1}, Value: []int64{1}},
		},
		Mapping: []*googlev1.Mapping{{Id: 1}},
	}
	for id := uint64(1); id <= 5; id++ {
		p.Function = append(p.Function, &googlev1.Function{Id: id, Name: int64(id) + 2})
		p.Location = append(p.Location, &googlev1.Location{Id: id, MappingId: 1, Line: []*googlev1.Line{{FunctionId: id}}})
	}
	return p
}

// answering runs the oracle and asks it; it gives the lines and the status.
func answering(t *testing.T, o oracle, run func([]string, *bytes.Buffer) error, args ...string) ([]map[string]any, int) {
	t.Helper()
	_, handler := querierv1connect.NewQuerierServiceHandler(o)
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	var out bytes.Buffer
	code := status(run(append([]string{"--url", server.URL}, args...), &out))
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	return lines, code
}

func query(args []string, out *bytes.Buffer) error  { return runQuery(args, nil, out) }
func matrix(args []string, out *bytes.Buffer) error { return runMatrix(args, nil, out) }

func TestQueryInEveryProtocol(t *testing.T) {
	lines, code := answering(t, oracle{flame: graph()}, query, "--protocol", "all", "--same")
	if code != 0 {
		t.Fatalf("status %d: %v", code, lines)
	}
	if want := len(queryCases)*(len(protocols)+1) + 1; len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	last := lines[len(lines)-1]
	if last["kind"] != "formats" || last["equal"] != true {
		t.Errorf("%v", last)
	}
}

func TestQueryShowsTheStacks(t *testing.T) {
	for _, name := range []string{"flamegraph", "tree", "pprof", "merge-profile"} {
		lines, code := answering(t, oracle{flame: graph()}, query, "--protocol", "json", name)
		got, _ := json.Marshal(lines[0]["result"].(map[string]any)["stacks"])
		if want := `[{"stack":["a","c"],"values":[2]},{"stack":["a","b","e"],"values":[1]},{"stack":["a","c","d"],"values":[1]}]`; code != 0 || string(got) != want {
			t.Errorf("%s: status %d, %s", name, code, got)
		}
	}
}

func TestQueryFailsForWhatIsWrong(t *testing.T) {
	spoilt := graph()
	spoilt.Total = 5
	less := &querierv1.FlameGraph{Names: []string{"total", "a"}, Levels: []*querierv1.Level{{Values: []int64{0, 4, 0, 0}}, {Values: []int64{0, 4, 4, 1}}}, Total: 4, MaxSelf: 4}
	for name, c := range map[string]struct {
		flame *querierv1.FlameGraph
		args  []string
		want  int
	}{
		"a server's error":             {graph(), []string{"--start", "0", "label-names"}, 1},
		"an invalid flame graph":       {spoilt, []string{"flamegraph"}, 1},
		"formats that differ":          {less, []string{"--same", "flamegraph", "tree"}, 1},
		"formats that differ, allowed": {less, []string{"flamegraph", "tree"}, 0},
		"no such case":                 {graph(), []string{"flames"}, 2},
		"no such protocol":             {graph(), []string{"--protocol", "thrift"}, 2},
	} {
		if lines, code := answering(t, oracle{flame: c.flame}, query, c.args...); code != c.want {
			t.Errorf("%s: status %d, %v", name, code, lines)
		}
	}
}

func TestMatrixAcceptsTheServersRules(t *testing.T) {
	lines, code := answering(t, oracle{flame: graph()}, matrix)
	for _, line := range lines {
		if line["ok"] == false {
			t.Errorf("%v", line)
		}
	}
	if code != 0 || len(lines) < 100 {
		t.Errorf("status %d, %d lines", code, len(lines))
	}
}

func TestMatrixNamesTheRowsThatDiffer(t *testing.T) {
	lines, code := answering(t, oracle{flame: graph(), noRange: true}, matrix)
	var failed []string
	for _, line := range lines {
		if line["ok"] == false {
			failed = append(failed, line["row"].(string))
		}
	}
	slices.Sort(failed)
	// Without an end the range is backwards, which is refused as such.
	if code != 1 || !slices.Equal(slices.Compact(failed), []string{"no range", "no start"}) {
		t.Errorf("status %d, %v", code, failed)
	}
}

func TestMatrixOfAnEmptyServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var out bytes.Buffer
	err := matrix([]string{"--url", server.URL}, &out)
	if !errors.Is(err, errWrong) || strings.Contains(out.String(), `"ok":true`) {
		t.Errorf("%v", err)
	}
}

func TestBearerIsSent(t *testing.T) {
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") }))
	defer server.Close()
	matrix([]string{"--url", server.URL, "--bearer", "secret"}, &bytes.Buffer{})
	if seen != "Bearer secret" {
		t.Errorf("%q", seen)
	}
}
