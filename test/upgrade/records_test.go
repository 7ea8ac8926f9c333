//go:build linux

package upgrade

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/store"
)

// future is a member that neither version knows.
const future = `"future":{"list":[1,"two"]}`

// unknown are records of kinds that neither version knows.
var unknown = map[string]string{"future/x": `{"a":1}`, "cluster/default/future/y": "no JSON"}

// records are what a stopped server has stored, by the key below the installation's root.
func (s *scene) records(change func(c *clientv3.Client, root string) error) map[string][]byte {
	s.Helper()
	e, err := store.Embed(s.ctx, s.Layout.Server())
	if err != nil {
		s.Fatal(err)
	}
	root := store.DefaultPrefix + "/v1/" + s.Admin.Account + "/" + s.Admin.Region + "/"
	all := map[string][]byte{}
	err = change(e.Client, root)
	r, errGet := e.Client.Get(s.ctx, root, clientv3.WithPrefix())
	if err := errors.Join(err, errGet, e.Close()); err != nil {
		s.Fatal(err)
	}
	for _, kv := range r.Kvs {
		if kv.Lease == 0 {
			all[strings.TrimPrefix(string(kv.Key), root)] = kv.Value
		}
	}
	return all
}

// mark gives each stored record a member that neither version knows, and adds the stored
// records of the test data and some of kinds that neither version knows. It returns the
// keys of the marked records that must stay.
func (s *scene) mark() (stay []string) {
	s.Helper()
	if err := s.Stop(s.ctx, "server"); err != nil {
		s.Fatal(err)
	}
	fixtures := s.fixtures()
	s.records(func(c *clientv3.Client, root string) error {
		r, err := c.Get(s.ctx, root, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		for _, kv := range r.Kvs {
			key := strings.TrimPrefix(string(kv.Key), root)
			delete(fixtures, key)
			rest, object := bytes.CutPrefix(kv.Value, []byte("{"))
			if kv.Lease != 0 || !object || strings.HasSuffix(key, "/guard") { // a guard has no members: its revision is all
				continue
			}
			value := "{" + future
			if !bytes.HasPrefix(rest, []byte("}")) {
				value += ","
			}
			if _, err := c.Put(s.ctx, root+key, value+string(rest)); err != nil {
				return err
			}
			stay = append(stay, key)
		}
		for _, more := range []map[string]string{fixtures, unknown} {
			for key, value := range more {
				if _, err := c.Put(s.ctx, root+key, value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	s.up(s.other)
	s.connected()
	s.Logf("%d records are marked, %d of the test data", len(stay), len(fixtures))
	return stay
}

// fixtures are the stored records of the test data, by key. It leaves out those that
// decide about the whole installation.
func (s *scene) fixtures() map[string]string {
	s.Helper()
	root, err := ashoretest.Root()
	if err != nil {
		s.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "internal/store/testdata/format1/*.json"))
	if err != nil || len(files) < 30 {
		s.Fatalf("%d stored records, %v", len(files), err)
	}
	all := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			s.Fatal(err)
		}
		key := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".json"), ".", "/"), "%2E", ".")
		switch kind, _, _ := strings.Cut(key, "/"); kind {
		case "installation", "restored", "election", "accesskey":
		default:
			all[key] = string(b)
		}
	}
	return all
}

// touch has the running server write records of each kind anew, so that they say the same
// as before.
func (s *scene) touch(w *world) {
	s.Helper()
	api, ctx := s.api(), s.ctx
	again := []types.Tag{{Key: aws.String("again"), Value: aws.String("and again")}}
	arns := append([]string{w.cluster, w.provider, w.instance, w.service, w.definition}, w.standing[0])
	for _, arn := range arns {
		must[ecs.TagResourceOutput](s)(api.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &arn, Tags: again}))
		must[ecs.UntagResourceOutput](s)(api.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"again"}}))
	}
	for _, value := range []string{"disabled", "enabled"} {
		must[ecs.PutAccountSettingOutput](s)(api.PutAccountSetting(ctx, &ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: &value}))
	}
	for _, value := range []string{"non-blocking", "blocking"} {
		must[ecs.PutAccountSettingDefaultOutput](s)(api.PutAccountSettingDefault(ctx, &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameDefaultLogDriverMode, Value: &value}))
	}
	for _, of := range []map[string]string{{"rack": "8"}, {"rack": "7"}} {
		if _, err := s.API.UpdateHost(ctx, "another", "", client.HostTerms{Attributes: of}); err != nil {
			s.Fatal(err)
		}
	}
}

// kept checks at the end that no marked record is lost, and that each has its mark.
func (s *scene) kept(stay []string) {
	s.Helper()
	if err := s.Stop(s.ctx, "server"); err != nil {
		s.Fatal(err)
	}
	all := s.records(func(*clientv3.Client, string) error { return nil })
	s.up(s.this)
	for _, key := range stay {
		if _, there := all[key]; !there {
			s.Errorf("the record %s is lost", key)
		}
	}
	stays := map[string]bool{}
	for _, key := range stay {
		stays[key] = true
	}
	fixtures, left := s.fixtures(), 0
	for key, value := range all {
		_, stored := fixtures[key]
		if stored {
			left++
		}
		if (stored && strings.Contains(fixtures[key], `"future"`) || stays[key]) && !strings.Contains(string(value), `"future"`) {
			s.Errorf("the record %s has lost what no version knows: %s", key, value)
		}
	}
	for key, value := range unknown {
		if string(all[key]) != value {
			s.Errorf("the record %s of an unknown kind was %q and is %q", key, value, all[key])
		}
	}
	s.Logf("%d of %d records of the test data are left", left, len(fixtures))
}
