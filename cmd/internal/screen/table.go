package screen

import "strings"

// Cell is one entry of a table.
type Cell struct {
	Text   string
	Colour Colour
}

// Table has columns as wide as what stands in them.
type Table struct {
	Head []string
	rows []row
}

type row struct {
	cells []Cell
	rest  Cell // instead of the cells after the first, as wide as it likes; or a line of its own
}

// Row adds cells.
func (t *Table) Row(cells ...Cell) { t.rows = append(t.rows, row{cells: cells}) }

// Say adds a first cell, and text in place of all others.
func (t *Table) Say(first, rest Cell) {
	t.rows = append(t.rows, row{cells: []Cell{first}, rest: rest})
}

// Detail adds text below the row before.
func (t *Table) Detail(c Cell) { t.rows = append(t.rows, row{rest: c}) }

// gap is between two columns, and indent before a detail.
const (
	gap    = 2
	indent = 6
)

// Print prints the table.
func (t *Table) Print(s *Screen) {
	widths := make([]int, len(t.Head))
	for i, name := range t.Head {
		widths[i] = length(name)
	}
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], length(c.Text))
		}
	}
	head := make([]Cell, len(t.Head))
	for i, name := range t.Head {
		head[i] = Cell{name, Bold}
	}
	for _, r := range append([]row{{cells: head}}, t.rows...) {
		var line strings.Builder
		for i, c := range r.cells {
			last := i == len(r.cells)-1 && r.rest.Text == ""
			line.WriteString(s.Paint(c.Colour, c.Text))
			if !last {
				line.WriteString(strings.Repeat(" ", widths[i]-length(c.Text)+gap))
			}
		}
		margin := indent
		if len(r.cells) > 0 {
			margin = widths[0] + gap
		}
		for i, text := range Fold(r.rest.Text, Width-margin) {
			if i > 0 || len(r.cells) == 0 {
				line.WriteString(strings.Repeat(" ", margin))
			}
			line.WriteString(s.Paint(r.rest.Colour, text) + "\n")
		}
		s.Printf("%s", line.String())
	}
}
