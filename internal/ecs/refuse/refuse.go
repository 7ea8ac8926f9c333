// Package refuse words ECS's refusals: its error types, and the failures in its
// answers, with texts of ours.
package refuse

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Text formats a message of an answer or an error.
func Text(format string, args ...any) *string { return aws.String(fmt.Sprintf(format, args...)) }

// Invalid returns ECS's InvalidParameterException.
func Invalid(format string, args ...any) error {
	return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// Client returns ECS's ClientException.
func Client(format string, args ...any) error {
	return &types.ClientException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// Unsupported refuses what ECS has and Ashore does not serve yet.
func Unsupported(format string, args ...any) error {
	return &types.UnsupportedFeatureException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// ClusterNotFound returns ECS's ClusterNotFoundException.
func ClusterNotFound() error {
	return &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
}

// Reasons of failures, as ECS has them.
const (
	Missing  = "MISSING"
	Inactive = "INACTIVE"
)

// Failure returns an entry of an answer's failures; detail may be empty.
func Failure(arn, reason, detail string) types.Failure {
	f := types.Failure{Arn: aws.String(arn), Reason: aws.String(reason)}
	if detail != "" {
		f.Detail = aws.String(detail)
	}
	return f
}

// NoInstances refuses a request that names no container instance.
func NoInstances() error { return Client("Container Instances cannot be empty.") }
