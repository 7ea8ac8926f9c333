package sample

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// DefaultPort is the page's port if $PORT is not set.
const DefaultPort = "8080"

// PageMark is in the page. A client that finds it knows that the right program has
// answered.
const PageMark = "Ahoy from Ashore"

func serve(ctx context.Context, stdout io.Writer) error {
	port := os.Getenv("PORT")
	if port == "" {
		port = DefaultPort
	}
	l, err := net.Listen("tcp", net.JoinHostPort("", port))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "listening on %s\n", l.Addr())
	started := time.Now()
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(stdout, "%s %s from %s\n", r.Method, r.URL.Path, r.RemoteAddr)
			answer(w, r, time.Since(started))
		}),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// A client may learn of the stop later than this process.
	if late, err := time.ParseDuration(os.Getenv("DRAIN")); err == nil {
		time.Sleep(late)
	}
	// Running requests get a moment. The program that stops the task does not wait
	// longer.
	end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err = srv.Shutdown(end)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-served
	fmt.Fprintln(stdout, "stopped")
	return err
}

func answer(w http.ResponseWriter, r *http.Request, up time.Duration) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	text := fmt.Sprintf("container %s, up %s", host, up.Round(time.Millisecond))
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s: %s\n", PageMark, text)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Ashore sample</title>
<style>body{font:18px/1.6 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em;color:#123}h1{color:#067}</style>
<h1>%s</h1>
<p>This page is served by an ECS task on your own machine: %s.</p>
</html>
`, PageMark, html.EscapeString(text))
}
