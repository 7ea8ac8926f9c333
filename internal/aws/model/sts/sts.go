// Package sts is the model of AWS Security Token Service.
package sts

//go:generate go run ../gen -service sts
