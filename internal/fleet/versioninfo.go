package fleet

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// VersionInfo has the versions of the software on an instance.
type VersionInfo struct {
	Agent  string `json:"agent,omitempty"`
	Hash   string `json:"hash,omitempty"`
	Docker string `json:"docker,omitempty"`
}

// VersionInfoOf returns the versions of a registration; v may be nil.
func VersionInfoOf(v *types.VersionInfo) VersionInfo {
	if v == nil {
		return VersionInfo{}
	}
	clip := func(s *string) string { return ClipBytes(aws.ToString(s), MaxVersion) }
	return VersionInfo{clip(v.AgentVersion), clip(v.AgentHash), clip(v.DockerVersion)}
}

// VersionInfo returns the versions that the session's agent has reported.
func (s *InstanceSession) VersionInfo() VersionInfo {
	return VersionInfo{s.AgentVersion, s.AgentHash, s.Docker}
}

// Runs returns the versions on an instance: those of the session s, or the last
// reported ones if s is nil.
func (i *Instance) Runs(s *InstanceSession) VersionInfo {
	if s != nil {
		return s.VersionInfo()
	}
	return i.Versions
}
