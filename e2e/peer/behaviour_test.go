package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func names(t *testing.T, text string, takes int) string {
	t.Helper()
	s, err := loadScript(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range takes {
		got = append(got, s.take().name)
	}
	return strings.Join(got, " ")
}

func TestScriptIsConsumedAndItsLastStepRepeats(t *testing.T) {
	if got := names(t, "401,429-after=2 500*2, ok", 6); got != "401 429-after=2 500 500 ok ok" {
		t.Error(got)
	}
}

func TestScriptInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("hang # until the client leaves\nslow=50\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := names(t, file, 3); got != "hang slow=50 slow=50" {
		t.Error(got)
	}
}

func TestScriptsThatAreRefused(t *testing.T) {
	for script, want := range map[string]string{
		"":             "the script is empty",
		"# nothing":    "the script is empty",
		"404":          "no behaviour is called `404`",
		"ok=1":         "no behaviour is called `ok=1`",
		"slow":         "no behaviour is called `slow`",
		"429-after=-1": "wants a whole number",
		"slow=soon":    "wants a whole number",
		"ok*0":         "wants a count",
	} {
		_, err := parseScript(script)
		check(t, err, want)
	}
}
