package schemas

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// The two levels of a rule are two validators over the same structs: the one
// of erreurs reads the tag "validate", the one of réserves the tag "reserve".
var (
	erreurs  = sync.OnceValue(newErreurs)
	reserves = sync.OnceValue(newReserves)
)

func newErreurs() *validator.Validate {
	v := newValidator("validate")
	for tag, check := range formats {
		// The error tells of an empty tag or a nil function: neither can be.
		_ = v.RegisterValidation(tag, func(fl validator.FieldLevel) bool {
			return check(fl.Field().String())
		})
	}
	registerBetween(v, betweenErreurs[:])
	return v
}

func newReserves() *validator.Validate {
	v := newValidator("reserve")
	registerBetween(v, betweenReserves[:])
	return v
}

func registerBetween(v *validator.Validate, rules []between) {
	for _, r := range rules {
		v.RegisterStructValidation(func(sl validator.StructLevel) {
			r.check(sl.Current().Addr().Interface(), func(path, code string) {
				sl.ReportError("", path, path, code, "")
			})
		}, reflect.Zero(r.typ).Interface())
	}
}

// embedded stands for an embedded struct in the validator's paths: its members
// are those of the enclosing object.
const embedded = "^"

func newValidator(tag string) *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.SetTagName(tag)
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		if f.Anonymous {
			return embedded
		}
		return jsonName(f)
	})
	for i := range table {
		skipRest(v, plans()[table[i].Kind].typ, tag)
	}
	return v
}

// skipRest makes the validator pass over what has no rule under this tag, a
// field or a whole struct: it would copy every such value to look at it, which
// is most of its cost.
func skipRest(v *validator.Validate, typ reflect.Type, tag string) (ruled bool) {
	rules := map[string]string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		own := f.Tag.Get(tag)
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		nested := inner.Kind() == reflect.Struct && skipRest(v, inner, tag)
		if own == "" && !nested {
			rules[f.Name] = "-"
		} else {
			ruled = true
		}
	}
	if len(rules) > 0 {
		v.RegisterStructValidationMapRules(rules, reflect.Zero(typ).Interface())
	}
	return ruled
}

// codeOf gives our code for a tag of the validator.
var codeOf = map[string]string{
	"required":          codeObligatoire,
	"oneof":             codeValeur,
	"unique":            codeRepetition,
	"nonblanc":          codeBlanc,
	"jour":              codeFormat,
	"jour_approximatif": codeFormat,
	"instant":           codeFormat,
	"telephone":         codeFormat,
	"identifiant":       codeFormat,
	"partie":            codeFormat,
	"type_mime":         codeFormat,
}

// check runs one validator over a document and gives the faults it finds.
func check(v *validator.Validate, doc any) []fault {
	err := v.Struct(doc)
	if err == nil {
		return nil
	}
	found, ok := err.(validator.ValidationErrors)
	if !ok {
		// Struct only returns something else for a value that is not a
		// struct, which plans rules out; refusing is then the safe answer.
		return []fault{{code: codeSyntaxe}}
	}
	faults := make([]fault, 0, len(found))
	for _, e := range found {
		faults = append(faults, fault{
			path:  memberPath(e.Namespace()),
			code:  codeFor(e),
			param: e.Param(),
		})
	}
	return faults
}

func codeFor(e validator.FieldError) string {
	switch tag := e.Tag(); tag {
	case "max":
		switch e.Kind() {
		case reflect.Int:
			return codeNombre
		case reflect.Slice:
			return codeTrop
		}
		return codeTropLong
	case "min":
		if e.Kind() == reflect.Int {
			return codeNombre
		}
		return codeObligatoire // an empty list
	default:
		if code, ok := codeOf[tag]; ok {
			return code
		}
		return tag // rules.go reports our codes themselves
	}
}

// memberPath turns "signalement.^.enfants[0].nom" into "enfants[0].nom".
func memberPath(namespace string) string {
	_, path, _ := strings.Cut(namespace, ".")
	return strings.ReplaceAll(path, embedded+".", "")
}

