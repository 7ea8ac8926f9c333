package forward

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/awsprofile"
)

// Credentials are the operator's credentials at an endpoint. They print without their
// secrets.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

func (c Credentials) String() string   { return "credentials" }
func (c Credentials) GoString() string { return c.String() }

// A Source returns the operator's present credentials.
type Source func() (Credentials, error)

// Environment returns a Source that reads the AWS tools' environment variables.
func Environment(getenv func(string) string) Source {
	return func() (Credentials, error) {
		c := Credentials{getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")}
		if c.AccessKeyID == "" || c.SecretAccessKey == "" {
			return Credentials{}, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set in the server's environment")
		}
		return c, nil
	}
}

// Profile returns a Source that reads a profile in the AWS tools' credentials file. It
// reads the file again when it has changed, because tools renew keys there.
func Profile(path, name string) Source {
	var mu sync.Mutex
	var read time.Time
	var size int64
	var have Credentials
	return func() (Credentials, error) {
		mu.Lock()
		defer mu.Unlock()
		is, err := os.Stat(path)
		if err != nil {
			return Credentials{}, fmt.Errorf("the profile %s: %w", name, err)
		}
		if have.AccessKeyID != "" && is.ModTime().Equal(read) && is.Size() == size {
			return have, nil
		}
		values, err := awsprofile.Read(path, name)
		if err != nil {
			return Credentials{}, err
		}
		c := Credentials{values["aws_access_key_id"], values["aws_secret_access_key"], values["aws_session_token"]}
		if c.AccessKeyID == "" || c.SecretAccessKey == "" {
			return Credentials{}, fmt.Errorf("the profile %s in %s has no aws_access_key_id and aws_secret_access_key", name, filepath.Base(path))
		}
		have, read, size = c, is.ModTime(), is.Size()
		return c, nil
	}
}
