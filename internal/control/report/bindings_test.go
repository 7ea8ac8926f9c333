package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func bound(n int, make func(i int) types.NetworkBinding) func(*types.ContainerStateChange) {
	return func(c *types.ContainerStateChange) {
		for i := range n {
			c.NetworkBindings = append(c.NetworkBindings, make(i))
		}
	}
}

func single(port int) types.NetworkBinding {
	return types.NetworkBinding{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(int32(port)), Protocol: "tcp"}
}

func ranged(of, on string) types.NetworkBinding {
	return types.NetworkBinding{BindIP: aws.String("::"), ContainerPortRange: aws.String(of), HostPortRange: aws.String(on), Protocol: "udp"}
}

// Whatever a host reports about its task, the stored report stays small, and values
// within the agents' bounds are stored.
func TestReportsAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 600_000)
	hostile := Statement{Status: fleet.TaskStopped, Reason: long, Containers: []types.ContainerStateChange{
		change("web", "STOPPED", reason(long), runtime(long), func(c *types.ContainerStateChange) { c.ImageDigest = &long },
			bound(37_000, func(i int) types.NetworkBinding { return single(1 + i) })),
		change("side", "STOPPED", bound(37_000, func(i int) types.NetworkBinding { return ranged("1-2", "1-6000") })),
	}}
	r := tell(webTask(), webDefinition(types.NetworkModeBridge), hostile)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 16<<10 {
		t.Errorf("a report of %d bytes is stored", len(data))
	}
	c := r.Containers[0]
	if utf8.RuneCountInString(r.Reason) != fleet.MaxReason || utf8.RuneCountInString(c.Reason) != fleet.MaxReason || len(c.RuntimeID) != 254 || len(c.ImageDigest) != 254 {
		t.Errorf("cut to reasons of %d and %d bytes, a runtime id of %d, a digest of %d", len(r.Reason), len(c.Reason), len(c.RuntimeID), len(c.ImageDigest))
	}
	if len(c.NetworkBindings) != spareBindings+2 || len(r.Containers[1].NetworkBindings) != spareBindings {
		t.Errorf("%d bindings of one mapping, %d of none", len(c.NetworkBindings), len(r.Containers[1].NetworkBindings))
	}
}

// What a definition asks for is kept whole: each mapping for IPv4 and IPv6, a
// hundred ranges, and a range that an older agent reports port by port.
func TestLegalBindingsAreKept(t *testing.T) {
	d := webDefinition(types.NetworkModeBridge)
	mappings := &d.Definition.ContainerDefinitions[0].PortMappings
	*mappings = nil
	var said []types.NetworkBinding
	for i := range 100 {
		of := fmt.Sprintf("%d-%d", 1+600*i, 600+600*i)
		*mappings = append(*mappings, types.PortMapping{ContainerPortRange: &of, Protocol: "udp"})
		for _, ip := range []string{"0.0.0.0", "::"} {
			b := ranged(of, of)
			b.BindIP = aws.String(ip)
			said = append(said, b)
		}
	}
	r := tell(webTask(), d, Statement{Containers: []types.ContainerStateChange{change("web", "RUNNING", bound(len(said), func(i int) types.NetworkBinding { return said[i] }))}})
	if got := r.Containers[0].NetworkBindings; len(got) != len(said) || *got[199].HostPortRange != "59401-60000" || *got[199].BindIP != "::" {
		t.Errorf("%d of %d bindings are kept", len(got), len(said))
	}
	*mappings = []types.PortMapping{{ContainerPortRange: aws.String("8000-8299"), Protocol: "tcp"}}
	r = tell(webTask(), d, Statement{Containers: []types.ContainerStateChange{change("web", "RUNNING", bound(300, func(i int) types.NetworkBinding { return single(40000 + 7*i) }))}})
	if got := len(r.Containers[0].NetworkBindings); got != 300 {
		t.Errorf("%d of 300 single ports are kept", got)
	}
}

// A malformed binding is passed over, and what is written in another way than
// ours is understood.
func TestBindingsAreReadWithCare(t *testing.T) {
	d := webDefinition(types.NetworkModeBridge)
	d.Definition.ContainerDefinitions[0].PortMappings = make([]types.PortMapping, 10)
	for name, b := range map[string]types.NetworkBinding{
		"an address":       {BindIP: aws.String("here"), HostPort: aws.Int32(1)},
		"a protocol":       {HostPort: aws.Int32(1), Protocol: "sctp"},
		"a port":           {HostPort: aws.Int32(65536)},
		"a negative port":  {ContainerPort: aws.Int32(-1)},
		"a range":          {HostPortRange: aws.String("2-1")},
		"a range of names": {ContainerPortRange: aws.String(strings.Repeat("a", 1000))},
	} {
		if got := bindingsOf(d, "web", []types.NetworkBinding{b, single(1)}); len(got) != 1 || *got[0].HostPort != 1 || got[0].Protocol != "tcp" {
			t.Errorf("with %s that makes no sense: %+v", name, got)
		}
	}
	b := ranged("08000-8005", "9000-9005")
	b.ContainerPort, b.HostPort = aws.Int32(0), aws.Int32(0)
	got := bindingsOf(d, "web", []types.NetworkBinding{b})
	if len(got) != 1 || *got[0].ContainerPortRange != "8000-8005" || got[0].ContainerPort != nil || got[0].HostPort != nil {
		t.Errorf("%+v", got)
	}
}
