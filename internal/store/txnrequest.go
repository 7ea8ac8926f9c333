package store

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The store builds transactions as etcd's own messages. The client's builders copy each
// comparison three times. That is most of what a large transaction costs before it
// reaches etcd.

// inProcess is the key-value client of an etcd in this process, together with the
// interface that accepts etcd's messages.
type inProcess struct {
	clientv3.KV
	server pb.KVClient
}

// kvClient returns the interface of a client that accepts etcd's messages.
func kvClient(c *clientv3.Client) pb.KVClient {
	if own, ok := c.KV.(inProcess); ok {
		return own.server
	}
	return clientv3.RetryKVClient(c)
}

// compareRevision returns a comparison that is true while a record has the revision.
// Revision 0 means that the record is absent.
func compareRevision(key string, mod int64) *pb.Compare {
	c := &struct {
		pb.Compare
		mod pb.Compare_ModRevision
	}{}
	c.mod.ModRevision = mod
	c.Key, c.Target, c.Result, c.TargetUnion = []byte(key), pb.Compare_MOD, pb.Compare_EQUAL, &c.mod
	return &c.Compare
}

// compareRange returns a comparison that is true while every record below a prefix has
// a revision before mod.
func compareRange(prefix string, mod int64) *pb.Compare {
	c := compareRevision(prefix, mod)
	c.Result, c.RangeEnd = pb.Compare_LESS, []byte(clientv3.GetPrefixRangeEnd(prefix))
	return c
}

func opPut(key string, value []byte, lease clientv3.LeaseID) *pb.RequestOp {
	o := &struct {
		pb.RequestOp
		put pb.RequestOp_RequestPut
		req pb.PutRequest
	}{}
	o.req.Key, o.req.Value, o.req.Lease = []byte(key), value, int64(lease)
	o.put.RequestPut, o.Request = &o.req, &o.put
	return &o.RequestOp
}

func opDelete(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(key)}}}
}

func opGet(key string, keyOnly bool) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key), KeysOnly: keyOnly}}}
}
