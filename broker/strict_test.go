package broker

import "testing"

func TestMembersThatMeanNothing(t *testing.T) {
	for name, change := range map[string]func(*Evidence){
		"prev twice": func(e *Evidence) { e.Prev = []string{someDigest, someDigest} },
		"recipient":  func(e *Evidence) { e.Recipient = "NOT A PARTY" },
		"all":        func(e *Evidence) { e.Recipient = "all" },
	} {
		e := someEvidence(Consigned)
		if _, err := ParseEvidence(e.Encode()); err != nil {
			t.Fatal(err)
		}
		change(&e)
		if _, err := ParseEvidence(e.Encode()); err == nil {
			t.Errorf("evidence: %s", name)
		}
	}
	detail := func(event Event) Detail {
		return Detail{V: 1, Salt: someDigest, Event: event, ID: someID, Recipient: "parquet-lille", HeaderSHA256: someDigest, Actor: Actor{Name: "x"}, Basis: Declared}
	}
	for name, c := range map[string]struct {
		event Event
		ok    bool
		set   func(*Detail)
	}{
		"nothing":                      {Opened, true, func(*Detail) {}},
		"no party":                     {Opened, false, func(d *Detail) { d.Recipient = "NOT A PARTY" }},
		"opened, redirected_to":        {Opened, false, func(d *Detail) { d.RedirectedTo = "je-lille" }},
		"opened, redirected_id":        {Opened, false, func(d *Detail) { d.RedirectedID = someID }},
		"redirected":                   {Redirected, true, func(d *Detail) { d.RedirectedTo, d.RedirectedID = "je-lille", someID }},
		"redirected to nobody":         {Redirected, false, func(*Detail) {}},
		"redirected to what is no one": {Redirected, false, func(d *Detail) { d.RedirectedTo, d.RedirectedID = "Je Lille\x01", someID }},
		"redirected as what is no id":  {Redirected, false, func(d *Detail) { d.RedirectedTo, d.RedirectedID = "je-lille", "x" }},
	} {
		d := detail(c.event)
		c.set(&d)
		if _, err := ParseDetail(d.Encode()); (err == nil) != c.ok {
			t.Errorf("detail, %s: %v", name, err)
		}
	}
}
