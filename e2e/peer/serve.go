package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// runServe listens until SIGTERM or SIGINT. The first line on standard output is {"listening":"ADDRESS"}, the last one a summary;
// the lines of requests and profiles go between them, or to pushes.jsonl in the folder of --record.
func runServe(args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("peer serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	user := flags.String("auth", "", "ask for basic authorization: `user:password`")
	bearer := flags.String("bearer", "", "ask for this bearer `token`")
	rules := flags.String("limits", "real", "`real`: a server's defaults; off: accept whatever decodes")
	steps := flags.String("script", "ok", "behaviours, one a request, the last repeats; a `file` or the words themselves:\n"+behaviours+"; WORD*N is N times")
	folder := flags.String("record", "", "write pushes.jsonl and N.pb.gz into this `folder`")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errUsage{fmt.Errorf("serve takes no `%s`", rest[0])}
	}
	script, err := loadScript(*steps)
	if err != nil {
		return errUsage{fmt.Errorf("--script: %w", err)}
	}
	var applied *limits
	switch *rules {
	case "real":
		applied = &realLimits
	case "off":
	default:
		return errUsage{fmt.Errorf("--limits is real or off, not `%s`", *rules)}
	}
	lines := out
	if *folder != "" {
		if err := os.MkdirAll(*folder, 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(filepath.Join(*folder, "pushes.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer file.Close()
		lines = file
	}
	recorder := newRecorder(lines, *folder)
	srv := newServer(recorder, script, applied, time.Now)
	srv.user, srv.bearer = *user, *bearer

	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if err := printLine(out, map[string]string{"listening": listener.Addr().String()}); err != nil {
		return err
	}
	if err := serve(stop, listener, srv); err != nil {
		return err
	}
	summary, err := recorder.finish()
	return errors.Join(printLine(out, summary), err)
}

// serve answers on the listener, HTTP/1.1 and HTTP/2 without TLS, until `stop` is done; then it lets go of hanging requests and
// waits a second for the others.
func serve(stop context.Context, listener net.Listener, handler http.Handler) error {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, BaseContext: func(net.Listener) context.Context { return stop }}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-stop.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(grace) != nil {
		server.Close()
	}
	return nil
}
