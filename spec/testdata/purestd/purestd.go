// Package purestd has wrappers of functions of the standard library, most of which need no runtime.
package purestd

import (
	"bytes"
	"cmp"
	"hash/adler32"
	"hash/crc32"
	"hash/crc64"
	"hash/fnv"
	"html"
	"math"
	"math/bits"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func Contains(s, t string) bool               { return strings.Contains(s, t) }
func ContainsAny(s, t string) bool            { return strings.ContainsAny(s, t) }
func ContainsRune(s string, r rune) bool      { return strings.ContainsRune(s, r) }
func Count(s, t string) int                   { return strings.Count(s, t) }
func Index(s, t string) int                   { return strings.Index(s, t) }
func LastIndex(s, t string) int               { return strings.LastIndex(s, t) }
func IndexByte(s string, b byte) int          { return strings.IndexByte(s, b) }
func LastIndexByte(s string, b byte) int      { return strings.LastIndexByte(s, b) }
func IndexAny(s, t string) int                { return strings.IndexAny(s, t) }
func IndexRune(s string, r rune) int          { return strings.IndexRune(s, r) }
func HasPrefix(s, t string) bool              { return strings.HasPrefix(s, t) }
func HasSuffix(s, t string) bool              { return strings.HasSuffix(s, t) }
func EqualFold(s, t string) bool              { return strings.EqualFold(s, t) }
func Compare(s, t string) int                 { return strings.Compare(s, t) }
func TrimLen(s string) int                    { return len(strings.TrimSpace(s)) }
func TrimLeftLen(s, t string) int             { return len(strings.TrimLeft(s, t)) }
func TrimPrefixLen(s, t string) int           { return len(strings.TrimPrefix(s, t)) }
func CutLen(s, t string) (int, int, bool)     { a, b, ok := strings.Cut(s, t); return len(a), len(b), ok }
func BytesEqual(s, t []byte) bool             { return bytes.Equal(s, t) }
func BytesIndex(s, t []byte) int              { return bytes.Index(s, t) }
func BytesCount(s, t []byte) int              { return bytes.Count(s, t) }
func BytesCompare(s, t []byte) int            { return bytes.Compare(s, t) }
func ValidString(s string) bool               { return utf8.ValidString(s) }
func RuneCount(s string) int                  { return utf8.RuneCountInString(s) }
func RuneLen(r rune) int                      { return utf8.RuneLen(r) }
func DecodeRune(s string) (rune, int)         { return utf8.DecodeRuneInString(s) }
func DecodeLastRune(s string) (rune, int)     { return utf8.DecodeLastRuneInString(s) }
func IsLetter(r rune) bool                    { return unicode.IsLetter(r) }
func IsSpace(r rune) bool                     { return unicode.IsSpace(r) }
func IsDigit(r rune) bool                     { return unicode.IsDigit(r) }
func IsUpper(r rune) bool                     { return unicode.IsUpper(r) }
func ToLower(r rune) rune                     { return unicode.ToLower(r) }
func ToUpper(r rune) rune                     { return unicode.ToUpper(r) }
func Sqrt(x float64) float64                  { return math.Sqrt(x) }
func Sin(x float64) float64                   { return math.Sin(x) }
func Cos(x float64) float64                   { return math.Cos(x) }
func Tan(x float64) float64                   { return math.Tan(x) }
func Atan2(x, y float64) float64              { return math.Atan2(x, y) }
func Exp(x float64) float64                   { return math.Exp(x) }
func Log(x float64) float64                   { return math.Log(x) }
func Log2(x float64) float64                  { return math.Log2(x) }
func Pow(x, y float64) float64                { return math.Pow(x, y) }
func Floor(x float64) float64                 { return math.Floor(x) }
func Ceil(x float64) float64                  { return math.Ceil(x) }
func Round(x float64) float64                 { return math.Round(x) }
func Mod(x, y float64) float64                { return math.Mod(x, y) }
func Modf(x float64) (float64, float64)       { return math.Modf(x) }
func Frexp(x float64) (float64, int)          { return math.Frexp(x) }
func Hypot(x, y float64) float64              { return math.Hypot(x, y) }
func Gamma(x float64) float64                 { return math.Gamma(x) }
func Lgamma(x float64) (float64, int)         { return math.Lgamma(x) }
func Erf(x float64) float64                   { return math.Erf(x) }
func Cbrt(x float64) float64                  { return math.Cbrt(x) }
func Max(x, y float64) float64                { return math.Max(x, y) }
func FMA(x, y, z float64) float64             { return math.FMA(x, y, z) }
func BuiltinMin(x, y float64) float64         { return min(x, y) }
func Float32bits(x float32) uint32            { return math.Float32bits(x) }
func J0(x float64) float64                    { return math.J0(x) }
func OnesCount(x uint64) int                  { return bits.OnesCount64(x) }
func LeadingZeros(x uint64) int               { return bits.LeadingZeros64(x) }
func TrailingZeros(x uint64) int              { return bits.TrailingZeros64(x) }
func Reverse(x uint64) uint64                 { return bits.Reverse64(x) }
func RotateLeft(x uint64, k int) uint64       { return bits.RotateLeft64(x, k) }
func Mul64(x, y uint64) (uint64, uint64)      { return bits.Mul64(x, y) }
func Add64(x, y, c uint64) (uint64, uint64)   { return bits.Add64(x, y, c) }
func Div64(h, l, y uint64) (uint64, uint64)   { return bits.Div64(h, l, y) }
func Crc32(b []byte) uint32                   { return crc32.ChecksumIEEE(b) }
func Crc64(b []byte) uint64                   { return crc64.Checksum(b, crc64.MakeTable(crc64.ISO)) }
func Adler(b []byte) uint32                   { return adler32.Checksum(b) }
func Fnv(s string) uint64                     { h := fnv.New64a(); h.Write([]byte(s)); return h.Sum64() }
func Atoi(s string) int                       { n, _ := strconv.Atoi(s); return n }
func ParseFloat(s string) float64             { f, _ := strconv.ParseFloat(s, 64); return f }
func PathMatch(p, s string) bool              { ok, _ := path.Match(p, s); return ok }
func IsAbs(p string) bool                     { return path.IsAbs(p) }
func BaseLen(p string) int                    { return len(path.Base(p)) }
func BinarySearch(s []int, x int) (int, bool) { return slices.BinarySearch(s, x) }
func SliceIndex(s []int, x int) int           { return slices.Index(s, x) }
func SliceMax(s []int) int                    { return slices.Max(s) }
func SortSearch(s []float64, x float64) int   { return sort.SearchFloat64s(s, x) }
func IsSorted(s []int) bool                   { return slices.IsSorted(s) }
func Cmp(a, b float64) int                    { return cmp.Compare(a, b) }
func Sum(s []float64) (t float64) {
	for _, x := range s {
		t += x
	}
	return
}
func EscapeLen(s string) int { return len(html.EscapeString(s)) }
func Quote(s string) string  { return strconv.Quote(s) }
func Itoa(i int) int         { var b [20]byte; return len(strconv.AppendInt(b[:0], int64(i), 10)) }
