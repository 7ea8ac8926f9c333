package ecs

import (
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestServiceDeploymentStatus: what a service deployment's status is by what is
// stored of it and of its rollback.
func TestServiceDeploymentStatus(t *testing.T) {
	state := func(r types.DeploymentRolloutState) *fleet.DeploymentState { return &fleet.DeploymentState{Rollout: r} }
	const (
		going = types.DeploymentRolloutStateInProgress
		good  = types.DeploymentRolloutStateCompleted
		bad   = types.DeploymentRolloutStateFailed
	)
	for _, c := range []struct {
		name    string
		state   *fleet.DeploymentState
		stop    bool
		back    *fleet.DeploymentState // of its rollback
		backed  bool
		primary string
		deleted bool
		want    types.ServiceDeploymentStatus
	}{
		{name: "nobody has seen it", primary: "d", want: "PENDING"},
		{name: "under way", state: state(going), primary: "d", want: "IN_PROGRESS"},
		{name: "steady", state: state(good), primary: "d", want: "SUCCESSFUL"},
		{name: "steady, then replaced", state: state(good), primary: "e", want: "SUCCESSFUL"},
		{name: "failed, nothing to go back to", state: state(bad), primary: "d", want: "STOPPED"},
		{name: "replaced before it was steady", state: state(going), primary: "e", want: "STOPPED"},
		{name: "its service was deleted", state: state(going), primary: "d", deleted: true, want: "STOPPED"},
		{name: "to be stopped", state: state(going), stop: true, primary: "d", want: "ROLLBACK_REQUESTED"},
		{name: "stopped too late", state: state(good), stop: true, primary: "d", want: "SUCCESSFUL"},
		{name: "rolling back, unseen", state: state(bad), backed: true, primary: "r", want: "ROLLBACK_IN_PROGRESS"},
		{name: "rolling back", state: state(bad), backed: true, back: state(going), primary: "r", want: "ROLLBACK_IN_PROGRESS"},
		{name: "rolled back", state: state(bad), backed: true, back: state(good), primary: "r", want: "ROLLBACK_SUCCESSFUL"},
		{name: "rolled back, then replaced", state: state(bad), backed: true, back: state(good), primary: "e", want: "ROLLBACK_SUCCESSFUL"},
		{name: "the rollback failed", state: state(bad), backed: true, back: state(bad), primary: "r", want: "ROLLBACK_FAILED"},
		{name: "replaced while it rolled back", state: state(bad), backed: true, back: state(going), primary: "e", want: "ROLLBACK_FAILED"},
	} {
		d := serviceDeployment{Deployment: store.Deployment{Deployment: &fleet.Deployment{ID: "d"}, State: c.state}}
		if c.stop {
			d.Stop = &fleet.DeploymentStop{}
		}
		if c.backed {
			d.rollback = &store.Deployment{Deployment: &fleet.Deployment{ID: "r", RollbackOf: "d"}, State: c.back}
		}
		svc := &fleet.Service{Deployment: c.primary, Status: fleet.ServiceActive}
		if c.deleted {
			svc.Status = fleet.ServiceDraining
		}
		if got := d.status(svc); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
