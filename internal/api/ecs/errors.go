package ecs

import (
	"errors"
	"fmt"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func say(format string, args ...any) *string { return aws.String(fmt.Sprintf(format, args...)) }

func invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(format, args...))}
}

func client(format string, args ...any) error {
	return &types.ClientException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// unsupported refuses what ECS has and Ashore does not serve yet.
func unsupported(format string, args ...any) error {
	return &types.UnsupportedFeatureException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// noDefinition refuses a call whose task definition can't be resolved: ECS tells
// a revision that is no number from one that is not there.
func noDefinition(err error, text string) error {
	if wrong := (*fleet.RevisionError)(nil); errors.As(err, &wrong) {
		return invalid("%s", wrong)
	}
	if errors.Is(err, store.ErrUnreadable) {
		return err
	}
	return client("%s", text)
}

// unread is the detail of a failure MISSING: that the record is there and can't be
// read, or nothing.
func unread[V any](snap *store.Snapshot, k store.Key[V]) string {
	if refused := (*store.UnreadableError)(nil); errors.As(store.Readable(snap, k), &refused) {
		return refused.Public()
	}
	return ""
}

func clusterNotFound() error {
	return &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
}

// Reasons of failures, as ECS has them.
const (
	missing  = "MISSING"
	inactive = "INACTIVE"
)

func failure(arn, reason, detail string) types.Failure {
	f := types.Failure{Arn: aws.String(arn), Reason: aws.String(reason)}
	if detail != "" {
		f.Detail = aws.String(detail)
	}
	return f
}
