package httpapi

import (
	"mime"
	"strconv"
	"strings"
)

// negotiate picks one of the types that a route gives, by the header Accept
// (RFC 9110 section 12.5.1); the first when the caller does not mind.
func negotiate(header []string, offers ...string) (string, error) {
	joined := strings.Join(header, ",")
	if strings.TrimSpace(joined) == "" {
		return offers[0], nil
	}
	best, quality := "", 0.0
	for _, offer := range offers {
		if q := weigh(joined, offer); q > quality {
			best, quality = offer, q
		}
	}
	if best == "" {
		return "", newProblem(CodeAccept)
	}
	return best, nil
}

// weigh is the quality of one type: that of the most precise range that it is
// in.
func weigh(header, offer string) float64 {
	q, precision := 0.0, -1
	family, _, _ := strings.Cut(offer, "/")
	for entry := range strings.SplitSeq(header, ",") {
		form, params, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		p := map[string]int{"*/*": 0, family + "/*": 1, offer: 2}
		rank, ok := p[form]
		if !ok || rank <= precision {
			continue
		}
		precision, q = rank, 1
		if v, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				q = 0
			}
		}
	}
	return q
}
