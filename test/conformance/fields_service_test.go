package conformance

import "strings"

const (
	// serviceUpdated has the members that CreateService and UpdateService have in
	// common.
	serviceUpdated = `"cluster": "$cluster$", "taskDefinition": "$definition$", "desiredCount": 1, "propagateTags": "SERVICE", "enableECSManagedTags": true,
		"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
		"placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}],
		"healthCheckGracePeriodSeconds": 5, "availabilityZoneRebalancing": "ENABLED", "deploymentController": {"type": "ECS"},
		"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50, "strategy": "ROLLING",
			"deploymentCircuitBreaker": {"enable": true, "rollback": true, "resetOnHealthyTask": true, "thresholdConfiguration": {"type": "COUNT", "value": 4}}}`
	serviceNetwork = `"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}}, "platformVersion": "1.4.0"`
	serviceConnect = `"serviceConnectConfiguration": {"enabled": true, "namespace": "n", "accessLogConfiguration": {"format": "JSON", "includeQueryParameters": "ENABLED"},
		"logConfiguration": {"logDriver": "awslogs", "options": {"a": "b"}, "secretOptions": [{"name": "n", "valueFrom": "v"}]}, "containerConfigurations": [{"logLevel": "DEBUG"}],
		"services": [{"portName": "p", "discoveryName": "d", "ingressPortOverride": 80, "clientAliases": [{"port": 80, "dnsName": "d", "testTrafficRules": {"header": {"name": "h", "value": {"exact": "e"}}}}],
			"timeout": {"idleTimeoutSeconds": 1, "perRequestTimeoutSeconds": 1},
			"tls": {"kmsKey": "k", "roleArn": "r", "issuerCertificateAuthority": {"awsPcaAuthorityArn": "a"}}}]}`
	serviceBalancer = `"loadBalancers": [{"targetGroupArn": "t", "loadBalancerName": "l", "containerName": "main", "containerPort": 80,
		"advancedConfiguration": {"alternateTargetGroupArn": "a", "productionListenerRule": "p", "testListenerRule": "t", "roleArn": "r"}}]`
)

// unservedServiceMembers are the members that neither operation accepts, with the words
// of the refusal.
var unservedServiceMembers = map[string]string{
	`"enableExecuteCommand": true`: "enableExecuteCommand",
	serviceConnect:                 "serviceConnectConfiguration",
	serviceBalancer:                "loadBalancers",
	`"serviceRegistries": [{"registryArn": "r", "containerName": "main", "containerPort": 80, "port": 80}]`: "serviceRegistries",
	`"vpcLatticeConfigurations": [{"portName": "p", "roleArn": "r", "targetGroupArn": "t",
		"advancedConfiguration": {"alternateTargetGroupArn": "a", "productionListenerRule": "p", "testListenerRule": "t"}}]`: "vpcLatticeConfigurations",
	`"gatewayConnectors": [{"portName": "p", "filters": {"accessTypes": ["PUBLIC"]}, "healthCheck": {"healthCheckIntervalSeconds": 5, "healthCheckPath": "/", "healthCheckPort": 80,
		"healthCheckProtocol": "HTTP", "healthCheckTimeoutSeconds": 5, "healthyThresholdCount": 2, "unhealthyThresholdCount": 2, "matcher": {"grpcCode": "0", "httpCode": "200"}}}]`: "gatewayConnectors",
	`"monitoring": {"metricConfigurations": [{"metricNames": ["CPUUtilization"], "resolutionSeconds": 20}]}`:                                   "monitoring",
	`"deploymentConfiguration": {"alarms": {"enable": true, "rollback": true, "alarmNames": ["a"]}}`:                                           "alarms",
	`"deploymentConfiguration": {"bakeTimeInMinutes": 5}`:                                                                                      "bakeTimeInMinutes",
	`"deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": 5, "canaryBakeTimeInMinutes": 5}}`:                                   "canaryConfiguration",
	`"deploymentConfiguration": {"linearConfiguration": {"stepPercent": 5, "stepBakeTimeInMinutes": 5}}`:                                       "linearConfiguration",
	`"deploymentConfiguration": {"earlySuccessCriteria": {"enable": true, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"}}`: "earlySuccessCriteria",
	`"deploymentConfiguration": {"lifecycleHooks": [{"hookTargetArn": "t", "roleArn": "r", "lifecycleStages": ["PRE_SCALE_UP"], "targetType": "AWS_LAMBDA",
		"hookDetails": {"a": "b"}, "timeoutConfiguration": {"action": "CONTINUE", "timeoutInMinutes": 5}}]}`: "lifecycleHooks",
}

