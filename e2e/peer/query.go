package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"golang.org/x/net/http2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// question is what all cases are asked about.
type question struct {
	profileType, selector string
	start, end            int64 // unix milliseconds
	label                 string
	groupBy               []string
	step                  float64 // seconds
	maxNodes              int64
}

func (q *question) flags(flags *flag.FlagSet) {
	now := time.Now()
	flags.StringVar(&q.profileType, "type", "process_cpu:cpu:nanoseconds:cpu:nanoseconds", "profile type `id`")
	flags.StringVar(&q.selector, "selector", "{}", "label `selector`")
	flags.Int64Var(&q.start, "start", now.Add(-time.Hour).UnixMilli(), "unix `ms`; an hour ago")
	flags.Int64Var(&q.end, "end", now.UnixMilli(), "unix `ms`; now")
	flags.StringVar(&q.label, "label", "service_name", "label `name` for label-values and series")
}

// stacksAnswer is the part of an answer that all formats of stacks have in common.
type stacksAnswer struct {
	Total    int64    `json:"total"` // of the first value
	Stacks   []folded `json:"stacks"`
	Problems []string `json:"problems"` // why it is not a valid answer
	Digest   *digest  `json:"digest,omitempty"`
}

type queryCase struct {
	name string
	ask  func(context.Context, querierv1connect.QuerierServiceClient, question) (any, error)
}

var queryCases = []queryCase{
	{"profile-types", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		return plainAnswer(c.ProfileTypes(ctx, connect.NewRequest(&querierv1.ProfileTypesRequest{Start: q.start, End: q.end})))
	}},
	{"label-names", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		return plainAnswer(c.LabelNames(ctx, connect.NewRequest(&typesv1.LabelNamesRequest{Matchers: []string{q.selector}, Start: q.start, End: q.end})))
	}},
	{"label-values", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		return plainAnswer(c.LabelValues(ctx, connect.NewRequest(&typesv1.LabelValuesRequest{Name: q.label, Matchers: []string{q.selector}, Start: q.start, End: q.end})))
	}},
	{"series", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		return plainAnswer(c.Series(ctx, connect.NewRequest(&querierv1.SeriesRequest{Matchers: []string{q.selector}, LabelNames: []string{q.label, "__profile_type__"}, Start: q.start, End: q.end})))
	}},
	{"select-series", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		return plainAnswer(c.SelectSeries(ctx, connect.NewRequest(&querierv1.SelectSeriesRequest{ProfileTypeID: q.profileType, LabelSelector: q.selector, Start: q.start, End: q.end, GroupBy: q.groupBy, Step: q.step})))
	}},
	{"flamegraph", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		answer, err := c.SelectMergeStacktraces(ctx, q.stacktraces(querierv1.ProfileFormat_PROFILE_FORMAT_FLAMEGRAPH))
		if err != nil {
			return nil, err
		}
		stacks, problems := readFlamegraph(answer.Msg.GetFlamegraph())
		return newStacksAnswer(stacks, problems), nil
	}},
	{"tree", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		answer, err := c.SelectMergeStacktraces(ctx, q.stacktraces(querierv1.ProfileFormat_PROFILE_FORMAT_TREE))
		if err != nil {
			return nil, err
		}
		stacks, err := readTree(answer.Msg.GetTree())
		if err != nil {
			return newStacksAnswer(nil, []string{err.Error()}), nil
		}
		return newStacksAnswer(stacks, nil), nil
	}},
	{"pprof", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		answer, err := c.SelectMergeStacktraces(ctx, q.stacktraces(querierv1.ProfileFormat_PROFILE_FORMAT_PPROF))
		if err != nil {
			return nil, err
		}
		if answer.Msg.GetPprof().GetProfile() == nil {
			return newStacksAnswer(nil, []string{"there is no profile"}), nil
		}
		return profileAnswer(answer.Msg.GetPprof().GetProfile())
	}},
	{"merge-profile", func(ctx context.Context, c querierv1connect.QuerierServiceClient, q question) (any, error) {
		answer, err := c.SelectMergeProfile(ctx, connect.NewRequest(&querierv1.SelectMergeProfileRequest{ProfileTypeID: q.profileType, LabelSelector: q.selector, Start: q.start, End: q.end}))
		if err != nil {
			return nil, err
		}
		return profileAnswer(answer.Msg)
	}},
}

func (q question) stacktraces(format querierv1.ProfileFormat) *connect.Request[querierv1.SelectMergeStacktracesRequest] {
	return connect.NewRequest(&querierv1.SelectMergeStacktracesRequest{
		ProfileTypeID: q.profileType, LabelSelector: q.selector, Start: q.start, End: q.end, Format: format, MaxNodes: &q.maxNodes,
	})
}

// plainAnswer is a message as JSON.
func plainAnswer[T any, M interface {
	*T
	proto.Message
}](answer *connect.Response[T], err error) (any, error) {
	if err != nil {
		return nil, err
	}
	text, err := protojson.Marshal(M(answer.Msg))
	if err != nil {
		return nil, err
	}
	// protojson varies its white space from build to build.
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	return json.RawMessage(compact.Bytes()), nil
}

func newStacksAnswer(stacks []folded, problems []string) stacksAnswer {
	a := stacksAnswer{Stacks: append([]folded{}, stacks...), Problems: append([]string{}, problems...)}
	for _, s := range stacks {
		if len(s.Values) > 0 {
			a.Total += s.Values[0]
		}
	}
	return a
}

