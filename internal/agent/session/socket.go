package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/link/acs"
)

const (
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 30 * time.Second
	maxFrame         = 32 << 20
	// quiet is how long a socket may bring no message before it is given up,
	// and age how long it may live; both plus as much as a jitter.
	quiet       = 60 * time.Second
	quietJitter = 60 * time.Second
	age         = 30 * time.Minute
	ageJitter   = 5 * time.Minute
)

// errInactive: the server no longer counts this instance.
var errInactive = errors.New("the container instance is deregistered")

func spread(d, jitter time.Duration) time.Duration { return d + rand.N(jitter) }

// dial opens a signed websocket. url is http or https.
func (s *Session) dial(ctx context.Context, url string) (*websocket.Conn, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := s.api.sign(req, nil); err != nil {
		return nil, nil, err
	}
	conn, res, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: s.api.http, HTTPHeader: req.Header})
	if res != nil {
		s.api.learn(res.Header)
	}
	if err != nil {
		if res != nil && res.Body != nil {
			body, readErr := io.ReadAll(io.LimitReader(res.Body, 4096))
			if readErr == nil && strings.Contains(string(body), acs.InactiveInstanceException) {
				return nil, nil, fmt.Errorf("%w: %s", errInactive, body)
			}
			err = fmt.Errorf("%w: %s", err, body)
		}
		return nil, nil, err
	}
	conn.SetReadLimit(maxFrame)
	return conn, res.Header, nil
}

func write(ctx context.Context, conn *websocket.Conn, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}

// lifeline ends a connection that brings nothing or has become old. The
// returned touch is called for each message.
type lifeline struct {
	quiet, old *time.Timer
}

func hold(conn *websocket.Conn) *lifeline {
	expire := func() { conn.Close(websocket.StatusNormalClosure, "ConnectionExpired: Reconnect to continue") }
	return &lifeline{
		quiet: time.AfterFunc(spread(quiet, quietJitter), expire),
		old:   time.AfterFunc(spread(age, ageJitter), expire),
	}
}

func (l *lifeline) touch() { l.quiet.Reset(spread(quiet, quietJitter)) }
func (l *lifeline) stop()  { l.quiet.Stop(); l.old.Stop() }

// again tells whether a lost connection is to be opened at once: what the
// server or the network ended in passing, if it had been up a while.
func atOnce(err error, lived time.Duration) bool {
	if lived < time.Second {
		return false
	}
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusInternalError:
		return true
	case -1: // no close frame at all
		return true
	default:
		return false
	}
}
