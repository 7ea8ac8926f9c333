package frontdoor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// flood opens n connections and sends text on each. It returns how much the heap has
// grown when the server has read everything.
func flood(t *testing.T, d *door, n int, text string) (conns []net.Conn, grown int64) {
	t.Helper()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range n {
		c, err := net.Dial("tcp", d.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	// When a later call is answered, the server has read the earlier ones.
	for range 10 {
		if res, body := d.do(t, d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...)); res.StatusCode != 200 {
			t.Errorf("a signed call: %d %s", res.StatusCode, body)
		}
		runtime.Gosched()
	}
	return conns, heap() - before
}

// An announced body uses no memory, neither with an unsigned head nor with a head that
// names a known key.
func TestHeadsCostNothing(t *testing.T) {
	const n = 300
	bound := int64(n * 64 << 10)
	for name, head := range map[string]string{
		"unsigned": fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: %s.ListTasks\r\nContent-Length: 1048576\r\n\r\n", prefix),
		"signed":   signedNow(t, key, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			conns, grown := flood(t, d, n, head)
			if grown > bound {
				t.Errorf("%d heads that announce a body of a MiB hold %d KiB", n, grown>>10)
			}
			if name == "signed" {
				return // these wait for their bodies
			}
			for _, c := range conns[:10] {
				// The server answers although the body never comes.
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				if b, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(b), "MissingAuthenticationToken") || !res.Close {
					t.Errorf("%s %s", res.Status, b)
				}
			}
		})
	}
}

// signedNow returns the head of a call with a key, at the real time.
func signedNow(t *testing.T, key string, length int64) string {
	return strings.ReplaceAll(signedHead(t, length), "AKIATEST", key)
}

// A caller whose bodies and calls use all of its memory is refused, in its protocol.
// Others are served, and later so is this caller.
func TestCallersShareMemory(t *testing.T) {
	d := open(t)
	d.front.memory.arriving = inflight.New(128<<10, 10*time.Millisecond)
	large := `{"cluster":"` + strings.Repeat("x", 100<<10) + `"}`
	held := d.front.memory.arriving.Reserve(key, arrivingEach)
	if err := held.Resize(t.Context(), 120<<10); err != nil {
		t.Fatal(err)
	}
	refused := func(status int, want string, r *http.Request) {
		t.Helper()
		if res, body := d.do(t, r); res.StatusCode != status || !strings.Contains(body, want) {
			t.Errorf("%d %s, want %d %s", res.StatusCode, body, status, want)
		}
	}
	refused(503, `{"__type":"ServiceUnavailable","message":"The server has too many calls under way. Try again in a moment."}`, d.signed(t, "ecs", "POST", "/", large, call("ListTasks")...))
	refused(503, `<Type>Receiver</Type><Code>ServiceUnavailable</Code>`, d.signed(t, "sts", "POST", "/", "Action=X&y="+large, "Content-Type", "application/x-www-form-urlencoded"))
	refused(200, "taskArns", d.signed(t, "ecs", "POST", "/", "{}", call("ListTasks")...)) // small bodies need no loan
	held.Release()
	refused(200, "taskArns", d.signed(t, "ecs", "POST", "/", large, call("ListTasks")...))

	// Running calls.
	d.front.memory.running = inflight.New(runningAll, 10*time.Millisecond)
	entered, leave := make(chan struct{}), make(chan struct{})
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		entered <- struct{}{}
		<-leave
		return &ecs.ListTasksOutput{}, nil
	}
	const n = runningHost / (callMemory + firstRead)
	done := make(chan error, n)
	for range n {
		r := d.signedBy(t, hosts, "ecs", "POST", "/", "{}", call("ListTasks")...)
		go func() {
			res, err := d.Client().Do(r)
			if err == nil {
				res.Body.Close()
			}
			done <- err
		}()
		<-entered
	}
	refused(400, `{"__type":"ThrottlingException","message":"Rate exceeded: too many calls of this caller are under way."}`, d.signedBy(t, hosts, "ecs", "POST", "/", "{}", call("DescribeServices")...))
	refused(200, "services", d.signed(t, "ecs", "POST", "/", "{}", call("DescribeServices")...))
	close(leave)
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	refused(200, "services", d.signedBy(t, hosts, "ecs", "POST", "/", "{}", call("DescribeServices")...))
}

