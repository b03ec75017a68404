package sim

import "testing"

// TestSameSeedSameTrace: everything that happens is drawn from the seed, down
// to the roots of the journals.
func TestSameSeedSameTrace(t *testing.T) {
	scene, err := newScenery()
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]uint64{}
	for seed := uint64(1); seed <= 20; seed++ {
		a, first, err := once(scene, seed, true)
		if err != nil {
			t.Fatal(err)
		}
		b, second, err := once(scene, seed, true)
		if err != nil {
			t.Fatal(err)
		}
		if first != second {
			t.Errorf("seed %d: two traces", seed)
			for i := range min(len(a.lines), len(b.lines)) {
				if a.lines[i] != b.lines[i] {
					t.Logf("line %d:\n%s\n%s", i, a.lines[i], b.lines[i])
					break
				}
			}
		}
		if other, seen := digests[first]; seen {
			t.Errorf("seeds %d and %d have one trace", other, seed)
		}
		digests[first] = seed
	}
}
