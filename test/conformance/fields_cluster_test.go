package conformance

const (
	clusterConfiguration = `"configuration": {
		"executeCommandConfiguration": {"kmsKeyId": "alias/exec", "logging": "OVERRIDE", "logConfiguration": {"cloudWatchLogGroupName": "g",
			"cloudWatchEncryptionEnabled": true, "s3BucketName": "b", "s3EncryptionEnabled": true, "s3KeyPrefix": "p"}},
		"managedStorageConfiguration": {"kmsKeyId": "alias/a", "fargateEphemeralStorageKmsKeyId": "alias/f"}}`
	groupMembers = `"managedDraining": "DISABLED", "managedTerminationProtection": "DISABLED", "managedScaling": {"status": "ENABLED",
		"targetCapacity": 80, "minimumScalingStepSize": 2, "maximumScalingStepSize": 20, "instanceWarmupPeriod": 60}`
	instanceRequirements = `"instanceRequirements": {"vCpuCount": {"min": 1, "max": 8}, "memoryMiB": {"min": 512, "max": 8192},
		"acceleratorCount": {"min": 1, "max": 2}, "acceleratorManufacturers": ["nvidia"], "acceleratorNames": ["t4"],
		"acceleratorTotalMemoryMiB": {"min": 1, "max": 2}, "acceleratorTypes": ["gpu"], "bareMetal": "excluded",
		"baselineEbsBandwidthMbps": {"min": 1, "max": 2}, "burstablePerformance": "included", "cpuManufacturers": ["amd"],
		"instanceGenerations": ["current"], "localStorage": "included", "localStorageTypes": ["ssd"],
		"memoryGiBPerVCpu": {"min": 1, "max": 2}, "networkBandwidthGbps": {"min": 1, "max": 2}, "networkInterfaceCount": {"min": 1, "max": 2},
		"onDemandMaxPricePercentageOverLowestPrice": 20, "requireHibernateSupport": true, "totalLocalStorageGB": {"min": 1, "max": 2}, `
	spotOverLowest = instanceRequirements + `"excludedInstanceTypes": ["t2.*"], "spotMaxPricePercentageOverLowestPrice": 50}`
	spotOfOnDemand = instanceRequirements + `"allowedInstanceTypes": ["m5.*"], "maxSpotPriceAsPercentageOfOptimalOnDemandPrice": 50}`
	launchTemplate = `"ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/p", "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
		"instanceMetadataTagsPropagation": true, "localStorageConfiguration": {"useLocalStorage": true}, "monitoring": "DETAILED", "storageConfiguration": {"storageSizeGiB": 30}, `
	managedSettings = `"infrastructureRoleArn": "arn:aws:iam::000000000000:role/r", "propagateTags": "CAPACITY_PROVIDER",
		"autoRepairConfiguration": {"actionsStatus": "ENABLED"}, "infrastructureOptimization": {"scaleInAfter": 60}, `
	reservations = `"capacityReservations": {"reservationGroupArn": "arn:aws:resource-groups:us-east-1:000000000000:group/g", "reservationPreference": "RESERVATIONS_FIRST"}`
)

var clusterFieldCases = []fieldCase{
	{"CreateCluster: everything", `{"clusterName": "$name$", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
		"defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}], "settings": [{"name": "containerInsights", "value": "enabled"}],
		"serviceConnectDefaults": {"namespace": "n"}, "tags": [{"key": "k", "value": "v"}], ` + clusterConfiguration + `}`, ""},
	{"UpdateCluster: everything", `{"cluster": "$cluster$", "settings": [{"name": "containerInsights", "value": "enabled"}],
		"serviceConnectDefaults": {"namespace": "n"}, ` + clusterConfiguration + `}`, ""},
	{"UpdateClusterSettings: everything", `{"cluster": "$cluster$", "settings": [{"name": "containerInsights", "value": "disabled"}]}`, ""},
	{"DescribeClusters: everything", `{"clusters": ["$cluster$"], "include": ["STATISTICS", "ATTACHMENTS"]}`, ""},
	{"PutClusterCapacityProviders: everything", `{"cluster": "$cluster$", "capacityProviders": ["$provider$", "FARGATE"],
		"defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]}`, ""},
	{"PutClusterCapacityProviders: back", `{"cluster": "$cluster$", "capacityProviders": ["$provider$", "FARGATE"], "defaultCapacityProviderStrategy": []}`, ""},

	{"CreateCapacityProvider: a group's", `{"name": "$name$-group", "tags": [{"key": "k", "value": "v"}],
		"autoScalingGroupProvider": {"autoScalingGroupArn": "g", ` + groupMembers + `}}`, ""},
	{"UpdateCapacityProvider: a group's", `{"name": "$name$-group", "autoScalingGroupProvider": {` + groupMembers + `}}`, ""},
	{"CreateCapacityProvider: managed instances", `{"name": "$name$-managed", "cluster": "$cluster$", "managedInstancesProvider": {` + managedSettings + `
		"instanceLaunchTemplate": {` + launchTemplate + spotOverLowest + `, "capacityOptionType": "RESERVED", ` + reservations + `}}}`, ""},
	{"UpdateCapacityProvider: managed instances", `{"name": "$name$-managed", "cluster": "$cluster$", "managedInstancesProvider": {` + managedSettings + `
		"instanceLaunchTemplate": {` + launchTemplate + spotOfOnDemand + `, ` + reservations + `}}}`, ""},
	{"UpdateCapacityProvider: managed instances, excluding types", `{"name": "$name$-managed", "cluster": "$cluster$", "managedInstancesProvider": {` + managedSettings + `
		"instanceLaunchTemplate": {` + launchTemplate + spotOverLowest + `}}}`, ""},
	{"CreateCapacityProvider: managed instances of allowed types", `{"name": "$name$-allowed", "cluster": "$cluster$", "managedInstancesProvider": {` + managedSettings + `
		"instanceLaunchTemplate": {` + launchTemplate + spotOfOnDemand + `, "fipsEnabled": true}}}`, ""},
	{"DescribeCapacityProviders: of a cluster", `{"cluster": "$cluster$", "include": ["TAGS"], "maxResults": 1}`, ""},
	{"DescribeCapacityProviders: by name", `{"capacityProviders": ["$name$-group"]}`, ""},
	{"DeleteCapacityProvider: a group's", `{"capacityProvider": "$name$-group"}`, ""},
	{"DeleteCapacityProvider: managed instances", `{"capacityProvider": "$name$-managed", "cluster": "$cluster$"}`, ""},
	{"DeleteCapacityProvider: managed instances of allowed types", `{"capacityProvider": "$name$-allowed", "cluster": "$cluster$"}`, ""},
}
