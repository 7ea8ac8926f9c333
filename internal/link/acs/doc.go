// Package acs holds the messages of the agent communication websocket, for both
// of its sides, and how they are written as frames.
//
// A frame is one websocket text message {"type":"<Name>","message":{…}}. Names
// are matched exactly, members without regard to case, and unknown members are
// ignored. InventoryMessage is an extension: an agent sends it only to a server
// whose upgrade response carries ExtensionsHeader, so that the stock agent and
// a stock server never see it.
package acs
