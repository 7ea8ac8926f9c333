package ecs

import (
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// serviceExtras is what a request may ask of a service beside its tasks.
type serviceExtras struct {
	controller *types.DeploymentController
	balancers  []types.LoadBalancer
	registries []types.ServiceRegistry
	connect    *types.ServiceConnectConfiguration
	lattice    []types.VpcLatticeConfiguration
	gateways   []types.GatewayConnector
	monitoring *types.MonitoringConfiguration
	exec       bool
}

// checkServed refuses what ECS has and Ashore does not serve yet.
func (e *serviceExtras) checkServed() error {
	switch {
	case e.controller != nil && e.controller.Type != types.DeploymentControllerTypeEcs:
		return refuse.Unsupported("deploymentController %s is not served yet: leave it out, or use ECS.", e.controller.Type)
	case len(e.balancers) > 0:
		return refuse.Unsupported("loadBalancers are not served yet: this installation has no load balancer.")
	case len(e.registries) > 0:
		return refuse.Unsupported("serviceRegistries are not served yet: this installation has no service discovery.")
	case e.connect != nil && e.connect.Enabled:
		return refuse.Unsupported("serviceConnectConfiguration is not served yet: this installation has no Service Connect. Leave it out, or set enabled to false.")
	case len(e.lattice) > 0:
		return refuse.Unsupported("vpcLatticeConfigurations are not served: this installation has no VPC Lattice.")
	case len(e.gateways) > 0:
		return refuse.Unsupported("gatewayConnectors are not served yet: this installation has no gateways.")
	case e.monitoring != nil && len(e.monitoring.MetricConfigurations) > 0:
		return refuse.Unsupported("monitoring is not served yet: this installation keeps no metrics of services.")
	case e.exec:
		return refuse.Unsupported("enableExecuteCommand is not served yet: this installation has no ExecuteCommand.")
	}
	return nil
}

// defaultPercents returns the defaults of minimumHealthyPercent and maximumPercent,
// in percent of the desired count (API reference).
func defaultPercents(scheduling types.SchedulingStrategy) (minimum, maximum int32) {
	if scheduling == types.SchedulingStrategyDaemon {
		return 0, 100
	}
	return 100, 200
}

// mergeDeploymentConfiguration returns a service's configuration after a request. was
// is the one before, or nil for a new service. What the request does not mention
// stays.
func mergeDeploymentConfiguration(scheduling types.SchedulingStrategy, was, in *types.DeploymentConfiguration) (*types.DeploymentConfiguration, error) {
	minimum, maximum := defaultPercents(scheduling)
	out := &types.DeploymentConfiguration{
		MinimumHealthyPercent: &minimum, MaximumPercent: &maximum, Strategy: types.DeploymentStrategyRolling,
		DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{}, BakeTimeInMinutes: aws.Int32(0),
	}
	if was != nil {
		*out = *was
	}
	if in == nil {
		return out, nil
	}
	if err := checkDeploymentServed(in); err != nil {
		return nil, err
	}
	if in.MinimumHealthyPercent != nil {
		out.MinimumHealthyPercent = in.MinimumHealthyPercent
	}
	if in.MaximumPercent != nil {
		out.MaximumPercent = in.MaximumPercent
	}
	if b := in.DeploymentCircuitBreaker; b != nil {
		if err := checkBreaker(b); err != nil {
			return nil, err
		}
		out.DeploymentCircuitBreaker = b
	}
	return out, checkPercents(scheduling, *out.MinimumHealthyPercent, *out.MaximumPercent)
}

// checkDeploymentServed refuses ways to deploy that Ashore does not have yet.
func checkDeploymentServed(in *types.DeploymentConfiguration) error {
	switch {
	case in.Strategy != "" && in.Strategy != types.DeploymentStrategyRolling:
		return refuse.Unsupported("deploymentConfiguration.strategy %s is not served yet: leave it out, or use ROLLING.", in.Strategy)
	case in.Alarms != nil && in.Alarms.Enable:
		return refuse.Unsupported("deploymentConfiguration.alarms are not served: this installation has no CloudWatch alarms. Leave them out, or set enable to false.")
	case len(in.LifecycleHooks) > 0:
		return refuse.Unsupported("deploymentConfiguration.lifecycleHooks are not served yet.")
	case in.EarlySuccessCriteria != nil && in.EarlySuccessCriteria.Enable:
		return refuse.Unsupported("deploymentConfiguration.earlySuccessCriteria is not served yet: leave it out, or set enable to false.")
	case in.CanaryConfiguration != nil:
		return refuse.Unsupported("deploymentConfiguration.canaryConfiguration is not served yet: it is for the strategy CANARY.")
	case in.LinearConfiguration != nil:
		return refuse.Unsupported("deploymentConfiguration.linearConfiguration is not served yet: it is for the strategy LINEAR.")
	case aws.ToInt32(in.BakeTimeInMinutes) != 0:
		return refuse.Unsupported("deploymentConfiguration.bakeTimeInMinutes is not served yet: leave it out, or set it to 0.")
	}
	return nil
}

func checkBreaker(b *types.DeploymentCircuitBreaker) error {
	if b.Rollback && !b.Enable {
		return refuse.Invalid("deploymentCircuitBreaker: rollback needs the circuit breaker to be enabled.")
	}
	t := b.ThresholdConfiguration
	switch {
	case t == nil:
	case t.Value < 1:
		return refuse.Invalid("deploymentCircuitBreaker.thresholdConfiguration.value must be at least 1, not %d.", t.Value)
	}
	return nil
}

func checkPercents(scheduling types.SchedulingStrategy, minimum, maximum int32) error {
	switch daemon := scheduling == types.SchedulingStrategyDaemon; {
	case minimum < 0 || minimum > 100:
		return refuse.Invalid("minimumHealthyPercent must be between 0 and 100, not %d.", minimum)
	case daemon && maximum != 100:
		return refuse.Invalid("maximumPercent must be 100 for the DAEMON scheduling strategy, not %d: no instance runs two tasks of a daemon.", maximum)
	case maximum < 100:
		return refuse.Invalid("maximumPercent must be at least 100, not %d.", maximum)
	case minimum == 100 && maximum == 100:
		return refuse.Invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	}
	return nil
}
