package node

import "testing"

// Whatever the limit, strangers leave enough descriptors for the disk and for the node's
// own use.
func TestDescriptorsAreDivided(t *testing.T) {
	for limit := 160; limit < 5000; limit++ {
		peers, visitors := shares(limit)
		if used := peers + visitors + limit/handlesPart + ownDescriptors; used > limit {
			t.Fatalf("of %d descriptors %d are given away", limit, used)
		}
	}
	for limit, want := range map[int][2]int{0: {16, 8}, 256: {57, 28}, 1024: {402, 201}, 65536: {500, 256}} {
		if peers, visitors := shares(limit); [2]int{peers, visitors} != want {
			t.Errorf("of %d: %d peers, %d visitors", limit, peers, visitors)
		}
	}
}
