package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
)

func TestServeFromFirstLineToSummary(t *testing.T) {
	folder := t.TempDir()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := runServe([]string{"--record", folder, "--script", "hang*1,ok", "--limits", "off"}, nil, writer)
		writer.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(reader)
	lines.Scan()
	var first struct{ Listening string }
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil || first.Listening == "" {
		t.Fatalf("%s: %v", lines.Bytes(), err)
	}
	url := "http://" + first.Listening
	// The first request hangs until the end, which it must not delay.
	hanging := make(chan error, 1)
	go func() {
		_, err := pushv1connect.NewPusherServiceClient(http.DefaultClient, url).Push(context.Background(), connect.NewRequest(message(t, sampleProfile())))
		hanging <- err
	}()
	waitFor(t, filepath.Join(folder, "1.pb.gz"))
	// gRPC needs HTTP/2.
	client := pushv1connect.NewPusherServiceClient(&http.Client{Transport: transport(true, "")}, url, connect.WithGRPC())
	if _, err := client.Push(context.Background(), connect.NewRequest(message(t, sampleProfile()))); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lines.Scan()
	var summary summaryLine
	if err := json.Unmarshal(lines.Bytes(), &summary); err != nil {
		t.Fatalf("%s: %v", lines.Bytes(), err)
	}
	if summary.Kind != "summary" || summary.Requests != 2 || summary.Accepted != 1 || summary.Refused != 1 || summary.SumOverPeriod != 3 {
		t.Errorf("%+v", summary)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-hanging; err == nil {
		t.Error("the hanging request was answered with success")
	}
	recorded, err := os.ReadFile(filepath.Join(folder, "pushes.jsonl"))
	if err != nil || strings.Count(string(recorded), `"kind":"profile"`) != 2 {
		t.Errorf("%v: %s", err, recorded)
	}
}

func TestServeUsage(t *testing.T) {
	for _, args := range [][]string{{"--limits", "none"}, {"--script", "404"}, {"--no-such-flag"}, {"left over"}} {
		if got := status(runServe(args, nil, io.Discard)); got != 2 {
			t.Errorf("%v: status %d", args, got)
		}
	}
}

func waitFor(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
	}
	t.Fatalf("%s did not appear", file)
}
