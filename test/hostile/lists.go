package hostile

import (
	"context"
	"fmt"
	"strconv"
)

// listModes attack how a client follows the cursors of tools/list.
func listModes() []mode {
	return []mode{
		{
			Mode: everywhere("endless-pages", "has one more tool and one more page of tools, always"),
			handle: onList(func(m message) []byte {
				page := 0
				if m.Params.Cursor != nil {
					page, _ = strconv.Atoi(*m.Params.Cursor)
				}
				return resultTo(m, fmt.Sprintf(`%s,"nextCursor":"%d"`, toolsField(m, fmt.Sprintf("run_%d", page)), page+1))
			}),
		},
		{
			Mode: everywhere("repeated-cursor", "has the same next cursor on every page of tools"),
			handle: onList(func(m message) []byte {
				return resultTo(m, toolsField(m, "run")+`,"nextCursor":"again"`)
			}),
		},
		{
			Mode: everywhere("empty-cursor", "has an empty next cursor, which it then refuses"),
			handle: onList(func(m message) []byte {
				if m.Params.Cursor != nil {
					return errorTo(m, -32602, "Invalid cursor")
				}
				return resultTo(m, toolsField(m, "run")+`,"nextCursor":""`)
			}),
		},
		{
			Mode: everywhere("duplicate-tools", "lists the same tool on both of its pages"),
			handle: onList(func(m message) []byte {
				if m.Params.Cursor != nil {
					return resultTo(m, toolsField(m, "run", "run_more"))
				}
				return resultTo(m, toolsField(m, "run")+`,"nextCursor":"2"`)
			}),
		},
	}
}

func onList(answer func(m message) []byte) handler {
	return on("tools/list", func(_ context.Context, _ *server, m message, out outlet) {
		_ = out.send(answer(m))
	})
}
