package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// lockedBuffer collects lines while the server runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// rig is a running server and what it wrote.
type rig struct {
	*httptest.Server
	srv    *server
	lines  *lockedBuffer
	folder string
}

func start(t *testing.T, steps string, change func(*server)) rig {
	t.Helper()
	s, err := parseScript(steps)
	if err != nil {
		t.Fatal(err)
	}
	r := rig{lines: &lockedBuffer{}, folder: t.TempDir()}
	r.srv = newServer(newRecorder(r.lines, r.folder), s, &realLimits, func() time.Time { return noon })
	if change != nil {
		change(r.srv)
	}
	r.Server = httptest.NewServer(r.srv)
	t.Cleanup(r.Close)
	return r
}

// of gives the lines of a kind, once all requests have ended.
func (r rig) of(t *testing.T, kind string) []map[string]any {
	t.Helper()
	r.Close()
	var found []map[string]any
	for line := range strings.Lines(r.lines.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["kind"] == kind {
			found = append(found, m)
		}
	}
	return found
}

func message(t *testing.T, profiles ...*profile.Profile) *pushv1.PushRequest {
	t.Helper()
	series := &pushv1.RawProfileSeries{Labels: pairs("__name__", "process_cpu", "service_name", "shop")}
	for _, p := range profiles {
		series.Samples = append(series.Samples, &pushv1.RawSample{RawProfile: encode(t, p), ID: "id"})
	}
	return &pushv1.PushRequest{Series: []*pushv1.RawProfileSeries{series}}
}

func (r rig) push(t *testing.T, m *pushv1.PushRequest, options ...connect.ClientOption) error {
	t.Helper()
	client := pushv1connect.NewPusherServiceClient(r.Client(), r.URL, options...)
	_, err := client.Push(context.Background(), connect.NewRequest(m))
	return err
}

func expect(t *testing.T, line map[string]any, want map[string]any) {
	t.Helper()
	for key, value := range want {
		got, _ := json.Marshal(line[key])
		var plain any // through JSON, so that objects have their keys in one order
		text, _ := json.Marshal(value)
		json.Unmarshal(text, &plain)
		wanted, _ := json.Marshal(plain)
		if !bytes.Equal(got, wanted) {
			t.Errorf("%s: got %s, want %s", key, got, wanted)
		}
	}
}

func TestAcceptedPushIsRecorded(t *testing.T) {
	r := start(t, "ok", nil)
	if err := r.push(t, message(t, sampleProfile()), connect.WithSendGzip()); err != nil {
		t.Fatal(err)
	}
	requests, profiles := r.of(t, "request"), r.of(t, "profile")
	if len(requests) != 1 || len(profiles) != 1 {
		t.Fatalf("%d requests, %d profiles", len(requests), len(profiles))
	}
	expect(t, requests[0], map[string]any{"status": 200, "profiles": 1, "behaviour": "ok", "error": "", "method": "POST", "proto": "HTTP/1.1"})
	expect(t, profiles[0], map[string]any{
		"accepted": true, "error": "", "check_error": "", "id": "id",
		"labels":       map[string]string{"__name__": "process_cpu", "service_name": "shop"},
		"sample_types": []string{"cpu/nanoseconds"}, "period_type": "cpu/nanoseconds", "period": 10309278,
		"duration_nanos": int64(15e9), "time_nanos": noon.UnixNano(), "samples": 2, "sum": []int64{3 * 10309278},
		"sum_over_period": []float64{3}, "max_depth": 2, "functions": []string{"main", "work"},
		"mappings": []mapping{{File: "/usr/bin/rest.exe", BuildID: "beef", Start: 0x1000, Limit: 0x3000}},
	})
	headers := profiles[0]["headers"].(map[string]any)
	expect(t, headers, map[string]any{"content-encoding": "gzip", "connect-protocol-version": "1", "content-type": "application/proto"})
	if profiles[0]["body_bytes"].(float64) == profiles[0]["body_bytes_uncompressed"].(float64) {
		t.Error("the size on the wire is not the compressed one")
	}
	saved, err := os.ReadFile(filepath.Join(r.folder, "1.pb.gz"))
	if err != nil || !bytes.Equal(saved, encode(t, sampleProfile())) {
		t.Errorf("the saved profile differs: %v", err)
	}
}

