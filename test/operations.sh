#!/usr/bin/env bash
# Every ECS operation that is served, with the stock aws command line, against an
# installation that runs: up, with this host idle in the cluster default.
#
# ASHORE is the binary, ASHORE_DATA_DIR the installation.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. test/lib.sh

eval "$("${ASHORE:-bin/ashore}" env)"
export AWS_PAGER=
ops=ops-$$ rack=rack-$$
# text QUERY COMMAND…: what the answer has there
text() {
	local query=$1
	shift
	aws ecs "$@" --query "$query" --output text
}

# knows OPERATION: an aws that is older than it says so itself
knows() {
	local said
	said=$(aws ecs "$1" 2>&1) || true
	case "$said" in *"Invalid choice"*) printf '   this aws is older than %s\n' "$1" && return 1 ;; esac
}

step "clusters"
is "$(text cluster.status create-cluster --cluster-name "$ops" --settings name=containerInsights,value=enabled --tags key=team,value=a)" ACTIVE "the cluster's status"
has "$(text clusterArns list-clusters)" "cluster/$ops"
is "$(text 'clusters[0].settings[0].value' describe-clusters --clusters "$ops" --include SETTINGS STATISTICS TAGS CONFIGURATIONS)" enabled containerInsights
is "$(text 'cluster.settings[0].value' update-cluster-settings --cluster "$ops" --settings name=containerInsights,value=disabled)" disabled containerInsights
is "$(text cluster.configuration.executeCommandConfiguration.logging update-cluster --cluster "$ops" --configuration executeCommandConfiguration='{logging=NONE}')" NONE "the configuration"
is "$(text 'failures[0].reason' describe-clusters --clusters nowhere)" MISSING "the failure"

step "capacity providers"
group=arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:0a1b2c3d-0000-0000-0000-000000000000:autoScalingGroupName/$rack
is "$(text capacityProvider.status create-capacity-provider --name "$rack" --auto-scaling-group-provider "autoScalingGroupArn=$group,managedScaling={status=DISABLED}")" ACTIVE "the provider"
has "$(text 'capacityProviders[].name' describe-capacity-providers)" FARGATE_SPOT
is "$(text capacityProvider.autoScalingGroupProvider.managedScaling.targetCapacity update-capacity-provider --name "$rack" --auto-scaling-group-provider 'managedScaling={status=DISABLED,targetCapacity=90}')" 90 "the target"
is "$(text 'cluster.capacityProviders[0]' put-cluster-capacity-providers --cluster "$ops" --capacity-providers "$rack" --default-capacity-provider-strategy "capacityProvider=$rack,weight=1")" "$rack" "the cluster's provider"
is "$(text capacityProvider.updateStatus delete-capacity-provider --capacity-provider "$rack")" DELETE_FAILED "the provider in use"
is "$(text 'length(cluster.capacityProviders)' put-cluster-capacity-providers --cluster "$ops" --capacity-providers --default-capacity-provider-strategy)" 0 "the cluster's providers"
is "$(text capacityProvider.updateStatus delete-capacity-provider --capacity-provider "$rack")" DELETE_COMPLETE "the provider"

step "account settings"
is "$(text setting.value put-account-setting --name containerInsights --value enabled)" enabled "the setting"
is "$(text 'settings[0].value' list-account-settings --name containerInsights --effective-settings)" enabled "the effective setting"
is "$(text setting.value put-account-setting-default --name containerInsights --value disabled)" disabled "the default"
is "$(text setting.name delete-account-setting --name containerInsights)" containerInsights "the setting"

step "task definitions"
cat >"$work/ops.json" <<'JSON'
{"family": "ops", "networkMode": "bridge", "containerDefinitions": [{"name": "main", "image": "localhost/ashore/sample:latest",
 "cpu": 16, "memory": 32, "essential": true, "command": ["sleep", "360"]}]}
