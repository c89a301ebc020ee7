package api

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/shoalnet/shoal/share"
)

// metrics makes the handler of /metrics, with a registry of its own. No value of a
// label comes from the network.
func metrics(c *nodeCollector, more []prometheus.Collector) (http.Handler, error) {
	r := prometheus.NewRegistry()
	all := append([]prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		c,
	}, more...)
	for _, each := range all {
		if err := r.Register(each); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4}), nil
}

// nodeCollector reads the totals of the node when metrics are collected.
type nodeCollector struct {
	node    Node
	readers func() int // of the event stream
	version string

	transfers, downloaded, uploaded, down, up *prometheus.Desc
	connections, refused, free, streams, info *prometheus.Desc
}

func newNodeCollector(n Node, readers func() int, version string) *nodeCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("shoal_"+name, help, labels, nil)
	}
	return &nodeCollector{
		node:        n,
		readers:     readers,
		version:     version,
		transfers:   desc("transfers", "Transfers by state.", "state"),
		downloaded:  desc("downloaded_bytes_total", "Bytes of content received from peers."),
		uploaded:    desc("uploaded_bytes_total", "Bytes of content sent to peers."),
		down:        desc("down_bytes_per_second", "Rate of receiving content."),
		up:          desc("up_bytes_per_second", "Rate of sending content."),
		connections: desc("connections", "Open connections to peers."),
		refused:     desc("refused_connections_total", "Connections turned away by a cap or a ban."),
		free:        desc("free_bytes", "Free bytes where fetched content goes."),
		streams:     desc("event_streams", "Open event streams of the API."),
		info:        desc("info", "The program.", "version"),
	}
}

// Describe does not ask the node, which may not be running yet.
func (c *nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.transfers, c.downloaded, c.uploaded, c.down, c.up, c.connections, c.refused, c.free, c.streams, c.info,
	} {
		ch <- d
	}
}

func (c *nodeCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.node.Stats()
	put := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	for _, state := range share.States {
		put(c.transfers, prometheus.GaugeValue, float64(s.States[state]), string(state))
	}
	put(c.downloaded, prometheus.CounterValue, float64(s.Downloaded))
	put(c.uploaded, prometheus.CounterValue, float64(s.Uploaded))
	put(c.down, prometheus.GaugeValue, float64(s.Down))
	put(c.up, prometheus.GaugeValue, float64(s.Up))
	put(c.connections, prometheus.GaugeValue, float64(s.Connections))
	put(c.refused, prometheus.CounterValue, float64(s.Refused))
	if s.Free >= 0 {
		put(c.free, prometheus.GaugeValue, float64(s.Free))
	}
	put(c.streams, prometheus.GaugeValue, float64(c.readers()))
	put(c.info, prometheus.GaugeValue, 1, c.version)
}
