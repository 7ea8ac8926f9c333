package client

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fold applies lines and says what was shown after each, as "REVISION: k=v, …".
func fold(t *testing.T, p *replica, lines ...string) []string {
	t.Helper()
	var out []string
	for _, text := range lines {
		var l watchLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		u, ok := p.apply(&l)
		if !ok {
			out = append(out, "-")
			continue
		}
		var rows []string
		for k, v := range u.Rows {
			rows = append(rows, fmt.Sprintf("%s%s=%s", k.Kind, k.Key, v))
		}
		slices.Sort(rows)
		out = append(out, fmt.Sprintf("%d: %s", u.Revision, strings.Join(rows, " ")))
	}
	return out
}

func row(key, value string) string {
	return `{"kind":"t","key":"` + key + `","value":` + value + `}`
}

func TestPicture(t *testing.T) {
	var p replica
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nnot\n%q", what, got, want)
		}
	}
	if after, _ := p.startStream(); after != nil {
		t.Errorf("it goes on from %d", *after)
	}
	check("the whole state", fold(t, &p,
		`{"rows":[`+row("1", "1")+`]}`, `{"rows":[`+row("2", "2")+`]}`, `{"synced":true,"revision":5,"history":"h"}`),
		"-", "-", "5: t1=1 t2=2")
	check("changes", fold(t, &p,
		`{"changes":[`+row("1", "null")+`]}`, `{"changes":[`+row("3", "3")+`],"revision":6}`, `{"revision":9}`, `{"changes":[`+row("7", "null")+`],"revision":10}`),
		"-", "6: t1= t3=3", "-", "-")
	check("a part that the stream did not end", fold(t, &p, `{"changes":[`+row("2", "null")+`]}`), "-")
	if after, history := p.startStream(); after == nil || *after != 10 || history != "h" {
		t.Errorf("it goes on from %v of %s", after, history)
	}
	check("it goes on", fold(t, &p, `{"changes":[`+row("4", "4")+`]}`, `{"synced":true,"revision":11,"history":"h"}`), "-", "11: t4=4")
	check("anew", fold(t, &p, `{"reset":true}`, `{"rows":[`+row("2", "22")+","+row("3", "3")+`]}`), "-", "-")
	if len(p.rows) != 3 {
		t.Errorf("before the new state is whole, it has dropped what it had: %v", p.rows)
	}
	p.startStream() // the new state broke off
	check("anew to the end", fold(t, &p, `{"reset":true}`, `{"rows":[`+row("2", "22")+","+row("3", "3")+`]}`, `{"synced":true,"revision":20,"history":"i"}`), "-", "-", "20: t2=22 t4=")
	check("in the middle of a stream", fold(t, &p, `{"changes":[`+row("9", "9")+`]}`, `{"reset":true}`, `{"synced":true,"revision":21,"history":"i"}`), "-", "-", "21: t2= t3=")
}