JSON
first=$(text taskDefinition.taskDefinitionArn register-task-definition --cli-input-json "file://$work/ops.json" --tags key=team,value=a)
second=$(text taskDefinition.taskDefinitionArn register-task-definition --cli-input-json "file://$work/ops.json")
is "$((${second##*:} - ${first##*:}))" 1 "the step between two revisions"
is "$(text taskDefinition.taskDefinitionArn describe-task-definition --task-definition ops --include TAGS)" "$second" "the family's newest"
has "$(text taskDefinitionArns list-task-definitions --family-prefix ops --sort DESC)" "$second"
has "$(text families list-task-definition-families --family-prefix op)" ops
is "$(text taskDefinition.status deregister-task-definition --task-definition "$first")" INACTIVE "the first revision"
refused ClientException aws ecs run-task --task-definition "$first"
if knows delete-task-definitions; then
	is "$(text 'taskDefinitions[0].status' delete-task-definitions --task-definitions "$first")" DELETE_IN_PROGRESS "the first revision"
fi
refused Fargate aws ecs register-task-definition --family odd --requires-compatibilities FARGATE --network-mode awsvpc --cpu 256 --memory 9999 \
	--container-definitions name=main,image=x

step "attributes and container instances"
instance=$(text 'containerInstanceArns[0]' list-container-instances)
is "$(text 'attributes[0].value' put-attributes --attributes "name=rack,value=r7,targetId=$instance")" r7 "the attribute"
is "$(text 'attributes[0].targetId' list-attributes --target-type container-instance --attribute-name rack --attribute-value r7)" "$instance" "the attribute's target"
is "$(text 'containerInstanceArns[0]' list-container-instances --filter 'attribute:rack == r7 and agentConnected == true')" "$instance" "the instance found by a query"
refused position aws ecs list-container-instances --filter 'attribute:rack == r7 and'
is "$(text 'containerInstances[0].status' describe-container-instances --container-instances "$instance" --include TAGS)" ACTIVE "the instance"
is "$(text 'containerInstances[0].status' update-container-instances-state --container-instances "$instance" --status DRAINING)" DRAINING "the instance"
refused "No Container Instances were found" aws ecs run-task --task-definition ops
is "$(text 'containerInstances[0].status' update-container-instances-state --container-instances "$instance" --status ACTIVE)" ACTIVE "the instance"
refused Exception aws ecs update-container-agent --container-instance "$instance"

step "tasks"
task=$(text 'tasks[0].taskArn' run-task --task-definition ops --started-by me --group g --enable-ecs-managed-tags --propagate-tags TASK_DEFINITION \
	--tags key=run,value=1 --placement-constraints 'type=memberOf,expression=attribute:rack == r7' \
	--overrides '{"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "b"}]}]}')
aws ecs wait tasks-running --tasks "$task"
is "$(text 'tasks[0].group' describe-tasks --tasks "$task" --include TAGS)" g "the task's group"
is "$(text 'taskArns[0]' list-tasks --started-by me)" "$task" "the task found by startedBy"
has "$(text 'failures[0].reason' run-task --task-definition ops --placement-constraints 'type=memberOf,expression=attribute:rack == r8')" MemberOf
has "$(text 'failures[0].reason' get-task-protection --cluster default --tasks "$task")" TASK_NOT_VALID
has "$(text 'failures[0].reason' update-task-protection --cluster default --tasks "$task" --protection-enabled)" TASK_NOT_VALID

step "tags"
for arn in "$task" "$instance" "$second" "$(text 'clusters[0].clusterArn' describe-clusters --clusters "$ops")"; do
	aws ecs tag-resource --resource-arn "$arn" --tags key=late,value=yes
	has "$(text 'tags[].key' list-tags-for-resource --resource-arn "$arn")" late
	aws ecs untag-resource --resource-arn "$arn" --tag-keys late
	is "$(text "tags[?key=='late'].value" list-tags-for-resource --resource-arn "$arn")" "" "the tag"
done

