#!/usr/bin/env bash
# The README's section about services, its blocks as they stand there, and then
# what a newcomer does next, with the stock aws command line against an
# installation that runs, with this host idle in the cluster default.
#
# ASHORE is the binary, ASHORE_DATA_DIR the installation.
set -euo pipefail
cd "$(dirname "$0")/.."
ashore=${ASHORE:-$PWD/bin/ashore}
readme=$PWD/README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. test/lib.sh
export AWS_PAGER=

eval "$("$ashore" env)"
aws ecs create-cluster --cluster-name MyCluster >"$work/out"
"$ashore" host move --cluster MyCluster

step "the README's blocks"
sed -n '/^## A service$/,/^## /p' "$readme" | sed -n '/^```sh$/,/^```$/p' | sed '/^```/d' >"$work/blocks.sh"
[ -s "$work/blocks.sh" ] || die "the README has no section about services"
# For an old aws, ashore env defines a function; the blocks' shell needs it too.
if declare -F aws >/dev/null; then export -f aws; fi
mkdir "$work/bin"
ln -s "$ashore" "$work/bin/ashore"
(cd "$work" && bash -euo pipefail -x blocks.sh) || die "a block of the README"

service() { aws ecs describe-services --cluster MyCluster --services web --query "services[0].$1" --output text | tr '\t' ' '; }
tasks() { aws ecs list-tasks --cluster MyCluster --service-name web --query 'taskArns[]' --output text; }
is "$(service '[status,desiredCount,runningCount,length(deployments)]')" "ACTIVE 3 3 1" "the service"
definition=$(service taskDefinition)
is "${definition##*:}" 2 "the revision that runs"
# shellcheck disable=SC2046
is "$(aws ecs describe-tasks --cluster MyCluster --tasks $(tasks) --query 'tasks[].taskDefinitionArn' --output text | tr '\t' '\n' | sort -u)" "$definition" "the tasks' revision"
# One of the first revision's containers was killed by the README: 3 + 1 of it.
is "$(docker ps --all --quiet --filter "label=dev.ashore.installation=$ASHORE_INSTALLATION" --filter name=^ecs-web-2- --filter status=running | wc -l | tr -d ' ')" 3 "the containers of revision 2"

step "to 0 and back"
aws ecs update-service --cluster MyCluster --service web --desired-count 0 >"$work/out"
aws ecs wait services-stable --cluster MyCluster --services web
is "$(service '[desiredCount,runningCount]')" "0 0" "the service at 0"
aws ecs update-service --cluster MyCluster --service web --desired-count 3 >"$work/out"
aws ecs wait services-stable --cluster MyCluster --services web
is "$(service '[desiredCount,runningCount]')" "3 3" "the service at 3"

step "deleted in the middle of a deployment, and made again"
refused "cannot be stopped while it is scaled above 0" aws ecs delete-service --cluster MyCluster --service web
sed 's/"cpu": 20/"cpu": 30/' "$work/web.json" >"$work/web3.json"
aws ecs register-task-definition --cli-input-json "file://$work/web3.json" >"$work/out"
aws ecs update-service --cluster MyCluster --service web --task-definition web >"$work/out"
old=$(tasks)
aws ecs delete-service --cluster MyCluster --service web --force >"$work/out"
aws ecs create-service --cluster MyCluster --service-name web --task-definition web:1 --desired-count 2 \
	--tags key=ashore.healthy-after,value=1 >"$work/out" 2>"$work/refused" || {
	# While the old one drains, its name is taken, as with ECS.
	has "$(cat "$work/refused")" "Draining"
	aws ecs wait services-inactive --cluster MyCluster --services web
	aws ecs create-service --cluster MyCluster --service-name web --task-definition web:1 --desired-count 2 \
		--tags key=ashore.healthy-after,value=1 >"$work/out"
}
aws ecs wait services-stable --cluster MyCluster --services web
is "$(service '[status,desiredCount,runningCount,length(deployments)]')" "ACTIVE 2 2 1" "the service made again"
for t in $old; do
	case " $(tasks) " in *"$t"*) die "$t is of the deleted service" ;; esac
done
aws ecs delete-service --cluster MyCluster --service web --force >"$work/out"
aws ecs wait services-inactive --cluster MyCluster --services web
aws ecs describe-services --cluster MyCluster --services web --query 'reverse(services[0].events)[].message' --output text | tr '\t' '\n'
step "walked"
