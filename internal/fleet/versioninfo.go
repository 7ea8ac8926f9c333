package fleet

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// VersionInfo is what runs on an instance.
type VersionInfo struct {
	Agent  string `json:"agent,omitempty"`
	Hash   string `json:"hash,omitempty"`
	Docker string `json:"docker,omitempty"`
}

// VersionInfoOf reads what a registration says; nil is nothing.
func VersionInfoOf(v *types.VersionInfo) VersionInfo {
	if v == nil {
		return VersionInfo{}
	}
	clip := func(s *string) string { return ClipBytes(aws.ToString(s), MaxVersion) }
	return VersionInfo{clip(v.AgentVersion), clip(v.AgentHash), clip(v.DockerVersion)}
}

// VersionInfo is what the session's agent has said of itself.
func (s *InstanceSession) VersionInfo() VersionInfo {
	return VersionInfo{s.AgentVersion, s.AgentHash, s.Docker}
}

// Runs is what runs on an instance: as its agent says while it is connected, else
// as it has said last.
func (i *Instance) Runs(s *InstanceSession) VersionInfo {
	if s != nil {
		return s.VersionInfo()
	}
	return i.Versions
}
