package ecs

import (
	"context"
	"net"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// If the disk of one machine is a copy of another's, both have one identity. The link
// decides which of the two agents belongs to the container instance: it asks the
// connected one. Meanwhile this package does not accept what the other one reports.

// isAnotherAgent reports whether the agent that is connected in a container
// instance's session is another process than the one that calls.
func isAnotherAgent(ctx context.Context, session *fleet.InstanceSession) bool {
	return session != nil && session.Run.Differs(fleet.AgentRun{Process: frontdoor.CallerFrom(ctx).AgentRun})
}

// askInterval is the shortest time between two questions to the connected agent.
const askInterval = time.Minute

// refuseSecondAgent refuses the registration of a host's agent while another process
// is connected as the host's container instance. It also requests that the connected
// one is asked whether it still is. The server of the link to which it is connected
// does so, and ends its session if it does not answer.
func (s *Service) refuseSecondAgent(ctx context.Context, snap *store.Snapshot, h *fleet.Host) error {
	session := snap.Session(h.Cluster, h.Instance)
	arn := s.site.InstanceARN(h.Cluster, h.Instance)
	if !isAnotherAgent(ctx, session) {
		return nil
	}
	if d := snap.Instance(h.Cluster, h.Instance).Duplicate; d != nil && d.Connection == session.Connection && s.now().Sub(d.At) < askInterval {
		if d.Refused {
			return &types.AccessDeniedException{Message: aws.String("Another agent is connected as the container instance " + arn + ".")}
		}
		return tryAgain(arn)
	}
	address, _, err := net.SplitHostPort(frontdoor.CallerFrom(ctx).RemoteAddr)
	if err != nil {
		address = ""
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.InstanceKey(h.Cluster, h.Instance)
		inst := store.Get(tx, k)
		if inst == nil {
			return nil
		}
		next := *inst
		next.Duplicate = &fleet.DuplicateAgent{Connection: session.Connection, Address: address, At: s.now()}
		if o := inst.Duplicate; o != nil && o.Connection == session.Connection {
			next.Duplicate.ReportedAt = o.ReportedAt
		}
		return store.Put(tx, k, &next)
	})
	if err != nil {
		return err
	}
	return tryAgain(arn)
}

// tryAgain returns an error that makes an agent try again soon.
func tryAgain(arn string) error {
	return &types.ServerException{Message: aws.String("Another agent is connected as the container instance " + arn + ", and is being asked whether it still is. Try again.")}
}
