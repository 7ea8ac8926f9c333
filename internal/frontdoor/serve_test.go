package frontdoor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/client"
)

// A socket is a mounted handler that echoes. Its owner closes its connections.
type socket struct {
	callers chan Caller
	done    chan struct{}
}

func (s *socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer close(s.done)
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	s.callers <- CallerFrom(r.Context())
	for {
		typ, b, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), typ, b) != nil {
			return
		}
	}
}

func TestMountAndShutdown(t *testing.T) {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	entered, leave := make(chan struct{}), make(chan struct{})
	d.ecs.list = func(context.Context, *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		close(entered)
		<-leave
		return &ecs.ListTasksOutput{TaskArns: []string{"finished"}}, nil
	}
	s, err := New(config(d))
	if err != nil {
		t.Fatal(err)
	}
	sock := &socket{make(chan Caller, 1), make(chan struct{})}
	s.Mount("/acs/ws", sock)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()

	url := "http://" + ln.Addr().String() + "/acs/ws?clusterArn=default&dockerVersion=DockerVersion%3A+20.10.24%2Bdfsg1"
	if _, res, err := websocket.Dial(t.Context(), url, nil); err == nil || res.StatusCode != 400 {
		t.Errorf("an unsigned upgrade: %v", err)
	}
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(r, nil)
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: r.Header})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if c := <-sock.callers; c.AccessKeyID != key || c.Endpoint != "http://"+ln.Addr().String() {
		t.Errorf("caller %+v", c)
	}

	// A call that runs when the server must stop is finished.
	answer := make(chan error, 1)
	go func() {
		out, err := ecs.New(ecs.Options{
			BaseEndpoint: aws.String("http://" + ln.Addr().String()), Region: "us-east-1", Retryer: aws.NopRetryer{},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
			}),
			HTTPClient: client.BufferedClient{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}},
		}).ListTasks(t.Context(), &ecs.ListTasksInput{})
		if err == nil && out.TaskArns[0] != "finished" {
			err = errors.New(out.TaskArns[0])
		}
		answer <- err
	}()
	<-entered
	stop()
	close(leave)
	if err := <-answer; err != nil {
		t.Errorf("the running call: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("still listening")
	}
	// The websocket belongs to its owner: it stays open.
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := conn.Read(t.Context()); err != nil || string(b) != "still here" {
		t.Errorf("%q %v", b, err)
	}
	conn.CloseNow()
	<-sock.done
	d.log.await("status=101")
}
