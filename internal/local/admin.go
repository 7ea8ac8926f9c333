package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/ashore/ashore/internal/hint"
)

// Admin is the content of admin.json: what the administrator's tools need to reach the
// API. The server writes it at each start.
type Admin struct {
	InstallationID  string `json:"installationId"`
	Account         string `json:"account"`
	Region          string `json:"region"`
	Endpoint        string `json:"endpoint"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	// CABundle is a file of certificates, if a private CA signed the endpoint's
	// certificate.
	CABundle string `json:"caBundle,omitempty"`
}

// ReadAdmin reads admin.json. If there is none, its error has a hint.
func ReadAdmin(l Layout) (Admin, error) {
	var a Admin
	b, err := os.ReadFile(l.Admin())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, hint.With(fmt.Errorf("there is no installation in %s", l.Data),
			"start one by `ashore up --detach`, or name its folder by --data-dir")
	case errors.Is(err, fs.ErrPermission):
		return a, hint.With(fmt.Errorf("the installation in %s belongs to another user", l.Data),
			"use the same user that started it (sudo?), or name your own folder by --data-dir")
	case err != nil:
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s: %w", l.Admin(), err)
	}
	if _, err := a.host(); err != nil {
		return a, fmt.Errorf("%s: %w", l.Admin(), err)
	}
	return a, nil
}

// Write writes admin.json, unless it already has this content: the disk may be full.
func (a Admin) Write(l Layout) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if is, err := os.ReadFile(l.Admin()); err == nil && bytes.Equal(is, b) {
		return nil
	}
	return WriteSecret(l.Admin(), b)
}

// Host returns the endpoint's host without the port, as NO_PROXY needs it.
func (a Admin) Host() string {
	host, err := a.host()
	if err != nil {
		return ""
	}
	return host
}

func (a Admin) host() (string, error) {
	u, err := url.Parse(a.Endpoint)
	if err != nil {
		return "", err
	}
	if u.Hostname() == "" {
		return "", fmt.Errorf("the endpoint %q names no host", a.Endpoint)
	}
	return u.Hostname(), nil
}
