package session

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every combination of what a request can bring, want and have changed has exactly one row.
func Test_the_plan_of_every_request(t *testing.T) {
	type row struct {
		brought []brought
		intents []intent
		changes []change
		empty   []bool
		safe    []bool
		needs   []step
		signing []signing
		plan    plan
		err     error
	}
	var (
		anyIntent = []intent{wantKeep, wantRenew, wantEnd}
		anyChange = []change{same, optional, changed}
		differs   = []change{optional, changed}
		either    = []bool{true, false}
		yes, no   = []bool{true}, []bool{false}
		anyNeed   = []step{none, touch, write}
		anybody   = []signing{nobody, somebody, again}
		new       = []signing{nobody, somebody}
	)
	rows := []row{
		// A visitor without a session: what is stored begins one; a dead cookie is removed on request.
		{[]brought{broughtNothing, broughtDead}, anyIntent, []change{same, changed}, no, either, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtNothing, broughtDead}, anyIntent, []change{optional}, no, no, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtNothing, broughtDead}, anyIntent, []change{optional}, no, yes, anyNeed, []signing{nobody}, plan{save: write, drop: true}, nil},
		{[]brought{broughtNothing, broughtDead}, anyIntent, []change{optional}, no, yes, anyNeed, []signing{somebody, again}, plan{save: write}, nil},
		{[]brought{broughtNothing}, anyIntent, anyChange, yes, either, anyNeed, anybody, plan{}, nil},
		{[]brought{broughtDead}, []intent{wantKeep, wantRenew}, anyChange, yes, either, anyNeed, anybody, plan{}, nil},
		{[]brought{broughtDead}, []intent{wantEnd}, anyChange, yes, either, anyNeed, anybody, plan{remove: true}, nil},

		// A replaced token: it can end the session and do nothing else.
		{[]brought{broughtReplaced}, []intent{wantKeep}, []change{same}, either, either, anyNeed, new, plan{}, nil},
		{[]brought{broughtReplaced}, []intent{wantKeep}, []change{optional}, either, yes, anyNeed, new, plan{}, nil},
		{[]brought{broughtReplaced}, []intent{wantKeep}, []change{optional}, either, no, anyNeed, new, plan{}, ErrConflict},
		{[]brought{broughtReplaced}, []intent{wantKeep}, []change{changed}, either, either, anyNeed, new, plan{}, ErrConflict},
		{[]brought{broughtReplaced}, []intent{wantRenew}, anyChange, either, either, anyNeed, new, plan{}, ErrConflict},
		{[]brought{broughtReplaced}, []intent{wantEnd}, []change{same, optional}, either, either, anyNeed, new, plan{end: true}, nil},
		{[]brought{broughtReplaced}, []intent{wantEnd}, []change{changed}, either, either, anyNeed, new, plan{end: true}, ErrConflict},
		{[]brought{broughtReplaced}, anyIntent, anyChange, either, either, anyNeed, []signing{again}, plan{save: renew}, nil},

		// A session that is bound to a device, without a proof: it can be ended, and nothing else.
		{[]brought{broughtUnproven}, []intent{wantKeep}, []change{same}, either, either, anyNeed, anybody, plan{}, nil},
		{[]brought{broughtUnproven}, []intent{wantKeep}, []change{optional}, either, yes, anyNeed, anybody, plan{}, nil},
		{[]brought{broughtUnproven}, []intent{wantKeep}, []change{optional}, either, no, anyNeed, anybody, plan{}, ErrUnproven},
		{[]brought{broughtUnproven}, []intent{wantKeep}, []change{changed}, either, either, anyNeed, anybody, plan{}, ErrUnproven},
		{[]brought{broughtUnproven}, []intent{wantRenew}, anyChange, either, either, anyNeed, anybody, plan{}, ErrUnproven},
		{[]brought{broughtUnproven}, []intent{wantEnd}, anyChange, yes, either, anyNeed, anybody, plan{end: true, remove: true}, nil},
		{[]brought{broughtUnproven}, []intent{wantEnd}, anyChange, no, either, anyNeed, anybody, plan{end: true, save: write}, nil},

		// A session.
		{[]brought{broughtLive}, []intent{wantKeep}, []change{same}, either, either, []step{none}, anybody, plan{}, nil},
		{[]brought{broughtLive}, []intent{wantKeep}, []change{same}, either, either, []step{touch}, anybody, plan{save: touch, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantKeep}, []change{same}, either, either, []step{write}, anybody, plan{save: write, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantKeep}, []change{optional}, either, yes, anyNeed, anybody, plan{save: write, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantKeep}, []change{optional}, either, no, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtLive}, []intent{wantKeep}, []change{changed}, either, either, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, anyChange, no, either, anyNeed, anybody, plan{save: renew}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{same}, yes, either, []step{none}, anybody, plan{}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{same}, yes, either, []step{touch}, anybody, plan{save: touch, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{same}, yes, either, []step{write}, anybody, plan{save: write, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{optional}, yes, yes, anyNeed, anybody, plan{save: write, drop: true}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{optional}, yes, no, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtLive}, []intent{wantRenew}, []change{changed}, yes, either, anyNeed, anybody, plan{save: write}, nil},
		{[]brought{broughtLive}, []intent{wantEnd}, anyChange, yes, either, anyNeed, anybody, plan{end: true, remove: true}, nil},
		{[]brought{broughtLive}, []intent{wantEnd}, anyChange, no, either, anyNeed, anybody, plan{end: true, save: write}, nil},

		// Nobody knows: nothing can be wanted.
		{[]brought{broughtUnknown}, []intent{wantKeep}, []change{same}, either, either, anyNeed, anybody, plan{}, nil},
		{[]brought{broughtUnknown}, []intent{wantKeep}, differs, either, either, anyNeed, anybody, plan{}, ErrUnavailable},
		{[]brought{broughtUnknown}, []intent{wantRenew, wantEnd}, anyChange, either, either, anyNeed, anybody, plan{}, ErrUnavailable},
	}
	seen := map[facts]int{}
	for i, r := range rows {
		for _, b := range r.brought {
			for _, in := range r.intents {
				for _, ch := range r.changes {
					for _, e := range r.empty {
						for _, s := range r.safe {
							for _, d := range r.needs {
								for _, who := range r.signing {
									f := facts{b, in, ch, e, s, d, who}
									p, err := f.plan()
									require.Equal(t, r.plan, p, "row %d: %+v", i, f)
									require.Equal(t, r.err, err, "row %d: %+v", i, f)
									seen[f]++
								}
							}
						}
					}
				}
			}
		}
	}
	require.Len(t, seen, 6*3*3*2*2*3*3)
	for f, n := range seen {
		require.Equal(t, 1, n, fmt.Sprintf("%+v", f))
	}
}
