// Package ecs is the model of Amazon ECS.
package ecs

//go:generate go run ../gen -service ecs
