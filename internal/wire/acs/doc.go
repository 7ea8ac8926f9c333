// Package acs holds the messages of the agent communication websocket, for both
// of its sides, and how they are written as frames.
//
// A frame is one websocket text message; package frame says how it looks.
// InventoryMessage and ReportMessage are extensions: an agent sends them only to
// a server whose upgrade response says so in ExtensionsHeader, so that the stock
// agent and a stock server never see them.
package acs
