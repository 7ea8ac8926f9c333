// Package servicediscovery is the model of AWS Cloud Map.
package servicediscovery

//go:generate go run ../gen -service servicediscovery
