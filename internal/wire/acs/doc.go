// Package acs has the messages of the agent communication websocket, for both sides, and
// their encoding as frames.
//
// A frame is one websocket text message; see package frame. InventoryMessage and
// ReportMessage are extensions. An agent sends them only to a server that announces them
// in ExtensionsHeader of its upgrade response. So the stock agent and a stock server never
// see them.
package acs
