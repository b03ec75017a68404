package main

import (
	"time"

	"github.com/spf13/cobra"
)

func newKeysListCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "list --data DIR",
		Short: "List the certificates of the directory, and which keys are here",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			d, err := readData(data)
			if err != nil {
				return err
			}
			list, err := listKeys(d, time.Now())
			if err != nil {
				return err
			}
			if t.json {
				return t.answer(list)
			}
			var rows [][]string
			for _, k := range list {
				owner, private, expires := k.Owner, "", "never expires"
				if k.Home != "" {
					owner += "@" + k.Home
				}
				if k.Private {
					private = "private key here"
				}
				if k.Expires != "" {
					expires = "expires " + k.Expires
				}
				rows = append(rows, []string{owner, k.Fingerprint, k.Standing, expires, private})
			}
			return t.table(rows)
		},
	}
	dataFlag(c, &data)
	return c
}
