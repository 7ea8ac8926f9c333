// Package iam is the model of AWS Identity and Access Management.
package iam

//go:generate go run ../gen -service iam
