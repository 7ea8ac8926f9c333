package fleet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// IDLength is the length of the id of a task or a container instance, in hex digits.
const IDLength = 32

// NewID returns a random id of 32 lower-case hex digits, as ECS's tasks and container
// instances have.
func NewID() string {
	var b [IDLength / 2]byte
	rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// DerivedID returns an id that is derived from the given parts. The same parts give the
// same id, so a repeated request conflicts with the first one and makes nothing twice.
func DerivedID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:IDLength]
}

// Hash returns a hash of a client's token, or of a request's parameters. Equal parts
// have equal hashes.
func Hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// ServiceTaskID returns the id of the n-th task of a service's deployment; n is serial.
func ServiceTaskID(deployment string, serial int64) string {
	return DerivedID("service", deployment, strconv.FormatInt(serial, 10))
}

// UUID converts an id to the form of a UUID, as the ids of containers and events have
// it.
func UUID(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// IsID says whether s has the form of a task's or container instance's id.
func IsID(s string) bool {
	return len(s) == IDLength && strings.Trim(s, "0123456789abcdef") == ""
}
