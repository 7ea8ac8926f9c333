package sample

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTools(t *testing.T) {
	t.Setenv("ASHORE_TEST", "a b")
	for _, c := range []struct {
		call   string
		status int
		out    string // contained in stdout
		err    string // contained in stderr
	}{
		{call: "exit 0"},
		{call: "exit 3", status: 3},
		{call: "exit 255", status: 255},
		{call: "exit 256", status: 2, err: "0 to 255"},
		{call: "exit", status: 2, err: "one argument"},
		{call: "env", out: "ASHORE_TEST=a b\n"},
		{call: "env X=1 ls", status: 2, err: "only prints"},
		{call: "sleep", status: 2, err: "takes a time"},
		{call: "sleep -1", status: 2, err: `not a time: "-1"`},
		{call: "sleep nan", status: 2, err: "not a time"},
		{call: "sleep 0"},
		{call: "sample now", status: 2, err: "$PORT"},
		{call: "ls", status: 2, err: "no such tool"},
	} {
		t.Run(c.call, func(t *testing.T) {
			f := strings.Fields(c.call)
			var out, errs strings.Builder
			if got := Run(t.Context(), f[0], f[1:], &out, &errs); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("stdout %q lacks %q", out.String(), c.out)
			}
			if !strings.Contains(errs.String(), c.err) || (c.err == "") != (errs.Len() == 0) {
				t.Errorf("stderr %q, want %q in it", errs.String(), c.err)
			}
		})
	}
}

func TestSleepLastsAndEndsOnSIGTERM(t *testing.T) {
	for args, want := range map[string]time.Duration{
		"360": 6 * time.Minute, "0.5": 500 * time.Millisecond, "2m": 2 * time.Minute,
		"1h 1s": time.Hour + time.Second, "1d": 24 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if s := Run(t.Context(), "sleep", strings.Fields(args), io.Discard, io.Discard); s != 0 {
				t.Errorf("sleep %s: status %d", args, s)
			}
			if got := time.Since(start); got != want {
				t.Errorf("sleep %s lasted %s", args, got)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if s := Run(ctx, "sleep", []string{"infinity"}, io.Discard, io.Discard); s != 143 {
			t.Errorf("status %d after SIGTERM, want 143", s)
		}
	})
}

func TestPage(t *testing.T) {
	t.Setenv("PORT", "0")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, "sample", nil, w, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		t.Fatal("no line:", lines.Err())
	}
	_, port, _ := strings.Cut(lines.Text(), "]:")
	go func() {
		for lines.Scan() {
		}
	}()
	for accept, want := range map[string]string{"*/*": PageMark + ": container ", "text/html": "<h1>" + PageMark + "</h1>"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("Accept %s: %q, %v", accept, body, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if s := <-status; s != 0 {
		t.Errorf("status %d after SIGTERM", s)
	}
}
