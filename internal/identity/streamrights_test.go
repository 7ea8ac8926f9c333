package identity

import (
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

func TestConcerns(t *testing.T) {
	site := fleet.Site{Account: "000000000000", Region: "us-east-1"}
	host := Principal{Kind: Host, Name: "h", ARN: HostARN(site, "h")}
	for _, x := range []struct {
		kind store.ChangeKind
		name string
		want bool
	}{
		{store.AccessKeyChanged, "K", true}, {store.AccessKeyChanged, "K2", false},
		{store.HostChanged, "h", true}, {store.HostChanged, "g", false}, {store.TaskChanged, "K", false},
	} {
		if got := RightsDependOn(store.Change{Kind: x.kind, Names: store.Names{x.name}}, host, "K"); got != x.want {
			t.Errorf("%v %s: %v", x.kind, x.name, got)
		}
	}
}

func TestValid(t *testing.T) {
	st := storetest.Open(t)
	p, other := Principal{ARN: "arn:aws:iam::000000000000:user/a"}, Principal{ARN: "arn:aws:iam::000000000000:user/b"}
	key := store.AccessKeyKey("K")
	if err := st.Update(t.Context(), func(tx *store.Tx) error {
		return store.Create(tx, key, &fleet.AccessKey{ID: "K", Principal: p.ARN})
	}); err != nil {
		t.Fatal(err)
	}
	s := st.Snapshot()
	if err := errors.Join(CheckKey(s, p, "K"), CheckKey(s, p, "")); err != nil {
		t.Error(err)
	}
	for _, err := range []error{CheckKey(s, other, "K"), CheckKey(s, p, "K2")} {
		if !errors.Is(err, ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
	}
}
