package main

// serverFlags are what `ashore server` can be told, by `ashore up` too.
type serverFlags struct {
	Listen        string   `default:"127.0.0.1:4700" placeholder:"ADDR" help:"Where to serve the API and the agents (default: 127.0.0.1:4700)."`
	Account       string   `placeholder:"ID" help:"The account, 12 digits; set at the first start (default: 000000000000)."`
	Region        string   `placeholder:"NAME" help:"The region; set at the first start (default: us-east-1)."`
	SealKey       string   `env:"ASHORE_SEAL_KEY" placeholder:"FILE" help:"The key that seals secrets at rest. Default: a file outside the data folder."`
	EtcdEndpoints []string `placeholder:"URL,…" help:"Keep the state in this etcd cluster instead of an embedded one."`
	EtcdPrefix    string   `default:"/ashore" placeholder:"PREFIX" help:"Of every key in an external etcd (default: /ashore)."`
	EtcdCA        string   `name:"etcd-ca" placeholder:"FILE" help:"Certificates that the external etcd's is signed by."`
	EtcdCert      string   `name:"etcd-cert" placeholder:"FILE" help:"Our certificate for the external etcd."`
	EtcdKey       string   `name:"etcd-key" placeholder:"FILE" help:"The key of our certificate."`
	EtcdUser      string   `name:"etcd-user" placeholder:"NAME" help:"User for the external etcd; its password is read from ASHORE_ETCD_PASSWORD."`
}

// args are the flags as `ashore up` hands them to `ashore server`.
func (f serverFlags) args() []string {
	args := []string{"--listen", f.Listen}
	for _, p := range []struct{ flag, value string }{
		{"--account", f.Account}, {"--region", f.Region}, {"--seal-key", f.SealKey},
		{"--etcd-prefix", f.EtcdPrefix}, {"--etcd-ca", f.EtcdCA}, {"--etcd-cert", f.EtcdCert},
		{"--etcd-key", f.EtcdKey}, {"--etcd-user", f.EtcdUser},
	} {
		if p.value != "" {
			args = append(args, p.flag, p.value)
		}
	}
	for _, e := range f.EtcdEndpoints {
		args = append(args, "--etcd-endpoints", e)
	}
	return args
}
