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

// A TimeFormat is one of AWS's three formats of a time.
type TimeFormat string

const (
	DateTime TimeFormat = "date-time" // 2026-11-27T17:45:19.5Z
	HTTPDate TimeFormat = "http-date" // Fri, 27 Nov 2026 17:45:19 GMT
	Epoch    TimeFormat = "epoch-seconds"
)

// TimeFormatOf returns the format in a member's schema, or else the protocol's format.
func TimeFormatOf(schema *smithy.Schema, otherwise TimeFormat) TimeFormat {
	if t, ok := smithy.SchemaTrait[*traits.TimestampFormat](schema); ok {
		return TimeFormat(t.Format)
	}
	return otherwise
}

// AppendTime appends t. It adds milliseconds if they are not zero; HTTPDate has none.
func AppendTime(dst []byte, t time.Time, f TimeFormat) []byte {
	switch f {
	case HTTPDate:
		return t.UTC().AppendFormat(dst, http.TimeFormat)
	case Epoch:
		return AppendEpoch(dst, t)
	}
	return t.UTC().Truncate(time.Millisecond).AppendFormat(dst, "2006-01-02T15:04:05.999Z07:00")
}

// AppendEpoch appends seconds since 1970. It adds milliseconds if they are not zero.
func AppendEpoch(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli() // UnixMilli rounds down, also before 1970
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

// ParseTime parses a time in format f. Like AWS, every format but Epoch also accepts
// DateTime.
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

// InYears returns an error for a time that no format can express.
func InYears(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, Errorf("the year %d is out of range for a Timestamp", y)
	}
	return t, nil
}

// ParseEpoch parses seconds since 1970. The result is exact to the nanosecond, unless
// the text has an exponent.
func ParseEpoch(s string) (time.Time, bool) {
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Abs(f) > 1e12 {
			return time.Time{}, false
		}
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
	}
	seconds, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(seconds, 10, 64)
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
