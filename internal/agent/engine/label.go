package engine

import (
	"encoding/json"
	"time"
)

// DefaultStopTimeout is how long a container may take to stop if it sets no time of its
// own.
const DefaultStopTimeout = 30 * time.Second

// StopTimeout returns how long a container may take to stop, by its labels.
func StopTimeout(labels map[string]string) time.Duration {
	if e := elementOf(labels); e != nil && e.StopTimeout > 0 {
		return time.Duration(e.StopTimeout) * time.Second
	}
	return DefaultStopTimeout
}

// DependsOn returns the names of the containers of the same task that a container depends
// on, by its labels. It stops before them.
func DependsOn(labels map[string]string) []string {
	var names []string
	if e := elementOf(labels); e != nil {
		for _, d := range e.DependsOn {
			names = append(names, d.ContainerName)
		}
	}
	return names
}

// elementOf returns a container's part of its task's outline, or nil if the labels have
// none.
func elementOf(labels map[string]string) *outlineElement {
	var o outline
	if json.Unmarshal([]byte(labels[LabelOutline]), &o) != nil {
		return nil
	}
	for i := range o.Containers {
		if o.Containers[i].Name == labels[LabelContainer] {
			return &o.Containers[i]
		}
	}
	return nil
}

// TaskOf returns the id of the task that a container belongs to, by its labels. It returns
// "" if the container belongs to no task.
func TaskOf(labels map[string]string) string {
	if arn := labels[LabelTask]; arn != "" {
		return taskID(arn)
	}
	return ""
}
