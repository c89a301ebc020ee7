package recent

import (
	"testing"
	"time"
)

func TestForgetsByAge(t *testing.T) {
	m := Map[int, string]{Life: time.Minute, Size: 10}
	m.Put(time.Second, 1, "one")
	for now := time.Second; now <= time.Minute; now += time.Second {
		if v, ok := m.Get(now, 1); !ok || v != "one" {
			t.Fatalf("forgotten after %v", now)
		}
	}
	m.Put(90*time.Second, 2, "two")
	if _, ok := m.Get(3*time.Minute, 1); ok {
		t.Error("remembered for more than twice its life")
	}
	if _, ok := m.Get(5*time.Minute, 2); ok {
		t.Error("remembered although nothing was put since")
	}
}

func TestForgetsByNumber(t *testing.T) {
	m := Map[int, int]{Life: time.Hour, Size: 10}
	for i := range 1000 {
		m.Put(time.Second, i, i)
		if m.Len() > 20 {
			t.Fatalf("%d entries", m.Len())
		}
		if _, ok := m.Get(time.Second, i); !ok {
			t.Fatal("the newest is forgotten")
		}
	}
	if m.Whole(2 * time.Second) {
		t.Error("claims to remember all")
	}
	if !m.Whole(3 * time.Hour) {
		t.Error("claims to have forgotten in the last hour")
	}
}

func TestPutAgainAndDelete(t *testing.T) {
	m := Map[int, int]{Life: time.Minute, Size: 2}
	for range 100 {
		m.Put(1, 7, 7)
	}
	if m.Len() != 1 || !m.Whole(2) {
		t.Errorf("%d entries", m.Len())
	}
	m.Put(1, 7, 8)
	if v, _ := m.Get(1, 7); v != 8 {
		t.Errorf("got %d", v)
	}
	m.Delete(7)
	if _, ok := m.Get(1, 7); ok {
		t.Error("still there")
	}
}
