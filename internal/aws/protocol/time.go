package protocol

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// A TimeFormat is one of the three ways in which AWS writes a time.
type TimeFormat string

const (
	DateTime TimeFormat = "date-time" // 2026-11-27T17:45:19.5Z
	HTTPDate TimeFormat = "http-date" // Fri, 27 Nov 2026 17:45:19 GMT
	Epoch    TimeFormat = "epoch-seconds"
)

// TimeFormatOf is the format that a member's schema asks for, or the protocol's.
func TimeFormatOf(schema *smithy.Schema, otherwise TimeFormat) TimeFormat {
	if t, ok := smithy.SchemaTrait[*traits.TimestampFormat](schema); ok {
		return TimeFormat(t.Format)
	}
	return otherwise
}

// AppendTime writes t with milliseconds where there are any; HTTPDate has none.
func AppendTime(dst []byte, t time.Time, f TimeFormat) []byte {
	switch f {
	case HTTPDate:
		return t.UTC().AppendFormat(dst, http.TimeFormat)
	case Epoch:
		return AppendEpoch(dst, t)
	}
	return t.UTC().Truncate(time.Millisecond).AppendFormat(dst, "2006-01-02T15:04:05.999Z07:00")
}

// AppendEpoch writes seconds since 1970, with milliseconds where there are any.
func AppendEpoch(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli() // rounds down, also before 1970
	if ms < 0 {
		dst, ms = append(dst, '-'), -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	frac := ms % 1000
	if frac == 0 {
		return dst
	}
	digits := [4]byte{'.', byte('0' + frac/100), byte('0' + frac/10%10), byte('0' + frac%10)}
	return append(dst, strings.TrimRight(string(digits[:]), "0")...)
}

// ParseTime reads a time in format f. Every format but Epoch also takes the text
// of DateTime, as AWS does.
func ParseTime(s string, f TimeFormat) (time.Time, error) {
	var t time.Time
	ok := false
	switch f {
	case Epoch:
		if t, ok = ParseEpoch(s); !ok {
			return time.Time{}, Errorf("%s is not a Timestamp", s)
		}
	case HTTPDate:
		var err error
		t, err = http.ParseTime(s)
		ok = err == nil
	}
	if !ok {
		var err error
		if t, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return time.Time{}, &Error{Msg: strconv.Quote(s) + " is not a Timestamp", Err: err}
		}
	}
	return InYears(t.UTC())
}

// InYears refuses a time that no format can write.
func InYears(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, Errorf("the year %d is out of range for a Timestamp", y)
	}
	return t, nil
}

// ParseEpoch reads seconds since 1970, exactly to the nanosecond unless they are
// written with an exponent.
func ParseEpoch(s string) (time.Time, bool) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Abs(f) > 1e12 {
			return time.Time{}, false
		}
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
	}
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec > 1e12 || sec < -1e12 {
		return time.Time{}, false
	}
	if len(frac) > 9 {
		frac = frac[:9]
	}
	var nsec int64
	if frac != "" {
		if nsec, err = strconv.ParseInt(frac+"000000000"[len(frac):], 10, 64); err != nil {
			return time.Time{}, false
		}
	}
	if strings.HasPrefix(s, "-") {
		nsec = -nsec
	}
	return time.Unix(sec, nsec).UTC(), true
}
