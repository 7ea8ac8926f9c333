package fleet

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestSettings(t *testing.T) {
	for _, x := range []struct {
		key, value string
		ok         bool
	}{
		{SettingHealthyAfter, "0", true}, {SettingHealthyAfter, "604800", true}, {SettingHealthyAfter, "604801", false},
		{SettingHealthyAfter, "-1", false}, {SettingHealthyAfter, "1.5", false}, {SettingHealthyAfter, "", false},
		{SettingReplaceLostAfter, "0", false}, {SettingReplaceLostAfter, "1", true}, {"other", "x", true},
	} {
		if err := CheckSetting(x.key, x.value); (err == nil) != x.ok {
			t.Errorf("%s=%s: %v", x.key, x.value, err)
		}
	}
	tag := func(k, v string) []types.Tag { return []types.Tag{{Key: aws.String(k), Value: aws.String(v)}} }
	s, c := &Service{}, &Cluster{}
	if _, ok := s.ReplaceLostAfter(c); ok || s.HealthyAfter(c) != DefaultHealthyAfter {
		t.Error("there is a setting where there is none")
	}
	c.Tags = tag(SettingReplaceLostAfter, "60")
	if d, ok := s.ReplaceLostAfter(c); !ok || d != time.Minute {
		t.Errorf("the cluster's: %v, %v", d, ok)
	}
	s.Tags = tag(SettingReplaceLostAfter, "5")
	if d, ok := s.ReplaceLostAfter(c); !ok || d != 5*time.Second {
		t.Errorf("the service's own: %v, %v", d, ok)
	}
	s.Tags = tag(SettingHealthyAfter, "soon")
	if d := s.HealthyAfter(c); d != DefaultHealthyAfter {
		t.Errorf("a tag that was never valid: %v", d)
	}
}
