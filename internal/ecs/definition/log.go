package definition

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// logDrivers are ECS's log drivers, in the order in which ECS lists them.
var logDrivers = []types.LogDriver{
	types.LogDriverJsonFile, types.LogDriverSyslog, types.LogDriverJournald, types.LogDriverGelf, types.LogDriverFluentd,
	types.LogDriverAwslogs, types.LogDriverSplunk, types.LogDriverAwsfirelens,
}

var (
	awslogsOptions = []string{
		"awslogs-create-group", "awslogs-region", "awslogs-group", "awslogs-stream-prefix", "awslogs-datetime-format",
		"awslogs-multiline-pattern", "awslogs-format", "awslogs-force-flush-interval-seconds", "awslogs-max-buffered-events", "awslogs-endpoint",
		"awslogs-stream", "tag", "mode", "max-buffer-size",
	}
	bufferSize = regexp.MustCompile(`^[0-9]+ ?([kKmMgG]i?)?[bB]?$`) // as engines parse it
)

func (s subject) checkLog() error {
	l := s.c.LogConfiguration
	if l == nil {
		return nil
	}
	if !slices.Contains(logDrivers, l.LogDriver) {
		return notADriver(l.LogDriver, logDrivers)
	}
	given := maps.Clone(l.Options)
	if given == nil {
		given = map[string]string{}
	}
	if len(l.SecretOptions) > 0 && s.def.ExecutionRoleArn == nil {
		return refuse.Client("When you are specifying logConfiguration.secretOptions, you must also specify a value for 'executionRoleArn'.")
	}
	for _, o := range l.SecretOptions {
		if err := s.checkSecret("logConfiguration.secretOptions", o); err != nil {
			return err
		}
		if _, twice := given[aws.ToString(o.Name)]; twice {
			return s.newError("'logConfiguration' has the option '%s' more than once.", aws.ToString(o.Name))
		}
		given[aws.ToString(o.Name)] = ""
	}
	switch l.LogDriver {
	case types.LogDriverAwslogs:
		if err := checkAwslogs(l.Options); err != nil {
			return err
		}
	case types.LogDriverSplunk:
		if err := requireOptions(l.LogDriver, given, "splunk-url", "splunk-token"); err != nil {
			return err
		}
	}
	if m, ok := l.Options["mode"]; ok && m != "blocking" && m != "non-blocking" {
		return s.newError("the option 'mode' of 'logConfiguration' must be blocking or non-blocking, not %q.", m)
	}
	if b, ok := l.Options["max-buffer-size"]; ok && !bufferSize.MatchString(b) {
		return s.newError("the option 'max-buffer-size' of 'logConfiguration' must be a size such as 25m, not %q.", b)
	}
	return nil
}

func notADriver(d types.LogDriver, known []types.LogDriver) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return refuse.Client("%s is not a valid log driver. Must be one of [%s]", d, strings.Join(names, ","))
}

func requireOptions(d types.LogDriver, given map[string]string, names ...string) error {
	missing := slices.DeleteFunc(names, func(n string) bool { _, has := given[n]; return has })
	if len(missing) == 0 {
		return nil
	}
	return refuse.Client("Log driver %s requires options: %s", d, strings.Join(missing, ", "))
}

func checkAwslogs(options map[string]string) error {
	if err := requireOptions(types.LogDriverAwslogs, options, "awslogs-region", "awslogs-group"); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(awslogsOptions, name) {
			return refuse.Client("Log driver awslogs disallows options: %s", name)
		}
	}
	if v, ok := options["awslogs-create-group"]; ok && !strings.EqualFold(v, "true") {
		return refuse.Client("Log driver awslogs option 'awslogs-create-group' should only be set to 'true', else omit option.")
	}
	_, date := options["awslogs-datetime-format"]
	if _, pattern := options["awslogs-multiline-pattern"]; date && pattern {
		return refuse.Client("Log driver awslogs options 'awslogs-datetime-format' and 'awslogs-multiline-pattern' can not both be specified.")
	}
	return nil
}

// checkFirelens checks the log router of a task. There must be one if containers log
// to it.
func checkFirelens(def *sdk.RegisterTaskDefinitionInput, _ map[string]int) error {
	router, logs := "", false
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		logs = logs || c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens
		f := c.FirelensConfiguration
		if f == nil {
			continue
		}
		if router != "" {
			return refuse.Client("Only one container of a task definition can have a firelensConfiguration: '%s' and '%s' have one.", router, *c.Name)
		}
		router = *c.Name
		if err := (subject{def: def, c: c}).checkRouter(f); err != nil {
			return err
		}
	}
	switch {
	case logs && router == "":
		return refuse.Client("When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers.")
	case router != "" && !logs:
		return refuse.Client("When a firelensConfiguration object is specified, at least one container has to be configured with the awsfirelens log driver.")
	}
	return nil
}

func (s subject) checkRouter(f *types.FirelensConfiguration) error {
	if f.Type != types.FirelensConfigurationTypeFluentd && f.Type != types.FirelensConfigurationTypeFluentbit {
		return s.newError("'firelensConfiguration.type' must be fluentd or fluentbit, not %q.", f.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Options)) {
		v := f.Options[name]
		switch name {
		case "enable-ecs-log-metadata":
			if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
				return s.newError("'firelensConfiguration.options' enable-ecs-log-metadata must be true or false, not %q.", v)
			}
		case "config-file-type":
			if v != "s3" && v != "file" {
				return s.newError("'firelensConfiguration.options' config-file-type must be s3 or file, not %q.", v)
			}
		case "config-file-value":
			if f.Options["config-file-type"] == "s3" && !isResourceARN(v, "s3") {
				return s.newError("'firelensConfiguration.options' config-file-value must be the ARN of an S3 object, not %q.", v)
			}
		default:
			return s.newError("'firelensConfiguration.options' has the unknown option %q; known are enable-ecs-log-metadata, config-file-type and config-file-value.", name)
		}
	}
	_, typed := f.Options["config-file-type"]
	if v := f.Options["config-file-value"]; typed != (v != "") {
		return s.newError("'firelensConfiguration.options' must have config-file-type and config-file-value together.")
	}
	return nil
}
