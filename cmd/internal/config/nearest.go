package config

// Nearest is the known word that differs from word in the fewest letters, changed,
// added or dropped; empty if all differ in more than most.
func Nearest(word string, known []string, most int) string {
	near := ""
	for _, k := range known {
		if d := distance(word, k); d <= most {
			near, most = k, d-1
		}
	}
	return near
}

// distance counts the letters to change, add or drop (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