step "services"
service() { text "services[0].$1" describe-services --services "$rack" --include TAGS; }
is "$(text service.status create-service --service-name "$rack" --task-definition ops --desired-count 0 \
	--tags key=team,value=a key=ashore.healthy-after,value=1 \
	--propagate-tags SERVICE --enable-ecs-managed-tags --placement-constraints 'type=memberOf,expression=attribute:rack == r7' \
	--deployment-configuration 'minimumHealthyPercent=0,deploymentCircuitBreaker={enable=true,rollback=true}')" ACTIVE "the service"
aws ecs wait services-stable --services "$rack"
arn=$(service serviceArn)
has "$(text serviceArns list-services --scheduling-strategy REPLICA --launch-type EC2)" "$arn"
is "$(service "tags[?key=='team'].value")" a "the service's tag"
aws ecs tag-resource --resource-arn "$arn" --tags key=late,value=yes
has "$(text 'tags[].key' list-tags-for-resource --resource-arn "$arn")" late
aws ecs untag-resource --resource-arn "$arn" --tag-keys late
is "$(text 'length(taskArns)' list-tasks --service-name "$rack")" 0 "the number of its tasks"
is "$(text service.desiredCount update-service --service "$rack" --desired-count 1 --force-new-deployment)" 1 "the desired count"
aws ecs wait services-stable --services "$rack"
is "$(service '[runningCount,length(deployments)]' | tr '\t' ' ')" "1 1" "the service's tasks and deployments"
worker=$(text taskArns list-tasks --service-name "$rack")
is "$(text 'tasks[0].[group,lastStatus]' describe-tasks --tasks "$worker" | tr '\t' ' ')" "service:$rack RUNNING" "the service's task"
is "$(text 'protectedTasks[0].protectionEnabled' update-task-protection --cluster default --tasks "$worker" --protection-enabled --expires-in-minutes 5)" True "the protection"
is "$(text 'protectedTasks[0].protectionEnabled' get-task-protection --cluster default --tasks "$worker")" True "the protection, read"
refused "scaled above 0" aws ecs delete-service --service "$rack"
if knows list-service-deployments; then
	deployment=$(text 'serviceDeployments[0].serviceDeploymentArn' list-service-deployments --service "$rack")
	is "$(text 'serviceDeployments[0].serviceArn' describe-service-deployments --service-deployment-arns "$deployment")" "$arn" "the deployment's service"
	revision=$(text 'serviceDeployments[0].targetServiceRevision.arn' describe-service-deployments --service-deployment-arns "$deployment")
	is "$(text 'serviceRevisions[0].taskDefinition' describe-service-revisions --service-revision-arns "$revision")" "$second" "the revision's task definition"
	if knows stop-service-deployment; then
		refused "not found" aws ecs stop-service-deployment --service-deployment-arn "${deployment}0"
	fi
	if knows continue-service-deployment; then
		refused "not paused" aws ecs continue-service-deployment --service-deployment-arn "$deployment" --hook-id none
	fi
fi
if knows list-services-by-namespace; then
	refused NamespaceNotFoundException aws ecs list-services-by-namespace --namespace none
fi
is "$(text service.status delete-service --service "$rack" --force)" DRAINING "the deleted service"
aws ecs wait services-inactive --services "$rack"
is "$(service '[status,runningCount,pendingCount]' | tr '\t' ' ')" "INACTIVE 0 0" "the service that is gone"
aws ecs wait tasks-stopped --tasks "$worker"

step "clean up"
started=$(text 'tasks[0].taskArn' start-task --task-definition ops --container-instances "$instance")
for arn in "$task" "$started"; do
	is "$(text task.desiredStatus stop-task --task "$arn" --reason done)" STOPPED "the task"
done
aws ecs wait tasks-stopped --tasks "$task" "$started"
is "$(text 'attributes[0].name' delete-attributes --attributes "name=rack,targetId=$instance")" rack "the attribute"
is "$(text taskDefinition.status deregister-task-definition --task-definition "$second")" INACTIVE "the second revision"
is "$(text cluster.status delete-cluster --cluster "$ops")" INACTIVE "the cluster"

step "what is not served says so"
refused "is not served by this installation yet" aws ecs describe-task-sets --cluster c --service s
