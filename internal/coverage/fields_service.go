package coverage

import "slices"

const (
	noBalancer  = "There are no load balancers here yet."
	noDiscovery = "There is no service discovery here yet."
	noLattice   = "There is no VPC Lattice here."
	noGateway   = "There are no gateways here yet."
	noMetrics   = "There are no metrics of services here yet."
)

// serviceFields are what CreateService and UpdateService have in common.
var serviceFields = fields(
	effective("cluster", "taskDefinition", "desiredCount", "propagateTags", "enableECSManagedTags", "placementConstraints", "placementStrategy",
		"healthCheckGracePeriodSeconds", "capacityProviderStrategy"),
	effectivePartly("ENABLED is refused where ECS refuses it.", "availabilityZoneRebalancing"),
	effective("deploymentConfiguration.maximumPercent", "deploymentConfiguration.minimumHealthyPercent", "deploymentConfiguration.deploymentCircuitBreaker"),
	effectivePartly("ROLLING; the others are refused until there are load balancers.", "deploymentConfiguration.strategy"),
	refused("There are no CloudWatch alarms here; enable false is accepted.", "deploymentConfiguration.alarms"),
	refused("It belongs to strategies that come with load balancers.", "deploymentConfiguration.bakeTimeInMinutes",
		"deploymentConfiguration.canaryConfiguration", "deploymentConfiguration.linearConfiguration", "deploymentConfiguration.lifecycleHooks"),
	refused("A deployment completes when its service is steady; enable false is accepted.", "deploymentConfiguration.earlySuccessCriteria"),
	effectivePartly("ECS; task sets and CodeDeploy are not served.", "deploymentController.type"),
	stored(noVPC, "networkConfiguration"),
	stored("All hosts run one platform.", "platformVersion"),
	refused("There is no ExecuteCommand here yet.", "enableExecuteCommand"),
	refused(noEBS, "volumeConfigurations"),
	refused(noBalancer, "loadBalancers"),
	refused(noDiscovery, "serviceRegistries"),
	refused(noDiscovery+" enabled false is accepted.", "serviceConnectConfiguration"),
	refused(noLattice, "vpcLatticeConfigurations"),
	refused(noGateway, "gatewayConnectors"),
	refused(noMetrics, "monitoring"),
)

var serviceFieldsOf = map[string][]Field{
	"CreateService": slices.Concat(serviceFields, fields(
		effective("serviceName", "clientToken", "launchType", "schedulingStrategy", "tags"),
		refused("It is only permitted with load balancers.", "role"),
	)),
	"UpdateService":              slices.Concat(serviceFields, effective("service", "forceNewDeployment")),
	"DeleteService":              effective("cluster", "service", "force"),
	"DescribeServices":           effective("cluster", "services", "include"),
	"ListServices":               effective("cluster", "launchType", "schedulingStrategy", "resourceManagementType", "maxResults", "nextToken"),
	"ListServicesByNamespace":    refused(noDiscovery+" So there are no namespaces, and none is found.", "namespace", "maxResults", "nextToken"),
	"ListServiceDeployments":     effective("cluster", "service", "createdAt", "status", "maxResults", "nextToken"),
	"DescribeServiceDeployments": effective("serviceDeploymentArns"),
	"DescribeServiceRevisions":   effective("serviceRevisionArns"),
	"StopServiceDeployment":      fields(effective("serviceDeploymentArn"), effectivePartly("ROLLBACK, which the API reference has alone.", "stopType")),
	"ContinueServiceDeployment":  refused("There are no lifecycle hooks here yet, so no deployment is ever paused at one.", "serviceDeploymentArn", "hookId", "action"),
}
