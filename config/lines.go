package config

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	arrayHeader = regexp.MustCompile(`^\[\[\s*([A-Za-z0-9_.-]+)\s*\]\]`)
	tableHeader = regexp.MustCompile(`^\[\s*([A-Za-z0-9_.-]+)\s*\]`)
	keyOfLine   = regexp.MustCompile(`^([A-Za-z0-9_.-]+)\s*=`)
)

// indexLines maps each key, with the index of its table ("parties[1].home"),
// to its line. The decoder gives only the last of several tables of the same
// name. It follows bare keys and headers, which are all that this file needs;
// a key written otherwise gets the line of its table.
func indexLines(text string) map[string]int {
	lines := map[string]int{}
	count := map[string]int{}     // elements seen of each array of tables
	newest := map[string]string{} // name of an array to its newest element
	current := ""
	note := func(key string, line int) {
		if _, seen := lines[key]; !seen {
			lines[key] = line
		}
	}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if m := arrayHeader.FindStringSubmatch(line); m != nil {
			name := resolve(m[1], newest)
			current = fmt.Sprintf("%s[%d]", name, count[name])
			count[name]++
			newest[name] = current
			note(current, i+1)
			note(name, i+1)
		} else if m := tableHeader.FindStringSubmatch(line); m != nil {
			current = resolve(m[1], newest)
			note(current, i+1)
		} else if m := keyOfLine.FindStringSubmatch(line); m != nil {
			note(strings.TrimPrefix(current+"."+m[1], "."), i+1)
		}
	}
	return lines
}

// resolve: in [parties.patience], parties is the newest of the [[parties]].
func resolve(header string, newest map[string]string) string {
	path := ""
	for i, part := range strings.Split(header, ".") {
		path = strings.TrimPrefix(path+"."+part, ".")
		if element, ok := newest[path]; ok && i < strings.Count(header, ".") {
			path = element
		}
	}
	return path
}

// lineOf returns the line of the key, else of what contains it, else 0.
func lineOf(lines map[string]int, key string) int {
	for key != "" {
		if line, ok := lines[key]; ok {
			return line
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return 0
}
