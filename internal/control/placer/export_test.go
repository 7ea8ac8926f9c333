package placer

import (
	"github.com/ashore/ashore/internal/store"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// The decisions of a round, for tests that let another transaction commit between
// decision and commit.

// RunTx places as the placer does what a call asks for that begins now.
func RunTx(p *Placer, tx *store.Tx, in *sdk.RunTaskInput) (placed int, err error) {
	return RunSinceTx(p, tx, in, tx.Snapshot().Revision())
}

// RunSinceTx places as the placer does what a call asks for that began when the
// state had a revision.
func RunSinceTx(p *Placer, tx *store.Tx, in *sdk.RunTaskInput, since int64) (placed int, err error) {
	l, err := RunTaskLaunch(in, "")
	if err != nil {
		return 0, err
	}
	o := &launchOrder{Launch: l, since: since}
	err = o.place(newRound(p, tx))
	return len(o.outcome.Tasks), err
}

// PlaceWaitingTx gives hosts to tasks that wait as the leader's placer does. It returns
// the ids of those placed.
func PlaceWaitingTx(p *Placer, tx *store.Tx, term *store.Term, cluster string, ids ...string) ([]string, error) {
	o := &waitingOrder{term: term, cluster: cluster, ids: ids}
	err := o.place(newRound(p, tx))
	return o.placed, err
}

// LaunchTx launches a service's tasks as the scheduler's placer does.
func LaunchTx(p *Placer, tx *store.Tx, l ServiceLaunch) (Launched, error) {
	o := &serviceOrder{ServiceLaunch: l}
	err := o.place(newRound(p, tx))
	return o.launched, err
}
