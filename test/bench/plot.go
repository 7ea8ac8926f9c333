package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// curve shows how one figure grows with the number of hosts.
type curve struct {
	what, colour string
	y            []float64 // one for each size; NaN if it was not measured
}

// plot writes an SVG with the cost of a task and the server's memory for each number of
// hosts. The SVG needs no other file.
func (r *scaleReport) plot(path string) error {
	var hosts []float64
	for _, s := range r.Sizes {
		hosts = append(hosts, float64(s.Hosts))
	}
	pick := func(what string) []float64 {
		y := make([]float64, len(r.Sizes))
		for i, s := range r.Sizes {
			y[i] = math.NaN()
			if x, ok := s.find(what); ok {
				y[i] = x.Value
			}
		}
		return y
	}
	var b strings.Builder
	fmt.Fprint(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="330" font-family="sans-serif" font-size="12">`+"\n")
	fmt.Fprint(&b, `<rect width="760" height="330" fill="white"/>`+"\n")
	panel(&b, 50, "CPU a task, µs", hosts, []curve{
		{"server and fleet", "black", pick("burst, server and fleet together")},
		{"server", "firebrick", pick("burst, server")},
		{"fleet", "steelblue", pick("burst, fleet")},
	})
	panel(&b, 430, "server's anonymous memory, MB", hosts, []curve{
		{"idle", "steelblue", pick("server, anonymous memory, idle")},
		{"after the burst", "firebrick", pick(r.afterBurst())},
	})
	fmt.Fprint(&b, "</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// afterBurst returns the name of the memory after the burst.
func (r *scaleReport) afterBurst() string {
	for _, x := range r.rows() {
		if strings.HasPrefix(x.What, "server, anonymous memory, ") && strings.HasSuffix(x.What, " tasks") {
			return x.What
		}
	}
	return ""
}

// panel draws curves over the number of hosts on a logarithmic axis.
func panel(b *strings.Builder, left float64, title string, hosts []float64, curves []curve) {
	const width, top, bottom = 290, 50, 280
	most := 1.0
	for _, c := range curves {
		for _, y := range c.y {
			if !math.IsNaN(y) {
				most = max(most, y)
			}
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	if most/step < 3 {
		step /= 2
	}
	most = math.Ceil(most/step) * step
	low, high := hosts[0], hosts[0]
	for _, h := range hosts {
		low, high = min(low, h), max(high, h)
	}
	atX := func(h float64) float64 {
		if low == high {
			return left + width/2
		}
		return left + width*math.Log(h/low)/math.Log(high/low)
	}
	atY := func(y float64) float64 { return bottom - (bottom-top)*y/most }
	fmt.Fprintf(b, `<text x="%.0f" y="24" font-weight="bold">%s</text>`+"\n", left, title)
	for y := 0.0; y <= most+step/2; y += step {
		fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.0f" y="%.1f" text-anchor="end">%.4g</text>`+"\n",
			left, left+width, atY(y), atY(y), left-6, atY(y)+4, y)
	}
	for _, h := range hosts {
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%.0f</text>`+"\n", atX(h), bottom+18, h)
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">hosts</text>`+"\n", left+width/2, bottom+36)
	for i, c := range curves {
		var points []string
		for k, y := range c.y {
			if !math.IsNaN(y) {
				points = append(points, fmt.Sprintf("%.1f,%.1f", atX(hosts[k]), atY(y)))
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", atX(hosts[k]), atY(y), c.colour)
			}
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(points, " "), c.colour)
		fmt.Fprintf(b, `<text x="%.0f" y="42" fill="%s">%s</text>`+"\n", left+float64(i)*120, c.colour, c.what)
	}
}
