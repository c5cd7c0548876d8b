// Pushes and deletes with the official Go client.
//
// Usage: push GATEWAY_URL push|add|delete
package main

import (
	"log"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: push GATEWAY_URL push|add|delete")
	}
	pusher := push.New(os.Args[1], "go batch").
		Grouping("instance", "db 1").
		Grouping("path", "/var/tmp").
		Grouping("stadt", "Köln").
		Grouping("shard", "")
	if err := run(pusher, os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(pusher *push.Pusher, verb string) error {
	switch verb {
	case "push":
		return everything(pusher).Push()
	case "add":
		retries := prometheus.NewGauge(prometheus.GaugeOpts{Name: "batch_retries", Help: "Retries"})
		retries.Set(2)
		return pusher.Collector(retries).Add()
	default:
		return pusher.Delete()
	}
}

// A collector of each type.
func everything(pusher *push.Pusher) *push.Pusher {
	success := prometheus.NewGauge(prometheus.GaugeOpts{Name: "batch_last_success_unixtime", Help: "Last success"})
	success.Set(1.5e9)
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "batch_rows_total", Help: "Rows by table"}, []string{"table"})
	rows.WithLabelValues("orders").Add(12)
	rows.WithLabelValues("users \"new\"\n").Add(3)
	steps := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "batch_step_seconds", Help: "Steps", Buckets: []float64{0.1, 1, 10}})
	steps.Observe(0.5)
	steps.Observe(5)
	sizes := prometheus.NewSummary(prometheus.SummaryOpts{Name: "batch_size_bytes", Help: "Sizes", Objectives: map[float64]float64{0.5: 0.05}})
	sizes.Observe(2048)
	return pusher.Collector(success).Collector(rows).Collector(steps).Collector(sizes)
}
