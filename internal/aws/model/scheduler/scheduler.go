// Package scheduler is the model of Amazon EventBridge Scheduler.
package scheduler

//go:generate go run ../gen -service scheduler