func TestPushAsJSON(t *testing.T) {
	r := start(t, "ok", nil)
	if err := r.push(t, message(t, sampleProfile()), connect.WithProtoJSON()); err != nil {
		t.Fatal(err)
	}
	expect(t, r.of(t, "profile")[0], map[string]any{"accepted": true, "sum_over_period": []float64{3}})
}

func TestEachProfileIsJudgedByItself(t *testing.T) {
	r := start(t, "ok", nil)
	old := sampleProfile()
	old.TimeNanos -= int64(2 * time.Hour)
	err := r.push(t, message(t, old, sampleProfile()))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("got %v", err)
	}
	check(t, err, "push series with index 0 and id id failed: not_in_ingestion_window")
	profiles := r.of(t, "profile")
	expect(t, profiles[0], map[string]any{"accepted": false})
	expect(t, profiles[1], map[string]any{"accepted": true})
	expect(t, r.of(t, "request")[0], map[string]any{"status": 400})
	summary, _ := r.srv.recorder.finish()
	if summary.Accepted != 1 || summary.Refused != 1 || summary.SumOverPeriod != 3 || summary.ByStatus[400] != 1 {
		t.Errorf("%+v", summary)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	garbage := message(t)
	garbage.Series[0].Samples = []*pushv1.RawSample{{RawProfile: []byte("\xff\xff not a profile")}}
	noGzip := message(t)
	noGzip.Series[0].Samples = []*pushv1.RawSample{{RawProfile: []byte("\x1f\x8b broken")}}
	badLabels := message(t, sampleProfile())
	badLabels.Series[0].Labels = []*typesv1.LabelPair{{Name: "service_name", Value: "s"}}
	for name, m := range map[string]*pushv1.PushRequest{
		"no series": {}, "not pprof": garbage, "broken gzip": noGzip, "no name": badLabels,
	} {
		t.Run(name, func(t *testing.T) {
			err := start(t, "ok", nil).push(t, m)
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckValidIsReported(t *testing.T) {
	// google/pprof refuses a sample whose location does not exist; the server's own rules do not look.
	p := decoded(t)
	p.Sample[0].LocationId = []uint64{77}
	plain, err := p.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	m := message(t)
	m.Series[0].Samples = []*pushv1.RawSample{{RawProfile: plain}}
	r := start(t, "ok", nil)
	if err := r.push(t, m); err != nil {
		t.Fatal(err)
	}
	line := r.of(t, "profile")[0]
	if line["check_error"] == "" {
		t.Errorf("no error: %v", line)
	}
	summary, _ := r.srv.recorder.finish()
	if summary.CheckErrors != 1 {
		t.Errorf("%+v", summary)
	}
	// What came without compression is saved compressed, under a name that says so.
	saved, _ := os.ReadFile(filepath.Join(r.folder, "1.pb.gz"))
	reader, err := gzip.NewReader(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := io.ReadAll(reader); !bytes.Equal(again, plain) {
		t.Error("the saved profile differs")
	}
}

func TestRateLimitRefusesTheWholePush(t *testing.T) {
	r := start(t, "ok", func(s *server) { s.bucket.left = 10 })
	err := r.push(t, message(t, sampleProfile()))
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("got %v", err)
	}
	expect(t, r.of(t, "profile")[0], map[string]any{"accepted": false})
	expect(t, r.of(t, "request")[0], map[string]any{"status": 429})
}

func TestWithoutLimits(t *testing.T) {
	r := start(t, "ok", func(s *server) { s.limits, s.bucket = nil, nil })
	old := sampleProfile()
	old.TimeNanos = 1
	if err := r.push(t, message(t, old)); err != nil {
		t.Error(err)
	}
}

func TestAuthorization(t *testing.T) {
	for _, c := range []struct {
		user, bearer, header string
		status               int
	}{
		{"", "", "", 200},
		{"me:secret", "", "Basic bWU6c2VjcmV0", 200},
		{"me:secret", "", "Basic bWU6d3Jvbmc=", 401},
		{"me:secret", "", "Bearer me:secret", 401},
		{"me:secret", "", "", 401},
		{"", "token", "Bearer token", 200},
		{"", "token", "Bearer other", 401},
		{"", "token", "Basic OnRva2Vu", 401},
		{"", "token", "", 401},
		{"", "token", "Bearer ", 401},
	} {
		r := start(t, "ok", func(s *server) { s.user, s.bearer = c.user, c.bearer })
		request, _ := http.NewRequest("POST", r.URL+"/push.v1.PusherService/Push", strings.NewReader(`{"series":[]}`))
		request.Header.Set("Content-Type", "application/json")
		if c.header != "" {
			request.Header.Set("Authorization", c.header)
		}
		answer, err := r.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		// A request without series is let through and then refused with 400.
		if got := answer.StatusCode; got != c.status && !(c.status == 200 && got == 400) {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}

func TestScriptedAnswers(t *testing.T) {
	for step, want := range map[string]struct {
		status           int
		kind, body, wait string
	}{
		"401":         {401, "application/json", `{"code":"unauthenticated","message":"invalid credentials"}`, ""},
		"413":         {413, "application/json", `{"code":"invalid_argument","message":"request body too large"}`, ""},
		"429":         {429, "application/json", `{"code":"resource_exhausted","message":"push rate limit (4 MB) exceeded"}`, ""},
		"429-after=7": {429, "application/json", `{"code":"resource_exhausted","message":"push rate limit (4 MB) exceeded"}`, "7"},
		"500":         {500, "application/json", `{"code":"internal","message":"failed to write the profile"}`, ""},
		"503-plain":   {503, "text/plain; charset=utf-8", "upstream connect error or disconnect/reset before headers", ""},
		"400-plain":   {400, "text/plain; charset=utf-8", "Bad Request", ""},
		"slow=20":     {200, "application/proto", "", ""},
	} {
		t.Run(step, func(t *testing.T) {
			r := start(t, step, nil)
			body, err := message(t, sampleProfile()).MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			answer, err := http.Post(r.URL+"/push.v1.PusherService/Push", "application/proto", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != want.status || answer.Header.Get("Content-Type") != want.kind ||
				strings.TrimSpace(string(text)) != want.body || answer.Header.Get("Retry-After") != want.wait {
				t.Errorf("got %d %s %q %q", answer.StatusCode, answer.Header.Get("Content-Type"), text, answer.Header.Get("Retry-After"))
			}
			if step == "slow=20" && time.Since(began) < 20*time.Millisecond {
				t.Error("not slow")
			}
			// What was refused is recorded all the same, so that a test can tell retries from losses.
			expect(t, r.of(t, "profile")[0], map[string]any{"accepted": want.status == 200, "behaviour": step, "sum_over_period": []float64{3}})
			expect(t, r.of(t, "request")[0], map[string]any{"status": want.status})
		})
	}
}

func TestHangLastsUntilTheClientLeaves(t *testing.T) {
	r := start(t, "hang", nil)
	client := pushv1connect.NewPusherServiceClient(r.Client(), r.URL)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Push(ctx, connect.NewRequest(message(t, sampleProfile())))
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("got %v", err)
	}
	expect(t, r.of(t, "request")[0], map[string]any{"status": 0, "behaviour": "hang"})
}

func TestResetIsSeenByTheClientAsOne(t *testing.T) {
	r := start(t, "reset", nil)
	body, _ := message(t, sampleProfile()).MarshalVT()
	answer, err := http.Post(r.URL+"/push.v1.PusherService/Push", "application/proto", bytes.NewReader(body))
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestOtherPaths(t *testing.T) {
	r := start(t, "ok", nil)
	for path, want := range map[string]int{"/ready": 200, "/other": 404, "/push.v1.PusherService/Push": 405} {
		answer, err := r.Client().Get(r.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, answer.StatusCode, want)
		}
	}
}
