package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// requestLine is printed once for each request to the push path, after its answer.
type requestLine struct {
	Kind    string            `json:"kind"` // request
	Request int               `json:"request"`
	Time    time.Time         `json:"time"` // when the head of the request had been read
	Method  string            `json:"method"`
	Proto   string            `json:"proto"`
	Headers map[string]string `json:"headers"` // names in lower case; several values are joined by ", "
	// The body as it came over the wire, and without Content-Encoding.
	BodyBytes             int    `json:"body_bytes"`
	BodyBytesUncompressed int    `json:"body_bytes_uncompressed"`
	Behaviour             string `json:"behaviour"`
	Status                int    `json:"status"` // 0: none was sent
	Error                 string `json:"error"`
	Profiles              int    `json:"profiles"`
	Millis                int64  `json:"millis"` // from Time to the end of the answer
}

// profileLine is printed for each profile in a request, before the request is answered.
type profileLine struct {
	Kind                  string            `json:"kind"` // profile
	Profile               int               `json:"profile"`
	Request               int               `json:"request"`
	Time                  time.Time         `json:"time"`
	Headers               map[string]string `json:"headers"`
	BodyBytes             int               `json:"body_bytes"`
	BodyBytesUncompressed int               `json:"body_bytes_uncompressed"`
	Behaviour             string            `json:"behaviour"`
	Accepted              bool              `json:"accepted"`
	Error                 string            `json:"error"` // why it was refused
	ID                    string            `json:"id"`
	File                  string            `json:"file"` // where the pprof was saved
	Bytes                 int               `json:"bytes"`
	BytesUncompressed     int               `json:"bytes_uncompressed"`
	Labels                map[string]string `json:"labels"`
	CutStacks             int               `json:"cut_stacks"` // deeper than the server keeps
	CutStrings            int               `json:"cut_strings"`
	digest
}

// summaryLine is the last line.
type summaryLine struct {
	Kind        string      `json:"kind"` // summary
	Requests    int         `json:"requests"`
	ByStatus    map[int]int `json:"by_status"`
	Profiles    int         `json:"profiles"`
	Accepted    int         `json:"accepted"`
	Refused     int         `json:"refused"`
	CheckErrors int         `json:"check_errors"`
	// Of the first sample type of the accepted profiles.
	SumOverPeriod float64 `json:"sum_over_period"`
}

// recorder writes the lines and the profiles. Its methods may be called at the same time.
type recorder struct {
	mu      sync.Mutex
	out     io.Writer
	folder  string // "" for no files
	summary summaryLine
	failed  error // the first write that failed
}

func newRecorder(out io.Writer, folder string) *recorder {
	return &recorder{out: out, folder: folder, summary: summaryLine{Kind: "summary", ByStatus: map[int]int{}}}
}

// beginRequest gives the number of a request, from 1.
func (r *recorder) beginRequest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Requests++
	return r.summary.Requests
}

// profile numbers a profile, saves it and prints its line.
func (r *recorder) profile(line profileLine, raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.summary
	s.Profiles++
	if line.Accepted {
		s.Accepted++
		if len(line.SumOverPeriod) > 0 {
			s.SumOverPeriod += line.SumOverPeriod[0]
		}
	} else {
		s.Refused++
	}
	if line.CheckError != "" {
		s.CheckErrors++
	}
	line.Kind, line.Profile = "profile", s.Profiles
	if r.folder != "" {
		line.File = filepath.Join(r.folder, fmt.Sprintf("%d.pb.gz", s.Profiles))
		r.keep(os.WriteFile(line.File, compressed(raw), 0o644))
	}
	r.keep(printLine(r.out, line))
}

// endRequest prints the line of a request.
func (r *recorder) endRequest(line requestLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.ByStatus[line.Status]++
	line.Kind = "request"
	r.keep(printLine(r.out, line))
}

func (r *recorder) keep(err error) {
	if err != nil && r.failed == nil {
		r.failed = err
	}
}

// finish gives the summary and the first error of writing.
func (r *recorder) finish() (summaryLine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary, r.failed
}

// compressed is the profile as it came if that was gzip, else compressed, so that the name of the file is true.
func compressed(raw []byte) []byte {
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw
	}
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	writer.Write(raw) // into memory: cannot fail
	writer.Close()
	return buffer.Bytes()
}

func headerMap(headers map[string][]string) map[string]string {
	flat := make(map[string]string, len(headers))
	for name, values := range headers {
		flat[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return flat
}

func labelMap(labels []*typesv1.LabelPair) map[string]string {
	m := make(map[string]string, len(labels))
	for _, label := range labels {
		m[label.GetName()] = label.GetValue()
	}
	return m
}
