package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// The status that each kind of request must get, as plain HTTP so that what no client would send is sent too.

type matrixRow struct {
	method, row string // the RPC's name, and what the request is like
	verb, kind  string // HTTP method and Content-Type
	body        string
	want        int
}

// fields is a request in JSON.
type fields map[string]any

// with is the request with some fields changed; nil removes one.
func (f fields) with(changes fields) fields {
	changed := maps.Clone(f)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
		} else {
			changed[name] = value
		}
	}
	return changed
}

type variant struct {
	name    string
	changes fields
}

// matrixMethod is an RPC: a request that is fine, changes that leave it fine, changes that spoil it.
type matrixMethod struct {
	name       string
	valid      fields
	good, evil []variant
}

func (q question) methods() []matrixMethod {
	span := fields{"start": q.start, "end": q.end}
	noRange := []variant{{"no range", fields{"start": nil, "end": nil}}, {"no start", fields{"start": nil}}, {"no end", fields{"end": nil}}}
	backwards := variant{"start after end", fields{"start": q.end, "end": q.start}}
	words := variant{"times as words", fields{"start": "now-1h", "end": "now"}}
	matchers := []variant{
		{"one matcher", fields{"matchers": []string{q.selector}}},
		{"two matchers", fields{"matchers": []string{q.selector, `{service_name=~".*"}`}}},
	}
	badMatcher := variant{"bad matcher", fields{"matchers": []string{`{service_name=`}}}
	stacks := span.with(fields{"profileTypeID": q.profileType, "labelSelector": q.selector})
	badStacks := append([]variant{
		{"profile type missing", fields{"profileTypeID": nil}},
		{"profile type empty", fields{"profileTypeID": ""}},
		{"profile type bad", fields{"profileTypeID": "process_cpu:cpu"}},
		{"selector missing", fields{"labelSelector": nil}},
		{"selector bad", fields{"labelSelector": `{service_name=`}},
		backwards,
	}, noRange...)
	aSelector := variant{"a selector", fields{"labelSelector": `{service_name="none of them"}`}}
	maxNodes := variant{"max_nodes", fields{"maxNodes": 16}}
	format := func(name string) variant {
		return variant{"format " + name, fields{"format": "PROFILE_FORMAT_" + name}}
	}
	join := func(lists ...[]variant) (all []variant) {
		for _, list := range lists {
			all = append(all, list...)
		}
		return all
	}
	return []matrixMethod{
		{"ProfileTypes", span, []variant{
			{"0 to 0", fields{"start": 0, "end": 0}},
			{"24 hours", fields{"start": q.end - 24*time.Hour.Milliseconds()}},
			{"5 minutes", fields{"start": q.end - 5*time.Minute.Milliseconds()}},
			{"negative start", fields{"start": -1000}},
			{"negative end", fields{"start": -2000, "end": -1000}},
		}, []variant{backwards, words}},
		{"LabelValues", span.with(fields{"name": q.label}), matchers,
			join(noRange, []variant{badMatcher, backwards, {"name empty", fields{"name": ""}}, {"name missing", fields{"name": nil}}})},
		{"LabelNames", span, matchers, join(noRange, []variant{badMatcher, backwards})},
		{"Series", span.with(fields{"matchers": []string{q.selector}}), []variant{
			{"label_names", fields{"labelNames": []string{q.label, "__profile_type__"}}},
			{"no matchers", fields{"matchers": nil}},
		}, join(noRange, []variant{badMatcher, backwards})},
		{"SelectMergeStacktraces", stacks, []variant{maxNodes, aSelector, format("FLAMEGRAPH"), format("TREE"), format("PPROF")},
			join(badStacks, []variant{{"max_nodes too great", fields{"maxNodes": 1<<20 + 1}}, {"max_nodes negative", fields{"maxNodes": -1}}})},
		{"SelectMergeProfile", stacks, []variant{maxNodes, aSelector}, badStacks},
		{"SelectSeries", stacks.with(fields{"step": 15}), []variant{{"group_by", fields{"groupBy": []string{q.label}}}, {"limit", fields{"limit": 1}}, aSelector},
			join(badStacks, []variant{{"no step", fields{"step": nil}}})},
	}
}

// rows is the whole matrix.
func (q question) rows() []matrixRow {
	const asJSON = "application/json"
	var rows []matrixRow
	for _, m := range q.methods() {
		text := func(f fields) string {
			encoded, err := json.Marshal(f)
			if err != nil {
				panic(err) // words and numbers only
			}
			return string(encoded)
		}
		add := func(row, verb, kind, body string, want int) {
			rows = append(rows, matrixRow{m.name, row, verb, kind, body, want})
		}
		valid := text(m.valid)
		add("valid", "POST", asJSON, valid, 200)
		for _, v := range m.good {
			add(v.name, "POST", asJSON, text(m.valid.with(v.changes)), 200)
		}
		for _, v := range m.evil {
			add(v.name, "POST", asJSON, text(m.valid.with(v.changes)), 400)
		}
		add("bad JSON", "POST", asJSON, `{"start":`, 400)
		add("empty body", "POST", asJSON, "", 400)
		for _, verb := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			add(verb, verb, asJSON, valid, 405)
		}
		add("bad content type", "POST", "text/plain", valid, 415)
	}
	return rows
}

// runMatrix prints a line a row, {"method","row","expected","got","ok"}, and a summary.
func runMatrix(args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("peer matrix", flag.ContinueOnError)
	var q question
	q.flags(flags)
	url := flags.String("url", "", "the server's `URL`")
	bearer := flags.String("bearer", "", "bearer `token`")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *url == "" || len(rest) > 0 {
		return errUsage{errors.New("matrix wants --url and no other argument than flags")}
	}
	client := &http.Client{Transport: transport(false, *bearer), Timeout: time.Minute}
	rows, failed := q.rows(), 0
	for _, row := range rows {
		got, problem := row.ask(client, *url)
		line := map[string]any{"method": row.method, "row": row.row, "expected": row.want, "got": got, "ok": problem == ""}
		if problem != "" {
			failed++
			line["problem"], line["verb"], line["body"] = problem, row.verb, row.body
		}
		if err := printLine(out, line); err != nil {
			return err
		}
	}
	if err := printLine(out, map[string]any{"kind": "summary", "rows": len(rows), "failed": failed}); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rows: %w", failed, len(rows), errWrong)
	}
	return nil
}

// ask sends the request and gives the status and what is wrong with the answer: an answer of 200 is JSON, and one of 400 is a
// Connect error that says invalid_argument.
func (r matrixRow) ask(client *http.Client, url string) (status int, problem string) {
	request, err := http.NewRequest(r.verb, strings.TrimSuffix(url, "/")+"/querier.v1.QuerierService/"+r.method, strings.NewReader(r.body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Content-Type", r.kind)
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, err.Error()
	}
	if answer.StatusCode != r.want {
		return answer.StatusCode, fmt.Sprintf("the answer was %.300s", text)
	}
	if r.want != 200 && r.want != 400 {
		return answer.StatusCode, ""
	}
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	var body struct{ Code string }
	if err := json.Unmarshal(text, &body); err != nil || kind != "application/json" {
		return answer.StatusCode, fmt.Sprintf("the answer is not JSON but %s: %.300s", kind, text)
	}
	if r.want == 400 && body.Code != "invalid_argument" {
		return answer.StatusCode, fmt.Sprintf("the error's code is `%s` and not invalid_argument", body.Code)
	}
	return answer.StatusCode, ""
}
