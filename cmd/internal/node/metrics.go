package node

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collectors are the metrics of the parts that have no port of the API.
func (n *Node) collectors() []prometheus.Collector {
	if n.dht == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shoal_dht_" + name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "shoal_dht_" + name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("nodes", "Nodes in the routing table.", func() float64 { return float64(n.dht.Stats().Nodes) }),
		gauge("good_nodes", "Nodes heard in the last 15 minutes.", func() float64 { return float64(n.dht.Stats().Good) }),
		gauge("announced_ids", "IDs kept announced.", func() float64 { return float64(n.dht.Stats().Announce.Keys) }),
		gauge("waiting_ids", "IDs of them not announced yet, or not since this host's address changed.",
			func() float64 { return float64(n.dht.Stats().Announce.Waiting) }),
		gauge("stored_ids", "IDs of which peers are stored for others.", func() float64 { return float64(n.dht.Stats().Keys) }),
		counter("received_datagrams_total", "Datagrams received.", func() float64 { return float64(n.dht.Stats().In) }),
		counter("sent_datagrams_total", "Datagrams sent.", func() float64 { return float64(n.dht.Stats().Out) }),
		counter("received_bytes_total", "Bytes of datagrams received.", func() float64 { return float64(n.dht.Stats().BytesIn) }),
		counter("sent_bytes_total", "Bytes of datagrams sent.", func() float64 { return float64(n.dht.Stats().BytesOut) }),
	}
}
