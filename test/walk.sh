#!/usr/bin/env bash
# The README's walk, with the stock aws command line, against an installation
# that runs: up, with this host idle in the cluster default.
#
#   test/walk.sh env|profile
#
# ASHORE is the binary, ASHORE_DATA_DIR the installation, HTTP_PORT the host
# port of the two-container definition (8080 unless set).
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:?env or profile}
ashore=${ASHORE:-bin/ashore}
port=${HTTP_PORT:-8080}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. test/lib.sh

step "point aws at ashore by $mode"
case "$mode" in
env)
	eval "$("$ashore" env)"
	;;
profile)
	export AWS_CONFIG_FILE=$work/config AWS_SHARED_CREDENTIALS_FILE=$work/credentials
	printf '[default]\nregion = mars-north-1\n' >"$AWS_CONFIG_FILE"
	"$ashore" configure --profile walker >"$work/said"
	has "$(cat "$AWS_CONFIG_FILE")" 'region = mars-north-1'
	# An aws that doesn't read endpoint_url from a profile is told by configure
	# to say it at each call.
	endpoint=$(sed -n 's/.*\(--endpoint-url [^ ]*\) ecs.*/\1/p' "$work/said")
	# shellcheck disable=SC2086
	aws() { command aws --profile walker $endpoint "$@"; }
	;;
*) die "mode $mode" ;;
esac
export AWS_PAGER=

step "a cluster"
is "$(aws ecs create-cluster --cluster-name MyCluster --query cluster.status --output text)" ACTIVE "the cluster's status"
sed -n '/^{/,/^}/p; /^}/q' README.md >"$work/sleep360.json"
definition=$(aws ecs register-task-definition --cli-input-json "file://$work/sleep360.json" \
	--query taskDefinition.taskDefinitionArn --output text)
revision=${definition##*:}
has "$definition" ":task-definition/sleep360:$revision"
refused "No Container Instances were found in your cluster." aws ecs run-task --cluster MyCluster --task-definition sleep360

step "this host moves into it"
"$ashore" host move --cluster MyCluster
instance=$(aws ecs list-container-instances --cluster MyCluster --query 'containerInstanceArns[]' --output text)
is "$(count "$instance")" 1 "the number of instances"
resources=$(aws ecs describe-container-instances --cluster MyCluster --container-instances "$instance" \
	--query 'containerInstances[0].registeredResources[].name' --output text)
for r in CPU MEMORY PORTS; do has "$resources" $r; done
is "$(aws ecs describe-container-instances --cluster MyCluster --container-instances "$instance" \
	--query 'containerInstances[0].[status,agentConnected]' --output text | tr '\t' ' ')" "ACTIVE True" "the instance"

step "ten tasks"
started=$(aws ecs run-task --cluster MyCluster --task-definition sleep360 --count 10 --query 'tasks[].taskArn' --output text)
is "$(count "$started")" 10 "the number of tasks started"
is "$(count "$(aws ecs list-tasks --cluster MyCluster --query 'taskArns[]' --output text)")" 10 "the number of tasks listed"
# shellcheck disable=SC2086
aws ecs wait tasks-running --cluster MyCluster --tasks $started
# shellcheck disable=SC2086
states=$(aws ecs describe-tasks --cluster MyCluster --tasks $started --query 'tasks[].[lastStatus,containerInstanceArn]' --output text)
is "$(grep -c "^RUNNING	$instance\$" <<<"$states")" 10 "the number of tasks RUNNING on the instance"
containers=$(docker ps --filter "label=dev.ashore.installation=$ASHORE_INSTALLATION" --filter "name=^ecs-sleep360-$revision-" --format '{{.Names}}')
is "$(count "$containers")" 10 "the number of containers"

step "the caller as scheduler"
chosen=$(aws ecs start-task --cluster MyCluster --task-definition sleep360 --container-instances "$instance" \
	--query 'tasks[].taskArn' --output text)
is "$(count "$chosen")" 1 "the number of tasks started"
aws ecs wait tasks-running --cluster MyCluster --tasks "$chosen"

step "delete-cluster is refused while tasks run"
refused ClusterContains aws ecs delete-cluster --cluster MyCluster

step "stop"
aws ecs stop-task --cluster MyCluster --task "$chosen" --reason "enough slept" >"$work/out"
aws ecs wait tasks-stopped --cluster MyCluster --tasks "$chosen"
is "$(aws ecs describe-tasks --cluster MyCluster --tasks "$chosen" --output text \
	--query 'tasks[0].[lastStatus,stopCode,stoppedReason,containers[0].exitCode]' | tr '\t' ' ')" \
	"STOPPED UserInitiated enough slept 143" "the stopped task"
for t in $started; do aws ecs stop-task --cluster MyCluster --task "$t" >"$work/out"; done
# shellcheck disable=SC2086
aws ecs wait tasks-stopped --cluster MyCluster --tasks $started

step "two containers, a fixed port, EXTERNAL"
cat >"$work/pair.json" <<E
{
  "family": "pair",
  "networkMode": "bridge",
  "requiresCompatibilities": ["EXTERNAL"],
  "containerDefinitions": [
    {"name": "web", "image": "localhost/ashore/sample:latest", "cpu": 32, "memory": 32, "essential": true,
     "environment": [{"name": "PORT", "value": "80"}],
     "portMappings": [{"containerPort": 80, "hostPort": $port}]},
    {"name": "side", "image": "localhost/ashore/sample:latest", "cpu": 16, "memory": 16, "essential": false,
     "command": ["sleep", "360"]}
  ]
}
E
aws ecs register-task-definition --cli-input-json "file://$work/pair.json" >"$work/out"
pair=$(aws ecs run-task --cluster MyCluster --task-definition pair --launch-type EXTERNAL --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-running --cluster MyCluster --tasks "$pair"
page=$(curl -sS --noproxy '*' --retry 10 --retry-connrefused --retry-all-errors --retry-delay 1 --max-time 30 "http://127.0.0.1:$port/")
has "$page" "Ahoy from Ashore"
is "$(aws ecs describe-tasks --cluster MyCluster --tasks "$pair" --query 'tasks[0].[launchType,length(containers)]' --output text | tr '\t' ' ')" \
	"EXTERNAL 2" "launch type and containers"
aws ecs stop-task --cluster MyCluster --task "$pair" >"$work/out"
aws ecs wait tasks-stopped --cluster MyCluster --tasks "$pair"

step "home again"
"$ashore" host move --cluster default
is "$(aws ecs delete-cluster --cluster MyCluster --query cluster.status --output text)" INACTIVE "the deleted cluster"

if [ "$mode" = env ]; then
	eval "$("$ashore" env --unset)"
	[ -z "${AWS_ENDPOINT_URL-}" ] || die "AWS_ENDPOINT_URL outlived --unset"
fi
step "walked"
