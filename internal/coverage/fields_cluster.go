package coverage

const (
	noExec       = "There is no ExecuteCommand here yet, whose settings these are."
	noFargateKMS = "Disks are the host's own: what encrypts them is the host's."
	noConnect    = "There is no service discovery here yet."
	noScaling    = "Hosts come and go by their owner's hand: nothing here starts or ends machines. status decides whether tasks without room wait."
	noMachines   = "Nothing here makes machines: a host joins by its attribute ashore.capacity-provider."
)

var clusterFields = map[string][]Field{
	"CreateCluster": fields(
		effective("clusterName", "capacityProviders", "defaultCapacityProviderStrategy", "tags"),
		stored("Nothing here collects Container Insights yet.", "settings"),
		stored(noExec, "configuration.executeCommandConfiguration"),
		stored(noFargateKMS, "configuration.managedStorageConfiguration"),
		stored(noConnect, "serviceConnectDefaults"),
	),
	"UpdateCluster": fields(
		effective("cluster"),
		stored("Nothing here collects Container Insights yet.", "settings"),
		stored(noExec, "configuration.executeCommandConfiguration"),
		stored(noFargateKMS, "configuration.managedStorageConfiguration"),
		stored(noConnect, "serviceConnectDefaults"),
	),
	"UpdateClusterSettings": fields(
		effective("cluster"),
		stored("Nothing here collects Container Insights yet.", "settings"),
	),
	"DescribeClusters":            effective("clusters", "include"),
	"ListClusters":                effective("maxResults", "nextToken"),
	"DeleteCluster":               effective("cluster"),
	"PutClusterCapacityProviders": effective("cluster", "capacityProviders", "defaultCapacityProviderStrategy"),
	"CreateCapacityProvider": fields(
		effective("name", "cluster", "tags", "autoScalingGroupProvider.managedScaling.status"),
		stored(noScaling, "autoScalingGroupProvider"),
		stored(noMachines, "managedInstancesProvider"),
	),
	"UpdateCapacityProvider": fields(
		effective("name", "cluster", "autoScalingGroupProvider.managedScaling.status"),
		stored(noScaling, "autoScalingGroupProvider"),
		stored(noMachines, "managedInstancesProvider"),
	),
	"DescribeCapacityProviders": effective("capacityProviders", "cluster", "include", "maxResults", "nextToken"),
	"DeleteCapacityProvider":    effective("capacityProvider", "cluster"),
}
