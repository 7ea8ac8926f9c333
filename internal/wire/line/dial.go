package line

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxRefusal bounds how much of a refusal's body is read, in bytes.
const maxRefusal = 4096

// Dial opens a websocket by a GET request. The request's context may end afterwards. limit
// bounds a message from the other end, in bytes. Dial returns the response whenever there
// was one. The body of a refusal is buffered and can be read.
func Dial(client *http.Client, req *http.Request, limit int64) (*Conn, *http.Response, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
		err = errors.Join(fmt.Errorf("the upgrade was answered with %s", res.Status), err, res.Body.Close())
		res.Body = io.NopCloser(bytes.NewReader(body))
		return nil, res, err
	}
	rwc, err := checkUpgrade(res, key)
	if err != nil {
		err = errors.Join(err, res.Body.Close())
		res.Body = http.NoBody
		return nil, res, err
	}
	return newConn(rwc, limit), res, nil
}

// checkUpgrade checks that the response accepts the websocket.
func checkUpgrade(res *http.Response, key string) (io.ReadWriteCloser, error) {
	rwc, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") || res.Header.Get("Sec-WebSocket-Accept") != acceptKey(key) {
		return nil, errors.New("the upgrade was answered, but not as a websocket's")
	}
	return rwc, nil
}

// acceptKey returns the response's key that proves that the server understood the request.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
