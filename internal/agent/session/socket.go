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
	// idleLimit is how long a connection may bring no message, ageLimit how long it may
	// last. A random jitter is added to both.
	idleLimit  = 60 * time.Second
	idleJitter = 60 * time.Second
	ageLimit   = 30 * time.Minute
	ageJitter  = 5 * time.Minute
)

// errInactive means that the instance is deregistered.
var errInactive = errors.New("the container instance is deregistered")

func addJitter(d, jitter time.Duration) time.Duration { return d + rand.N(jitter) }

// dial opens a signed websocket. url begins with http or https.
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

// expiry closes a connection that brings no messages or has become old.
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

// reconnectsAtOnce reports whether a lost connection should be opened again at once. That
// is so if it had lasted a while and the server or the network ended it only in passing.
func reconnectsAtOnce(err error, lasted time.Duration) bool {
	if lasted < time.Second {
		return false
	}
	var closed *line.ClosedError
	if !errors.As(err, &closed) {
		return true // no close frame
	}
	return isClosedWith(err, ws.StatusNormalClosure, ws.StatusGoingAway, ws.StatusInternalServerError)
}

// isClosedWith reports whether a close frame with one of the codes ended the connection.
func isClosedWith(err error, codes ...ws.StatusCode) bool {
	var closed *line.ClosedError
	return errors.As(err, &closed) && slices.Contains(codes, closed.Code)
}
