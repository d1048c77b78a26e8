// Package spelling finds the word that was probably meant.
package spelling

// longest is the longest word that is looked at: no keyword comes near it, and the
// work grows with the length.
const longest = 64

// Nearest is the first of the closest known words within a third of its length of
// word, or empty.
func Nearest(word string, known []string) string {
	best, bestDistance := "", 0
	if len(word) > longest {
		return best
	}
	for _, k := range known {
		limit := max(1, len(k)/3)
		if len(word) > len(k)+limit || len(k) > len(word)+limit {
			continue // the lengths alone are too far apart
		}
		d := distance(word, k)
		if d <= limit && (best == "" || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	var short [longest + 1]int // on the stack
	row := short[:]
	if len(b) > longest {
		row = make([]int, len(b)+1)
	}
	row = row[:len(b)+1]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
