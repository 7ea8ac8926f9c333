package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/line"
)

const (
	handshakeTimeout = 10 * time.Second
	maxFrame         = 32 << 20
	// idleLimit is how long a socket may bring no message before it is given up,
	// and age how long it may live; both plus as much as a jitter.
	idleLimit  = 60 * time.Second
	idleJitter = 60 * time.Second
	ageLimit   = 30 * time.Minute
	ageJitter  = 5 * time.Minute
)

// errInactive: the server no longer counts this instance.
var errInactive = errors.New("the container instance is deregistered")

func addJitter(d, jitter time.Duration) time.Duration { return d + rand.N(jitter) }

// dial opens a signed websocket. url is http or https.
func (s *Session) dial(ctx context.Context, url string) (*line.Conn, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := s.api.sign(req, nil); err != nil {
		return nil, nil, err
	}
	conn, res, err := line.Dial(s.api.http, req, maxFrame)
	if res != nil {
		s.api.setClock(res.Header)
	}
	switch {
	case err == nil:
		return conn, res.Header, nil
	case res == nil:
		return nil, nil, err
	}
	body, readErr := io.ReadAll(res.Body)
	if readErr == nil && strings.Contains(string(body), acs.InactiveInstanceException) {
		return nil, nil, fmt.Errorf("%w: %s", errInactive, body)
	}
	return nil, nil, fmt.Errorf("%w: %s", err, body)
}

// expiry ends a connection that brings nothing or has become old. The
// returned touch is called for each message.
type expiry struct {
	idle, old *time.Timer
}

func startExpiry(conn *line.Conn) *expiry {
	expire := func() { conn.Close(ws.StatusNormalClosure, "ConnectionExpired: Reconnect to continue") }
	return &expiry{
		idle: time.AfterFunc(addJitter(idleLimit, idleJitter), expire),
		old:  time.AfterFunc(addJitter(ageLimit, ageJitter), expire),
	}
}

func (l *expiry) reset() { l.idle.Reset(addJitter(idleLimit, idleJitter)) }
func (l *expiry) stop()  { l.idle.Stop(); l.old.Stop() }

// again tells whether a lost connection is to be opened at once: what the
// server or the network ended in passing, if it had been up a while.
func reconnectsAtOnce(err error, lived time.Duration) bool {
	if lived < time.Second {
		return false
	}
	var closed *line.ClosedError
	if !errors.As(err, &closed) {
		return true // no close frame at all
	}
	return isClosedWith(err, ws.StatusNormalClosure, ws.StatusGoingAway, ws.StatusInternalServerError)
}

// isClosedWith tells whether a close frame with one of some codes ended it.
func isClosedWith(err error, codes ...ws.StatusCode) bool {
	var closed *line.ClosedError
	return errors.As(err, &closed) && slices.Contains(codes, closed.Code)
}
