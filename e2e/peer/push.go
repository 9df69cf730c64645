package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// mostBody is the server's limit of a request's body.
const mostBody = 256 << 20

// server answers pushes: authorization, then the script, then the generated handler with the limits.
type server struct {
	recorder *recorder
	script   *script
	limits   *limits // nil: none
	bucket   *bucket // nil: none
	user     string  // user:password for basic authorization, "" for none
	bearer   string
	handler  http.Handler
	now      func() time.Time
}

// exchange is one request on its way through the server.
type exchange struct {
	line requestLine
	body []byte
}

type exchangeKey struct{}

func newServer(r *recorder, s *script, l *limits, now func() time.Time) *server {
	srv := &server{recorder: r, script: s, limits: l, now: now}
	if l != nil {
		srv.bucket = newBucket(*l, now())
	}
	_, srv.handler = pushv1connect.NewPusherServiceHandler(srv, connect.WithReadMaxBytes(mostBody))
	return srv
}

// ServeHTTP reads the whole request, so that its size is known and a failure is answered only when the client has sent all.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ready" {
		io.WriteString(w, "ready\n")
		return
	}
	if r.URL.Path != pushv1connect.PusherServicePushProcedure {
		http.NotFound(w, r)
		return
	}
	began := s.now()
	x := &exchange{line: requestLine{Request: s.recorder.beginRequest(), Time: began, Method: r.Method, Proto: r.Proto, Headers: headerMap(r.Header)}}
	answer := &statusWriter{ResponseWriter: w}
	defer func() {
		x.line.Status, x.line.Millis = answer.status, s.now().Sub(began).Milliseconds()
		s.recorder.endRequest(x.line)
	}()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	x.body, x.line.BodyBytes, x.line.BodyBytesUncompressed = body, len(body), len(body)
	if err != nil {
		x.line.Error = "read the body: " + err.Error()
		connectError(answer, behaviour{status: http.StatusBadRequest, code: "invalid_argument", text: x.line.Error})
		return
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		if plain, err := uncompressed(body); err == nil {
			x.body, x.line.BodyBytesUncompressed = plain, len(plain)
		}
	}
	b := s.script.take()
	if !s.authorized(r) {
		b, _ = parseBehaviour("401")
	}
	x.line.Behaviour = b.name
	if b.passes() {
		select {
		case <-time.After(b.wait):
		case <-r.Context().Done():
			s.recordAll(x, requestOf(x, r), errors.New("the client left"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.handler.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
		return
	}
	s.recordAll(x, requestOf(x, r), fmt.Errorf("scripted: %s", b.name))
	x.line.Error = "scripted: " + b.name
	switch {
	case b.hang:
		<-r.Context().Done()
	case b.reset:
		reset(answer)
	default:
		connectError(answer, b)
	}
}

func (s *server) authorized(r *http.Request) bool {
	if s.user == "" && s.bearer == "" {
		return true
	}
	equal := func(a, b string) bool { return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	user, password, basic := r.BasicAuth()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return basic && equal(user+":"+password, s.user) || bearer && equal(token, s.bearer)
}

// Push is the generated interface: it judges each profile by itself, stores what is fine and reports the rest together.
func (s *server) Push(ctx context.Context, request *connect.Request[pushv1.PushRequest]) (*connect.Response[pushv1.PushResponse], error) {
	x := ctx.Value(exchangeKey{}).(*exchange)
	if s.bucket != nil {
		if err := s.bucket.take(uncompressedSize(request.Msg), s.now()); err != nil {
			s.recordAll(x, request.Msg, err)
			x.line.Error = err.Error()
			return nil, connect.NewError(connect.CodeResourceExhausted, err)
		}
	}
	if errs := s.recordAll(x, request.Msg, nil); len(errs) > 0 {
		err := errors.Join(errs...)
		x.line.Error = err.Error()
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	return connect.NewResponse(&pushv1.PushResponse{}), nil
}

// recordAll writes a line for each profile of a request and returns what is wrong with them; with `refusal` all are refused for that.
func (s *server) recordAll(x *exchange, request *pushv1.PushRequest, refusal error) []error {
	var errs []error
	if len(request.GetSeries()) == 0 && refusal == nil {
		errs = append(errs, errors.New("no series in the request"))
	}
	for i, series := range request.GetSeries() {
		for _, sample := range series.GetSamples() {
			x.line.Profiles++
			line, err := s.judge(series.GetLabels(), sample)
			if err != nil {
				err = fmt.Errorf("push series with index %d and id %s failed: %w", i, sample.GetID(), err)
				errs = append(errs, err)
			}
			if refusal != nil {
				err = refusal
			}
			if err != nil {
				line.Error = err.Error()
			}
			line.Accepted = err == nil
			line.Request, line.Time, line.Headers, line.Behaviour = x.line.Request, x.line.Time, x.line.Headers, x.line.Behaviour
			line.BodyBytes, line.BodyBytesUncompressed = x.line.BodyBytes, x.line.BodyBytesUncompressed
			s.recorder.profile(line, sample.GetRawProfile())
		}
	}
	return errs
}

// judge reads one profile and says what the server has against it.
func (s *server) judge(labels []*typesv1.LabelPair, sample *pushv1.RawSample) (profileLine, error) {
	raw := sample.GetRawProfile()
	line := profileLine{ID: sample.GetID(), Bytes: len(raw), Labels: labelMap(labels)}
	plain, err := uncompressed(raw)
	if err != nil {
		return line, err
	}
	line.BytesUncompressed = len(plain)
	_, line.digest = read(plain)
	var decoded googlev1.Profile
	if err := proto.Unmarshal(plain, &decoded); err != nil {
		return line, fmt.Errorf("decode pprof: %w", err)
	}
	if s.limits == nil {
		return line, nil
	}
	line.CutStacks, line.CutStrings = s.limits.cut(&decoded)
	if err := s.limits.checkLabels(labels); err != nil {
		return line, err
	}
	return line, s.limits.checkProfile(&decoded, len(plain), s.now())
}

func uncompressedSize(request *pushv1.PushRequest) int {
	size := 0
	for _, series := range request.GetSeries() {
		for _, sample := range series.GetSamples() {
			if plain, err := uncompressed(sample.GetRawProfile()); err == nil {
				size += len(plain)
			}
		}
	}
	return size
}

// requestOf decodes the message of a request that the generated handler does not get to see; empty if it cannot.
func requestOf(x *exchange, r *http.Request) *pushv1.PushRequest {
	request := &pushv1.PushRequest{}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	var err error
	switch kind {
	case "application/proto":
		err = proto.Unmarshal(x.body, request)
	case "application/json":
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(x.body, request)
	}
	if err != nil {
		return &pushv1.PushRequest{}
	}
	return request
}

// connectError answers as the Connect protocol does, or in plain text where the behaviour has no code.
func connectError(w http.ResponseWriter, b behaviour) {
	if b.retryAfter != "" {
		w.Header().Set("Retry-After", b.retryAfter)
	}
	if b.code == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(b.status)
		io.WriteString(w, b.text)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(b.status)
	printLine(w, map[string]string{"code": b.code, "message": b.text})
}

// reset breaks the connection in the middle of an answer, with a TCP RST where the connection is ours to break.
func reset(w *statusWriter) {
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the stream is reset
	}
	buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 1000\r\n\r\nhalf")
	buffer.Flush()
	if tcp, ok := connection.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	connection.Close()
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
