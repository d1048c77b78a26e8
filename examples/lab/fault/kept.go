package fault

import (
	"context"

	"redis-vip/checks/node/nodetest"
	"redis-vip/examples/lab/site"
)

// Preserved are the keys in the preserved files of all nodes of a site. A file that
// cannot be read is an error.
func Preserved(ctx context.Context, s *site.Site) (map[string]bool, error) {
	all, err := (&Stage{Site: s}).preserved(ctx)
	return all.keys, err
}

// PreservedIn are those in the files of one folder.
func PreservedIn(ctx context.Context, folder string) (map[string]bool, error) {
	all := kept{keys: make(map[string]bool), servers: nodetest.Given()}
	return all.keys, all.read(ctx, "", folder)
}
