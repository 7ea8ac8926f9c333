package fleet

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Ashore's own settings are tags of a service, or of its cluster for all services of
// the cluster. Their values are whole seconds.
const (
	// SettingReplaceLostAfter is how long a host may be out of contact until its
	// service tasks are replaced elsewhere. Without this setting they are never
	// replaced, as on ECS.
	SettingReplaceLostAfter = "ashore.replace-lost-after"
	// SettingHealthyAfter is how long a task without a health check must run to count
	// as healthy.
	SettingHealthyAfter = "ashore.healthy-after"
)

// DefaultHealthyAfter is ECS's value (Amazon ECS Developer Guide,
// minimumHealthyPercent).
const DefaultHealthyAfter = 40 * time.Second

// maxSetting is the largest value of a setting, in seconds: a week.
const maxSetting = 7 * 24 * 3600

// CheckSetting returns an error if a tag is one of these settings and its value is
// wrong.
func CheckSetting(key, value string) error {
	lowest := 0
	switch key {
	case SettingHealthyAfter:
	case SettingReplaceLostAfter:
		lowest = 1
	default:
		return nil
	}
	if n, err := strconv.Atoi(value); err != nil || n < lowest || n > maxSetting {
		return fmt.Errorf("the tag %s must be a whole number of seconds between %d and %d, not %q", key, lowest, maxSetting, value)
	}
	return nil
}

// ReplaceLostAfter returns how long a host may be out of contact until tasks of the
// service are replaced. ok is false if they are never replaced.
func (s *Service) ReplaceLostAfter(c *Cluster) (d time.Duration, ok bool) {
	return setting(SettingReplaceLostAfter, s, c)
}

// HealthyAfter returns how long a task of the service without a health check must run
// to count as healthy.
func (s *Service) HealthyAfter(c *Cluster) time.Duration {
	if d, ok := setting(SettingHealthyAfter, s, c); ok {
		return d
	}
	return DefaultHealthyAfter
}

func setting(key string, s *Service, c *Cluster) (time.Duration, bool) {
	for _, tags := range [...][]types.Tag{s.Tags, c.Tags} {
		for _, t := range tags {
			if t.Key == nil || *t.Key != key || t.Value == nil || CheckSetting(key, *t.Value) != nil {
				continue
			}
			n, _ := strconv.Atoi(*t.Value) // CheckSetting has parsed it
			return time.Duration(n) * time.Second, true
		}
	}
	return 0, false
}
