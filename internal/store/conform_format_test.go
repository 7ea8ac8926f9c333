package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func conformFormat(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := t.Context()
	site := fleet.Site{Account: "123456789012", Region: "eu-here-1"}
	cfg.Site = site
	s := opened(t, client, cfg)
	in := s.Installation()
	if !fleet.IsID(in.ID) || in.Site() != site || in.Format != Format {
		t.Fatalf("the first start wrote %+v", in)
	}

	t.Run("stays", func(t *testing.T) {
		cfg := cfg
		cfg.Site = fleet.Site{}
		again := opened(t, client, cfg)
		if again.Installation().ID != in.ID || again.Site() != site {
			t.Errorf("opened again: %+v", again.Installation())
		}
	})
	t.Run("what would stay for good", func(t *testing.T) {
		for _, wrong := range []struct {
			prefix string
			site   fleet.Site
			says   string
		}{
			{cfg.Prefix + "/new", fleet.Site{Account: "abc"}, "12 digits"}, {cfg.Prefix + "/new", fleet.Site{Account: "1234567890123"}, "12 digits"},
			{cfg.Prefix + "/new", fleet.Site{Region: "a/b"}, "region"}, {cfg.Prefix + "/new", fleet.Site{Region: "Here"}, "region"},
			{cfg.Prefix + "/new/", fleet.Site{}, "prefix"}, {cfg.Prefix + "/new ", fleet.Site{}, "prefix"}, {cfg.Prefix + "/n\x00ew", fleet.Site{}, "prefix"},
		} {
			c := cfg
			c.Prefix, c.Site = wrong.prefix, wrong.site
			st, err := Open(ctx, client, c)
			if err == nil {
				t.Errorf("%+v below %q was made", wrong.site, wrong.prefix)
				err = st.Close()
			}
			if err != nil && !strings.Contains(err.Error(), wrong.says) {
				t.Errorf("%+v below %q: %v", wrong.site, wrong.prefix, err)
			}
		}
	})
	t.Run("another region", func(t *testing.T) {
		cfg := cfg
		cfg.Site.Region = "us-east-1"
		_, err := Open(ctx, client, cfg)
		wantSite := new(SiteError)
		if !errors.As(err, &wantSite) || !strings.Contains(err.Error(), "eu-here-1") || !strings.Contains(err.Error(), "us-east-1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("not ours", func(t *testing.T) {
		if _, err := client.Put(ctx, "/foreign/thing", "x"); err != nil {
			t.Fatal(err)
		}
		cfg := cfg
		cfg.Prefix = "/foreign"
		if _, err := Open(ctx, client, cfg); !errors.Is(err, errNotOurs) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("newer refused", func(t *testing.T) {
		cfg := cfg
		cfg.Prefix += "-newer"
		if _, _, err := install(ctx, client, cfg.Prefix, site, Format+3, nil); err != nil {
			t.Fatal(err)
		}
		_, err := Open(ctx, client, cfg)
		if want := new(FormatError); !errors.As(err, &want) || want.Stored != Format+3 || want.Known != Format {
			t.Errorf("got %v", err)
		}
	})
	t.Run("older migrates forward, and its server ends", func(t *testing.T) {
		cfg := cfg
		cfg.Prefix += "-older"
		old := opened(t, client, cfg)
		putCluster(t, old, "before")
		steps := map[int]migration{
			Format: func(ctx context.Context, c *clientv3.Client, root string) error {
				_, err := c.Put(ctx, root+"family/migrated", `{"name":"migrated","latest":1}`)
				return err
			},
			Format + 1: func(context.Context, *clientv3.Client, string) error { return nil },
		}
		// An interrupted migration starts again.
		broken := map[int]migration{Format: func(context.Context, *clientv3.Client, string) error { return errors.New("power cut") }}
		if _, _, err := install(ctx, client, cfg.Prefix, fleet.Site{}, Format+2, broken); err == nil || !strings.Contains(err.Error(), "power cut") {
			t.Fatalf("got %v", err)
		}
		got, _, err := install(ctx, client, cfg.Prefix, fleet.Site{}, Format+2, steps)
		if err != nil || got.Format != Format+2 || got.MigratingFrom != 0 || got.ID != old.Installation().ID {
			t.Fatalf("got %+v, %v", got, err)
		}
		if r, err := client.Get(ctx, rootOf(cfg.Prefix, site)+"family/migrated"); err != nil || len(r.Kvs) != 1 {
			t.Errorf("the migration did not run: %v, %v", r, err)
		}
		err = old.Update(ctx, func(tx *Tx) error {
			return Create(tx, ClusterKey("after"), &fleet.Cluster{Name: "after"})
		})
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("the older server wrote after the migration: %v", err)
		}
	})
	t.Run("unknown step", func(t *testing.T) {
		cfg := cfg
		cfg.Prefix += "-gap"
		opened(t, client, cfg)
		if _, _, err := install(ctx, client, cfg.Prefix, fleet.Site{}, Format+2, nil); err == nil || !strings.Contains(err.Error(), "can't bring forward") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("two first starts at once", func(t *testing.T) {
		cfg := cfg
		cfg.Prefix += "-race"
		ids := make(chan string, 2)
		for range 2 {
			go func() {
				in, _, err := install(ctx, client, cfg.Prefix, site, Format, nil)
				if err != nil {
					ids <- err.Error()
					return
				}
				ids <- in.ID
			}()
		}
		if a, b := <-ids, <-ids; a != b {
			t.Errorf("two installations: %s, %s", a, b)
		}
	})
}
