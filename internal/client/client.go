// Package client calls an installation's API as its administrator: ECS through
// the SDK's own client, Ashore's own service by hand.
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

// target is the prefix of X-Amz-Target of Ashore's own service, and
// signingName its name in a signature's scope.
const (
	target      = "Ashore_20261121"
	signingName = "ashore"
)

// Client calls one installation. Its fields are constant.
type Client struct {
	ECS   *ecs.Client
	admin local.Admin
	http  *http.Client
}

// New reads nothing of the environment: neither a proxy nor a profile can get
// between the administrator's own tools and the installation.
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

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is an error answer of Ashore's own service.
type Error struct{ Operation, Code, Message string }

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message) }

// HostCredentials let one host's agent call the API.
type HostCredentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	PrincipalARN    string `json:"principalArn"`
}

// HostTerms are what an administrator grants a host. What is not set stays as it
// is.
type HostTerms struct {
	Cluster    string            `json:"cluster,omitempty"` // that it may register in
	Attributes map[string]string `json:"attributes,omitempty"`
	MaxCPU     *int              `json:"maxCpu,omitempty"`    // units
	MaxMemory  *int              `json:"maxMemory,omitempty"` // MiB
}

// CreateHostCredentials makes a host's principal, or a new key for it. A new host
// belongs to the cluster default unless the terms say otherwise.
func (c *Client) CreateHostCredentials(ctx context.Context, name string, terms HostTerms) (HostCredentials, error) {
	var out HostCredentials
	err := c.call(ctx, "CreateHostCredentials", map[string]any{"name": name, "terms": terms}, &out)
	return out, err
}

// Host is what an administrator grants a host, and what it is.
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

// UpdateHost changes what a host is granted, found by its name or else by its
// access key.
func (c *Client) UpdateHost(ctx context.Context, name, accessKeyID string, terms HostTerms) (Host, error) {
	var out Host
	err := c.call(ctx, "UpdateHost", map[string]any{"name": name, "accessKeyId": accessKeyID, "terms": terms}, &out)
	return out, err
}

// Explain says why a task or a service is as it is, or what would become of a task
// of a definition. Without a cluster it is the default one, or that of an ARN.
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

// Restore says what there is to decide after a restore.
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

// Epoch is a time as the protocol has it, in seconds.
type Epoch float64

// Time gives it back, to the millisecond.
func (e Epoch) Time() time.Time { return time.UnixMilli(int64(e * 1000)) }

// DescribeRestore tells of the tasks that hosts have run since a restored backup.
func (c *Client) DescribeRestore(ctx context.Context) (*Restore, error) {
	out := new(Restore)
	return out, c.call(ctx, "DescribeRestore", struct{}{}, out)
}

// EndRestore declares what becomes of them: they are stopped, or kept as tasks like
// all others. It returns how many stops it has ordered.
func (c *Client) EndRestore(ctx context.Context, stop bool) (stopped int, err error) {
	var out struct {
		Stopped int `json:"stopped"`
	}
	err = c.call(ctx, "EndRestore", map[string]bool{"stop": stop}, &out)
	return out.Stopped, err
}

// send makes a signed call by h. The answer's body, of a call that was not
// refused, is the caller's to close.
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
