package conformance

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestPlacement(t *testing.T) { run(t, placementCases) }

const strategyGuide = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html"

// countPlaced runs tasks of a group with strategies, and counts them by host and by
// availability zone.
func (c *C) countPlaced(cluster, definition, group string, count int, strategies ...types.PlacementStrategy) (byHost, byZone map[string]int) {
	c.Helper()
	arns := c.Run(cluster, definition, count, func(in *ecs.RunTaskInput) { in.Group, in.PlacementStrategy = &group, strategies })
	byHost, byZone = map[string]int{}, map[string]int{}
	for _, t := range c.tasks(cluster, arns) {
		byHost[*t.ContainerInstanceArn]++
		for _, a := range c.instance(cluster, *t.ContainerInstanceArn).Attributes {
			if *a.Name == "ecs.availability-zone" {
				byZone[*a.Value]++
			}
		}
	}
	return byHost, byZone
}

func spread(field string) types.PlacementStrategy {
	return types.PlacementStrategy{Type: types.PlacementStrategyTypeSpread, Field: &field}
}

func binpack(field string) types.PlacementStrategy {
	return types.PlacementStrategy{Type: types.PlacementStrategyTypeBinpack, Field: &field}
}

// inZones creates a cluster with one host for each zone, and returns the cluster.
func (c *C) inZones(zones ...string) string {
	c.Helper()
	var specs []Spec
	for _, z := range zones {
		specs = append(specs, Spec{CPUs: 8, Memory: 8 << 10, Attributes: map[string]string{"ecs.availability-zone": z}})
	}
	cluster, _ := c.Fleet(specs...)
	c.Connected(cluster, len(zones))
	return cluster
}

const zoneField = "attribute:ecs.availability-zone"

var placementCases = []Case{
	{Name: "spread evens tasks out over zones, however many hosts each has", Cite: strategyGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.inZones("a", "a", "a", "b")
		if _, zones := c.countPlaced(cluster, c.Sleeper(), "g", 8, spread(zoneField)); zones["a"] != 4 || zones["b"] != 4 {
			c.Errorf("%v", zones)
		}
	}},
	{Name: "spread evens tasks out over the hosts of each zone", Cite: strategyGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.inZones("a", "a", "b", "b")
		hosts, _ := c.countPlaced(cluster, c.Sleeper(), "g", 8, spread(zoneField), spread("instanceId"))
		if len(hosts) != 4 {
			c.Errorf("%v", hosts)
		}
		for _, n := range hosts {
			if n != 2 {
				c.Errorf("%v", hosts)
			}
		}
	}},
	{Name: "spread counts the tasks of the same group, from one call to the next", Cite: strategyGuide, Needs: Fleet, Run: func(c *C) {
		cluster, def := c.inZones("a", "b"), c.Sleeper()
		first, _ := c.countPlaced(cluster, def, "one", 1, spread("host"))
		c.countPlaced(cluster, def, "other", 3, spread("host"))
		second, _ := c.countPlaced(cluster, def, "one", 1, spread("host"))
		for arn := range first {
			if second[arn] != 0 {
				c.Errorf("both are on %s", arn)
			}
		}
	}},
	{Name: "binpack fills one host before the next", Cite: strategyGuide, Needs: Fleet, Run: func(c *C) {
		cluster, def := c.inZones("a", "b", "c"), c.Sleeper()
		for _, field := range []string{"memory", "cpu"} {
			if hosts, _ := c.countPlaced(cluster, def, field, 5, binpack(field)); len(hosts) != 1 {
				c.Errorf("by %s: %v", field, hosts)
			}
		}
	}},
	{Name: "binpack packs within each zone that spread chose", Cite: strategyGuide, Needs: Fleet, Run: func(c *C) {
		cluster := c.inZones("a", "a", "b", "b")
		hosts, zones := c.countPlaced(cluster, c.Sleeper(), "g", 6, spread(zoneField), binpack("memory"))
		if len(hosts) != 2 || zones["a"] != 3 || zones["b"] != 3 {
			c.Errorf("%v %v", hosts, zones)
		}
	}},
	{Name: "random is served, alone and behind others", Cite: strategyGuide, Needs: Hosts, Run: func(c *C) {
		random := types.PlacementStrategy{Type: types.PlacementStrategyTypeRandom}
		cluster, def := c.Room(), c.Sleeper()
		for _, strategies := range [][]types.PlacementStrategy{{random}, {spread("host"), random}} {
			c.countPlaced(cluster, def, "g", 1, strategies...)
		}
	}},
}
