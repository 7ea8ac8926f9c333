package frontdoor

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// byTag allows what has the tag team=blue, as a policy with a condition does, and the
// resource "blue", which is no tag's.
type byTag struct {
	*fakeIdentity
	store *store.Store
}

func (a byTag) Authorize(_ context.Context, r identity.Request) (identity.Decision, error) {
	return a.Decide(nil, r)
}

func (a byTag) Decide(_ *store.Snapshot, r identity.Request) (identity.Decision, error) {
	var tags []identity.Tag
	var err error
	if r.Tags != nil {
		tags, err = r.Tags(r.Resources[0])
	}
	if slices.Contains(identity.TagValues(tags, "team"), "blue") || r.Resources[0] == "blue" {
		return identity.Decision{Allowed: true}, err
	}
	return identity.Refuse(&identity.Denied{Message: "not blue"}), err
}

func (a byTag) Fresh(ctx context.Context) (*store.Snapshot, error) { return a.store.Fresh(ctx) }

func team(snap *store.Snapshot, name string) string {
	if c := snap.Cluster(name); c != nil {
		return aws.ToString(c.Tags[0].Value)
	}
	return ""
}

// putTeam makes a cluster of a team, in place of one of its name.
func putTeam(t *testing.T, st *store.Store, name, team string) {
	t.Helper()
	k := store.ClusterKey(name)
	for _, c := range []*fleet.Cluster{nil, {Name: name, Tags: []types.Tag{{Key: aws.String("Team"), Value: &team}}}} {
		err := st.Update(t.Context(), func(tx *store.Tx) error {
			store.Get(tx, k)
			if c == nil {
				return store.Delete(tx, k)
			}
			return store.Put(tx, k, c)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What a caller may do to a thing, by its tags or by what a look-up finds, is not done to
// another thing that has taken its place before the handler's transaction.
func TestDecidedOnTheStateThatItIsDoneOn(t *testing.T) {
	st := storetest.Open(t)
	by := map[string]func(*Config){
		"tags": func(c *Config) {
			c.Services[0].Tags = &Tags{OfResource: func(s *store.Snapshot, arn string) ([]identity.Tag, error) {
				if found := s.Cluster(arn[len("cluster/"):]); found != nil {
					return []identity.Tag{{Key: *found.Tags[0].Key, Value: *found.Tags[0].Value}}, nil
				}
				return nil, nil
			}}
		},
		"look-up": func(c *Config) {
			c.Services[0].Operations["ListTasks"] = OpE("ecs:ListTasks", func(ctx context.Context, _ Caller, in *ecs.ListTasksInput) ([]string, error) {
				snap, err := Snapshot(ctx)
				if err != nil {
					return nil, err
				}
				return []string{team(snap, aws.ToString(in.Cluster))}, nil
			})
		},
	}
	// A handler acts on the cluster and says whose it was.
	handlers := map[string]func(ctx context.Context, name string) (string, error){
		"writes": func(ctx context.Context, name string) (was string, err error) {
			err = st.Update(ctx, func(tx *store.Tx) error {
				c := *store.Get(tx, store.ClusterKey(name))
				was, c.Status = *c.Tags[0].Value, "DONE"
				return store.Put(tx, store.ClusterKey(name), &c)
			})
			return was, err
		},
		"reads what is newest": func(ctx context.Context, name string) (string, error) {
			snap, err := st.Fresh(ctx)
			if err != nil {
				return "", err
			}
			return team(snap, name), nil
		},
		"reads what was decided on": func(ctx context.Context, name string) (string, error) {
			snap, err := Snapshot(ctx)
			if err != nil {
				return "", err
			}
			return team(snap, name), nil
		},
	}
	for how, declare := range by {
		for what, handle := range handlers {
			t.Run(how+"/"+what, func(t *testing.T) {
				meanwhile, name := func() {}, "c"
				d := open(t, func(c *Config, d *door) {
					c.Auth = byTag{d.id, st}
					declare(c)
					d.ecs.list = func(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
						meanwhile()
						was, err := handle(ctx, *in.Cluster)
						return &ecs.ListTasksOutput{TaskArns: []string{was}}, err
					}
				})
				call := func() (string, error) {
					out, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: &name})
					if err != nil {
						return "", err
					}
					return out.TaskArns[0], nil
				}
				putTeam(t, st, name, "blue")
				if was, err := call(); err != nil || was != "blue" {
					t.Errorf("allowed: %q, %v", was, err)
				}
				// Something else changes: the call goes on.
				meanwhile = func() { putTeam(t, st, "another", "red") }
				if was, err := call(); err != nil || was != "blue" {
					t.Errorf("while another changed: %q, %v", was, err)
				}
				meanwhile = func() { putTeam(t, st, name, "red") }
				was, err := call()
				var denied *types.AccessDeniedException
				if what == "reads what was decided on" {
					if err != nil || was != "blue" {
						t.Errorf("replaced meanwhile: %q, %v", was, err)
					}
				} else if !errors.As(err, &denied) {
					t.Errorf("replaced meanwhile, it was done to %q (%v)", was, err)
				}
				if c := st.Snapshot().Cluster(name); c.Status != "" {
					t.Errorf("the cluster of team %s is %s", *c.Tags[0].Value, c.Status)
				}
			})
		}
	}
}

// An operation without a look-up takes no snapshot, and outside of a call there is none.
func TestSnapshotIsTakenWhenAsked(t *testing.T) {
	d := open(t) // its Fresh fails
	if _, err := d.client().ListTasks(t.Context(), &ecs.ListTasksInput{}); err != nil {
		t.Error(err)
	}
	if _, err := Snapshot(t.Context()); err == nil {
		t.Error("there is a snapshot outside of a call")
	}
}
