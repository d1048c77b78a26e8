package node

import (
	"strings"
	"testing"
)

// As Valkey 9.1.2 says it while a replica copies with two connections.
func TestInfoOfValkey(t *testing.T) {
	var f Facts
	f.parseInfo(strings.ReplaceAll(`redis_version:7.2.4
server_name:valkey
valkey_version:9.1.2
role:master
connected_slaves:2
slave0:ip=192.168.0.2,port=6379,state=wait_bgsave,offset=0,lag=0,type=rdb-channel
slave1:ip=192.168.0.2,port=6379,state=bg_transfer,offset=0,lag=0,type=main-channel
`, "\n", "\r\n"))
	if f.Version != "Valkey 9.1.2" {
		t.Errorf("version %q", f.Version)
	}
	if len(f.Downstream) != 1 || f.Downstream[0].State != "bg_transfer" {
		t.Errorf("one replica copies, not %+v", f.Downstream)
	}
}
