package inproc_test

import (
	"context"
	"errors"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/inproc"
)

func twoBrokers(t *testing.T) *directory.Directory {
	t.Helper()
	d, err := directory.New(directory.Listing{
		Demonstration: true,
		Brokers: []directory.Broker{
			{ID: "ici", Libelle: "Ici", Certificates: []string{"1111111111111111111111111111111111111111"}},
			{ID: "la-bas", Libelle: "Là-bas", Certificates: []string{"2222222222222222222222222222222222222222"}},
		},
		Parties: []directory.Party{{
			ID: "parquet-essai", Role: directory.RoleParquet, Institution: "Tribunal d'essai", Departement: "59", Home: "la-bas",
			Certificates: []string{"3333333333333333333333333333333333333333"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCarrier(t *testing.T) {
	open := func(t *testing.T, far broker.Receiver) (broker.Carrier, broker.BrokerID, broker.PartyID) {
		n := inproc.New(twoBrokers(t))
		n.Join("la-bas", far)
		return n.Carrier("ici"), "ici", "parquet-essai"
	}
	brokertest.TestCarrier(t, open)
	t.Run("on a fair day", func(t *testing.T) {
		brokertest.TestCarrier(t, func(t *testing.T, far broker.Receiver) (broker.Carrier, broker.BrokerID, broker.PartyID) {
			c, from, to := open(t, far)
			return &brokertest.Carrier{Next: c}, from, to
		})
	})
}

// A home that is not there may come back; a party that nobody lists will not.
func TestAbsentHome(t *testing.T) {
	n := inproc.New(twoBrokers(t))
	if err := n.Carrier("ici").Carry(context.Background(), "parquet-essai", broker.Parcel{}); !errors.Is(err, broker.ErrTemporary) {
		t.Errorf("absent: %v", err)
	}
	n.Join("la-bas", nil)
	var r *broker.Refusal
	if err := n.Carrier("ici").Carry(context.Background(), "parquet-inconnu", broker.Parcel{}); !errors.As(err, &r) || r.Code != broker.RefusedDestination {
		t.Errorf("unknown: %v", err)
	}
}
