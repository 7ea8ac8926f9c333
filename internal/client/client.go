// Package client calls an installation's API as its administrator. It calls ECS through
// the SDK's client, and Ashore's own service directly.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/local"
)

// target is the prefix of X-Amz-Target of Ashore's own service. signingName is the
// service's name in a signature's scope.
const (
	target      = "Ashore_20261121"
	signingName = "ashore"
)

// Client calls the API of one installation. Its fields are constant.
type Client struct {
	ECS   *ecs.Client
	admin local.Admin
	http  *http.Client
}

// New returns a client. It reads nothing from the environment, so neither a proxy nor a
// profile can come between the administrator's tools and the installation.
func New(a local.Admin) *Client {
	h := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	return &Client{
		admin: a, http: h,
		ECS: ecs.New(ecs.Options{
			Region: a.Region, BaseEndpoint: aws.String(a.Endpoint), HTTPClient: BufferedClient{h},
			Credentials: credentials.NewStaticCredentialsProvider(a.AccessKeyID, a.SecretAccessKey, ""),
		}),
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is an error that Ashore's own service has answered.
type Error struct{ Operation, Code, Message string }

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message) }

// HostCredentials are the credentials of one host's agent.
type HostCredentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	PrincipalARN    string `json:"principalArn"`
}

// HostTerms are an administrator's settings for a host. Fields that are not set stay
// unchanged.
type HostTerms struct {
	Cluster    string            `json:"cluster,omitempty"` // in which the host may register
	Attributes map[string]string `json:"attributes,omitempty"`
	MaxCPU     *int              `json:"maxCpu,omitempty"`    // units
	MaxMemory  *int              `json:"maxMemory,omitempty"` // MiB
}

// CreateHostCredentials creates a host's principal, or a new key for it. A new host
// belongs to the cluster default unless the terms say otherwise.
func (c *Client) CreateHostCredentials(ctx context.Context, name string, terms HostTerms) (HostCredentials, error) {
	var out HostCredentials
	err := c.call(ctx, "CreateHostCredentials", map[string]any{"name": name, "terms": terms}, &out)
	return out, err
}

// Host is a host with its administrator's settings.
type Host struct {
	Name         string            `json:"name"`
	PrincipalARN string            `json:"principalArn"`
	Cluster      string            `json:"cluster"`
	PriorCluster string            `json:"priorCluster"`
	Instance     string            `json:"containerInstance"`
	Attributes   map[string]string `json:"attributes"`
	MaxCPU       int               `json:"maxCpu"`
	MaxMemory    int               `json:"maxMemory"`
}

// UpdateHost changes the settings of a host. It finds the host by its name, or by its
// access key if the name is empty.
func (c *Client) UpdateHost(ctx context.Context, name, accessKeyID string, terms HostTerms) (Host, error) {
	var out Host
	err := c.call(ctx, "UpdateHost", map[string]any{"name": name, "accessKeyId": accessKeyID, "terms": terms}, &out)
	return out, err
}

// Explain returns why a task or a service has its state, or what would happen to a task
// of a definition. An empty cluster means the ARN's cluster, or else the default one.
func (c *Client) Explain(ctx context.Context, cluster, what string) (*explain.Explanation, error) {
	in := map[string]string{"resource": what}
	if cluster != "" {
		in["cluster"] = cluster
	}
	var out explain.Explanation
	if err := c.call(ctx, "Explain", in, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Restore describes the open decisions after a restore.
type Restore struct {
	Restored   bool  `json:"restored"`
	RestoredAt Epoch `json:"restoredAt"`
	BackupAt   Epoch `json:"backupAt"`
	Unknown    int   `json:"unknown"`
	Tasks      []struct {
		TaskARN              string `json:"taskArn"`
		TaskDefinition       string `json:"taskDefinition"`
		ContainerInstanceARN string `json:"containerInstanceArn"`
		LastStatus           string `json:"lastStatus"`
		Stopping             bool   `json:"stopping"`
		Since                Epoch  `json:"since"`
	} `json:"tasks"`
	Away int `json:"away"`
	Held int `json:"held"`
}

// Epoch is a time in the protocol, in seconds.
type Epoch float64

// Time returns the time, to the millisecond.
func (e Epoch) Time() time.Time { return time.UnixMilli(int64(e * 1000)) }

// DescribeRestore lists the tasks that hosts have run since a restored backup.
func (c *Client) DescribeRestore(ctx context.Context) (*Restore, error) {
	out := new(Restore)
	return out, c.call(ctx, "DescribeRestore", struct{}{}, out)
}

// EndRestore decides about these tasks: they are stopped, or they stay as ordinary
// tasks. It returns the number of stopped tasks.
func (c *Client) EndRestore(ctx context.Context, stop bool) (stopped int, err error) {
	var out struct {
		Stopped int `json:"stopped"`
	}
	err = c.call(ctx, "EndRestore", map[string]bool{"stop": stop}, &out)
	return out.Stopped, err
}

// send sends a signed call by h. It returns the error of a refused call. Otherwise the
// caller must close the answer's body.
func (c *Client) send(ctx context.Context, h *http.Client, operation string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.admin.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target+"."+operation)
	sum := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: c.admin.AccessKeyID, SecretAccessKey: c.admin.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), signingName, c.admin.Region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := h.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &e) != nil || e.Type == "" {
		return nil, fmt.Errorf("%s: status %s: %.200s", operation, resp.Status, answer)
	}
	return nil, &Error{Operation: operation, Code: e.Type[strings.LastIndexByte(e.Type, '#')+1:], Message: e.Message}
}

func (c *Client) call(ctx context.Context, operation string, in, out any) error {
	resp, err := c.send(ctx, c.http, operation, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return json.Unmarshal(answer, out)
}
