package packaging_test

import (
	"os"
	"path/filepath"
	"testing"
)

// base declares what the module takes from EL's policy, so that it can be compiled
// without one: a type or a permission that is misspelled does not pass.
const base = `(sid kernel) (sidorder (kernel)) (class dir (getattr search)) (class lnk_file (getattr read))
(class file (getattr open read map ioctl execute execute_no_trans)) (class sock_file (getattr write))
(class unix_stream_socket (connectto)) (class process (transition)) (class process2 (nnp_transition nosuid_transition))
(classorder (file dir lnk_file sock_file unix_stream_socket process process2))
(user system_u) (role system_r) (roletype system_r init_t) (sensitivity s0) (sensitivityorder (s0)) (level low (s0))
(levelrange low_low (low low)) (userrole system_u system_r) (userlevel system_u low) (userrange system_u low_low)
(sidcontext kernel (system_u system_r init_t low_low))
(type init_t) (type redis_t) (type bin_t) (type var_run_t)
(type keepalived_unconfined_script_t) (type keepalived_unconfined_script_exec_t)
`

func TestSELinuxModuleCompiles(t *testing.T) {
	require(t, "secilc")
	folder := t.TempDir()
	path := filepath.Join(folder, "base.cil")
	if err := os.WriteFile(path, []byte(base), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "secilc", "--output", folder+"/policy", "--filecontext", folder+"/contexts", path, "selinux/redis-vip.cil")
}