var serviceFieldCases = serviceCases()

func serviceCases() []fieldCase {
	ebs := strings.Replace(ebsVolumes, `"terminationPolicy": {"deleteOnTermination": true}, `, "", 1)
	const created = `"cluster": "$cluster$", "taskDefinition": "$definition$", "desiredCount": 0`
	out := []fieldCase{
		{"CreateService: on EC2", `{` + serviceUpdated + `, "serviceName": "fields", "clientToken": "$name$", "launchType": "EC2", "schedulingStrategy": "REPLICA", "tags": [{"key": "k", "value": "v"}]}`, ""},
		{"CreateService: by a provider", `{` + created + `, "serviceName": "provided", "capacityProviderStrategy": [{"capacityProvider": "$provider$", "base": 1, "weight": 1}]}`, ""},
		{"CreateService: in a network of its own", `{"cluster": "$cluster$", "taskDefinition": "$fargate$", "desiredCount": 0, "serviceName": "networked", "launchType": "FARGATE", ` + serviceNetwork + `}`, ""},
		{"CreateService: a role", `{` + created + `, "serviceName": "x", "role": "r"}`, "role"},
		{"CreateService: volumes of EBS", `{` + created + `, "serviceName": "x", ` + ebs + `}`, "volume"},
		{"UpdateService: everything", `{` + serviceUpdated + `, "service": "fields", "forceNewDeployment": true}`, ""},
		{"UpdateService: by a provider", `{"cluster": "$cluster$", "service": "provided", "forceNewDeployment": true, "capacityProviderStrategy": [{"capacityProvider": "$provider$", "base": 2, "weight": 1}]}`, ""},
		{"UpdateService: in a network of its own", `{"cluster": "$cluster$", "service": "networked", ` + serviceNetwork + `}`, ""},
		{"UpdateService: volumes of EBS", `{"cluster": "$cluster$", "service": "fields", ` + ebs + `}`, "volume"},
		{"DescribeServices: everything", `{"cluster": "$cluster$", "services": ["fields"], "include": ["TAGS"]}`, ""},
		{"ListServices: everything", `{"cluster": "$cluster$", "launchType": "EC2", "schedulingStrategy": "REPLICA", "resourceManagementType": "CUSTOMER", "maxResults": 1}`, ""},
		{"ListServicesByNamespace: everything", `{"namespace": "n", "maxResults": 1, "nextToken": "x"}`, "token"},
		{"ListServiceDeployments: everything", `{"cluster": "$cluster$", "service": "world", "status": ["PENDING", "STOPPED"], "maxResults": 1, "createdAt": {"after": 1, "before": 2}}`, ""},
		{"DescribeServiceDeployments: everything", `{"serviceDeploymentArns": ["$deployment$"]}`, ""},
		{"DescribeServiceRevisions: everything", `{"serviceRevisionArns": ["$revision$"]}`, ""},
		{"StopServiceDeployment: everything", `{"serviceDeploymentArn": "$stoppable$", "stopType": "ROLLBACK"}`, ""},
		{"ContinueServiceDeployment: everything", `{"serviceDeploymentArn": "$deployment$", "hookId": "h", "action": "CONTINUE"}`, "hook"},
		{"DeleteService: everything", `{"cluster": "$cluster$", "service": "fields", "force": true}`, ""},
	}
	for member, says := range unservedServiceMembers {
		out = append(out,
			fieldCase{"CreateService: " + says, `{` + created + `, "serviceName": "x", ` + member + `}`, says},
			fieldCase{"UpdateService: " + says, `{"cluster": "$cluster$", "service": "networked", ` + member + `}`, says})
	}
	return out
}
