package main

import (
	"fmt"
	"html"
	"strings"
)

// canvas collects the elements of a picture.
type canvas struct {
	strings.Builder
	width, height int
}

// style gives both faces, light and dark; colours are named by what they mean.
const style = `
svg { color-scheme: light dark; font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.page { fill: #ffffff; } .title { font-size: 17px; font-weight: 650; fill: #1c2430; } .sub { font-size: 12px; fill: #5b6675; }
.name { font-size: 15px; font-weight: 650; fill: #1c2430; } .code { font: 10.5px ui-monospace, Menlo, Consolas, monospace; fill: #5b6675; }
.label { font-size: 12.5px; fill: #1c2430; } .head { font-size: 13px; font-weight: 600; fill: #1c2430; }
.line { fill: none; stroke: #45505f; stroke-width: 1.6; } .tip, .dot { fill: #45505f; } .ring { fill: none; stroke: #45505f; stroke-width: 1.6; }
.box { stroke-width: 1.8; } .public { fill: #eef1f5; stroke: #8792a2; } .user { fill: #e3effd; stroke: #3d7dca; } .so { fill: #fdf0dc; stroke: #c98a1b; }
.rw { fill: #d9f2e0; } .ro { fill: #fdf3cf; } .none { fill: #f0f1f3; } .cell { font-size: 15px; font-weight: 650; fill: #1c2430; text-anchor: middle; }
.mid { text-anchor: middle; } .end { text-anchor: end; }
@media (prefers-color-scheme: dark) {
.page { fill: #12161c; } .title, .name, .label, .head, .cell { fill: #e8ecf1; } .sub, .code { fill: #9aa6b5; }
.line, .ring { stroke: #a9b4c2; } .tip, .dot { fill: #a9b4c2; }
.public { fill: #232a34; stroke: #6b7686; } .user { fill: #16304f; stroke: #5a9bea; } .so { fill: #43300f; stroke: #d9a13a; }
.rw { fill: #1c4a2c; } .ro { fill: #4a4015; } .none { fill: #1e242c; }
}`

func newCanvas(width, height int, title string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`, width, height, width, height)
	fmt.Fprintf(c, "\n<!-- Drawn by go generate from the tables of package session. Do not edit. -->\n")
	fmt.Fprintf(c, "<title>%s</title>\n<style>%s\n</style>\n", html.EscapeString(title), style)
	c.WriteString(`<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0 L10 5 L0 10 z"/></marker></defs>` + "\n")
	c.rect("page", 0, 0, width, height, 10)
	return c
}

func (c *canvas) rect(class string, x, y, w, h, round int) {
	fmt.Fprintf(c, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="%d"/>`+"\n", class, x, y, w, h, round)
}

func (c *canvas) text(class string, x, y int, s string) {
	fmt.Fprintf(c, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}

func (c *canvas) arrow(path string, a ...any) {
	fmt.Fprintf(c, `<path class="line" d="%s" marker-end="url(#tip)"/>`+"\n", fmt.Sprintf(path, a...))
}

func (c *canvas) start(x, y int) {
	fmt.Fprintf(c, `<circle class="dot" cx="%d" cy="%d" r="6"/>`+"\n", x, y)
}

func (c *canvas) end(x, y int) {
	fmt.Fprintf(c, `<circle class="ring" cx="%d" cy="%d" r="8"/><circle class="dot" cx="%d" cy="%d" r="4"/>`+"\n", x, y, x, y)
}

func (c *canvas) done() string { return c.String() + "</svg>\n" }