// A decoded body may not exceed the memory of its caller, nor that of a call.
func TestDocumentsAreBounded(t *testing.T) {
	d := open(t)
	empties := `{"services":[` + strings.Repeat(`"",`, 300_000) + `""]}`
	if res, body := d.do(t, d.signedBy(t, hosts, "ecs", "POST", "/", empties, call("DescribeServices")...)); res.StatusCode != 400 || !strings.Contains(body, "ThrottlingException") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	var before, after runtime.MemStats
	r := d.signed(t, "ecs", "POST", "/", `{"tags":[`+strings.Repeat("{},", 340_000)+"{}]}", call("ListTasks")...)
	d.ecs.list = nil // ListTasks has no tags: the decoder skips them
	runtime.ReadMemStats(&before)
	res, body := d.do(t, r)
	runtime.ReadMemStats(&after)
	if res.StatusCode == 400 || after.TotalAlloc-before.TotalAlloc > 24<<20 {
		t.Errorf("%d bytes for members that nobody knows: %s", after.TotalAlloc-before.TotalAlloc, body)
	}
}

// A host's calls are counted, an administrator's are not.
func TestHostsCallsAreCounted(t *testing.T) {
	d := open(t)
	count := func(key string, n int) (served, refused int) {
		for range n {
			res, body := d.do(t, d.signedBy(t, key, "ecs", "POST", "/", "{}", call("DescribeServices")...))
			switch {
			case res.StatusCode == 200:
				served++
			case res.StatusCode == 400 && body == `{"__type":"ThrottlingException","message":"Rate exceeded"}`:
				refused++
			default:
				t.Fatalf("%d %s", res.StatusCode, body)
			}
		}
		return served, refused
	}
	d.front.rates = inflight.NewRates(1e-9, hostCallsBurst) // none is refilled meanwhile
	for range hostCallsBurst - 3 {
		if err := d.front.checkRate(d.hostPrincipal(t), 0); err != nil {
			t.Fatal(err)
		}
	}
	if served, refused := count(hosts, 5); served != 3 || refused != 2 {
		t.Errorf("beyond its burst a host's calls: %d served, %d refused", served, refused)
	}
	// Large calls count as several.
	other := identity.Principal{Kind: identity.Host, ARN: "other"}
	large := 0
	for d.front.checkRate(other, 1<<20) == nil {
		large++
	}
	if large < 5 || large > hostCallsBurst/(1+(1<<20)/callBytes)+5 {
		t.Errorf("%d calls of a MiB are served at once", large)
	}
	if served, _ := count(key, 50); served != 50 {
		t.Errorf("of an administrator's 50 calls %d are served", served)
	}
}

// Connections without a signed call are bounded: the oldest one is closed. Connections
// with a signed call stay.
func TestStrangersAreBounded(t *testing.T) {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		return &ecs.ListTasksOutput{}, nil
	}
	inBubble(t, d, func(t *testing.T, p *pipes, stop func() error) {
		ours := p.dial()
		call := func() {
			t.Helper()
			r, err := http.NewRequest("POST", "http://x/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", prefix+".ListTasks")
			signBody(r, "{}")
			if err := r.Write(ours); err != nil {
				t.Fatal(err)
			}
			if res, body := answer(t, ours); res.StatusCode != 200 {
				t.Errorf("%d %s", res.StatusCode, body)
			}
		}
		call()
		var others []net.Conn
		closed := func() (n int) {
			synctest.Wait()
			for _, c := range others {
				if err := c.SetReadDeadline(time.Now()); err != nil {
					n++
					continue
				}
				if _, err := c.Read(make([]byte, 1)); err == io.EOF || err == io.ErrClosedPipe {
					n++
				}
			}
			return n
		}
		for range maxStrangers {
			others = append(others, p.dial())
		}
		if n := closed(); n != 0 {
			t.Fatalf("%d of %d are closed", n, maxStrangers)
		}
		time.Sleep(minStrangerAge)
		for range 10 {
			others = append(others, p.dial())
		}
		if n := closed(); n != 10 {
			t.Errorf("10 too many, and %d are closed", n)
		}
		if _, err := others[0].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest: %v", err)
		}
		call()
		// A burst is accepted up to the hard limit.
		for range hardMaxStrangers {
			others = append(others, p.dial())
		}
		if n := closed(); n < maxStrangers || len(others)-n > hardMaxStrangers {
			t.Errorf("%d of %d are closed", n, len(others))
		}
		call()
		for _, c := range append(others, ours) {
			c.Close()
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	if n := strings.Count(d.log.String(), "too many connections"); n != 1 {
		t.Errorf("%d warnings", n)
	}
}