func profileAnswer(message *googlev1.Profile) (any, error) {
	plain, err := proto.Marshal(message)
	if err != nil {
		return nil, err
	}
	if len(message.GetSample()) == 0 {
		// An empty result need not have the types without which google/pprof refuses it.
		return newStacksAnswer(nil, nil), nil
	}
	p, d := read(plain)
	if p == nil {
		return newStacksAnswer(nil, []string{d.CheckError}), nil
	}
	a := newStacksAnswer(foldProfile(p), nil)
	a.Digest = &d
	return a, nil
}

// protocol is a way to speak to the same service.
type protocol struct {
	name    string
	h2c     bool
	options []connect.ClientOption
}

var protocols = []protocol{
	{"connect", false, nil},
	{"json", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"connect-h2c", true, nil},
	{"grpc", true, []connect.ClientOption{connect.WithGRPC()}},
	{"connect-gzip", false, []connect.ClientOption{connect.WithSendGzip()}},
	{"json-gzip", false, []connect.ClientOption{connect.WithProtoJSON(), connect.WithSendGzip()}},
	{"grpc-gzip", true, []connect.ClientOption{connect.WithGRPC(), connect.WithSendGzip()}},
	{"grpc-web", false, []connect.ClientOption{connect.WithGRPCWeb()}},
}

// transport speaks HTTP/1.1, or HTTP/2 without TLS from the first byte.
func transport(overHTTP2 bool, bearer string) http.RoundTripper {
	var base http.RoundTripper = http.DefaultTransport
	if overHTTP2 {
		base = &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}
	}
	if bearer == "" {
		return base
	}
	return authorized{base, bearer}
}

type authorized struct {
	base   http.RoundTripper
	bearer string
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.bearer)
	return a.base.RoundTrip(r)
}

// runQuery prints a line a case and protocol, then a line a case that says whether its protocols agree, then one that says
// whether all formats have the same stacks.
func runQuery(args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("peer query CASE...", flag.ContinueOnError)
	var q question
	q.flags(flags)
	url := flags.String("url", "", "the server's `URL`")
	bearer := flags.String("bearer", "", "bearer `token`")
	spoken := flags.String("protocol", "connect,json,connect-h2c,grpc", "`list` of protocols, or all")
	groupBy := flags.String("group-by", "", "comma-separated `labels` for select-series")
	same := flags.Bool("same", false, "status 1 also if protocols or formats disagree (for a range that gets no more data)")
	flags.Float64Var(&q.step, "step", 15, "`seconds` a point of select-series")
	flags.Int64Var(&q.maxNodes, "max-nodes", 1<<20, "of flamegraph and tree")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *url == "" {
		return errUsage{fmt.Errorf("--url is missing")}
	}
	if *groupBy != "" {
		q.groupBy = strings.Split(*groupBy, ",")
	}
	cases, err := choose(rest, queryCases, func(c queryCase) string { return c.name })
	if err != nil {
		return err
	}
	ways, err := choose(strings.Split(*spoken, ","), protocols, func(p protocol) string { return p.name })
	if err != nil {
		return err
	}
	good, agree := true, true
	var shapes []string
	for _, c := range cases {
		var answers []string
		for _, way := range ways {
			client := querierv1connect.NewQuerierServiceClient(&http.Client{Transport: transport(way.h2c, *bearer), Timeout: time.Minute}, *url, way.options...)
			began := time.Now()
			answer, err := c.ask(context.Background(), client, q)
			line := map[string]any{"case": c.name, "protocol": way.name, "millis": time.Since(began).Milliseconds(), "result": answer}
			if err != nil {
				line["error"] = map[string]string{"code": connect.CodeOf(err).String(), "message": err.Error()}
				good = false
			}
			if s, ok := answer.(stacksAnswer); ok {
				good = good && len(s.Problems) == 0
				text, _ := json.Marshal(firstValues(s.Stacks))
				shapes = append(shapes, string(text))
			}
			if err := printLine(out, line); err != nil {
				return err
			}
			text, _ := json.Marshal(answer)
			answers = append(answers, string(text))
		}
		equal := len(slices.Compact(answers)) <= 1
		agree = agree && equal
		if err := printLine(out, map[string]any{"kind": "protocols", "case": c.name, "equal": equal}); err != nil {
			return err
		}
	}
	if len(shapes) > 0 {
		equal := len(slices.Compact(shapes)) == 1
		agree = agree && equal
		if err := printLine(out, map[string]any{"kind": "formats", "equal": equal}); err != nil {
			return err
		}
	}
	if !good || *same && !agree {
		return errWrong
	}
	return nil
}

// firstValues is the stacks by their first value alone, those without one left out, in an order of their own.
func firstValues(stacks []folded) []folded {
	var kept []folded
	for _, s := range stacks {
		if len(s.Values) > 0 && s.Values[0] != 0 {
			kept = append(kept, folded{s.Stack, s.Values[:1]})
		}
	}
	return fold(kept)
}

// choose picks by name, all for no names or for `all`.
func choose[T any](names []string, from []T, name func(T) string) ([]T, error) {
	if len(names) == 0 || slices.Equal(names, []string{"all"}) {
		return from, nil
	}
	var chosen []T
	for _, wanted := range names {
		at := slices.IndexFunc(from, func(t T) bool { return name(t) == wanted })
		if at < 0 {
			var known []string
			for _, t := range from {
				known = append(known, name(t))
			}
			return nil, errUsage{fmt.Errorf("there is no `%s`, but %s", wanted, strings.Join(known, ", "))}
		}
		chosen = append(chosen, from[at])
	}
	return chosen, nil
}
