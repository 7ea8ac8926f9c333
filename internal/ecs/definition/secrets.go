package definition

import (
	"regexp"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// parameterName matches the name of an SSM parameter that is given without an ARN.
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_./-]{1,1000}$`)

// checkEnvironment checks the sources of the container's environment.
func (s subject) checkEnvironment() error {
	plain := map[string]bool{}
	for _, e := range s.c.Environment {
		n := aws.ToString(e.Name)
		if n == "" || strings.ContainsAny(n, "=\x00") {
			return s.newError("'environment' has the invalid name %q.", n)
		}
		plain[n] = true
	}
	if len(s.c.EnvironmentFiles) > 10 {
		return refuse.Client("The maximum number of environment files was exceeded. Specify ten or less and try again. (container '%s')", *s.c.Name)
	}
	for _, f := range s.c.EnvironmentFiles {
		if f.Type != types.EnvironmentFileTypeS3 {
			return s.newError("'environmentFiles.type' must be s3, not %q.", f.Type)
		}
		if v := aws.ToString(f.Value); !isResourceARN(v, "s3") || !strings.HasSuffix(v, ".env") {
			return s.newError("'environmentFiles.value' must be the ARN of an S3 object with the extension .env, not %q.", v)
		}
	}
	if len(s.c.Secrets) > 0 && s.def.ExecutionRoleArn == nil {
		return refuse.Client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	for _, e := range s.c.Secrets {
		if err := s.checkSecret("secrets", e); err != nil {
			return err
		}
		n := aws.ToString(e.Name)
		if plain[n] {
			return refuse.Client("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", n)
		}
		plain[n] = true
	}
	if r := s.c.RepositoryCredentials; r != nil {
		p := aws.ToString(r.CredentialsParameter)
		switch {
		case !isResourceARN(p, "secretsmanager") && !parameterName.MatchString(p):
			return s.newError("'repositoryCredentials.credentialsParameter' must be the ARN or the name of a secret, not %q.", p)
		case s.def.ExecutionRoleArn == nil:
			return refuse.Client("When you are specifying repositoryCredentials, you must also specify a value for 'executionRoleArn'.")
		}
	}
	return nil
}

func (s subject) checkSecret(field string, e types.Secret) error {
	if n := aws.ToString(e.Name); n == "" || strings.ContainsAny(n, "=\x00") {
		return s.newError("'%s' has the invalid name %q.", field, n)
	}
	v := aws.ToString(e.ValueFrom)
	if v == "" {
		return s.newError("'%s.valueFrom' of '%s' should not be null or empty.", field, aws.ToString(e.Name))
	}
	if !isResourceARN(v, "secretsmanager", "ssm") && !parameterName.MatchString(v) {
		return s.newError("'%s.valueFrom' must be the ARN of a secret, or the ARN or name of a parameter, not %q.", field, v)
	}
	return nil
}