// merge adds to the faults of reading those of the rules, except where the
// reading already failed: a text in the place of a list is not also a missing
// list.
func merge(reading, rules []fault) []fault {
	all := reading
	for _, f := range rules {
		if len(all) >= maxFaults {
			break
		}
		covered := slices.ContainsFunc(reading, func(r fault) bool {
			if r.path == "" {
				return r.code == codeType || r.code == codeNull // not an object at all
			}
			return f.path == r.path ||
				strings.HasPrefix(f.path, r.path+".") || strings.HasPrefix(f.path, r.path+"[")
		})
		if !covered {
			all = append(all, f)
		}
	}
	return all
}

// formats are the rules of single texts. Each has its pattern in patterns
// (jsonschema.go); a test holds the two together.
var formats = map[string]func(string) bool{
	"nonblanc":          isNonBlanc,
	"jour":              isJour,
	"jour_approximatif": isJourApproximatif,
	"instant":           isInstant,
	"telephone":         isTelephone,
	"identifiant":       isIdentifiant,
	"partie":            isPartie,
	"type_mime":         isTypeMIME,
}

// isNonBlanc wants one letter or digit: a dash or a dot fills a box of a form
// without saying anything.
func isNonBlanc(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) >= 0
}

// isJour wants a day of the calendar, 2026-11-20, between 1900 and 2100.
func isJour(s string) bool {
	day, err := time.Parse(time.DateOnly, s)
	return err == nil && len(s) == len(time.DateOnly) && 1900 <= day.Year() && day.Year() <= 2100
}

// isJourApproximatif wants a year, a month or a day.
func isJourApproximatif(s string) bool {
	switch len(s) {
	case len("2026"):
		s += "-01-01"
	case len("2026-11"):
		s += "-01"
	}
	return isJour(s)
}

// isInstant wants a local hour with its offset (RFC 3339 §5.6), to the second.
// The Z of UTC is refused: on paper the hour is that of the place.
func isInstant(s string) bool {
	const layout = "2006-01-02T15:04:05-07:00"
	_, err := time.Parse(layout, s)
	return err == nil && len(s) == len(layout) && isJour(s[:len(time.DateOnly)])
}

// isTelephone is lenient on purpose: spaces, dots, an extension.
func isTelephone(s string) bool {
	number, extension, has := strings.Cut(s, " poste ")
	if has && (len(extension) > 6 || !onlyDigits(extension)) {
		return false
	}
	digits := 0
	for i, c := range []byte(number) {
		switch {
		case isDigit(c):
			digits++
		case c == '+' && i == 0, strings.IndexByte(" .-()/", c) >= 0:
		default:
			return false
		}
	}
	return 4 <= digits && digits <= 15 && len(number) <= 30
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func onlyDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// isIdentifiant wants the id of a pli: a UUIDv7 in lower case (RFC 9562 §5.7).
func isIdentifiant(s string) bool {
	if len(s) != 36 || s[14] != '7' || strings.IndexByte("89ab", s[19]) < 0 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isDigit(s[i]) && (s[i] < 'a' || 'f' < s[i]) {
				return false
			}
		}
	}
	return true
}

// isPartie wants the id of a party of the directory.
func isPartie(s string) bool {
	if s == "" || len(s) > 40 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '-' && (r >= utf8.RuneSelf || !isDigit(byte(r)) && (r < 'a' || 'z' < r))
	}) < 0
}

// isTypeMIME wants type/subtype in lower case, without parameters (RFC 6838
// §4.2).
func isTypeMIME(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && isMIMEName(kind) && isMIMEName(sub)
}

func isMIMEName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alone := isDigit(c) || 'a' <= c && c <= 'z'
		if !alone && (i == 0 || strings.IndexByte("!#$&^_.+-", c) < 0) {
			return false
		}
	}
	return s != ""
}
